//! `POST /tasks/export`.

use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};
use serde_json::{Value, json};

use crate::support::{House, THEIRS, id, task, tasks};

fn sheet(file: &[u8]) -> calamine::Range<Data> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file.to_vec())).unwrap();
    assert_eq!(book.sheet_names().first().map(String::as_str), Some("main"));
    assert_eq!(book.sheet_names().last().map(String::as_str), Some("About"));
    book.worksheet_range("main").unwrap()
}

fn header(sheet: &calamine::Range<Data>) -> Vec<String> {
    sheet.rows().next().unwrap().iter().map(ToString::to_string).collect()
}

fn lines(file: &[u8]) -> Vec<Value> {
    file.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn numbers(house: &House, body: &str) -> Vec<u64> {
    lines(&house.file(&house.export(body))).iter().map(|task| task["n"].as_u64().unwrap()).collect()
}

#[test]
fn the_answer_is_that_of_the_published_page_and_a_little_more() {
    let house = House::new();
    house.load(&tasks(47));
    let mut answer = house.export(r#"{"download":"xlsx"}"#);
    let link = answer["data"]["link"].take();
    let link = link.as_str().unwrap();
    assert!(link.contains("/files/20250615/task_010101010101010101010101_1750000000_"), "{link}");
    assert_eq!(answer["data"]["_id"].take().as_str().unwrap().len(), 24);
    let expected = json!({
        "status": true,
        "message": "Success",
        "total_data_be": 30,
        "last_id": id(17),
        "last_field": "n",
        "total_matched": 47,
        "truncated": true,
        "warnings": [],
        "data": {
            "_id": null,
            "time": 1_750_000_000,
            "organizationId": "010101010101010101010101",
            "reportType": "task",
            "link": null,
            "status": "Done",
        },
    });
    assert_eq!(answer, expected);
}

#[test]
fn each_fault_has_the_contracts_sentence_and_all_are_told_at_once() {
    let house = House::new();
    house.load(&task(1, r#""orderNo":"A""#));
    for (body, sentence) in [
        ("{}", "The download field is required."),
        (r#"{"download":null}"#, "The download field is required."),
        (r#"{"download":7}"#, "The download field must be a string."),
        (r#"{"download":"pdf"}"#, "The selected download is invalid. Allowed: xlsx, json, csv, ndjson."),
        (
            r#"{"download":"xlsx","status":"OPEN"}"#,
            "The selected status is invalid. Allowed: UNASSIGNED, ONGOING, DONE.",
        ),
        (r#"{"download":"xlsx","limit":0}"#, "The limit field must be between 1 and 1000000."),
        (r#"{"download":"xlsx","limit":1000001}"#, "The limit field must be between 1 and 1000000."),
        (r#"{"download":"xlsx","limit":"many"}"#, "The limit field must be an integer."),
        (r#"{"download":"xlsx","background":"yes"}"#, "The background field must be a boolean."),
        (r#"{"download":"xlsx","statsu":"DONE"}"#, "The statsu field is not known. Did you mean status?"),
        (
            r#"{"download":"xlsx","exportConfigId":"634e98498ce07d29474a7e29"}"#,
            "The selected exportConfigId is invalid.",
        ),
        (
            r#"{"download":"xlsx","sortBy":"orderNumber"}"#,
            "The selected sortBy is invalid. There is no field orderNumber.",
        ),
        (
            r#"{"download":"xlsx","fields":"_id,orderN"}"#,
            "The selected fields is invalid. There is no field orderN. Did you mean orderNo?",
        ),
        (r#"{"download":"xlsx","fields":"_id, _id"}"#, "The fields field must not name _id twice."),
        (r#"{"download":"xlsx","sortOrder":"up"}"#, "The selected sortOrder is invalid. Allowed: asc, desc."),
        (
            r#"{"download":"xlsx","timezone":"Mars"}"#,
            "The selected timezone is invalid. Use an IANA name such as Asia/Jakarta.",
        ),
        (
            r#"{"download":"xlsx","timeFrom":"2025-02-30"}"#,
            "The timeFrom field must be a date or a date-time like 2025-06-15T08:00:00+00:00.",
        ),
        (r#"{"download":"xlsx","ids":["x"]}"#, "The ids field must be ids of 24 lower-case hex characters."),
    ] {
        let reply = house.post("/api/v3/tasks/export", body);
        assert_eq!((reply.status, reply.message().as_str()), (400, sentence), "{body}");
    }
    let reply = house.post("/api/v3/tasks/export", r#"{"limit":0,"page":"x","statsu":"DONE"}"#).value();
    assert_eq!(reply["message"], "The download field is required.");
    let fields: Vec<&String> = reply["errors"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["download", "page", "limit", "statsu"]);
    assert_eq!((house.kept_files(), house.temp_files()), (0, 0));
}

#[test]
fn null_means_absent_and_older_clients_keys_are_borne() {
    let house = House::new();
    house.load(&tasks(2));
    let answer = house.export(
        r#"{"download":"xlsx","orderBy":null,"limitTask":null,"status":null,"exportConfigId":null,"unheardOf":null}"#,
    );
    assert_eq!(answer["total_data_be"], 2);
}

#[test]
fn page_and_limit_cut_and_the_answer_says_so() {
    let house = House::new();
    house.load(&tasks(100));
    let all: Vec<u64> = (0..100).rev().collect();
    assert_eq!(numbers(&house, r#"{"download":"ndjson"}"#), all[..30]);
    assert_eq!(numbers(&house, r#"{"download":"ndjson","page":2}"#), all[30..60]);
    assert_eq!(numbers(&house, r#"{"download":"ndjson","limit":70}"#), all[..70]);
    assert_eq!(numbers(&house, r#"{"download":"ndjson","page":3,"limit":40}"#), all[80..]);
    assert_eq!(numbers(&house, r#"{"download":"ndjson","page":18446744073709551615,"limit":1000000}"#), [0; 0]);
    let whole = house.export(r#"{"download":"ndjson","limit":100}"#);
    assert_eq!((&whole["truncated"], &whole["total_matched"]), (&json!(false), &json!(100)));
    let last = house.export(r#"{"download":"ndjson","page":3,"limit":40}"#);
    assert_eq!((&last["truncated"], &last["total_data_be"]), (&json!(true), &json!(20)));
}

#[test]
fn filters_select_and_unknown_ids_are_told() {
    let house = House::new();
    let hub = house.post("/api/v3/hub", r#"{"name":"North"}"#).value()["hub"]["_id"].as_str().unwrap().to_owned();
    house.load(&format!(
        "{}\n{}\n{}\n",
        task(
            1,
            &format!(r#""status":"DONE","hubId":"{hub}","doneBy":"Ana@example.org","assignee":["bo@example.org"]"#)
        ),
        task(2, r#""status":"ONGOING","flow":"Delivery","refId":"DO-77""#),
        task(3, r#""status":"DONE","startTime":"2025-03-01 10:00:00+07:00","isDeleted":true"#),
    ));
    let of =
        |filter: &str| numbers(&house, &format!(r#"{{"download":"ndjson","sortBy":"n","sortOrder":"asc",{filter}}}"#));
    assert_eq!(of(r#""status":"DONE""#), [1]);
    assert_eq!(of(r#""status":"DONE, ONGOING""#), [1, 2]);
    assert_eq!(of(&format!(r#""hubId":"{hub}""#)), [1]);
    assert_eq!(of(r#""assignee":"BO@example.org""#), [1]);
    assert_eq!(of(r#""doneBy":"ana@EXAMPLE.org""#), [1]);
    assert_eq!(of(r#""flow":"Delivery""#), [2]);
    assert_eq!(of(r#""q":"do-7""#), [2]);
    assert_eq!(of(&format!(r#""ids":["{}","{}"]"#, id(2), id(3))), [2]);
    assert_eq!(of(r#""timeFrom":"2025-06-01","timeTo":"2025-06-01""#), [1, 2]);
    assert_eq!(of(r#""timeFrom":"2025-06-02""#), [0; 0]);
    let answer = house.export(r#"{"download":"xlsx","hubId":"634e98498ce07d29474a7e29","flowId":"no id"}"#);
    assert_eq!(answer["total_data_be"], 0);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 2, "{answer}");
}

#[test]
fn nothing_found_is_still_a_valid_file() {
    let house = House::new();
    let answer = house.export(r#"{"download":"xlsx"}"#);
    assert_eq!(
        (&answer["total_data_be"], &answer["last_id"], &answer["data"]["status"]),
        (&json!(0), &Value::Null, &json!("Done"))
    );
    let sheet = sheet(&house.file(&answer));
    assert_eq!(sheet.height(), 1);
    assert_eq!(header(&sheet)[..3], ["_id", "flow", "flowId"]);
    assert_eq!(house.file(&house.export(r#"{"download":"json"}"#)), b"[]\n");
    assert_eq!(house.file(&house.export(r#"{"download":"ndjson"}"#)), b"");
    assert!(house.file(&house.export(r#"{"download":"csv"}"#)).starts_with("\u{feff}_id,flow,".as_bytes()));
}

#[test]
fn the_titles_of_a_flows_components_are_the_headers() {
    let house = House::new();
    let flow = house.post(
        "/api/v3/flow",
        r#"{"name":"Delivery","pages":[{"id":"p1","title":"Page","components":[
            {"id":"weight","component":"input","type":"number","title":"Weight"},
            {"id":"door","component":"photo","title":"Front door"},
            {"id":"size","component":"input","title":"Weight"},
            {"id":"unused","component":"input","title":"Never filled in"}]}]}"#,
    );
    assert_eq!(flow.status, 201, "{}", flow.text());
    let flow_id = flow.value()["flow"]["_id"].as_str().unwrap().to_owned();
    let more = format!(
        r#""flowId":"{flow_id}","weight":2.5,"weight_unit":"kg","door_0_url":"https://x/1.jpg","size":"L","zz":1"#
    );
    house.load(&task(1, &more));
    let sheet = sheet(&house.file(&house.export(r#"{"download":"xlsx"}"#)));
    let names = header(&sheet);
    let expected =
        ["Weight (weight)", "Weight unit", "Front door 0 url", "Weight (size)", "Never filled in", "n", "zz"];
    assert_eq!(names[15..], expected);
    let row: Vec<&Data> = sheet.rows().nth(1).unwrap().iter().collect();
    assert_eq!((row[1], row[15]), (&Data::String("Delivery".into()), &Data::Float(2.5)));
    let chosen = house.export(r#"{"download":"xlsx","fields":"status, weight ,_id"}"#);
    assert_eq!(chosen["last_field"], "_id");
    let sheet = crate::exports::sheet(&house.file(&chosen));
    assert_eq!(header(&sheet), ["status", "Weight", "Weight unit", "_id"]);
}

#[test]
fn date_cells_follow_the_zone_of_the_request() {
    let house = House::new();
    house.load(&task(1, r#""startTime":"2025-06-15T20:00:00+00:00""#));
    let at = |zone: &str| {
        let body = format!(r#"{{"download":"xlsx","fields":"startTime","timezone":"{zone}"}}"#);
        match sheet(&house.file(&house.export(&body))).get_value((1, 0)) {
            Some(Data::DateTime(time)) => time.as_f64(),
            other => panic!("{other:?}"),
        }
    };
    let utc = at("UTC");
    assert!((utc.fract() * 24.0 - 20.0).abs() < 1e-9);
    assert!((at("Asia/Jakarta") - utc - 7.0 / 24.0).abs() < 1e-9);
}

#[test]
fn the_order_is_total_and_any_known_field_sorts() {
    let house = House::new();
    let values = ["null", "2", "10", "\"b\"", "\"a\"", "[1]", "{\"x\":1}", "true", "2"];
    let text: String = values.iter().zip(0..).map(|(value, n)| task(n, &format!("\"v\":{value}")) + "\n").collect();
    house.load(&(text + task(9, "").as_str()));
    let of = |order: &str| numbers(&house, &format!(r#"{{"download":"ndjson","sortBy":"v","sortOrder":"{order}"}}"#));
    let ascending = of("asc");
    assert_eq!(ascending, [0, 9, 7, 1, 8, 2, 4, 3, 5, 6]);
    assert!(of("desc").into_iter().eq(ascending.into_iter().rev()));
}

#[test]
fn accept_brings_the_bytes_themselves() {
    let house = House::new();
    house.load(&tasks(12_000));
    let xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let streamed = |download: &str, accept: &str| {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        let body = format!(r#"{{"download":"{download}","limit":12000,"name":"x"}}"#);
        house.send("POST", "/api/v3/tasks/export", &house.token(), &headers, body.as_bytes())
    };
    for (download, accept, media) in [
        ("xlsx", xlsx, xlsx),
        ("xlsx", "text/html, application/octet-stream;q=0.9", xlsx),
        ("json", "application/zip", "application/zip"),
        ("csv", "text/csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/octet-stream", "application/x-ndjson"),
    ] {
        let reply = streamed(download, accept);
        assert_eq!((reply.status, reply.header("content-type")), (200, media), "{download} {accept}");
        let kept = house.file(&house.export(&format!(r#"{{"download":"{download}","limit":12000,"name":"x"}}"#)));
        assert!(parts(&reply.body) == parts(&kept), "{download}");
        assert!(reply.header("content-disposition").starts_with("attachment; filename=\"x."));
    }
    assert_eq!(streamed("json", "application/json").value()["status"], true);
    assert_eq!(streamed("pdf", xlsx).status, 400);
}

#[test]
fn the_same_bytes_come_from_one_thread_and_from_two() {
    let text = tasks(25_000);
    let files = |threads| {
        let house = House::with(|settings| settings.export.threads = threads);
        house.load(&text);
        ["xlsx", "json", "csv", "ndjson"].map(|download| {
            parts(&house.file(&house.export(&format!(r#"{{"download":"{download}","limit":1000000,"name":"x"}}"#))))
        })
    };
    assert!(files(1) == files(2));
}

/// The bytes of a file that is no archive; of others each part, but for the sheet that names the export.
fn parts(file: &[u8]) -> Vec<Vec<u8>> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(file)) else { return vec![file.to_vec()] };
    let count = archive.len();
    let part = |place| {
        let mut bytes = Vec::new();
        archive.by_index(place).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let parts = (0..count).map(part).collect::<Vec<_>>();
    let names_export = |part: &Vec<u8>| String::from_utf8_lossy(part).contains("About this file");
    parts.into_iter().filter(|part| !names_export(part)).collect()
}

#[test]
fn json_is_one_file_up_to_ten_thousand_tasks_and_a_zip_of_exact_parts_beyond() {
    for (count, parts) in [(0, None), (1, None), (9_999, None), (10_000, None), (10_001, Some(2)), (20_001, Some(3))] {
        let house = House::new();
        house.load(&tasks(count));
        let answer = house.export(r#"{"download":"json","limit":1000000,"sortBy":"_id","sortOrder":"asc"}"#);
        assert_eq!(answer["total_data_be"], count);
        let file = house.file(&answer);
        let texts: Vec<Vec<u8>> = match parts {
            None => vec![file],
            Some(parts) => {
                let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
                assert_eq!(archive.len(), parts);
                let part = |n: usize| {
                    let mut bytes = Vec::new();
                    let name = format!("task_010101010101010101010101_1750000000_{:04}.json", n + 1);
                    archive.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
                    bytes
                };
                (0..parts).map(part).collect()
            }
        };
        let mut next = 0;
        for (place, text) in texts.iter().enumerate() {
            let list: Vec<Value> = serde_json::from_slice(text).unwrap();
            assert!(place + 1 == texts.len() || list.len() == 10_000);
            for task in list {
                assert_eq!(task["n"], next);
                next += 1;
            }
        }
        assert_eq!(next, count);
    }
}

#[test]
fn another_organisations_tasks_are_in_no_answer() {
    let house = House::new();
    let theirs = house.token_with(|claims| claims.org = THEIRS);
    let secret = task(1, r#""secretKey":"MARKER","status":"DONE""#);
    assert_eq!(house.load_as(&theirs, &secret).value()["added"], 1);
    house.load(&task(2, ""));
    for download in ["xlsx", "json", "csv", "ndjson"] {
        for filter in ["", r#","q":"MARKER""#, &format!(r#","ids":["{}"]"#, id(1)), r#","status":"DONE""#] {
            let answer = house.export(&format!(r#"{{"download":"{download}","limit":1000000{filter}}}"#));
            let expected = u64::from(filter.is_empty());
            assert_eq!(
                (answer["total_data_be"].as_u64(), answer["total_matched"].as_u64()),
                (Some(expected), Some(expected))
            );
            let file = house.file(&answer);
            assert!(!file.windows(6).any(|window| window == b"MARKER"));
        }
    }
    let reply = house.post("/api/v3/tasks/export", r#"{"download":"xlsx","fields":"secretKey"}"#);
    assert_eq!(reply.status, 400);
    assert_eq!(
        house.get(&format!("/api/v3/task/{}", id(1))).text(),
        house.get(&format!("/api/v3/task/{}", id(77))).text()
    );
}

#[test]
fn a_callers_scope_narrows_every_export_and_is_told() {
    let house = House::new();
    let (north, south) = (id(1_000), id(1_001));
    house.load(&format!(
        "{}\n{}\n{}\n",
        task(1, &format!(r#""hubId":"{north}","assignee":["me@example.org"]"#)),
        task(2, &format!(r#""hubId":"{south}","assignee":["ME@example.org"]"#)),
        task(3, &format!(r#""hubId":"{north}","assignee":["bo@example.org"]"#)),
    ));
    let of = |hubs: bool, own: bool| {
        let token = house.token_with(|claims| {
            claims.hubs = hubs.then(|| vec![north]);
            claims.own = own;
        });
        let reply = house.json("POST", "/api/v3/tasks/export", &token, r#"{"download":"ndjson"}"#).value();
        let mut numbers: Vec<u64> = lines(&house.file(&reply)).iter().map(|task| task["n"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        (numbers, reply["warnings"].as_array().unwrap().len())
    };
    assert_eq!(of(false, false), (vec![1, 2, 3], 0));
    assert_eq!(of(true, false), (vec![1, 3], 1));
    assert_eq!(of(false, true), (vec![1, 2], 1));
    assert_eq!(of(true, true), (vec![1], 2));
    let token = house.token_with(|claims| claims.hubs = Some(vec![north]));
    let body = format!(r#"{{"download":"xlsx","hubId":"{south}"}}"#);
    assert_eq!(house.json("POST", "/api/v3/tasks/export", &token, &body).status, 403);
}

#[test]
fn more_rows_than_a_direct_export_may_have_are_refused() {
    let house = House::with(|settings| settings.export.direct_max_rows = 10);
    house.load(&tasks(11));
    let reply = house.post("/api/v3/tasks/export", r#"{"download":"xlsx","limit":20}"#);
    assert_eq!(reply.status, 400);
    assert!(
        reply.message().starts_with("This export has 11 tasks; the most for a direct export is 10."),
        "{}",
        reply.text()
    );
    assert_eq!(house.export(r#"{"download":"xlsx","limit":10}"#)["total_data_be"], 10);
}

#[test]
fn what_was_repaired_is_told() {
    let house = House::new();
    house.load(&task(1, &format!(r#""long":"{}","big":18446744073709551616"#, "x".repeat(40_000))));
    let answer = house.export(r#"{"download":"xlsx"}"#);
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 2, "{answer}");
    let json = house.file(&house.export(r#"{"download":"json","fields":"big"}"#));
    assert_eq!(json, b"[{\"big\":18446744073709551616}]\n");
}
