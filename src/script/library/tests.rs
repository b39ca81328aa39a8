use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::domain::{ScriptFault, Value, Zone};
use crate::script::{Args, ScriptFile, ScriptKind, Session, Task};

/// A folder of scripts and its library.
struct House {
    library: Library,
    dir: PathBuf,
    _home: TempDir,
}

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("scripts");
        let settings = Scripts { dir: dir.clone(), ..crate::settings::Settings::default().scripts };
        Self { library: Library::open(&settings, Moment(0)).unwrap(), dir, _home: home }
    }

    fn write(&self, place: &str, text: &str) {
        let path = self.dir.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn remove(&self, place: &str) {
        fs::remove_file(self.dir.join(place)).unwrap();
    }

    /// The generation of a look that finds something.
    fn look(&self, at: i64) -> Arc<Generation> {
        assert!(self.library.look(Moment(at)), "something is another");
        self.library.current()
    }
}

fn field<'a>(generation: &'a Generation, name: &str) -> &'a ScriptFile {
    generation.file(ScriptKind::Field, name).unwrap()
}

/// What the live version of a field script gives.
fn value(generation: &Generation, name: &str) -> String {
    let session = Session { now: Moment(0), zone: Zone::utc(), digest_key: [0; 32], patience: 1_000 };
    let program = generation.program(ScriptKind::Field, name).unwrap();
    match program.value(&session, &Task::whole(r#"{"n":20}"#), &Args::default()).result.unwrap() {
        Value::Json(json) => json.into(),
        other => panic!("{other:?}"),
    }
}

const ONE: &str = "fn value(task, args) { 1 }";
const TWO: &str = "fn value(task, args) { 2 }";
const BROKEN: &str = "fn value(task, args) {\n  1 +\n}";
const USER: &str = "import \"lib/sums\" as sums;\nfn value(task, args) { sums::more(task.n) }";

#[test]
fn without_a_folder_there_are_no_scripts_and_a_folder_made_later_is_noticed() {
    let house = House::new();
    assert!(house.library.current().files().is_empty());
    assert!(!house.library.look(Moment(1)));
    let seven = house.library.current().expression("expression of n", "3 + 4");
    assert!(seven.is_ok(), "{seven:?}");
    house.write("fields/one.rhai", ONE);
    let generation = house.look(2);
    assert_eq!((value(&generation, "one").as_str(), field(&generation, "one").loaded), ("1", Some(Moment(2))));
}

#[test]
fn a_broken_script_leaves_the_last_good_one_live() {
    let house = House::new();
    house.write("fields/one.rhai", ONE);
    house.look(1);
    house.write("fields/one.rhai", BROKEN);
    let generation = house.look(2);
    let file = field(&generation, "one");
    let fault = file.fault.as_ref().unwrap();
    assert_eq!((fault.script.as_str(), fault.line), ("fields/one", Some(3)), "{fault}");
    assert_eq!((file.loaded, file.text.as_deref()), (Some(Moment(1)), Some(ONE)));
    assert_eq!(value(&generation, "one"), "1");
    assert!(!house.library.look(Moment(3)), "a fault is told once");
    house.write("fields/one.rhai", TWO);
    let generation = house.look(4);
    assert_eq!((value(&generation, "one").as_str(), &field(&generation, "one").fault), ("2", &None));
}

#[test]
fn a_script_goes_live_when_its_examples_come_out_and_not_before() {
    let house = House::new();
    let script = |expected: i64| {
        format!("fn value(task, args) {{ task.n * 2 }}\nfn examples() {{ [#{{task: #{{n: 2}}, expect: {expected}}}] }}")
    };
    house.write("fields/twice.rhai", &script(5));
    let generation = house.look(1);
    let fault = generation.program(ScriptKind::Field, "twice").unwrap_err();
    assert_eq!(field(&generation, "twice").fault, Some(fault));
    house.write("fields/twice.rhai", &script(4));
    let generation = house.look(2);
    let calls = || field(&generation, "twice").program.as_ref().unwrap().counters().calls;
    assert_eq!(calls(), 0, "those of the examples are not counted");
    assert_eq!((value(&generation, "twice").as_str(), calls()), ("40", 1));
}

#[test]
fn a_script_that_cannot_say_what_it_is_for_does_not_go_live() {
    let house = House::new();
    let script = |about: &str| format!("{ONE}\nfn about() {{ {about} }}");
    house.write("fields/one.rhai", &script("\"One.\""));
    house.write("lib/sums.rhai", "fn about() { \"Sums.\" }");
    assert_eq!(field(&house.look(1), "one").about.as_deref(), Some("One."));
    house.write("fields/one.rhai", &script("throw \"no\""));
    house.write("lib/sums.rhai", "fn about() { 5 }");
    let generation = house.look(2);
    let file = field(&generation, "one");
    assert_eq!((file.about.as_deref(), file.loaded), (Some("One."), Some(Moment(1))));
    assert_eq!(file.fault.as_ref().map(|fault| (fault.line, fault.text.as_str())), Some((Some(2), "no")));
    let lib = generation.file(ScriptKind::Lib, "sums").unwrap();
    assert_eq!((lib.about.as_deref(), lib.loaded), (Some("Sums."), Some(Moment(1))));
    let fault = lib.fault.as_ref().unwrap();
    assert_eq!(fault.text, "The function about gave an integer where a text was expected.");
}

#[test]
fn a_never_good_script_and_an_unknown_one_say_so() {
    let house = House::new();
    house.write("fields/minutes.rhai", BROKEN);
    house.write("flows/minute.rhai", BROKEN);
    let generation = house.look(1);
    let fault = |name: &str| generation.program(ScriptKind::Field, name).unwrap_err();
    assert_eq!(fault("minutes").line, Some(3));
    assert_eq!(fault("minuts").to_string(), "fields/minuts: There is no such script. Did you mean minutes?");
    assert_eq!(fault("other").to_string(), "fields/other: There is no such script.");
}

#[test]
fn what_was_not_written_anew_is_not_compiled_anew() {
    let house = House::new();
    house.write("fields/one.rhai", ONE);
    house.write("fields/two.rhai", TWO);
    let before = house.look(1);
    value(&before, "one");
    let calls = |generation: &Generation| {
        let program = field(generation, "one").program.as_ref().unwrap().clone();
        program.counters().calls
    };
    let counted = calls(&before);
    assert!(counted > 0);
    house.write("fields/two.rhai", ONE);
    house.write("fields/one.rhai", ONE);
    let after = house.look(2);
    assert_eq!(field(&after, "one").loaded, Some(Moment(1)));
    assert_eq!(field(&after, "two").loaded, Some(Moment(2)));
    assert_eq!(calls(&after), counted, "it is the same program");
}

#[test]
fn a_lib_that_changes_changes_what_uses_it() {
    let house = House::new();
    house.write("lib/sums.rhai", "fn more(n) { n + 1 }");
    house.write("fields/user.rhai", USER);
    let first = house.look(1);
    assert_eq!(value(&first, "user"), "21");
    house.write("lib/sums.rhai", "fn more(n) { n + 2 }");
    let second = house.look(2);
    assert_eq!((value(&second, "user").as_str(), value(&first, "user").as_str()), ("22", "21"));
    // A lib that is broken stays as it was, for scripts that come now too.
    house.write("lib/sums.rhai", "fn more(n) {");
    house.write("fields/late.rhai", USER);
    let third = house.look(3);
    let lib = third.file(ScriptKind::Lib, "sums").unwrap();
    assert_eq!((lib.text.as_deref(), lib.loaded), (Some("fn more(n) { n + 2 }"), Some(Moment(2))));
    assert!(lib.fault.is_some());
    assert_eq!((value(&third, "user").as_str(), value(&third, "late").as_str()), ("22", "22"));
    house.write("lib/sums.rhai", "fn more(n) { n + 2 }");
    let fourth = house.look(4);
    assert_eq!(fourth.file(ScriptKind::Lib, "sums").unwrap().fault, None, "put back, it is fine");
    // A function that is gone is a fault of those that call it, and they stay as they were.
    house.write("lib/sums.rhai", "fn less(n) { n - 1 }");
    let fifth = house.look(5);
    assert_eq!(fifth.file(ScriptKind::Lib, "sums").unwrap().fault, None);
    let fault: &Option<ScriptFault> = &field(&fifth, "user").fault;
    assert_eq!(fault.as_ref().map(|fault| fault.script.as_str()), Some("fields/user"));
    assert_eq!(value(&fifth, "user"), "22");
}

#[test]
fn libs_that_use_each_other_fall_back_together() {
    let house = House::new();
    house.write("lib/base.rhai", "fn one() { 1 }");
    house.write("lib/sums.rhai", "import \"lib/base\" as base;\nfn more(n) { n + base::one() }");
    house.write("fields/user.rhai", USER);
    assert_eq!(value(&house.look(1), "user"), "21");
    // What is new in one needs what is new in the other, which does not pass.
    house.write("lib/base.rhai", "fn two() { 2 }\nfn broken( {");
    house.write("lib/sums.rhai", "import \"lib/base\" as base;\nfn more(n) { n + base::two() }");
    let generation = house.look(2);
    for name in ["base", "sums"] {
        let lib = generation.file(ScriptKind::Lib, name).unwrap();
        assert_eq!((lib.fault.is_some(), lib.loaded), (true, Some(Moment(1))), "{name}");
    }
    assert_eq!(value(&generation, "user"), "21");
}

#[test]
fn a_broken_lib_does_not_hold_back_what_is_new_in_those_that_use_it() {
    let house = House::new();
    let sums = |more: i64| format!("import \"lib/base\" as base;\nfn more(n) {{ n + base::one() + {more} }}");
    house.write("lib/base.rhai", "fn one() { 1 }");
    house.write("lib/sums.rhai", &sums(0));
    house.write("fields/user.rhai", USER);
    house.look(1);
    house.write("lib/base.rhai", "fn one( {");
    house.write("lib/sums.rhai", &sums(10));
    let generation = house.look(2);
    assert!(generation.file(ScriptKind::Lib, "base").unwrap().fault.is_some());
    assert_eq!(generation.file(ScriptKind::Lib, "sums").unwrap().fault, None);
    assert_eq!(value(&generation, "user"), "31");
}

#[test]
fn a_deleted_script_is_gone_for_all_but_those_who_hold_it() {
    let house = House::new();
    house.write("fields/one.rhai", ONE);
    house.write("lib/sums.rhai", "fn more(n) { n }");
    house.write("fields/user.rhai", USER);
    let held = house.look(1);
    house.remove("fields/one.rhai");
    house.remove("lib/sums.rhai");
    let now = house.look(2);
    assert!(now.file(ScriptKind::Field, "one").is_none() && now.file(ScriptKind::Lib, "sums").is_none());
    assert!(field(&now, "user").fault.is_some(), "what it imports is gone");
    assert_eq!((value(&held, "one").as_str(), value(&now, "user").as_str()), ("1", "20"));
}

#[test]
fn who_holds_a_generation_sees_one_version_through_ten_edits() {
    let house = House::new();
    house.write("fields/one.rhai", ONE);
    let held = house.look(1);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| (0..200).map(|_| value(&held, "one")).collect::<Vec<_>>());
        for edit in 2..12 {
            house.write("fields/one.rhai", &format!("fn value(task, args) {{ {edit} }}"));
            assert_eq!(value(&house.look(edit), "one"), edit.to_string());
        }
        assert!(reader.join().unwrap().iter().all(|seen| seen == "1"));
    });
}

#[test]
fn while_the_folder_cannot_be_read_everything_stays() {
    let house = House::new();
    house.write("fields/one.rhai", ONE);
    house.look(1);
    let aside = house.dir.with_file_name("aside");
    fs::rename(&house.dir, &aside).unwrap();
    fs::write(&house.dir, "no folder").unwrap();
    assert!(!house.library.look(Moment(2)));
    assert_eq!(value(&house.library.current(), "one"), "1");
    assert_eq!(house.library.check().unwrap_err().part, "script");
    fs::remove_file(&house.dir).unwrap();
    fs::rename(&aside, &house.dir).unwrap();
    assert!(!house.library.look(Moment(3)));
    assert!(house.library.check().is_ok());
    // A folder that is gone has no scripts.
    fs::remove_dir_all(&house.dir).unwrap();
    assert!(house.look(4).files().is_empty());
}
