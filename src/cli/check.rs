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
        let scripts = scripts(&settings.scripts);
        let mut told = Vec::new();
        if !faults.0.is_empty() {
            told.push(Failure::from(faults).message);
        }
        told.extend(scripts.as_ref().err().cloned());
        if !told.is_empty() {
            return Err(Failure::usage(told.join("\n")));
        }
        println!("The settings are fine. Data folder: {}", settings.data.dir.display());
        println!("{}", scripts.unwrap_or_default());
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

/// That the scripts are fine, or everything that is wrong with them.
fn scripts(settings: &Scripts) -> Result<String, String> {
    let dir = settings.dir.display();
    let current = Library::open(settings, Clock::system().now()).map_err(|error| error.to_string())?.current();
    let faults: Vec<String> = current.faults().map(|fault| told(&settings.dir, fault)).collect();
    let fine = current.files().iter().filter(|file| file.fault.is_none()).count();
    let fine = if fine == 1 { "1 script is fine".to_owned() } else { format!("{fine} scripts are fine") };
    match faults.as_slice() {
        [] if !settings.dir.is_dir() => Ok(format!("There is no scripts folder {dir}.")),
        [] => Ok(format!("{fine}. Scripts folder: {dir}")),
        faults => Err(format!("{fine}, and these have faults:\n{}", faults.join("\n"))),
    }
}

/// `scripts/fields/minutes.rhai:3:14: ...`
fn told(dir: &Path, fault: &ScriptFault) -> String {
    let file = dir.join(format!("{}.rhai", fault.script));
    let place = [fault.line, fault.column].into_iter().flatten().map(|number| format!(":{number}"));
    format!("{}{}: {}", file.display(), place.collect::<String>(), fault.text)
}
