//! From one generation to the next: only what was written anew is compiled, and only what passes
//! goes live. What does not pass leaves its last good version live, with the fault beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Moment, ScriptFault};
use crate::settings::Scripts;

use super::compiler::Compiler;
use super::folder::{Found, Look};
use super::generation::label;
use super::{Generation, Program, ScriptFile, ScriptKind};

/// Names of scripts that a line of the log has.
const MOST_NAMED: usize = 20;

impl Generation {
    /// No scripts; expressions can be compiled all the same.
    pub(super) fn empty(settings: &Scripts) -> Self {
        let (compiler, _) = Compiler::new(settings, &[]);
        Self { files: Vec::new(), strays: Vec::new(), compiler: Arc::new(compiler) }
    }
}

/// The generation after `before`, now that this was found; nothing when all of it is as it was.
pub(super) fn next(before: &Generation, look: Look, settings: &Scripts, now: Moment) -> Option<Generation> {
    let Look { found, strays } = look;
    let same = |(file, found): (&ScriptFile, &Found)| {
        (file.kind, &file.name, &file.seen) == (found.kind, &found.name, &found.text)
    };
    let is_same = before.files.len() == found.len() && before.files.iter().zip(&found).all(same);
    if is_same && before.strays == strays {
        return None;
    }
    let (libs, scripts): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.kind == ScriptKind::Lib);
    let shelf = Shelf::of(before, &libs, settings);
    let old = |found: &Found| before.file(found.kind, &found.name);
    let scripts = scripts.into_iter().map(|found| match old(&found) {
        Some(old) if !shelf.is_new && old.seen == found.text => old.clone(),
        old => file(old, compiled(&shelf.compiler, &found), found, now),
    });
    // By kind and name, as they were found: `lib` is the last of the kinds.
    let mut files: Vec<ScriptFile> = scripts.collect();
    files.extend(libs.into_iter().map(|found| shelf.file(old(&found), found, now)));
    let after = Generation { files, strays, compiler: Arc::clone(&shelf.compiler) };
    tell(before, &after);
    Some(after)
}

/// Files of `lib` by their names.
type Texts = BTreeMap<String, Arc<str>>;

/// A script that passes.
#[derive(Clone)]
struct Passed {
    program: Program,
    about: Option<String>,
    text: Arc<str>,
}

/// What is live in `lib`, and what compiles the other scripts with it.
struct Shelf {
    compiler: Arc<Compiler>,
    is_new: bool,
    live: BTreeMap<String, Passed>,
    faults: BTreeMap<String, ScriptFault>,
}

impl Shelf {
    /// Tries the texts that were found. One that does not pass gives way to the one that was live, and
    /// that one, where it does not fit the others any more, to none; until all pass.
    fn of(before: &Generation, found: &[Found], settings: &Scripts) -> Self {
        let old = live_libs(before);
        let last = |name: &str| old.get(name).map(|passed| Arc::clone(&passed.text));
        let (mut tried, mut faults) = (Texts::new(), BTreeMap::new());
        for lib in found {
            let text = lib.text.clone().map_err(|fault| faults.insert(lib.name.clone(), fault)).ok();
            tried.extend(text.or_else(|| last(&lib.name)).map(|text| (lib.name.clone(), text)));
        }
        while !tried.iter().eq(old.iter().map(|(name, passed)| (name, &passed.text))) {
            let (compiler, live, wrong) = attempt(settings, &tried);
            if wrong.is_empty() {
                return Self { compiler: Arc::new(compiler), is_new: true, live, faults };
            }
            for (name, fault) in causes(wrong, &tried) {
                match last(&name).filter(|text| tried.get(&name) != Some(text)) {
                    Some(text) => tried.insert(name.clone(), text),
                    None => tried.remove(&name),
                };
                faults.entry(name).or_insert(fault);
            }
        }
        Self { compiler: Arc::clone(&before.compiler), is_new: false, live: old, faults }
    }

    /// What becomes of a file of `lib`.
    fn file(&self, old: Option<&ScriptFile>, found: Found, now: Moment) -> ScriptFile {
        let (live, fault) = (self.live.get(&found.name).cloned(), self.faults.get(&found.name).cloned());
        let text = live.as_ref().map(|passed| &passed.text);
        let since = old.filter(|old| old.text.as_ref() == text).and_then(|old| old.loaded).unwrap_or(now);
        let loaded = text.map(|_| since);
        let about = live.as_ref().and_then(|passed| passed.about.clone());
        let (program, text) = live.map(|passed| (passed.program, passed.text)).unzip();
        ScriptFile { kind: found.kind, name: found.name, about, program, text, loaded, fault, seen: found.text }
    }
}

fn live_libs(before: &Generation) -> BTreeMap<String, Passed> {
    let libs = before.files.iter().filter(|file| file.kind == ScriptKind::Lib);
    let live = |file: &ScriptFile| {
        let passed = Passed { program: file.program.clone()?, about: file.about.clone(), text: file.text.clone()? };
        Some((file.name.clone(), passed))
    };
    libs.filter_map(live).collect()
}

/// A compiler with these texts as its libs, those that pass, and what is wrong with the others.
fn attempt(settings: &Scripts, texts: &Texts) -> (Compiler, BTreeMap<String, Passed>, Vec<(String, ScriptFault)>) {
    let pairs: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), &**text)).collect();
    let (compiler, mut wrong) = Compiler::new(settings, &pairs);
    let mut live = BTreeMap::new();
    if wrong.is_empty() {
        for (name, text) in texts {
            match passing(&compiler, ScriptKind::Lib, name, text) {
                Ok(passed) => drop(live.insert(name.clone(), passed)),
                Err(fault) => wrong.push((name.clone(), fault)),
            }
        }
    }
    (compiler, live, wrong)
}

/// Those at fault for a reason of their own: the others mention one of them, and may be fine once it
/// has given way.
fn causes(wrong: Vec<(String, ScriptFault)>, tried: &Texts) -> Vec<(String, ScriptFault)> {
    let names: BTreeSet<String> = wrong.iter().map(|(name, _)| name.clone()).collect();
    let is_led = |(name, _): &(String, ScriptFault)| {
        let mut mentioned = tried.get(name).into_iter().flat_map(|text| mentioned(text));
        mentioned.any(|other| other != name && names.contains(other))
    };
    let (led, own): (Vec<_>, Vec<_>) = wrong.into_iter().partition(is_led);
    if own.is_empty() { led } else { own }
}

/// The names behind each `lib/` of a text: at least those that it imports.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    text.split("lib/").skip(1).filter_map(move |rest| rest.split(is_end).next())
}

/// A script that compiles, is linted, says what it is for, and whose examples come out as it says.
fn passing(compiler: &Compiler, kind: ScriptKind, name: &str, text: &Arc<str>) -> Result<Passed, ScriptFault> {
    let program = compiler.program(kind, name, text)?;
    let about = program.about()?;
    program.run_examples()?;
    program.count_anew();
    Ok(Passed { program, about, text: Arc::clone(text) })
}

fn compiled(compiler: &Compiler, found: &Found) -> Result<Passed, ScriptFault> {
    passing(compiler, found.kind, &found.name, found.text.as_ref().map_err(Clone::clone)?)
}

/// What becomes of a file that was written anew, or whose libs were.
fn file(old: Option<&ScriptFile>, made: Result<Passed, ScriptFault>, found: Found, now: Moment) -> ScriptFile {
    let Found { kind, name, text: seen } = found;
    match (made, old) {
        (Ok(Passed { program, about, text }), _) => {
            let (program, text, loaded) = (Some(program), Some(text), Some(now));
            ScriptFile { kind, name, about, program, text, loaded, fault: None, seen }
        }
        (Err(fault), Some(old)) => ScriptFile { fault: Some(fault), seen, ..old.clone() },
        (Err(fault), None) => {
            let fault = Some(fault);
            ScriptFile { kind, name, about: None, program: None, text: None, loaded: None, fault, seen }
        }
    }
}

/// One line for what is live or gone now, and one for each fault that is new.
fn tell(before: &Generation, after: &Generation) {
    let old = |file: &ScriptFile| before.file(file.kind, &file.name);
    let is_other = |file: &&ScriptFile| old(file).is_none_or(|old| old.text != file.text || old.loaded != file.loaded);
    let changed: Vec<&ScriptFile> = after.files.iter().filter(|file| file.text.is_some()).filter(is_other).collect();
    let gone: Vec<&ScriptFile> =
        before.files.iter().filter(|file| after.file(file.kind, &file.name).is_none()).collect();
    if !(changed.is_empty() && gone.is_empty()) {
        let live = after.files.iter().filter(|file| file.text.is_some()).count();
        tracing::info!(live, changed = named(&changed), gone = named(&gone), "the scripts changed");
    }
    for fault in after.faults().filter(|fault| !before.faults().any(|before| before == *fault)) {
        let (file, line, column) = (format!("{}.rhai", fault.script), fault.line, fault.column);
        tracing::warn!(file, line, column, fault = fault.text, "a script has a fault; what was live stays live");
    }
}

fn named(files: &[&ScriptFile]) -> String {
    let names: Vec<String> = files.iter().take(MOST_NAMED).map(|file| label(file.kind, &file.name)).collect();
    let more = files.len().saturating_sub(MOST_NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
