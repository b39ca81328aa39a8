//! The wire: what a request must be to become a call, and what an answer looks like (contract.md).
//!
//! In reading order: `serve` (connections), `routes` (the table), `guard` (what every request
//! passes), `body`, `reply`, `page`; then a file for each family of routes.

mod body;
mod catalog;
mod exports;
mod files;
mod guard;
mod health;
mod page;
mod reply;
mod routes;
mod serve;
mod stall;
mod tasks;

pub use routes::{OPENAPI, table};
pub use serve::serve;
