//! A server that speaks S3, in the process of the test: it verifies every signature and the time of
//! every link, keeps files in a folder, and can be asked what lies there.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub const ACCESS: &str = "waybill-access";
pub const SECRET: &str = "waybill-secret";
pub const BUCKET: &str = "exports";

/// The server, until it is dropped.
pub struct Server {
    pub url: String,
    /// Of the authority that signed its certificate, where it has one.
    pub ca: Option<PathBuf>,
    folder: TempDir,
    _authority: TempDir,
    uploads: Uploads,
    _runtime: tokio::runtime::Runtime,
}

/// Uploads that are not complete, by their ids.
type Uploads = Arc<Mutex<BTreeMap<String, Begun>>>;

struct Begun {
    key: String,
    at: SystemTime,
    tags: BTreeMap<i32, ETag>,
}

impl Server {
    /// With an empty bucket.
    pub fn start() -> Self {
        let server = Self::without_bucket();
        std::fs::create_dir(server.folder.path().join(BUCKET)).unwrap();
        server
    }

    /// The same behind TLS, with a certificate that only its own authority vouches for.
    pub fn with_tls() -> Self {
        let server = Self::serve(Some(certified()));
        std::fs::create_dir(server.folder.path().join(BUCKET)).unwrap();
        server
    }

    pub fn without_bucket() -> Self {
        Self::serve(None)
    }

    fn serve(tls: Option<(String, ServerConfig)>) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let uploads = Uploads::default();
        let files = FileSystem::new(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut service = S3ServiceBuilder::new(Checking { files, uploads: Arc::clone(&uploads) });
        service.set_auth(SimpleAuth::from_single(ACCESS, SECRET));
        let service = service.build();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (ca, tls) = tls.unzip();
        let ca = ca.map(|ca| {
            let file = authority.path().join("ca.pem");
            std::fs::write(&file, ca).unwrap();
            file
        });
        let tls = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        runtime.spawn(async move {
            let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            while let Ok((stream, _)) = listener.accept().await {
                let (http, service, tls) = (http.clone(), service.clone(), tls.clone());
                // Whoever does not trust the certificate is gone.
                tokio::spawn(async move {
                    match tls {
                        None => http.serve_connection(TokioIo::new(stream), service).await.ok(),
                        Some(tls) => {
                            let stream = tls.accept(stream).await.ok()?;
                            http.serve_connection(TokioIo::new(stream), service).await.ok()
                        }
                    }
                });
            }
        });
        let url = format!("{scheme}://{address}");
        Self { url, ca, folder, uploads, _authority: authority, _runtime: runtime }
    }

    /// The names of what lies in the bucket.
    pub fn objects(&self) -> Vec<String> {
        let bucket = self.folder.path().join(BUCKET);
        let mut names = Vec::new();
        collect(&bucket, &bucket, &mut names);
        names.sort();
        names
    }

    pub fn bytes(&self, object: &str) -> Vec<u8> {
        std::fs::read(self.path(object)).unwrap()
    }

    pub fn path(&self, object: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(object)
    }

    /// Puts something there behind everybody's back.
    pub fn plant(&self, object: &str, bytes: &[u8]) {
        let path = self.path(object);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Uploads that are not complete.
    pub fn uploads(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    pub fn has_bucket(&self) -> bool {
        self.folder.path().join(BUCKET).is_dir()
    }
}

/// An authority's certificate, and what a server needs for one of its own.
fn certified() -> (String, ServerConfig) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let own_key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&own_key, &Issuer::new(params, key)).unwrap();
    let own_key = PrivateKeyDer::try_from(own_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], own_key)
        .unwrap();
    (authority, tls)
}

fn collect(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, names);
        } else {
            names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// Files in a folder, with what a strict server refuses and the folder's makers left out.
struct Checking {
    files: FileSystem,
    uploads: Uploads,
}

impl Checking {
    async fn must_exist(&self, bucket: &str) -> S3Result<()> {
        let buckets = self.files.list_buckets(request(ListBucketsInput::default())).await?.output.buckets;
        let is_there = buckets.into_iter().flatten().any(|found| found.name.as_deref() == Some(bucket));
        if is_there { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }
}

fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Default::default(),
        uri: Default::default(),
        headers: Default::default(),
        extensions: Default::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

/// Calls that are passed on as they are, once it is known that their bucket is there.
macro_rules! passed_on {
    ($($call:ident($input:ty) -> $output:ty;)*) => {
        #[async_trait::async_trait]
        impl S3 for Checking {
            $(async fn $call(&self, asked: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.must_exist(&asked.input.bucket).await?;
                self.files.$call(asked).await
            })*

            async fn create_bucket(&self, asked: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
                match self.must_exist(&asked.input.bucket).await {
                    Ok(()) => Err(s3_error!(BucketAlreadyOwnedByYou)),
                    Err(_) => self.files.create_bucket(asked).await,
                }
            }

            async fn create_multipart_upload(
                &self,
                asked: S3Request<CreateMultipartUploadInput>,
            ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
                self.must_exist(&asked.input.bucket).await?;
                let key = asked.input.key.clone();
                let answer = self.files.create_multipart_upload(asked).await?;
                let begun = Begun { key, at: SystemTime::now(), tags: BTreeMap::new() };
                self.uploads.lock().unwrap().insert(answer.output.upload_id.clone().unwrap(), begun);
                Ok(answer)
            }

            async fn upload_part(&self, asked: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
                let (id, number) = (asked.input.upload_id.clone(), asked.input.part_number);
                let answer = self.files.upload_part(asked).await?;
                let mut uploads = self.uploads.lock().unwrap();
                let begun = uploads.get_mut(&id).ok_or_else(|| s3_error!(NoSuchUpload))?;
                begun.tags.insert(number, answer.output.e_tag.clone().unwrap());
                Ok(answer)
            }

            async fn complete_multipart_upload(
                &self,
                asked: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                let id = asked.input.upload_id.clone();
                let parts = asked.input.multipart_upload.as_ref().and_then(|upload| upload.parts.clone());
                {
                    let uploads = self.uploads.lock().unwrap();
                    let begun = uploads.get(&id).ok_or_else(|| s3_error!(NoSuchUpload))?;
                    let is_sent = |part: &CompletedPart| begun.tags.get(&part.part_number.unwrap()) == part.e_tag.as_ref();
                    if !parts.iter().flatten().all(is_sent) {
                        return Err(s3_error!(InvalidPart));
                    }
                }
                let answer = self.files.complete_multipart_upload(asked).await?;
                self.uploads.lock().unwrap().remove(&id);
                Ok(answer)
            }

            async fn abort_multipart_upload(
                &self,
                asked: S3Request<AbortMultipartUploadInput>,
            ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
                if self.uploads.lock().unwrap().remove(&asked.input.upload_id).is_none() {
                    return Err(s3_error!(NoSuchUpload));
                }
                self.files.abort_multipart_upload(asked).await
            }

            async fn list_multipart_uploads(
                &self,
                asked: S3Request<ListMultipartUploadsInput>,
            ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
                let prefix = asked.input.prefix.unwrap_or_default();
                let uploads = self.uploads.lock().unwrap();
                let ours = uploads.iter().filter(|(_, begun)| begun.key.starts_with(&prefix));
                let told = ours.map(|(id, begun)| MultipartUpload {
                    key: Some(begun.key.clone()),
                    upload_id: Some(id.clone()),
                    initiated: Some(begun.at.into()),
                    ..Default::default()
                });
                let uploads = Some(told.collect());
                Ok(S3Response::new(ListMultipartUploadsOutput { uploads, ..Default::default() }))
            }
        }
    };
}

passed_on! {
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
}
