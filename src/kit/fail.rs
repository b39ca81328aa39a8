//! Failures on demand, at places with names: how tests learn what a kill or a full disk leaves
//! behind. Builds without debug assertions have nothing of it.
//!
//! - `WAYBILL_DIE_AT`: the place where the process ends at once.
//! - `WAYBILL_FAIL_AT`: the place where the disk is full.
//! - `WAYBILL_FAIL_FILE`: a file that holds what `WAYBILL_FAIL_AT` would, and is read each time, so
//!   that failures come and go while the process runs. Without the file nothing fails.
//! - `WAYBILL_HOLD_FILE`: a file that names the place where the process waits, for as long as the file
//!   names it.
//!
//! A place is its name, meant each time it is passed, or `name:3`, meant the third time alone.
//! The count begins anew when the file says something else.

use std::io;

/// Waits here, or ends the process here as a kill would, when that was asked for.
#[inline]
pub fn place(name: &str) {
    #[cfg(debug_assertions)]
    asked::hold(name);
    #[cfg(debug_assertions)]
    if asked::death(name) {
        std::process::abort();
    }
    let _ = name;
}

/// The error of a full disk, when that was asked for here.
#[inline]
pub fn error(name: &str) -> Option<io::Error> {
    #[cfg(debug_assertions)]
    if asked::failure(name) {
        return Some(io::Error::from_raw_os_error(asked::NO_SPACE));
    }
    let _ = name;
    None
}

#[cfg(debug_assertions)]
mod asked {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    /// What the system says when a disk is full (ENOSPC).
    pub const NO_SPACE: i32 = 28;

    pub static DIE_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("WAYBILL_DIE_AT").ok());
    pub static FAIL_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("WAYBILL_FAIL_AT").ok());
    pub static FAIL_FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| Some(std::env::var_os("WAYBILL_FAIL_FILE")?.into()));
    pub static HOLD_FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| Some(std::env::var_os("WAYBILL_HOLD_FILE")?.into()));

    /// Who asked for a hold may be gone.
    const LONGEST_HOLD: Duration = Duration::from_secs(120);
    const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

    static DEATHS: Mutex<Passes> = Mutex::new(Passes::new());
    static FAILURES: Mutex<Passes> = Mutex::new(Passes::new());

    pub fn hold(name: &str) {
        let Some(file) = &*HOLD_FILE else { return };
        let since = Instant::now();
        let is_meant = || fs::read_to_string(file).is_ok_and(|asked| asked.trim() == name);
        while is_meant() && since.elapsed() < LONGEST_HOLD {
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    pub fn death(name: &str) -> bool {
        DIE_AT.as_ref().is_some_and(|asked| is_due(&DEATHS, asked, name))
    }

    pub fn failure(name: &str) -> bool {
        match &*FAIL_FILE {
            Some(file) => is_due(&FAILURES, fs::read_to_string(file).unwrap_or_default().trim(), name),
            None => FAIL_AT.as_ref().is_some_and(|asked| is_due(&FAILURES, asked, name)),
        }
    }

    fn is_due(passes: &Mutex<Passes>, asked: &str, name: &str) -> bool {
        passes.lock().unwrap_or_else(PoisonError::into_inner).is_due(asked, name)
    }

    /// How often the place that is asked for was passed.
    #[derive(Debug)]
    pub struct Passes {
        asked: String,
        count: u32,
    }

    impl Passes {
        pub const fn new() -> Self {
            Self { asked: String::new(), count: 0 }
        }

        /// Counts a pass of `name` and says whether it is one that was asked for.
        pub fn is_due(&mut self, asked: &str, name: &str) -> bool {
            let (place, time) = match asked.split_once(':') {
                Some((place, time)) => (place, Some(time)),
                None => (asked, None),
            };
            if self.asked != asked {
                *self = Self { asked: asked.to_owned(), count: 0 };
            }
            if place != name {
                return false;
            }
            self.count = self.count.saturating_add(1);
            time.is_none_or(|time| time.parse() == Ok(self.count))
        }
    }
}

#[cfg(all(test, debug_assertions))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};

    use super::asked::{DIE_AT, FAIL_AT, FAIL_FILE, HOLD_FILE, NO_SPACE, Passes};
    use super::*;

    /// Runs one of these tests again, in a process whose environment is its own.
    fn again(test: &str, variable: &str, value: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("kit::fail::tests::{test}"), "--nocapture"]);
        command.env(variable, value).current_dir(folder.path()).output().unwrap()
    }

    #[test]
    fn a_name_is_meant_at_each_pass_and_a_numbered_one_at_that_pass_alone() {
        let due = |asked: &str| {
            let mut passes = Passes::new();
            [1, 2, 3, 4].map(|_| passes.is_due(asked, "draft") && !passes.is_due(asked, "other"))
        };
        assert_eq!(due("draft"), [true; 4]);
        assert_eq!(due("draft:3"), [false, false, true, false]);
        for nothing in ["", "draf", "drafts", "draft:", "draft:x", "draft:0", ":1"] {
            assert_eq!(due(nothing), [false; 4], "{nothing}");
        }
    }

    #[test]
    fn other_words_count_anew() {
        let mut passes = Passes::new();
        assert!(!passes.is_due("draft:2", "draft"));
        assert!(!passes.is_due("draft:3", "draft"));
        assert!(!passes.is_due("draft:3", "draft"));
        assert!(passes.is_due("draft:3", "draft"));
    }

    #[test]
    fn nothing_fails_when_nobody_asks() {
        place("draft");
        assert!(error("nowhere").is_none());
    }

    #[test]
    fn the_process_ends_at_the_place_and_the_pass_that_was_asked_for() {
        if DIE_AT.is_some() {
            for pass in 1..=4 {
                eprintln!("pass {pass}");
                place("elsewhere");
                place("draft");
            }
            return;
        }
        for (asked, last) in [("draft", 1), ("draft:3", 3), ("nowhere", 4), ("draft:5", 4)] {
            let test = "the_process_ends_at_the_place_and_the_pass_that_was_asked_for";
            let output = again(test, "WAYBILL_DIE_AT", asked);
            let told = String::from_utf8_lossy(&output.stderr).matches("pass ").count();
            assert_eq!(told, last, "{asked}");
            assert_eq!(output.status.signal().is_some(), last < 4, "{asked}");
        }
    }

    #[test]
    fn the_disk_is_full_at_the_place_that_was_asked_for() {
        if FAIL_AT.is_some() {
            assert!(error("elsewhere").is_none());
            assert!(error("draft").is_none());
            assert_eq!(error("draft").unwrap().kind(), io::ErrorKind::StorageFull);
            assert!(error("draft").is_none());
            return;
        }
        let output = again("the_disk_is_full_at_the_place_that_was_asked_for", "WAYBILL_FAIL_AT", "draft:2");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    #[test]
    fn a_file_switches_failures_on_and_off_while_the_process_runs() {
        if let Some(file) = &*FAIL_FILE {
            let passes = |asked: &str| {
                fs::write(file, asked).unwrap();
                [1, 2, 3].map(|_| error("draft").and_then(|error| error.raw_os_error()))
            };
            assert!(error("draft").is_none(), "the file is not there");
            assert_eq!(passes("draft\n"), [Some(NO_SPACE); 3]);
            assert_eq!(passes(""), [None; 3]);
            assert_eq!(passes("draft:2"), [None, Some(NO_SPACE), None]);
            assert_eq!(passes("elsewhere"), [None; 3]);
            assert_eq!(passes("draft"), [Some(NO_SPACE); 3]);
            fs::remove_file(file).unwrap();
            assert!(error("draft").is_none());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fail");
        let test = "a_file_switches_failures_on_and_off_while_the_process_runs";
        let output = again(test, "WAYBILL_FAIL_FILE", file.to_str().unwrap());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    #[test]
    fn a_place_is_passed_once_the_file_names_another() {
        if let Some(file) = &*HOLD_FILE {
            place("draft");
            fs::write(file, "draft\n").unwrap();
            place("elsewhere");
            let (passed, passes) = std::sync::mpsc::channel();
            let held = std::thread::spawn(move || {
                place("draft");
                passed.send(()).unwrap();
            });
            assert!(passes.recv_timeout(std::time::Duration::from_millis(50)).is_err(), "it is held");
            fs::write(file, "elsewhere").unwrap();
            held.join().unwrap();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hold");
        let output =
            again("a_place_is_passed_once_the_file_names_another", "WAYBILL_HOLD_FILE", file.to_str().unwrap());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
