//! What holds when the program is killed, told to leave, or finds the disk full: the built program on a
//! data folder of its own, asked over the wire (contract 2-4), never from within.
//!
//! `WAYBILL_CRASH_ROUNDS` and `WAYBILL_CRASH_SEED` choose how many random kills there are, and which.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/s3.rs"]
mod s3;

mod bucket;
mod client;
mod crowd;
mod full;
mod house;
mod kills;
mod leaving;
mod notices;
mod places;
mod promises;
mod scripts;
#[path = "../support/smtp.rs"]
mod smtp;
mod swap;
