//! Each layout part by part against what it was. `WAYBILL_GOLDEN=write` writes them anew, for a look
//! at the difference.

use std::fmt::Write;
use std::path::Path;

use crate::files::File;
use crate::layouts;

/// The library's own, the same in every workbook.
const THEME: &str = "xl/theme/theme1.xml";

#[test]
fn each_layout_is_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/workbook");
    let mut changed = Vec::new();
    for (name, file) in layouts::all() {
        let (path, now) = (folder.join(format!("{name}.txt")), told(&file));
        if std::env::var("WAYBILL_GOLDEN").is_ok_and(|wish| wish == "write") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &now).unwrap();
        }
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some((line, (is, was))) =
            now.lines().zip(before.lines().chain(std::iter::repeat(""))).enumerate().find(|(_, (is, was))| is != was)
        {
            changed.push(format!("{name}, line {}:\n  was {was}\n  is  {is}", line + 1));
        }
        assert!(changed.len() > 0 || now.len() == before.len(), "{name} is shorter");
    }
    assert!(changed.is_empty(), "WAYBILL_GOLDEN=write, if this is meant:\n{}", changed.join("\n"));
}

/// Every part in the order of the archive, one element a line.
fn told(file: &File) -> String {
    let mut text = String::new();
    for (name, part) in file.parts() {
        let part = if name == THEME { "(the library's)".to_owned() } else { part.replace("><", ">\n<") };
        let _ = writeln!(text, "=== {name}\n{}", part.replace('\r', ""));
    }
    text
}
