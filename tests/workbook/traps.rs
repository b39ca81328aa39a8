//! Everything in data that makes other exports open with a repair prompt, show something else, or
//! run what somebody typed.

use calamine::Data;
use waybill::domain::limits::{MAX_SHEET_COLUMNS, MAX_SHEET_LINKS};
use waybill::domain::{ColumnKind, Link, Value};
use waybill::render::{Renderer, Repair};

use crate::files::{File, auto, column, json, spec, text};

fn texts(texts: &[&str]) -> File {
    let rows: Vec<_> = texts.iter().map(|t| vec![text(t)]).collect();
    File::of(vec![auto("a")], &rows)
}

fn read(file: &File, row: usize) -> String {
    file.at(row as u32 + 1, 0).to_string()
}

/// Every character that XML, Excel or a reader treats in its own way.
fn odd_characters() -> impl Iterator<Item = char> {
    let ranges = [
        '\0'..='\u{20}',
        '\u{7f}'..='\u{a0}',
        '\u{ad}'..='\u{ad}',
        '\u{300}'..='\u{36f}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{d7ff}'..='\u{e000}',
        '\u{fdd0}'..='\u{fdef}',
        '\u{fe00}'..='\u{fe0f}',
        '\u{feff}'..='\u{feff}',
        '\u{fff0}'..='\u{10000}',
        '\u{1f600}'..='\u{1f610}',
        '\u{1fffe}'..='\u{1ffff}',
        '\u{10fffe}'..='\u{10ffff}',
    ];
    ranges.into_iter().flatten().chain("&<>\"'_=+-@;,".chars())
}

#[test]
fn every_odd_character_comes_back_wherever_it_stands() {
    let all: Vec<String> = odd_characters()
        .flat_map(|c| [format!("a{c}b"), format!("{c}"), format!("{c}{c}x"), format!("x{c}")])
        .collect();
    let file = texts(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let sheet = file.main();
    for (row, given) in all.iter().enumerate() {
        let found = sheet.get_value((row as u32 + 1, 0)).map(ToString::to_string).unwrap_or_default();
        assert_eq!(found, given.replace('\r', "\n"), "{given:?}");
    }
    assert_eq!(file.repaired(Repair::LineEnds), 4);
    let escaped = odd_characters().filter(|c| (*c < ' ' && !"\t\n\r".contains(*c)) || "\u{fffe}\u{ffff}".contains(*c));
    assert_eq!(file.repaired(Repair::Controls), escaped.count() as u64 * 4);
    let xml = file.part("xl/worksheets/sheet1.xml").unwrap();
    let is_xml = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(is_xml));
}

#[test]
fn a_text_that_looks_like_an_escape_stays_that_text() {
    let given = ["_x0041_", "__x000D_", "_x005F_", "_xD800_", "_x00e9_", "_X0041_", "_x41_", "x_x0001_y"];
    let file = texts(&given);
    for (row, given) in given.iter().enumerate() {
        assert_eq!(read(&file, row), *given);
    }
    assert_eq!(file.repairs.warnings(), [""; 0]);
}

#[test]
fn white_space_is_kept_and_lines_end_as_in_cells() {
    let given = [" a", "a ", "  ", "\ta\t", "\na", "a\n\n", "a\r\nb\rc", "\u{a0}a"];
    let file = texts(&given);
    for (row, given) in given.iter().enumerate() {
        assert_eq!(read(&file, row), given.replace("\r\n", "\n").replace('\r', "\n"));
    }
    assert_eq!(file.repairs.warnings(), ["1 cell with carriage returns, which became line feeds."]);
    // More line feeds than Excel shows are still there.
    assert_eq!(read(&texts(&[&"x\n".repeat(300)]), 0), "x\n".repeat(300));
}

#[test]
fn nothing_that_anybody_typed_is_ever_a_formula() {
    let risky = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\n=1",
        " =1",
        "\u{feff}=1",
        "＝1",
        "=HYPERLINK(\"http://a.b\")",
        "-5",
    ];
    let mut rows: Vec<_> = risky.iter().map(|t| vec![text(t), json("[{\"=k\":\"=1\"}]")]).collect();
    rows.push(vec![json("-5"), Value::Empty]);
    rows.push(vec![Value::Link(Box::new(Link { url: "https://a.b".to_owned(), text: "=1".to_owned() })), Value::Empty]);
    let columns = vec![column("a", "=cmd|' /C calc'!A0", ColumnKind::Auto), column("l", "=2", ColumnKind::List)];
    let file = File::of(columns, &rows);
    let styles = file.part("xl/styles.xml").unwrap();
    let xfs: Vec<_> = styles.split("<cellXfs").nth(1).unwrap().split("<xf ").skip(1).collect();
    for (name, xml) in file.parts().iter().filter(|(name, _)| name.starts_with("xl/worksheets/sheet")) {
        assert!(!xml.contains("<f>") && !xml.contains("<f "), "{name}");
        for cell in xml.split("<c ").skip(1).filter(|cell| cell.contains("t=\"inlineStr\"")) {
            let shown = cell.split("<t").nth(1).unwrap().split_once('>').unwrap().1;
            let shown = shown.trim_start_matches([' ', '\t', '\n', '\u{feff}']);
            if shown.starts_with(['=', '+', '-', '@', '＝']) {
                let style: usize = cell.split(" s=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
                assert!(xfs[style].contains("quotePrefix=\"1\""), "{cell}");
            }
        }
    }
    for (row, given) in risky.iter().enumerate() {
        assert_eq!(file.at(row as u32 + 1, 0), Data::String((*given).to_owned()));
    }
    assert_eq!(file.at(risky.len() as u32 + 1, 0), Data::Float(-5.0));
    assert!(
        !file
            .parts()
            .iter()
            .any(|(name, _)| ["vba", "external", "connections", "dde"].iter().any(|odd| name.contains(odd)))
    );
}

#[test]
fn long_texts_are_cut_between_characters_by_the_units_that_excel_counts() {
    let (just, over) = ("é".repeat(32_767), "é".repeat(32_768));
    let (emoji, pairs) = ("😀".repeat(16_383), format!("a{}", "😀".repeat(16_384)));
    let escaped = "\u{1}".repeat(32_767);
    let file = texts(&[&just, &over, &emoji, &pairs, &escaped]);
    assert_eq!([0, 2, 4].map(|row| read(&file, row)), [just, emoji, escaped]);
    assert!(read(&file, 1).ends_with("é…[cut, 32768 characters]"));
    assert!(read(&file, 3).ends_with("😀…[cut, 16385 characters]"));
    assert!([1, 3].iter().all(|row| (32_766..=32_767).contains(&read(&file, *row).encode_utf16().count())));
    assert_eq!(file.repaired(Repair::Cut), 2);
    let place = file.repairs.first()[0];
    assert_eq!((place.repair, place.row, place.column), (Repair::Cut, 3, 0));
    let about = file.sheet("About");
    let told: Vec<String> =
        about.rows().map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).collect();
    assert!(
        told.contains(&"2 cells with more than 32767 characters cut, which is marked at the end.".to_owned()),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.starts_with("main!A3 cell with more than 32767")), "{told:?}");
}

#[test]
fn numbers_are_numbers_as_long_as_nothing_of_them_is_lost() {
    let given = [
        ("0", Data::Float(0.0)),
        ("-0", Data::Float(0.0)),
        ("-0.0", Data::Float(0.0)),
        ("999999999999999", Data::Float(999_999_999_999_999.0)),
        ("1000000000000000", Data::String("1000000000000000".to_owned())),
        ("9007199254740993", Data::String("9007199254740993".to_owned())),
        ("-18446744073709551616", Data::String("-18446744073709551616".to_owned())),
        ("0.1", Data::Float(0.1)),
        ("9.99999999999999e307", Data::Float(9.999_999_999_999_99e307)),
        ("1e308", Data::String("1e308".to_owned())),
        ("5e-324", Data::String("5e-324".to_owned())),
        ("NaN", Data::Empty),
        ("inf", Data::Empty),
        ("-Infinity", Data::Empty),
        ("\"007\"", Data::String("007".to_owned())),
        ("true", Data::Bool(true)),
        ("null", Data::Empty),
    ];
    let rows: Vec<_> = given.iter().map(|(raw, _)| vec![json(raw)]).collect();
    let file = File::of(vec![auto("a")], &rows);
    for (row, (raw, wanted)) in given.iter().enumerate() {
        assert_eq!(file.at(row as u32 + 1, 0), *wanted, "{raw}");
    }
    assert_eq!((file.repaired(Repair::NumberAsText), file.repaired(Repair::NotANumber)), (5, 3));
}

#[test]
fn links_are_of_the_web_and_as_many_as_excel_takes() {
    let count = MAX_SHEET_LINKS as usize + 3;
    let rows: Vec<_> = (0..count).map(|n| vec![text(&format!("https://files.example.com/{n}?a=1&b='#p"))]).collect();
    let file = File::of(vec![column("u", "u", ColumnKind::Url)], &rows);
    let xml = file.part("xl/worksheets/sheet1.xml").unwrap();
    let relations = file.part("xl/worksheets/_rels/sheet1.xml.rels").unwrap();
    assert_eq!(xml.matches("<hyperlink ").count() as u64, MAX_SHEET_LINKS);
    assert_eq!(relations.matches("<Relationship ").count() as u64, MAX_SHEET_LINKS);
    assert!(xml.contains("<hyperlink ref=\"A2\" r:id=\"rId1\" location=\"p\"/>"));
    assert!(relations.contains("Target=\"https://files.example.com/0?a=1&amp;b=&apos;\" TargetMode=\"External\""));
    assert_eq!(file.repaired(Repair::LinkAsText), 3);
    assert_eq!(file.repairs.first()[0].row, MAX_SHEET_LINKS + 2);
    assert_eq!(read(&file, count - 1), format!("https://files.example.com/{}?a=1&b='#p", count - 1));
    let blue = |row: usize| xml.split(&format!("<c r=\"A{row}\"")).nth(1).unwrap().starts_with(" s=");
    assert_eq!([2, MAX_SHEET_LINKS as usize + 1, MAX_SHEET_LINKS as usize + 2].map(blue), [true, true, false]);
}

#[test]
fn what_is_no_link_is_a_text_and_told() {
    let odd =
        ["file:///etc/passwd", "javascript:alert(1)", "\\\\host\\share", "http://", "https://x/".to_owned().as_str()]
            .map(str::to_owned);
    let long = format!("https://a.b/{}", "x".repeat(2_100));
    let mut rows: Vec<_> = odd.iter().map(|url| vec![text(url)]).collect();
    rows.push(vec![text(&long)]);
    rows.push(vec![text("")]);
    rows.push(vec![Value::Link(Box::new(Link { url: "ftp://a.b".to_owned(), text: "words".to_owned() }))]);
    let file = File::of(vec![column("u", "u", ColumnKind::Url)], &rows);
    assert_eq!(file.repaired(Repair::LinkAsText), 6);
    assert_eq!(file.part("xl/worksheets/sheet1.xml").unwrap().matches("<hyperlink ").count(), 1);
    assert_eq!((read(&file, 0), read(&file, 5), read(&file, 7)), (odd[0].clone(), long, "words".to_owned()));
    assert!(file.part("xl/worksheets/_rels/sheet1.xml.rels").unwrap().contains("https://x/"));
}

#[test]
fn headers_are_there_differ_and_hold_anything() {
    let long = "é".repeat(300);
    let names = ["Size", "Size", "", "a\r\nb", "\u{1}_x0041_\u{ffff}", "=1", &long, "שלום", " x "];
    let columns: Vec<_> = (0..).zip(names).map(|(n, name)| column(&format!("c{n}"), name, ColumnKind::Auto)).collect();
    let file = File::of(columns, &[]);
    let header: Vec<String> = file.main().rows().next().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(header, ["Size", "Size (c1)", "c2", "a\nb", "\u{1}_x0041_\u{ffff}", "=1", &long, "שלום", " x "]);
}

#[test]
fn a_sheet_has_as_many_columns_as_excel_and_more_are_refused() {
    let columns = |count: usize| (0..count).map(|n| auto(&format!("c{n}"))).collect::<Vec<_>>();
    let row = vec![json("1"); MAX_SHEET_COLUMNS];
    let file = File::of(columns(MAX_SHEET_COLUMNS), &[row]);
    assert!(file.part("xl/worksheets/sheet1.xml").unwrap().contains("<c r=\"XFD2\"><v>1</v></c>"));
    let error = Renderer::new(spec(columns(MAX_SHEET_COLUMNS + 1), 0), &[]).err().unwrap();
    assert!(
        error.message.starts_with("This export has 16385 columns; a sheet has at most 16384."),
        "{}",
        error.message
    );
}

#[test]
fn equal_exports_have_equal_bytes_and_leak_nothing() {
    let rows: Vec<_> =
        (0..3_000).map(|n| vec![text(&format!("https://a.b/{n}")), json("[{\"k\":1},{\"l\":2}]")]).collect();
    let make = || File::of(vec![column("u", "u", ColumnKind::Url), column("l", "l", ColumnKind::List)], &rows);
    let (one, two) = (make(), make());
    assert!(one.bytes == two.bytes);
    let core = one.part("docProps/core.xml").unwrap();
    assert!(
        core.contains("<dcterms:created xsi:type=\"dcterms:W3CDTF\">2025-06-15T15:06:40Z</dcterms:created>"),
        "{core}"
    );
    assert!(
        core.contains("<dc:creator></dc:creator>") && core.contains("<cp:lastModifiedBy></cp:lastModifiedBy>"),
        "{core}"
    );
    let scratch = std::env::temp_dir().display().to_string();
    assert!(!one.parts().iter().any(|(_, part)| part.contains(&scratch)));
}
