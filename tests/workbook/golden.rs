//! Each layout, part by part, against what it was.

use std::fmt::Write;

use crate::files::File;
use crate::{kept, layouts};

/// The library's own, the same in every workbook.
const THEME: &str = "xl/theme/theme1.xml";

#[test]
fn each_layout_is_what_it_was() {
    for (name, file) in layouts::all() {
        kept::check(&format!("workbook/{name}.txt"), &told(&file));
    }
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
