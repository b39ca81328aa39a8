//! Workbooks as their readers find them: read back by another library, and part by part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod golden;
#[path = "../support/golden.rs"]
mod kept;
mod layouts;
mod lists;
mod mapping;
mod readers;
mod times;
mod traps;
mod whole;
