//! The shell's side: commands, their flags, and what the program's exit code means (contract 11).

mod bench;
mod check;
mod demo;
mod doctor;
mod export;
mod fail;
mod load;
mod serve;
mod start;
mod sweep;
mod token;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::kit::memory;

use fail::Failure;

/// Task data out of a field-operations system and into the files people work with.
#[derive(Debug, Parser)]
#[command(name = "waybill", version, after_help = EXIT_CODES)]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 a failure, 2 bad usage or settings, 3 the data folder is in use, \
                          4 the store is damaged or newer than the program.";

/// Where settings and data are.
#[derive(Debug, Clone, Args)]
struct Place {
    /// The settings; without it config.toml in this folder, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server; also what the program does without a command
    Serve(serve::Serve),
    /// Shows the whole story: makes tasks, exports them, and keeps serving
    Demo(demo::Demo),
    /// Loads tasks from .ndjson, .json, .csv or .xlsx files; exits with 1 if any of them is bad
    Load(load::Load),
    /// Makes an export without a server
    Export(Box<export::Export>),
    /// Prints a bearer token
    Token(token::Token),
    /// Checks the settings and the scripts without starting
    Check(check::Check),
    /// Looks at everything that can be out of order, each with what to do about it
    Doctor(doctor::Doctor),
    /// Measures how fast it is on this machine, with the same work done without it beside it
    Bench(bench::Bench),
    /// Deletes files, log entries and idempotency answers that have had their time, without a server
    Sweep(sweep::Sweep),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    memory::keep_little();
    let program = match Program::try_parse_from(std::env::args_os().collect::<Vec<OsString>>()) {
        Ok(program) => program,
        Err(error) => {
            // Help and version are asked for, and go to standard output; faults go to standard error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { fail::USAGE } else { 0 });
        }
    };
    let place = program.place;
    let outcome = match program.command.unwrap_or(Command::Serve(serve::Serve::default())) {
        Command::Serve(serve) => serve.run(&place),
        Command::Demo(demo) => demo.run(&place),
        Command::Load(load) => load.run(&place),
        Command::Export(export) => export.run(&place),
        Command::Token(token) => token.run(&place),
        Command::Check(check) => check.run(&place),
        Command::Doctor(doctor) => doctor.run(&place),
        Command::Bench(bench) => bench.run(&place),
        Command::Sweep(sweep) => sweep.run(&place),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            start::say(&format!("waybill: {message}"));
            ExitCode::from(code)
        }
    }
}
