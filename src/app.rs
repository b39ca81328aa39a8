//! The rooms together, owned by one value that every door and work shares.

pub mod asked;
mod link;
pub mod metrics;
pub mod outbox;
pub mod queue;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::Semaphore;

use crate::auth::Keys;
use crate::domain::limits::{FEW_EXPORT_ROWS, SMALL_EXPORT_ROWS};
use crate::domain::{Id, Moment};
use crate::kit::clock::Clock;
use crate::kit::ids::IdMaker;
use crate::kit::ordered::Hands;
use crate::notice::{Hooks, Mailer, Words};
use crate::script::{self, Library};
use crate::settings::Settings;
use crate::storage::Storage;
use crate::store::Store;
use asked::Asked;
use metrics::Metrics;
use outbox::Outbox;
use queue::{Limits, Queue};

/// The name of the store's file in the data folder.
pub const STORE_FILE: &str = "waybill.redb";

/// Everything that a running server, or a command that works without one, has.
pub struct App {
    /// What the operator chose.
    pub settings: Settings,
    /// Tasks, flows and hubs.
    pub store: Store,
    /// Finished files.
    pub storage: Storage,
    /// Tokens and links.
    pub keys: Keys,
    /// Operators' scripts.
    pub scripts: Library,
    /// What sends mails, if any are wanted.
    pub mailer: Option<Mailer>,
    /// What mails say.
    pub words: Words,
    /// The programs that are told, if there are any.
    pub hooks: Option<Hooks>,
    /// What wakes those that send notices.
    pub outbox: Outbox,
    /// The time.
    pub clock: Clock,
    /// Fresh ids.
    pub ids: IdMaker,
    /// The threads that select and render.
    pub pool: ThreadPool,
    /// As many for what is small and waited for: a pool takes no new work before what it has begun is done,
    /// and a large selection is begun for seconds.
    pub small_pool: ThreadPool,
    /// Direct exports that may run at once.
    pub direct: Arc<Semaphore>,
    /// Background exports that wait or run.
    pub queue: Queue,
    /// Background exports that have not ended, by what was asked for.
    pub asked: Asked,
    /// Where the server listens, once it does.
    pub address: OnceLock<SocketAddr>,
    /// What was done so far, in numbers.
    pub metrics: Metrics,
}

/// Why the rooms could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder cannot be made or entered.
    #[error("The data folder {} cannot be used: {source}. Make it writable for this user, or name another with --data.", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// A place of finished files refused.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
    /// The signing key was refused.
    #[error(transparent)]
    Auth(#[from] crate::auth::Error),
    /// The folder of scripts refused.
    #[error(transparent)]
    Script(#[from] crate::script::Error),
    /// Mails cannot be sent the way they should.
    #[error(transparent)]
    Notice(#[from] crate::notice::Error),
    /// The worker threads could not be started.
    #[error("The worker threads could not be started: {0}")]
    Pool(#[from] ThreadPoolBuildError),
}

impl App {
    /// Opens every room, making what a first start needs.
    ///
    /// # Errors
    /// The first room that refuses, in words for the operator.
    pub fn open(settings: Settings, clock: Clock) -> Result<Arc<Self>, OpenError> {
        let dir = &settings.data.dir;
        make_private(dir).map_err(|source| OpenError::Data { path: dir.clone(), source })?;
        // The store comes first: it is what keeps a second process out of the folder.
        let store = Store::open(&dir.join(STORE_FILE), settings.data.cache_bytes)?;
        let storage = Storage::open(&settings.storage, dir)?;
        let keys = Keys::open(dir)?;
        let scripts = Library::open(&settings.scripts, clock.now())?;
        let (mailer, words) = (Mailer::open(&settings.mail)?, Words::new(&settings.mail));
        let (hooks, outbox) = (Hooks::open(&settings.webhook), Outbox::default());
        let (pool, small_pool) = (pool("render", &settings)?, pool("small", &settings)?);
        let queue = Queue::new(Limits { per_user: settings.export.queue_per_user, small_rows: SMALL_EXPORT_ROWS });
        let asked = Asked::default();
        let direct = Arc::new(Semaphore::new(settings.export.direct_at_once));
        let (ids, address, metrics) = (IdMaker::new(), OnceLock::new(), Metrics::new());
        Ok(Arc::new(Self {
            settings,
            store,
            storage,
            keys,
            scripts,
            mailer,
            words,
            hooks,
            outbox,
            clock,
            ids,
            pool,
            small_pool,
            direct,
            queue,
            asked,
            address,
            metrics,
        }))
    }

    /// The threads for what has at most so many rows; none for what nobody knows the rows of.
    pub fn pool_for(&self, most_rows: Option<u64>) -> &ThreadPool {
        match most_rows {
            Some(0..=SMALL_EXPORT_ROWS) => &self.small_pool,
            _ => &self.pool,
        }
    }

    /// Who makes an export of so many rows. Scripts want the wide stacks of the pool.
    pub fn hands_for(&self, rows: u64, calls_scripts: bool) -> Hands<'_> {
        match rows {
            0..=FEW_EXPORT_ROWS if !calls_scripts => Hands::Own,
            _ => Hands::Pool(self.pool_for(Some(rows))),
        }
    }

    /// Where clients reach the server, without a slash at the end.
    pub fn public_url(&self) -> String {
        let address = self.address.get().unwrap_or(&self.settings.server.listen);
        self.settings.server.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
    }

    /// The key of an export's file up to its kind, the same for each of its runs (contract 2).
    pub fn key_stem(&self, organization: Id, export: Id, asked: Moment) -> String {
        let secret = self.keys.file_secret(export);
        format!("{}/task_{organization}_{}_{secret}", asked.day(), asked.seconds())
    }
}

fn pool(name: &'static str, settings: &Settings) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(settings.export.threads)
        .thread_name(move |number| format!("{name}-{number}"))
        .stack_size(script::stack_bytes(&settings.scripts))
        .build()
}

/// Makes the folder for this user alone (contract 11: mode 0700).
///
/// # Errors
/// What the system says.
pub fn make_private(dir: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    if dir.is_dir() {
        return std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
