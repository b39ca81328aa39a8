//! The program: see [`waybill::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    waybill::cli::run()
}
