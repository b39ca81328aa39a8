//! Outward shapes that are kept in files and compared whole.

use std::path::Path;

/// Compares with `tests/golden/<name>`, or writes it anew under `WAYBILL_GOLDEN=write`.
pub fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("WAYBILL_GOLDEN").is_some_and(|mode| mode == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let pairs = found.lines().map(Some).chain([None]).zip(kept.lines().map(Some).chain([None]));
    if let Some((line, (found, kept))) = pairs.enumerate().find(|(_, (found, kept))| found != kept) {
        let path = path.display();
        panic!("{path} differs at line {}:\n{kept:?} was\n{found:?} is\nWAYBILL_GOLDEN=write writes it anew", line + 1);
    }
}
