//! `waybill check`

use std::path::Path;

use clap::Args;

use crate::domain::ScriptFault;
use crate::kit::clock::Clock;
use crate::script::{self, FunctionDoc, Library};
use crate::settings::Scripts;

use super::fail::Failure;
use super::{Place, start};

/// Nothing starts, and nothing is written.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Lists the functions that scripts can call beside those of the language
    #[arg(long)]
    functions: bool,
}

impl Check {
    /// Says that settings and scripts are fine, or everything that is not.
    pub(super) fn run(&self, place: &Place) -> Result<(), Failure> {
        let (settings, faults) = start::read(place);
        let (fine, wrong) = scripts(&settings.scripts);
        let mut told = Vec::new();
        if !faults.0.is_empty() {
            told.push(Failure::from(faults).message);
        }
        if !wrong.is_empty() {
            told.push(format!("not every script is fine:\n{}", wrong.join("\n")));
        }
        if !told.is_empty() {
            return Err(Failure::usage(told.join("\n")));
        }
        println!("The settings are fine. Data folder: {}", settings.data.dir.display());
        println!("{fine}");
        if self.functions {
            println!();
            script::functions().for_each(list);
        }
        Ok(())
    }
}

fn list(function: &FunctionDoc) {
    println!("{}\n    {}\n    {}", function.signature, function.about, function.example);
}

/// A sentence about the scripts that are fine, and everything that is wrong with others.
fn scripts(settings: &Scripts) -> (String, Vec<String>) {
    let dir = &settings.dir;
    let library = match Library::open(settings, Clock::system().now()) {
        Ok(library) => library,
        Err(error) => return (String::new(), vec![error.to_string()]),
    };
    let current = library.current();
    let files = current.files();
    let wrong: Vec<String> =
        files.iter().filter_map(|file| file.fault.as_ref()).map(|fault| told(dir, fault)).collect();
    let fine = match (files.len() - wrong.len(), dir.is_dir()) {
        (_, false) => format!("There is no scripts folder {}.", dir.display()),
        (1, _) => format!("1 script is fine. Scripts folder: {}", dir.display()),
        (count, _) => format!("{count} scripts are fine. Scripts folder: {}", dir.display()),
    };
    (fine, wrong)
}

/// `scripts/fields/minutes.rhai:3:14: ...`
fn told(dir: &Path, fault: &ScriptFault) -> String {
    let file = dir.join(format!("{}.rhai", fault.script));
    let place = [fault.line, fault.column].into_iter().flatten().map(|number| format!(":{number}"));
    format!("{}{}: {}", file.display(), place.collect::<String>(), fault.text)
}
