//! The house holds together: who may know whom, and which crate lives where (ARCHITECTURE.md).
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the ground up. A module may use those of earlier rows, never its neighbours.
const LAYERS: &[&[&str]] = &[
    &["domain"],
    &["kit"],
    &["settings"],
    &["auth", "ingest", "notice", "render", "script", "storage", "store"],
    &["app"],
    &["baseline", "configs", "demo", "export", "intake", "sweep"],
    &["http", "jobs"],
    &["cli"],
    &["main"],
];

/// Foreign crates that have a home, and the modules that are it.
const HOMES: &[(&str, &[&str])] = &[
    ("redb", &["store"]),
    // The baseline is what is written without the rest of the house.
    ("rust_xlsxwriter", &["baseline", "render"]),
    ("zip", &["render"]),
    ("flate2", &["baseline", "render"]),
    ("crc32fast", &["render"]),
    ("calamine", &["ingest"]),
    ("csv", &["ingest"]),
    ("jsonwebtoken", &["auth"]),
    ("hmac", &["kit"]),
    ("axum", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("http_body_util", &["http"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ureq", &["cli", "notice", "storage"]),
    ("toml", &["settings"]),
    ("getrandom", &["kit"]),
    ("rhai", &["script"]),
    ("regex", &["script"]),
    ("notify", &["script"]),
    ("minio", &["storage"]),
    // The client within minio, whose answers are looked at.
    ("reqwest", &["storage"]),
    ("mail_send", &["notice"]),
    ("tokio_rustls", &["notice"]),
    ("webpki_roots", &["notice"]),
    // What the standard library does not tell of disks and files.
    ("rustix", &["kit", "script", "storage"]),
    // The store sorts and scans on the pool that its caller stands in; the app owns that pool.
    ("rayon", &["kit", "store", "app"]),
];

/// Lines above which a file needs its reason here.
const LONG: usize = 400;
const LONG_WITH_REASON: &[&str] = &[];

#[test]
fn arrows_point_down_and_rooms_do_not_meet() {
    let mut faults = Vec::new();
    for file in sources() {
        let own = layer(&file.module).unwrap_or_else(|| panic!("{} stands in no layer", file.path.display()));
        for used in modules_used(&file.text) {
            let Some(other) = layer(&used) else { continue };
            if used != file.module && other >= own {
                faults.push(format!("{} uses {used}", file.path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_foreign_crate_has_one_home() {
    let mut faults = Vec::new();
    for file in sources() {
        for (name, homes) in HOMES {
            // A room may have a file of its own that is called like a crate.
            let own = file.path.with_file_name(format!("{name}.rs")).exists();
            if uses_crate(&file.text, name) && !own && !homes.contains(&file.module.as_str()) {
                faults.push(format!("{} uses {name}, whose home is {homes:?}", file.path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn nobody_asks_the_system_for_the_date_but_the_clock() {
    for file in sources().into_iter().filter(|file| !file.path.ends_with("kit/clock.rs")) {
        for call in ["SystemTime::now", "Timestamp::now", "Zoned::now"] {
            assert!(!file.text.contains(call), "{} calls {call}", file.path.display());
        }
    }
}

#[test]
fn status_codes_are_known_in_http_alone() {
    for file in sources().into_iter().filter(|file| file.module != "http") {
        assert!(!file.text.contains("StatusCode"), "{} knows status codes", file.path.display());
    }
}

#[test]
fn files_are_small_or_say_why() {
    for file in sources() {
        let lines = file.text.lines().count();
        let excused = LONG_WITH_REASON.iter().any(|path| file.path.ends_with(path));
        assert!(lines <= LONG || excused, "{} has {lines} lines", file.path.display());
    }
}

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

/// Every source file without its comments and its tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 20, "the sources were found");
    let mut sources = Vec::new();
    for path in paths {
        let place = path.strip_prefix(&root).expect("a path under src");
        let first = place.components().next().expect("a component").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        if module == "lib" || place.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable source");
        sources.push(Source { text: without_tests(&text), module, path });
    }
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn without_tests(text: &str) -> String {
    let code: Vec<&str> = text.lines().take_while(|line| !line.starts_with("mod tests {")).collect();
    code.into_iter().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The names behind `crate::` and, in the binary, behind `waybill::`, also in braces.
fn modules_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for root in ["crate::", "waybill::"] {
        for (place, _) in text.match_indices(root) {
            let rest = &text[place + root.len()..];
            match rest.strip_prefix('{') {
                Some(list) => used.extend(list.split('}').next().unwrap_or_default().split(',').map(first_name)),
                None => {
                    used.insert(first_name(rest));
                }
            }
        }
    }
    used
}

fn first_name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn uses_crate(text: &str, name: &str) -> bool {
    text.match_indices(&format!("{name}::")).any(|(place, _)| {
        let before = text[..place].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    })
}
