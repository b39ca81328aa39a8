//! Exports that a config and its scripts shape (contract 5, scripting.md).

use std::io::Cursor;

use calamine::{Data, Reader};
use serde_json::{Value, json};
use waybill::app::queue::Lane;

use crate::support::{House, OURS, id, task};

const DELIVERY: u64 = 0xd1;
const INSPECTION: u64 = 0xe1;

/// Leaves out what is hidden, makes a row of each item, and adds a column.
const BY_ITEM: &str = r#"
fn include(task, args) { task.hidden != true }
fn rows(task, args) {
    if task.items == () { return #{}; }
    let rows = [];
    for item in task.items {
        let row = #{ sku: item.sku };
        if "prefix" in args { row.title = args.prefix + item.sku; }
        rows.push(row);
    }
    rows
}
fn columns(args) { [#{ id: "sku", title: "SKU" }] }
"#;

const DOUBLE: &str = "fn value(task, args) { task.n * args.by }";

/// A house in which scripts have time, however busy the machine is.
fn patient() -> House {
    House::with(|settings| settings.scripts.max_call_ms = 60_000)
}

/// Two flows with their tasks: of deliveries the first is hidden, the second has no item, the third one
/// and the fourth three; inspections are plain.
fn house() -> House {
    let house = patient();
    house.script("flows/by_item.rhai", BY_ITEM);
    house.script("fields/times.rhai", DOUBLE);
    put_flow(&house, DELIVERY, "Delivery");
    put_flow(&house, INSPECTION, "Inspection");
    let of = |number, flow, more: &str| task(number, &format!(r#""flowId":"{}"{more}"#, id(flow))) + "\n";
    house.load(
        &[
            of(1, DELIVERY, r#","hidden":true,"items":[{"sku":"z"}]"#),
            of(2, DELIVERY, r#","items":[]"#),
            of(3, DELIVERY, r#","items":[{"sku":"a"}]"#),
            of(4, DELIVERY, r#","items":[{"sku":"b"},{"sku":"c"},{"sku":"d"}]"#),
            of(5, INSPECTION, r#","weight":1.5,"photo_0_url":"https://x.example/1.jpg","photo_0_path":"1.jpg""#),
        ]
        .concat(),
    );
    house
}

fn put_flow(house: &House, flow: u64, name: &str) {
    let photo = json!({"id": "photo", "component": "photo", "title": "Door"});
    let pages = json!([{"id": "p", "components": [photo]}]);
    let flow = json!({"_id": id(flow), "name": name, "createdTime": "", "updatedTime": "", "pages": pages});
    house.app.store.edit(|edit| edit.put_flow(OURS, &serde_json::from_value(flow).unwrap())).unwrap();
}

fn field(id: &str, title: &str) -> Value {
    json!({"id": id, "component": "input", "title": title})
}

fn script(id: &str, script: &str, args: Value) -> Value {
    json!({"id": id, "component": "script", "title": id, "script": script, "args": args})
}

fn by_item(args: Value) -> Value {
    json!([{"flowId": id(DELIVERY), "script": "by_item", "args": args}])
}

/// Keeps a config and gives its id.
fn keep(house: &House, name: &str, fields: Value, more: Value) -> String {
    let mut config = json!({"name": name, "collection": "task", "fields": fields});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = house.post("/api/v3/export-config", &config.to_string());
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.value()["data"]["_id"].as_str().unwrap().to_owned()
}

fn body(download: &str, config: &str, more: Value) -> String {
    let mut body = json!({"download": download, "exportConfigId": config, "sortBy": "_id", "sortOrder": "asc"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

/// The rows of the first sheet as texts, its header first.
fn sheet(house: &House, answer: &Value, name: &str) -> Vec<Vec<String>> {
    let mut book = calamine::Xlsx::new(Cursor::new(house.file(answer))).unwrap();
    let sheet = book.worksheet_range(name).unwrap();
    sheet.rows().map(|row| row.iter().map(Data::to_string).collect()).collect()
}

fn lines(house: &House, answer: &Value) -> Vec<String> {
    let text = String::from_utf8(house.file(answer)).unwrap();
    text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
}

#[test]
fn tasks_of_mixed_flows_become_none_one_or_many_rows_in_one_file() {
    let house = house();
    let fields = json!([field("_id", "Task"), field("title", "Title"), script("twice", "times", json!({"by": 2}))]);
    let config = keep(&house, "Items", fields, json!({"flows": by_item(json!({"prefix": "Item "}))}));
    let answer = house.export(&body("xlsx", &config, json!({})));
    let rows = sheet(&house, &answer, "main");
    let row = |number: u64, title: &str, twice: &str, sku: &str| {
        vec![id(number).to_string(), title.to_owned(), twice.to_owned(), sku.to_owned()]
    };
    assert_eq!(
        rows,
        [
            ["Task", "Title", "twice", "SKU"].map(str::to_owned).to_vec(),
            row(3, "Item a", "6", "a"),
            row(4, "Item b", "8", "b"),
            row(4, "Item c", "8", "c"),
            row(4, "Item d", "8", "d"),
            row(5, "Task 5", "10", ""),
        ]
    );
    assert_eq!((&answer["total_data_be"], &answer["total_matched"]), (&json!(3), &json!(5)));
    assert_eq!((&answer["truncated"], &answer["last_field"]), (&json!(false), &json!("sku")));
    let entry = entry(&house, &answer);
    assert_eq!((&entry["totalRecords"], &entry["totalTasks"], &entry["rowsDone"]), (&json!(5), &json!(3), &json!(5)));
    assert_eq!((&entry["config"]["name"], &entry["config"]["version"]), (&json!("Items"), &json!(1)));
    let scripts: Vec<&str> =
        entry["scripts"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(scripts, ["fields/times", "flows/by_item"]);
    assert_eq!(entry["scripts"][0]["hash"].as_str().map(str::len), Some(64));
    let about = sheet(&house, &answer, "About");
    assert!(about.iter().any(|row| row[0] == "Export config" && row[1].starts_with("Items, version 1")), "{about:?}");
}

#[test]
fn every_format_has_the_same_rows_under_the_ids_of_the_columns() {
    let house = house();
    let when =
        json!({"id": "when", "component": "script", "title": "When", "expression": "time(\"2025-06-15T08:00:00Z\")"});
    let site = json!({"id": "site", "component": "script", "title": "Site", "expression": "link(\"https://x.example/\" + task.n, \"Look\")"});
    let fields = json!([field("n", "Number"), when, site]);
    let config = keep(&house, "Items", fields, json!({"flows": by_item(json!({}))}));
    let json = house.file(&house.export(&body("json", &config, json!({}))));
    let json: Vec<Value> = serde_json::from_slice(&json).unwrap();
    let numbers: Vec<_> = json.iter().map(|row| row["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 4, 4, 4, 5]);
    let last = json!({"n": 5, "when": "2025-06-15T08:00:00+00:00", "site": "https://x.example/5"});
    assert_eq!(json[4], last);
    assert_eq!(json[1]["sku"], "b");
    let nd = lines(&house, &house.export(&body("ndjson", &config, json!({}))));
    let nd: Vec<Value> = nd.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(nd, json);
    let csv = lines(&house, &house.export(&body("csv", &config, json!({}))));
    assert_eq!(csv[0], "Number,When,Site,SKU");
    assert_eq!(csv[5], "5,2025-06-15T08:00:00+00:00,https://x.example/5,");
}

#[test]
fn faults_leave_cells_empty_or_rows_plain_and_are_counted_and_told() {
    let house = house();
    house.script("flows/wrong.rhai", "fn rows(task, args) {\n  if task.n == 4 { return #{ nowhere: 1 }; }\n  if task.n == 3 { throw \"no\"; }\n  #{ title: \"shaped\" }\n}");
    house.script("fields/picky.rhai", "fn value(task, args) {\n  if task.n > 3 { throw \"too many\"; }\n  task.n\n}");
    let fields = json!([field("title", "Title"), script("picky", "picky", json!({}))]);
    let flows = json!([{"flowId": id(DELIVERY), "script": "wrong"}]);
    let config = keep(&house, "Wrong", fields, json!({"flows": flows}));
    let answer = house.export(&body("xlsx", &config, json!({})));
    let rows = sheet(&house, &answer, "main");
    let rows: Vec<_> = rows[1..].iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(rows, [("shaped", "1"), ("shaped", "2"), ("Task 3", "3"), ("Task 4", ""), ("Task 5", "")]);
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("The script fields/picky failed 2 times"), "{warnings}");
    assert!(warnings.contains("The script flows/wrong failed 2 times"), "{warnings}");
    assert_eq!(entry(&house, &answer)["faults"], json!({"fields/picky": 2, "flows/wrong": 2}));
    let about: Vec<String> = sheet(&house, &answer, "About").into_iter().map(|row| row.join(" ")).collect();
    let told =
        |task: u64, text: &str| about.iter().any(|line| line.contains(&id(task).to_string()) && line.contains(text));
    assert!(told(3, "flows/wrong, line 3") && told(4, "nowhere") && told(5, "picky is empty"), "{about:#?}");
}

#[test]
fn a_config_can_make_the_first_fault_end_the_export() {
    let house = house();
    house.script("fields/picky.rhai", "fn value(task, args) {\n  if task.n > 3 { throw \"too many\"; }\n  task.n\n}");
    let fields = json!([field("_id", "Task"), script("picky", "picky", json!({}))]);
    let config = keep(&house, "Strict", fields, json!({"on_fault": "fail"}));
    let reply = house.post("/api/v3/tasks/export", &body("csv", &config, json!({})));
    assert_eq!(reply.status, 400, "{}", reply.text());
    let message = reply.message();
    assert!(message.contains(&id(4).to_string()) && message.contains("fields/picky, line 2"), "{message}");
    assert!(message.contains("too many") && !message.contains(&id(5).to_string()), "{message}");
    let queued = house.export(&body("csv", &config, json!({"background": true})));
    let log = ended(&house, &queued);
    assert_eq!((log["status"].as_str(), log["errorMessage"].as_str()), (Some("Failed"), Some(message.as_str())));
    assert_eq!(house.kept_files(), 0);
}

/// The entry of a background export after its run.
fn ended(house: &House, answer: &Value) -> Value {
    waybill::export::attempt(&house.app, &house.app.queue.take(Lane::Any).unwrap());
    entry(house, answer)
}

fn entry(house: &House, answer: &Value) -> Value {
    let reply = house.get(&format!("/api/v3/tasks/export-log/{}", answer["data"]["_id"].as_str().unwrap()));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.value()["data"].clone()
}

#[test]
fn a_config_that_is_changed_or_deleted_changes_nothing_of_what_was_asked_before() {
    let house = house();
    let config = keep(&house, "Mine", json!([field("n", "Old")]), json!({}));
    let of_config = format!("/api/v3/export-config/{config}");
    let ask = || house.export(&body("csv", &config, json!({"background": true})));
    let first = ask();
    assert_eq!(ask()["data"]["_id"], first["data"]["_id"], "the same wish is still on its way");
    let changed = json!({"name": "Yours", "fields": [field("n", "New")]}).to_string();
    assert_eq!(house.json("PUT", &of_config, &house.token(), &changed).status, 200);
    let before = ended(&house, &first);
    assert_eq!((&before["config"]["name"], &before["config"]["version"]), (&json!("Mine"), &json!(1)));
    assert_eq!(header(&house, &before), "Old");
    let second = ask();
    assert_eq!(house.json("DELETE", &of_config, &house.token(), "").status, 200);
    let after = ended(&house, &second);
    assert_eq!((header(&house, &after).as_str(), &after["config"]["version"]), ("New", &json!(2)));
    let again = house.post(&format!("/api/v3/tasks/export-log/{}/retry", after["_id"].as_str().unwrap()), "");
    assert_eq!((again.status, again.message().as_str()), (400, "The selected exportConfigId is invalid."));
}

fn header(house: &House, entry: &Value) -> String {
    let file = house.send("GET", entry["link"].as_str().unwrap(), "", &[], b"").text();
    file.trim_start_matches('\u{feff}').lines().next().unwrap().to_owned()
}

#[test]
fn the_config_of_another_organisation_is_as_unknown_as_one_that_is_not_there() {
    let house = house();
    let config = keep(&house, "Ours", json!([field("n", "N")]), json!({}));
    let theirs = house.token_with(|claims| claims.org = crate::support::THEIRS);
    for (token, given) in [(theirs, config.as_str()), (house.token(), &"0".repeat(24)), (house.token(), "what")] {
        let reply = house.json("POST", "/api/v3/tasks/export", &token, &body("csv", given, json!({})));
        assert_eq!((reply.status, reply.message().as_str()), (400, "The selected exportConfigId is invalid."));
    }
}

#[test]
fn fields_pick_and_order_among_the_columns_of_the_config() {
    let house = house();
    let bill =
        json!({"id": "bill", "component": "bill", "title": "Bill", "additionalField": ["bill.Fee", "bill.totalCost"]});
    let fields = json!([field("n", "N"), script("twice", "times", json!({"by": 2})), bill,
        {"id": "photo", "component": "photo", "title": "Door", "uniqueTitle": "The door"}]);
    let config = keep(&house, "Many", fields, json!({"flows": by_item(json!({}))}));
    let head =
        |fields: Value| lines(&house, &house.export(&body("csv", &config, json!({"fields": fields}))))[0].clone();
    assert_eq!(head(Value::Null), "N,twice,Bill,Bill Fee,Bill totalCost,The door 0 path,The door 0 url,SKU");
    assert_eq!(head(json!("sku, twice,bill.Fee,n")), "SKU,twice,Bill Fee,N");
    assert_eq!(head(json!("photo,n,url")), "The door 0 url,N");
    assert!(!head(json!("hidePhoto")).contains("door"));
    for (fields, message) in [
        ("n,weight", "The selected fields is invalid. There is no field weight."),
        ("twise", "The selected fields is invalid. There is no field twise. Did you mean twice?"),
    ] {
        for background in [false, true] {
            let more = json!({"fields": fields, "background": background});
            let reply = house.post("/api/v3/tasks/export", &body("csv", &config, more));
            assert_eq!((reply.status, reply.message().as_str()), (400, message));
        }
    }
}

#[test]
fn equal_titles_are_told_apart_and_costs_of_bills_are_numbers() {
    let house = patient();
    house.load(&task(1, r#""bill":[{"title":"Fee","cost":1.1},{"title":"Fee","cost":2.2},{"title":"Ice","cost":4}]"#));
    let bill = json!({"id": "bill", "component": "bill", "title": "Bill", "additionalField": ["bill.Fee", "bill.totalCost", "bill.No"]});
    let fields = json!([field("n", "Same"), field("title", "Same"), bill]);
    let config = keep(&house, "Bills", fields, json!({}));
    let csv = lines(
        &house,
        &house.export(&body("csv", &config, json!({"fields": "n,title,bill.Fee,bill.totalCost,bill.No"}))),
    );
    assert_eq!(csv, ["Same (n),Same (title),Bill Fee,Bill totalCost,Bill No", "1,Task 1,3.3,7.3,"]);
    let json = house.file(&house.export(&body("json", &config, json!({"fields": "bill.totalCost"}))));
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), json!([{"bill.totalCost": 7.3}]));
}

#[test]
fn a_column_of_a_flow_script_shows_what_tasks_of_other_flows_have_under_its_key() {
    let house = house();
    let script = "fn rows(task, args) { #{ weight: 7 } }\nfn columns(args) { [#{ id: \"weight\", title: \"Kilos\" }] }";
    house.script("flows/heavy.rhai", script);
    let flows = json!({"flows": [{"flowId": id(DELIVERY), "script": "heavy"}]});
    let config = keep(&house, "Heavy", json!([field("n", "N")]), flows);
    let csv = lines(&house, &house.export(&body("csv", &config, json!({}))));
    assert_eq!(csv, ["N,Kilos", "1,7", "2,7", "3,7", "4,7", "5,1.5"]);
}

#[test]
fn a_script_that_computes_which_key_it_reads_sees_the_whole_task() {
    let house = house();
    house.script("fields/named.rhai", "fn value(task, args) { task[args.key] }");
    let named = |key: &str| script(key, "named", json!({"key": key}));
    let flows = json!({"flows": by_item(json!({})), "flowIds": [id(DELIVERY)]});
    let config = keep(&house, "Named", json!([named("hidden"), named("n")]), flows);
    let csv = lines(&house, &house.export(&body("csv", &config, json!({"fields": "n,sku"}))));
    assert_eq!(csv, ["n,SKU", "3,a", "4,b", "4,c", "4,d"]);
}

#[test]
fn the_zone_of_the_request_comes_before_that_of_the_config_and_that_before_the_operators() {
    let house = patient();
    house.load(&task(1, ""));
    let clock = json!({"id": "clock", "component": "script", "title": "Clock", "expression": "format_time(time(task.createdTime), \"%H:%M\")"});
    let config = |name: &str, more: Value| keep(&house, name, json!([clock]), more);
    let (none, jakarta) = (config("None", json!({})), config("Jakarta", json!({"timezone": "Asia/Jakarta"})));
    let shown = |config: &str, more: Value| lines(&house, &house.export(&body("csv", config, more)))[1].clone();
    assert_eq!(shown(&none, json!({})), "00:00");
    assert_eq!(shown(&jakarta, json!({})), "07:00");
    assert_eq!(shown(&jakarta, json!({"timezone": "Asia/Tokyo"})), "09:00");
}

#[test]
fn the_flows_of_the_config_filter_unless_the_request_names_some() {
    let house = house();
    let config = keep(&house, "Inspections", json!([field("n", "N")]), json!({"flowIds": [id(INSPECTION)]}));
    let numbers = |more: Value| lines(&house, &house.export(&body("csv", &config, more)))[1..].join(" ");
    assert_eq!(numbers(json!({})), "5");
    assert_eq!(numbers(json!({"flowId": id(DELIVERY)})), "1 2 3 4");
}

#[test]
fn the_ceiling_holds_for_the_rows_that_scripts_make() {
    let house = House::with(|settings| {
        settings.scripts.max_call_ms = 60_000;
        settings.export.direct_max_rows = 4;
    });
    house.script(
        "flows/many.rhai",
        "fn rows(task, args) { let rows = []; for n in 0..args.rows { rows.push(#{}); } rows }",
    );
    put_flow(&house, DELIVERY, "Delivery");
    house.load(&task(1, &format!(r#""flowId":"{}""#, id(DELIVERY))));
    let config = |name: &str, rows: u64| {
        keep(
            &house,
            name,
            json!([field("n", "N")]),
            json!({"flows": [{"flowId": id(DELIVERY), "script": "many", "args": {"rows": rows}}]}),
        )
    };
    let fits = house.export(&body("csv", &config("four", 4), json!({})));
    assert_eq!((fits["total_data_be"].as_u64(), lines(&house, &fits).len()), (Some(1), 5));
    let reply = house.post("/api/v3/tasks/export", &body("csv", &config("five", 5), json!({})));
    let message = "This export makes 5 rows; the most for a direct export is 4. Use background, or page and limit.";
    assert_eq!((reply.status, reply.message().as_str()), (400, message));
}

#[test]
fn each_part_of_a_zip_has_ten_thousand_rows_also_where_they_cut_a_task_in_two() {
    let house = patient();
    house.script(
        "flows/many.rhai",
        "fn rows(task, args) { let rows = []; for n in 0..700 { rows.push(#{ n: task.n * 1000 + n }); } rows }",
    );
    put_flow(&house, DELIVERY, "Delivery");
    let of = |number| task(number, &format!(r#""flowId":"{}""#, id(DELIVERY))) + "\n";
    house.load(&(0..30).map(of).collect::<String>());
    let flows = json!([{"flowId": id(DELIVERY), "script": "many"}]);
    let config = keep(&house, "Many", json!([field("n", "N")]), json!({"flows": flows}));
    let answer = house.export(&body("json", &config, json!({})));
    let mut zip = zip::ZipArchive::new(Cursor::new(house.file(&answer))).unwrap();
    let mut parts = Vec::new();
    for place in 0..zip.len() {
        let part: Vec<Value> = serde_json::from_reader(zip.by_index(place).unwrap()).unwrap();
        parts.push(part);
    }
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 10_000, 1_000]);
    let numbers = parts.concat().into_iter().map(|row| row["n"].as_u64().unwrap());
    assert!(numbers.eq((0..30).flat_map(|task| (0..700).map(move |row| task * 1000 + row))));
    assert_eq!((&answer["total_data_be"], &answer["truncated"]), (&json!(30), &json!(false)));
}

#[test]
fn a_script_that_is_gone_fails_the_export_at_once_and_says_so() {
    let house = house();
    let fields = json!([field("_id", "Task"), script("twice", "times", json!({"by": 2}))]);
    let config = keep(&house, "Orphan", fields, json!({}));
    std::fs::remove_file(house.app.settings.scripts.dir.join("fields/times.rhai")).unwrap();
    house.app.scripts.look(house.clock.now());
    for background in [false, true] {
        let reply = house.post("/api/v3/tasks/export", &body("csv", &config, json!({"background": background})));
        let message = "The export config Orphan cannot be used: fields/times: There is no such script.";
        assert_eq!((reply.status, reply.message().as_str()), (400, message));
    }
}

#[test]
fn a_preview_shows_rows_faults_and_an_estimate_and_stores_nothing() {
    let house = house();
    house.script("fields/picky.rhai", "fn value(task, args) { if task.n > 4 { throw \"no\"; } task.n }");
    let preview = |more: Value| {
        let fields = json!([field("createdTime", "Made"), field("n", "N"), script("picky", "picky", json!({}))]);
        let mut config = json!({"name": "Look", "fields": fields, "flows": by_item(json!({})), "timezone": "Asia/Jakarta",
            "on_fault": "fail", "sortBy": "_id", "sortOrder": "asc"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.post("/api/v3/export-config/preview", &config.to_string())
    };
    let reply = preview(json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let data = reply.value()["data"].clone();
    let ids: Vec<_> = data["columns"].as_array().unwrap().iter().map(|column| column["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["createdTime", "n", "picky", "sku"]);
    assert_eq!(data["rows"].as_array().unwrap().len(), 5);
    assert_eq!(data["rows"][1], json!(["2025-06-01 07:00:00", 4, 4, "b"]));
    assert_eq!(data["rows"][4], json!(["2025-06-01 07:00:00", 5, null, null]));
    assert_eq!((&data["faults"][0]["task"], &data["faults"][0]["column"]), (&json!(id(5)), &json!("picky")));
    assert_eq!(data["timings"]["fields/picky"]["calls"], 3);
    assert_eq!((&data["estimate"]["tasks"], &data["estimate"]["rows"]), (&json!(5), &json!(5)));
    assert!(data["estimate"]["bytes"].as_u64().unwrap() > 1_000);
    let few = preview(json!({"limit": 2, "status": "UNASSIGNED", "flowId": id(DELIVERY)})).value()["data"].clone();
    assert_eq!((few["rows"].as_array().unwrap().len(), &few["estimate"]["tasks"]), (0, &json!(4)));
    assert_eq!(preview(json!({"limit": 51})).message(), "The limit field must be between 1 and 50.");
    assert_eq!(preview(json!({"statsu": "DONE"})).status, 400);
    let logs = house.get("/api/v3/tasks/export-log").value();
    let configs = house.get("/api/v3/export-configs").value();
    assert_eq!((&logs["total"], &configs["data"]["total"], house.kept_files()), (&json!(0), &json!(0), 0));
    let token = house.token_with(|claims| claims.perms = vec!["view/export-config".to_owned()]);
    assert_eq!(house.json("POST", "/api/v3/export-config/preview", &token, "{}").status, 403);
}
