//! What most commands begin with: settings, the log, the rooms, a caller.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::domain::{Caller, Id};
use crate::kit::clock::Clock;
use crate::settings::{Faults, LogFormat, Settings};

use super::Place;
use super::fail::Failure;

/// The settings of the file, the environment and the flags.
pub(super) fn settings(place: &Place) -> Result<Settings, Failure> {
    let (settings, faults) = read(place);
    if faults.0.is_empty() { Ok(settings) } else { Err(faults.into()) }
}

/// The same, and everything that is wrong with them.
pub(super) fn read(place: &Place) -> (Settings, Faults) {
    let beside = Path::new("config.toml");
    let config = place.config.as_deref().or_else(|| beside.is_file().then_some(beside));
    // Variables that are no text cannot be ours.
    let variables =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let (mut settings, faults) = Settings::read(config, variables);
    if let Some(data) = &place.data {
        settings.data.dir.clone_from(data);
    }
    (settings, faults)
}

/// Opens everything; the log goes to standard error.
pub(super) fn open(settings: Settings) -> Result<Arc<App>, Failure> {
    log(&settings);
    Ok(App::open(settings, Clock::system())?)
}

fn log(settings: &Settings) {
    let text = match settings.log.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let filter = EnvFilter::new(format!("warn,waybill={}", settings.log.level));
    // Where nobody reads the log any more, the program goes on without it.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // Only a second log in one process is refused, and then the first one serves.
    let _ = match text {
        true => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        false => log.json().try_init(),
    };
}

/// Who works at the shell: whoever can read the data folder may do everything in it.
pub(super) fn operator(organization: Id) -> Caller {
    Caller {
        user: "operator".to_owned(),
        email: "operator@localhost".to_owned(),
        name: "Operator".to_owned(),
        organization,
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    }
}

/// A line for people, on standard error; nothing depends on somebody reading it.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn bar(total: u64, form: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// A runtime for the server.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Done at the first SIGTERM or SIGINT.
pub(super) async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        // Without signals the process ends as the system ends it.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
}
