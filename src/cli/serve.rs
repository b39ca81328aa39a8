//! `waybill serve`

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::App;
use crate::jobs::Workers;

use super::fail::Failure;
use super::{Place, start};

/// The server.
#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let mut settings = start::settings(place)?;
        settings.server.listen = self.listen.unwrap_or(settings.server.listen);
        let app = start::open(settings)?;
        start::runtime()?.block_on(async {
            let listener = bind(app.settings.server.listen).await?;
            start::say(&format!(
                "Waybill listens on http://{} and keeps its data in {}",
                listener.local_addr()?,
                app.settings.data.dir.display()
            ));
            let workers = Workers::start(&app)?;
            until_stopped(&app, listener, workers).await
        })
    }
}

/// Serves until a signal. Then requests and exports have the same while to come to their end; what is
/// left of the exports is handed back to the queue. A second signal leaves at once, which loses
/// nothing either.
pub(super) async fn until_stopped(app: &Arc<App>, listener: TcpListener, workers: Workers) -> Result<(), Failure> {
    let grace = Duration::from_secs(app.settings.server.grace_seconds);
    let (tell, told) = oneshot::channel();
    let leaving = tokio::spawn(async move {
        start::stopped().await;
        tokio::spawn(async {
            start::stopped().await;
            std::process::exit(0);
        });
        // Nobody hears it only when the server has ended already.
        let _ = tell.send(());
        tokio::task::spawn_blocking(move || workers.leave(grace)).await
    });
    crate::http::serve(Arc::clone(app), listener, async {
        let _ = told.await;
    })
    .await?;
    leaving.await.and_then(|left| left).map_err(|error| Failure::new(error.to_string()))
}

/// Listens, or says which address cannot be had.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let cure = "Choose another with --listen or server.listen.";
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}. {cure}")))
}
