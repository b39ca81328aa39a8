//! What scripts get from functions. Each case is an expression and what it comes to.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine};

use super::places::{Place, metres};
use super::{FunctionDoc, functions, module, register};
use crate::domain::{Moment, Zone};
use crate::script::{Session, call};

fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    engine.set_max_string_size(5_000).set_max_array_size(1_000);
    register(&mut engine);
    engine
}

fn session() -> Session {
    let zone = Zone::named("Asia/Jakarta").unwrap();
    Session { now: Moment(1_750_000_000_000), zone, digest_key: [7; 32], patience: 1 }
}

fn eval(script: &str) -> Result<Dynamic, String> {
    let run = || engine().eval::<Dynamic>(script).map_err(|error| error.to_string());
    call::within(&session(), run)
}

/// Both sides are Rhai, and equal.
fn holds(left: &str, right: &str) {
    let both = format!("let left = {{ {left} }}; let right = {{ {right} }};");
    let same = eval(&format!("{both} left == right && type_of(left) == type_of(right)"));
    assert_eq!(same.map(|same| same.to_string()), Ok("true".to_owned()), "{left} gives {:?}, not {right}", eval(left));
}

fn fails(script: &str, words: &str) {
    match eval(script) {
        Err(fault) => assert!(fault.contains(words), "{script}: {fault}"),
        Ok(value) => panic!("{script} gives {value:?}"),
    }
}

fn name_and_arity(doc: &FunctionDoc) -> (String, usize) {
    let (name, parameters) = doc.signature.trim_end_matches(')').split_once('(').unwrap();
    (name.to_owned(), parameters.split(',').filter(|parameter| !parameter.trim().is_empty()).count())
}

#[test]
fn every_function_is_documented_and_everything_documented_is_there() {
    let documented: BTreeSet<(String, usize)> = functions().map(name_and_arity).collect();
    assert_eq!(documented.len(), functions().count());
    let mut bare = Engine::new_raw();
    register(&mut bare);
    let one = |info: rhai::FuncInfo| Some((info.metadata.name.to_string(), info.metadata.num_params));
    let there: BTreeSet<(String, usize)> = bare.collect_fn_metadata(None, one, false).into_iter().collect();
    // What Rhai itself calls: by the operators, and where a value stands in a text.
    let unnamed = ["==", "!=", "<", "<=", ">", ">=", "to_string"];
    let named: BTreeSet<_> = there.into_iter().filter(|(name, _)| !unnamed.contains(&name.as_str())).collect();
    assert_eq!(named, documented);
    assert!(!module().is_empty());
}

#[test]
fn every_example_of_the_table_comes_to_what_it_says() {
    let utc = Session { zone: Zone::utc(), ..session() };
    for doc in functions() {
        let (name, _) = name_and_arity(doc);
        let (left, right) = doc.example.split_once(" → ").unwrap_or_else(|| panic!("{}", doc.example));
        assert!(left.contains(&format!("{name}(")), "{}", doc.example);
        let equal = call::within(&utc, || engine().eval::<bool>(&format!("{left} == {right}")));
        assert!(equal.as_ref().is_ok_and(|equal| *equal), "{}: {equal:?}", doc.example);
    }
}

#[test]
fn a_missing_value_goes_through_without_a_fault() {
    for script in [
        "time(())",
        "time(\"  \")",
        "minutes_between(\"2025-06-15 08:00:00\", ())",
        "minutes_between((), \"2025-06-15 08:00:00\")",
        "hours_between((), ())",
        "add_minutes((), 5)",
        "add_minutes(now(), ())",
        "format_time((), \"%Y\")",
        "in_zone((), \"Asia/Jakarta\")",
        "weekday(())",
        "number(())",
        "round((), 2)",
        "format_number((), 2)",
        "join((), \", \")",
        "sum((), \"qty\")",
        "unique(())",
        "coordinate(())",
        "distance_metres((), \"0,0\")",
        "distance_metres(\"0,0\", \"\")",
        "link((), \"Photo\")",
        "link(\"\", \"Photo\")",
        "mask(())",
        "digest(())",
        "get((), \"a.b\", ())",
    ] {
        holds(script, "()");
    }
    holds("count(())", "0");
    holds("match((), \"x\")", "false");
}

#[test]
fn a_path_leads_through_maps_and_lists_or_to_the_default() {
    let order = r#"let order = #{customer: #{name: "Ana"}, items: [#{qty: 2}, #{qty: ()}]};"#;
    for (path, found) in [
        ("customer.name", "\"Ana\""),
        ("items.0.qty", "2"),
        ("items.1.qty", "\"none\""),
        ("items.2.qty", "\"none\""),
        ("items.-1.qty", "\"none\""),
        ("items.99999999999999999999.qty", "\"none\""),
        ("customer.name.first", "\"none\""),
        ("", "\"none\""),
    ] {
        holds(&format!("{order} get(order, \"{path}\", \"none\")"), found);
    }
    holds("get([[1, 2], [3]], \"0.1\", ())", "2");
    holds("let list = [5]; list.get(\"0\", ())", "5");
    fails("get(#{}, [], 0)", "get takes a text, not a list");
}

#[test]
fn a_time_is_read_in_every_accepted_form() {
    for text in [
        "2025-06-15 15:00:00",
        "2025-06-15T15:00:00",
        "2025-06-15T08:00:00Z",
        "2025-06-15 08:00:00.000+00:00",
        " 2025-06-15T15:00:00+07:00 ",
    ] {
        holds(&format!("time(\"{text}\").to_string()"), "\"2025-06-15T15:00:00+07:00\"");
    }
    holds("time(\"2025-06-15\").to_string()", "\"2025-06-15T00:00:00+07:00\"");
    holds("time(time(\"2025-06-15\"))", "time(\"2025-06-15\")");
    holds("now().to_string()", "\"2025-06-15T22:06:40+07:00\"");
    holds("`at ${now()}`", "\"at 2025-06-15T22:06:40+07:00\"");
    holds("type_of(now())", "\"time\"");
}

#[test]
fn what_is_no_time_is_a_fault_that_quotes_it() {
    fails("time(\"soon\")", "time takes a time such as 2025-06-15 08:00:00");
    fails("time(\"soon\")", "not the text \"soon\"");
    fails("time(7)", "not the number 7");
    fails("weekday(\"2025-02-30 10:00:00\")", "not the text \"2025-02-30 10:00:00\"");
    fails("now() > \"later\"", "not the text \"later\"");
    fails("let long = \"y\"; long.pad(900, 'y'); time(long)", "yyy…\".");
}

#[test]
fn times_compare_with_times_and_with_their_texts() {
    let times = "let a = time(\"2025-06-15 08:00:00\"); let b = time(\"2025-06-15 08:00:01\");";
    for true_words in ["a < b", "a <= b", "b > a", "b >= a", "a != b", "a == a", "a <= a", "a >= a"] {
        holds(&format!("{times} {true_words}"), "true");
    }
    for false_words in ["a > b", "a >= b", "b < a", "b <= a", "a == b", "a != a"] {
        holds(&format!("{times} {false_words}"), "false");
    }
    holds("time(\"2025-06-15 08:00:00\") == \"2025-06-15T01:00:00Z\"", "true");
    holds("\"2025-06-15 08:00:00\" < now()", "true");
    holds("now() == in_zone(now(), \"America/Lima\")", "true");
    holds("now() == ()", "false");
    holds("now() != ()", "true");
}

#[test]
fn times_are_moved_and_measured() {
    holds("minutes_between(\"2025-06-15 08:00:00\", \"2025-06-15 08:00:30\")", "0.5");
    holds("minutes_between(\"2025-06-15 09:00:00\", \"2025-06-15 08:00:00\")", "-60.0");
    holds("hours_between(\"2025-06-15\", \"2025-06-16\")", "24.0");
    holds("add_minutes(\"2025-06-15 08:00:00\", 0.5).to_string()", "\"2025-06-15T08:00:30+07:00\"");
    holds("add_minutes(\"2025-06-15\", -1).to_string()", "\"2025-06-14T23:59:00+07:00\"");
    for far in ["9223372036854775807", "-9223372036854775808 + 1", "1e300", "-1e300"] {
        fails(&format!("add_minutes(now(), {far})"), "add_minutes would leave the years");
    }
    fails("add_minutes(now(), 0.0 / 0.0)", "add_minutes takes a number, not the number NaN");
    fails("add_minutes(now(), \"5\")", "add_minutes takes a number, not the text \"5\"");
}

#[test]
fn a_time_is_written_by_the_clock_it_is_to_be_read_from() {
    let at = "time(\"2025-06-15T20:30:00Z\")";
    holds(&format!("format_time({at}, \"%d %b %Y %H:%M\")"), "\"16 Jun 2025 03:30\"");
    holds(&format!("format_time(in_zone({at}, \"UTC\"), \"%d %b %Y %H:%M\")"), "\"15 Jun 2025 20:30\"");
    holds(&format!("in_zone({at}, \"America/New_York\").to_string()"), "\"2025-06-15T16:30:00-04:00\"");
    holds(&format!("weekday({at})"), "1");
    holds(&format!("weekday(in_zone({at}, \"UTC\"))"), "7");
    holds(&format!("add_minutes(in_zone({at}, \"UTC\"), 1).to_string()"), "\"2025-06-15T20:31:00+00:00\"");
    fails(&format!("format_time({at}, \"%?\")"), "format_time takes a format such as \"%d %b %Y %H:%M\"");
    fails(&format!("let form = \"%Y\"; form.pad(900, 'y'); format_time({at}, form)"), "of at most 200 bytes");
    fails(&format!("in_zone({at}, \"Asia/Jakart\")"), "not the text \"Asia/Jakart\"");
    fails(&format!("in_zone({at}, \"../../etc/passwd\")"), "in_zone takes the name of a time zone");
    fails(&format!("in_zone({at}, 7)"), "not the number 7");
}

#[test]
fn a_text_is_a_number_or_nothing() {
    for (text, number) in [
        ("12", "12"),
        (" -12 ", "-12"),
        ("+7", "7"),
        ("007", "7"),
        ("1,234.5", "1234.5"),
        ("1,234,567", "1234567"),
        ("0.50", "0.5"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808.0"),
        ("", "()"),
        ("1,5", "()"),
        ("1234,567", "()"),
        ("1.234,5", "()"),
        ("12e3", "()"),
        ("12 kg", "()"),
        ("0x1f", "()"),
        ("NaN", "()"),
        ("inf", "()"),
        ("1.", "()"),
        ("--1", "()"),
        ("٣", "()"),
    ] {
        holds(&format!("number(\"{text}\")"), number);
    }
    holds("number(5)", "5");
    holds("number(5.5)", "5.5");
    holds("number([5])", "()");
    holds("let long = \"9\"; long.pad(900, '9'); number(long)", "()");
}

#[test]
fn numbers_are_rounded_as_a_spreadsheet_does_it() {
    for (call, rounded) in [
        ("round(2.675, 2)", "2.68"),
        ("round(-2.675, 2)", "-2.68"),
        ("round(1.005, 2)", "1.01"),
        ("round(0.5, 0)", "1.0"),
        ("round(0.49999, 0)", "0.0"),
        ("round(-0.4, 0)", "0.0"),
        ("round(99.995, 2)", "100.0"),
        ("round(1e300, 15)", "1e300"),
        ("round(5e-324, 15)", "0.0"),
        ("round(7, 2)", "7"),
    ] {
        holds(call, rounded);
    }
    fails("round(\"2.5\", 1)", "round takes a number, not the text \"2.5\"");
    fails("round(1.0 / 0.0, 1)", "round takes a number, not the number inf");
    for digits in ["-1", "16", "9223372036854775807", "1.0", "()"] {
        fails(&format!("round(2.5, {digits})"), "round takes 0 to 15 decimals, not ");
    }
}

#[test]
fn numbers_are_written_with_commas_and_all_their_decimals() {
    for (call, written) in [
        ("format_number(1234567.5, 2)", "1,234,567.50"),
        ("format_number(1234567, 0)", "1,234,567"),
        ("format_number(999.995, 2)", "1,000.00"),
        ("format_number(-1234, 1)", "-1,234.0"),
        ("format_number(-0.001, 2)", "0.00"),
        ("format_number(0.1, 15)", "0.100000000000000"),
        ("format_number(123, 2)", "123.00"),
        ("format_number(9223372036854775807, 0)", "9,223,372,036,854,775,807"),
    ] {
        holds(call, &format!("\"{written}\""));
    }
    holds("format_number(-9223372036854775807 - 1, 0)", "\"-9,223,372,036,854,775,808\"");
    fails("format_number(true, 2)", "format_number takes a number, not true");
}

#[test]
fn lists_are_joined_without_what_is_empty() {
    holds("join([\"a\", (), \"\", \" \", 5, 1.5, 2.0, true, 'c'], \";\")", "\"a;5;1.5;2;true;c\"");
    holds("join([], \";\")", "\"\"");
    holds("join([1, 2], ())", "\"12\"");
    holds("join([now()], \"\")", "now().to_string()");
    fails("join([1, [2]], \";\")", "item 1 is a list");
    fails("join(\"abc\", \";\")", "join takes a list, not the text \"abc\"");
    let long = "let long = \"-\"; long.pad(3000, '-');";
    fails(&format!("{long} join([1, 2, 3], long)"), "join would make a text of more than 5000 bytes");
}

#[test]
fn sums_take_what_is_there() {
    holds("sum([], \"qty\")", "0");
    holds("sum([#{qty: 1}, #{}, (), #{qty: ()}, #{qty: \"\"}], \"qty\")", "1");
    holds("sum([#{qty: 1}, #{qty: 0.5}, #{qty: \"1,000\"}], \"qty\")", "1001.5");
    holds("sum([#{n: 9223372036854775807}, #{n: 1}], \"n\")", "9223372036854775808.0");
    fails("sum([#{qty: \"three\"}], \"qty\")", "the qty of item 0 is the text \"three\"");
    fails("sum([7], \"qty\")", "item 0 is the number 7");
    fails("sum(7, \"qty\")", "sum takes a list, not the number 7");
}

#[test]
fn lists_are_counted_and_made_unique() {
    holds("count([1, (), 3])", "3");
    holds("unique([])", "[]");
    holds("unique([2, 1, 2.0, \"2\", \"a\", 'a', true, true, (), ()])", "[2, 1, \"2\", \"a\", true, ()]");
    holds("unique([now(), in_zone(now(), \"UTC\")]).len()", "1");
    fails("unique([#{}])", "item 0 is a map");
    fails("count(#{})", "count takes a list, not a map");
}

#[test]
fn a_coordinate_is_read_from_a_text_or_a_map() {
    let place = "#{lat: -6.5, lng: 106.25}";
    for written in ["\"-6.5,106.25\"", "\" -6.5 , 106.25 \"", place, "#{lat: \"-6.5\", lng: \"106.25\", name: \"x\"}"] {
        holds(&format!("coordinate({written})"), place);
    }
    holds("coordinate(#{lat: 1, lng: 2})", "#{lat: 1.0, lng: 2.0}");
    for wrong in ["\"here\"", "\"91,0\"", "\"0,181\"", "\"NaN,0\"", "\"1\"", "\"1,2,3\"", "#{lat: 1}", "[1, 2]", "5"] {
        fails(&format!("coordinate({wrong})"), "coordinate takes a coordinate such as \"-6.1826,106.8307\", not ");
    }
    holds("round(distance_metres(\"0,0\", #{lat: 0, lng: 1}), 0)", "111195.0");
    holds("round(distance_metres(\"90,0\", \"-90,0\"), 0)", "20015114.0");
    fails("distance_metres(\"0,0\", \"x\")", "distance_metres takes a coordinate");
}

#[test]
fn a_link_opens_the_web_and_nothing_else() {
    holds("link(\"https://example.com/a\", \"Photo\").to_string()", "\"Photo\"");
    holds("link(\" HTTP://example.com \", ()).to_string()", "\"HTTP://example.com\"");
    holds("type_of(link(\"https://example.com/a\", \"Photo\"))", "\"link\"");
    for wrong in ["javascript:alert(1)", "file:///etc/passwd", "https://", "example.com", "https://a b", "ftp://x.y"] {
        fails(&format!("link(\"{wrong}\", \"x\")"), &format!("http:// or https://, not the text \"{wrong}\""));
    }
    fails("link([], \"x\")", "link takes a text, not a list");
}

#[test]
fn a_masked_text_keeps_little() {
    for (text, masked) in [
        ("anna@example.com", "a***@example.com"),
        ("a@example.com", "***@example.com"),
        ("@example.com", "***@example.com"),
        ("a@b@example.com", "a***@example.com"),
        ("0812345678", "0***8"),
        ("Žofie", "Ž***e"),
        ("abcd", "a***d"),
        ("abc", "***"),
        ("a", "***"),
        ("", ""),
    ] {
        holds(&format!("mask(\"{text}\")"), &format!("\"{masked}\""));
    }
    holds("mask(628123)", "\"6***3\"");
    fails("mask([1])", "mask takes a text, not a list");
}

#[test]
fn a_digest_is_the_same_for_the_same_text_and_key_alone() {
    holds("digest(\"anna@example.com\").len()", "16");
    holds("digest(\"a\") == digest(\"b\")", "false");
    holds("digest(7)", "digest(\"7\")");
    let other = Session { digest_key: [8; 32], ..session() };
    let elsewhere = call::within(&other, || engine().eval::<String>("digest(\"a\")")).unwrap();
    assert_ne!(eval("digest(\"a\")").unwrap().into_string().unwrap(), elsewhere);
    assert!(engine().eval::<String>("digest(\"a\")").unwrap_err().to_string().contains("only while an export runs"));
}

#[test]
fn a_regular_expression_is_found_or_not() {
    for (call, found) in [
        (r#"match("DO-0012", "^DO-\\d{4}$")"#, "true"),
        (r#"match("do-0012", "^DO")"#, "false"),
        (r#"match("do-0012", "(?i)^DO")"#, "true"),
        (r#""0812".match(`^08`)"#, "true"),
        (r#"match("กรุงเทพฯ", "^\\w+")"#, "true"),
        (r#"match(812, "^8")"#, "true"),
        (r#"match("", "")"#, "true"),
        (r#"if match("a", "a") { 1 } else { 2 }"#, "1"),
    ] {
        holds(call, found);
    }
    fails("match(\"a\", \"(\")", "\"(\" is no regular expression that match can use: unclosed group.");
    fails("match(\"a\", \"(\\\\w{50}){50}\")", "can use: it is too large.");
    fails("let long = \"y\"; long.pad(501, 'y'); match(\"a\", long)", "at most 500 bytes");
    fails("let long = \"a\"; long.pad(4097, 'a'); match(long, \"a\")", "match takes a text of at most 4096 bytes");
    holds("let n = 0; for i in 0..100 { if match(i.to_string(), `^${i % 40}$`) { n += 1; } } n", "40");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The model: whole numbers, of which the last digits are dropped.
    #[test]
    fn rounding_agrees_with_whole_numbers(thousandths in -10_000_000_000_i64..10_000_000_000) {
        let sign = thousandths.signum();
        let hundredths = sign * ((thousandths.abs() + 5) / 10);
        let x = format!("{}{}.{:03}", if sign < 0 { "-" } else { "" }, thousandths.abs() / 1000, thousandths.abs() % 1000);
        let rounded = eval(&format!("round({x}, 2)")).unwrap().as_float().unwrap();
        prop_assert_eq!(rounded, hundredths as f64 / 100.0);
        let written = eval(&format!("number(format_number({x}, 3))")).unwrap();
        let written = written.as_float().unwrap();
        prop_assert_eq!(written, thousandths as f64 / 1000.0);
    }

    /// The model: the digits, which tell a half from what is next to it.
    #[test]
    fn a_number_is_rounded_as_its_digits_are(whole in -1_000_000_i64..1_000_000, digits in 0_usize..10, near in -2_i8..=2) {
        let half = (whole as f64 + 0.5) / 10_f64.powi(digits as i32);
        let x = (0..near.abs()).fold(half, |x, _| if near < 0 { x.next_down() } else { x.next_up() });
        for x in [x, x * 1.000_001, half / 3.0] {
            let rounded = eval(&format!("round({x:?}, {digits})")).unwrap().as_float().unwrap();
            prop_assert_eq!(rounded.abs(), super::numbers::decimal(x, digits).parse::<f64>().unwrap(), "{}", x);
        }
    }

    #[test]
    fn what_is_written_of_any_number_is_read_again(x in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
        let text = super::numbers::decimal(x, 15);
        let shown = x.abs().to_string();
        if shown.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 15) {
            prop_assert_eq!(text.parse::<f64>().unwrap(), x.abs());
        }
        prop_assert_eq!(text.split_once('.').unwrap().1.len(), 15);
    }

    #[test]
    fn a_distance_is_the_same_both_ways_and_never_more_than_half_round_the_earth(
        a in (-90.0..=90.0_f64, -180.0..=180.0_f64), b in (-90.0..=90.0_f64, -180.0..=180.0_f64)
    ) {
        let place = |(lat, lng): (f64, f64)| Place { lat, lng };
        let (there, back) = (metres(place(a), place(b)), metres(place(b), place(a)));
        prop_assert!((there - back).abs() < 1e-3);
        prop_assert!((0.0..=20_015_115.0).contains(&there));
        prop_assert!(metres(place(a), place(a)) == 0.0);
    }

    #[test]
    fn a_time_that_is_written_is_read_as_the_same_moment(seconds in -60_000_000_000_i64..250_000_000_000) {
        let text = Moment(seconds * 1000).text();
        let again = eval(&format!("time(time(\"{text}\").to_string()) == time(\"{text}\")"));
        prop_assert!(again.unwrap().as_bool().unwrap(), "{}", text);
    }

    #[test]
    fn no_text_makes_a_function_panic(text in ".{0,40}") {
        let mut scope = rhai::Scope::new();
        scope.push("text", text);
        for call in ["time(text)", "number(text)", "coordinate(text)", "mask(text)", "digest(text)", "link(text, text)",
            "match(text, text)", "format_time(now(), text)", "in_zone(now(), text)", "get(#{}, text, ())"] {
            let _ = call::within(&session(), || engine().eval_with_scope::<Dynamic>(&mut scope, call));
        }
    }
}
