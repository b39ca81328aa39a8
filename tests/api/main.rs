//! The wire, as a client sees it: a server for each test, real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/s3.rs"]
mod s3;
#[path = "../support/mod.rs"]
mod support;

mod bucket;
mod catalog;
mod configs;
mod export_log;
mod exports;
mod files;
mod guard;
mod hardened;
mod leaving;
mod metrics;
mod notices;
mod openapi;
mod peers;
mod round_trip;
mod scripts;
mod shaped;
mod tasks;
