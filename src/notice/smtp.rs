//! A letter's way through an SMTP server, one connection each, which ends within the deadline
//! whatever the server does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mail_send::smtp::message::Message;
use mail_send::{Credentials, SmtpClient, SmtpClientBuilder};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::error::{Error, tame};
use crate::kit::secret::Secret;
use crate::settings::{Mail, MailSecurity};

/// What saying goodbye may take: the letter has been taken already.
const GOODBYE: Duration = Duration::from_secs(1);
/// Replies that mean that one has to log in first, or otherwise (RFC 4954, 6).
const LOGIN_CODES: [u16; 4] = [530, 534, 535, 538];

/// The way to one server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    security: MailSecurity,
    login: Option<(String, Secret)>,
    helo: String,
    deadline: Duration,
    tls: TlsConnector,
}

impl Smtp {
    pub(super) fn open(settings: &Mail, host: &str, helo: &str) -> Result<Self, Error> {
        if settings.security == MailSecurity::None {
            tracing::warn!(host, "mails go out without encryption, because mail.security is \"none\"");
        }
        Ok(Self {
            host: host.to_owned(),
            port: settings.port,
            security: settings.security,
            login: settings.username.clone().zip(settings.password.clone()),
            helo: helo.to_owned(),
            deadline: Duration::from_secs(settings.timeout_seconds),
            tls: tls(settings)?,
        })
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn send(&self, from: &str, to: &str, message: Vec<u8>) -> Result<(), Error> {
        run(self.talk(Some(Message::new(from, [to], message))))
    }

    pub(super) fn probe(&self) -> Result<(), Error> {
        run(self.talk(None))
    }

    async fn talk(&self, message: Option<Message<'_>>) -> Result<(), Error> {
        let until = Instant::now() + self.deadline;
        let builder = self.builder();
        match self.security {
            MailSecurity::None => self.hand_over(until, builder.connect_plain(), message).await,
            MailSecurity::StartTls => self.hand_over(until, builder.implicit_tls(false).connect(), message).await,
            MailSecurity::Tls => self.hand_over(until, builder.implicit_tls(true).connect(), message).await,
        }
    }

    /// Connects and hands the message over. What goes wrong before that is no fault of the message.
    async fn hand_over<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        until: Instant,
        connect: impl Future<Output = mail_send::Result<SmtpClient<T>>>,
        message: Option<Message<'_>>,
    ) -> Result<(), Error> {
        let late = || format!("no answer within {} seconds", self.deadline.as_secs());
        let connected = timeout_at(until, connect).await;
        let connected = connected.map_err(|_| Error::Unreachable { place: self.place(), why: late() })?;
        let mut client = connected.map_err(|error| self.not_let_in(error))?;
        if let Some(message) = message {
            let sent = timeout_at(until, client.send(message)).await;
            let sent = sent.map_err(|_| Error::NotNow { place: self.place(), why: late() })?;
            sent.map_err(|error| self.not_taken(error))?;
        }
        // It counts as done, whether or not the server says goodbye.
        let _ = timeout(GOODBYE, client.quit()).await;
        Ok(())
    }

    fn builder(&self) -> SmtpClientBuilder<String> {
        let mut builder = SmtpClientBuilder::new_with_tls_connector(self.host.clone(), self.port, self.tls.clone())
            .helo_host(self.helo.clone())
            .timeout(self.deadline);
        if self.host.contains(':') {
            builder.addr = format!("[{}]:{}", self.host, self.port);
        }
        match &self.login {
            Some((username, password)) => {
                builder.credentials(Credentials::new(username.clone(), password.reveal().to_owned()))
            }
            None => builder,
        }
    }

    fn not_let_in(&self, error: mail_send::Error) -> Error {
        use mail_send::Error as Sent;
        let place = self.place();
        match error {
            Sent::MissingStartTls => Error::NoStartTls { place },
            Sent::Tls(why) => Error::Tls { place, why: why.to_string() },
            Sent::InvalidTLSName => {
                Error::Tls { place, why: "mail.host is no name that a certificate could have".into() }
            }
            Sent::AuthenticationFailed(reply) => {
                Error::Login { place, why: said(reply.code, reply.esc, &reply.message) }
            }
            Sent::UnsupportedAuthMechanism => {
                Error::Login { place, why: "it offers no way to log in that is known here".into() }
            }
            other => Error::Unreachable { place, why: why(other) },
        }
    }

    fn not_taken(&self, error: mail_send::Error) -> Error {
        let place = self.place();
        match error {
            mail_send::Error::UnexpectedReply(reply) => {
                let why = said(reply.code, reply.esc, &reply.message);
                match reply.code {
                    code if LOGIN_CODES.contains(&code) => Error::Login { place, why },
                    code @ 500..=599 => Error::Refused { place, code, why },
                    _ => Error::NotNow { place, why },
                }
            }
            other => Error::NotNow { place, why: why(other) },
        }
    }
}

fn why(error: mail_send::Error) -> String {
    match error {
        mail_send::Error::Io(error) => error.to_string(),
        mail_send::Error::UnexpectedReply(reply) => said(reply.code, reply.esc, &reply.message),
        mail_send::Error::UnparseableReply => "it broke off, or does not speak SMTP".to_owned(),
        other => tame(&other.to_string()),
    }
}

/// A reply as the server wrote it: its number, the finer one (RFC 3463) if it had one, and the text.
fn said(code: u16, finer: [u8; 3], text: &str) -> String {
    let text = tame(text);
    match finer {
        [0, _, _] => format!("{code} {text}"),
        [class, subject, detail] => format!("{code} {class}.{subject}.{detail} {text}"),
    }
}

/// A runtime for one letter. A name that is still being looked up when the deadline has passed is
/// left behind.
fn run<T>(talk: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Setup(error.to_string()))?;
    let outcome = runtime.block_on(talk);
    runtime.shutdown_background();
    outcome
}

/// TLS that trusts the authorities browsers trust, and the operator's own.
fn tls(settings: &Mail) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = &settings.ca_file {
        let bad = |why: String| Error::Certificates { path: path.clone(), why };
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(bad("there is none in it".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
