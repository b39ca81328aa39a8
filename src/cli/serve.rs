//! `waybill serve`

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

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
            crate::http::serve(Arc::clone(&app), listener, start::stopped()).await?;
            Ok(())
        })
    }
}

/// Listens, or says which address cannot be had.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let cure = "Choose another with --listen or server.listen.";
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}. {cure}")))
}
