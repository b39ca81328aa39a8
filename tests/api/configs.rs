//! Export configs (contract 5).

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{House, Reply, THEIRS, golden, write_script};

const PATH: &str = "/api/v3/export-config";
const LIST: &str = "/api/v3/export-configs";

/// The least that a config has.
fn named(name: &str) -> String {
    with(name, json!({}))
}

/// The same with these keys more.
fn with(name: &str, more: Value) -> String {
    let mut body = json!({"name": name, "fields": [{"id": "status", "component": "input", "title": "Status"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

/// A config with this one column.
fn column(field: Value) -> String {
    with("One", json!({"fields": [field]}))
}

fn made(house: &House, body: &str) -> Value {
    let reply = house.post(PATH, body);
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.value()["data"].clone()
}

fn path_of(config: &Value) -> String {
    format!("{PATH}/{}", config["_id"].as_str().unwrap())
}

fn put(house: &House, path: &str, body: &str) -> Reply {
    house.json("PUT", path, &house.token(), body)
}

fn add_flow(house: &House, name: &str) -> Value {
    house.post("/api/v3/flow", &json!({ "name": name }).to_string()).value()["flow"]["_id"].clone()
}

/// What the faults of an answer say, in the order of its `errors`.
fn sentences(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 400, "{}", reply.text());
    let errors = reply.value()["errors"].as_object().cloned().unwrap_or_default();
    let lists = errors.into_iter().flat_map(|(_, list)| list.as_array().cloned().unwrap());
    lists.map(|sentence| sentence.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_five_calls_answer_in_the_shapes_that_are_kept() {
    let house = House::new();
    let flow = add_flow(&house, "Delivery");
    let body = format!(
        r#"{{"name":" Deliveries ","collection":"task","description":"For accounting","flowIds":[{flow}],"timezone":"Asia/Jakarta",
        "on_fault":"fail","fields":[
        {{"title":"Status","source":"reservedKey","id":"status","component":"input","zoom":1.50}},
        {{"id":"weight","component":"input","title":"Weight","uniqueTitle":"Weight (kg)","inputType":"number","flowId":[{flow}],
          "flowName":["Delivery"],"page":"p1","additionalField":[]}},
        {{"id":"cost","component":"bill","title":"Costs","type":"bill","additionalField":["cost.Fuel","cost.totalCost"],"format":"0.00","width":12.5}}]}}"#
    );
    let mut shapes = String::new();
    let mut show = |call: &str, reply: Reply| {
        let id = shapes_id(&reply);
        let text =
            reply.text().replace(&id, "<id>").replace(flow.as_str().unwrap(), "<flow>").replace(&house.url, "<url>");
        writeln!(shapes, "{call} {}\n{text}\n", reply.status).unwrap();
        id
    };
    let id = show("POST /export-config", house.post(PATH, &body));
    let path = format!("{PATH}/{id}");
    show("GET /export-config/{id}", house.get(&path));
    show("GET /export-configs", house.get(&format!("{LIST}?limit=5&collection=task")));
    show("PUT /export-config/{id}", put(&house, &path, &named("Others")));
    show("DELETE /export-config/{id}", house.json("DELETE", &path, &house.token(), ""));
    show("GET /export-config/{id}", house.get(&path));
    golden::check("export-config.txt", &shapes);
}

/// The id of the config in an answer, or something that is in none.
fn shapes_id(reply: &Reply) -> String {
    let data = &reply.value()["data"];
    let config = data.get("data").map_or(data, |list| &list[0]);
    config["_id"].as_str().unwrap_or("no id").to_owned()
}

#[test]
fn a_change_is_the_next_version_and_keeps_who_made_it_when() {
    let house = House::new();
    let config = made(&house, &with("A", json!({"description": "old"})));
    assert_eq!((&config["version"], &config["createdBy"]), (&json!(1), &json!("me@example.org")));
    house.clock.pass(std::time::Duration::from_secs(60));
    let other = house.token_with(|claims| claims.email = "other@example.org".to_owned());
    let mut echo = config.clone();
    echo["description"] = Value::Null;
    echo["_id"] = json!("ffffffffffffffffffffffff");
    echo["version"] = json!(70);
    echo["organizationId"] = json!(THEIRS);
    let reply = house.json("PUT", &path_of(&config), &other, &echo.to_string());
    let changed = reply.value()["data"].clone();
    assert_eq!(
        (reply.status, &changed["_id"], &changed["version"]),
        (200, &config["_id"], &json!(2)),
        "{}",
        reply.text()
    );
    assert_eq!((&changed["createdBy"], &changed["updatedBy"]), (&json!("me@example.org"), &json!("other@example.org")));
    assert_eq!(
        (&changed["createdTime"], &changed["organizationId"]),
        (&config["createdTime"], &config["organizationId"])
    );
    assert_eq!(
        (&changed["updatedTime"], &changed["description"]),
        (&json!("2025-06-15T15:07:40.000000Z"), &Value::Null)
    );
    assert_eq!(house.get(&path_of(&config)).value()["data"], changed);
}

#[test]
fn changes_at_once_are_a_version_each() {
    let house = House::new();
    let path = path_of(&made(&house, &named("A")));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(put(&house, &path, &named("A")).status, 200)));
        }
    });
    assert_eq!(house.get(&path).value()["data"]["version"], 21);
}

#[test]
fn names_are_taken_without_regard_to_case_when_adding_and_when_changing() {
    let house = House::new();
    let first = made(&house, &named("Äpfel"));
    let second = made(&house, &named("Birnen"));
    for reply in [house.post(PATH, &named(" äpfel ")), put(&house, &path_of(&second), &named("ÄPFEL"))] {
        assert_eq!((reply.status, reply.message().as_str()), (409, "The name has already been taken."));
    }
    assert_eq!(put(&house, &path_of(&first), &named("ÄPFEL")).status, 200);
    assert_eq!(house.json("DELETE", &path_of(&first), &house.token(), "").status, 200);
    assert_eq!(put(&house, &path_of(&second), &named("äpfel")).status, 200);
}

#[test]
fn what_is_not_there_is_answered_alike_whatever_the_body() {
    let house = House::new();
    let path = path_of(&made(&house, &named("A")));
    let theirs = house.token_with(|claims| claims.org = THEIRS);
    let unknown = format!("{PATH}/000000000000000000000000");
    for (path, token) in
        [(path.as_str(), &theirs), (&unknown, &house.token()), (&format!("{PATH}/nonsense"), &house.token())]
    {
        for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
            let reply = house.json(method, path, token, body);
            assert_eq!(
                (reply.status, reply.text().as_str()),
                (404, r#"{"status":false,"message":"Data not found"}"#),
                "{method} {path}"
            );
        }
    }
    assert_eq!(house.json("GET", LIST, &theirs, "").value()["data"]["total"], 0);
    assert_eq!(house.json("POST", PATH, &theirs, &named("a")).status, 201);
    assert_eq!(house.get(LIST).value()["data"]["total"], 1);
}

#[test]
fn each_call_demands_its_own_permission() {
    let house = House::new();
    let path = path_of(&made(&house, &named("A")));
    let calls = [
        ("GET", LIST, "", "view"),
        ("GET", path.as_str(), "", "view"),
        ("POST", PATH, &named("B"), "add"),
        ("PUT", &path, &named("A"), "edit"),
        ("DELETE", &path, "", "delete"),
    ];
    for granted in ["view", "add", "edit", "delete"] {
        let token = house.token_with(|claims| claims.perms = vec![format!("{granted}/export-config")]);
        for (method, path, body, needed) in calls {
            let reply = house.json(method, path, &token, body);
            if granted == needed {
                assert!(reply.status < 300, "{method} {path}: {}", reply.text());
            } else {
                let message = format!("You do not have permission to {needed} export configs");
                assert_eq!((reply.status, reply.message()), (403, message), "{method} {path} with {granted}");
            }
        }
    }
    assert_eq!(house.json("GET", LIST, "", "").status, 401);
}

#[test]
fn a_list_is_filtered_sorted_and_paged() {
    let house = House::new();
    for name in ["Morning run", "Evening RUN", "Other"] {
        made(&house, &named(name));
        house.clock.pass(std::time::Duration::from_secs(1));
    }
    let names = |query: &str| {
        let data = house.get(&format!("{LIST}?{query}")).value()["data"].clone();
        let shown = data["data"].as_array().unwrap().iter().map(|config| config["name"].as_str().unwrap().to_owned());
        (shown.collect::<Vec<_>>().join(", "), data["total"].clone())
    };
    assert_eq!(names(""), ("Other, Evening RUN, Morning run".to_owned(), json!(3)));
    assert_eq!(names("sortOrder=asc&limit=2&page=2"), ("Other".to_owned(), json!(3)));
    assert_eq!(names("name=run"), ("Evening RUN, Morning run".to_owned(), json!(2)));
    assert_eq!(names("collection=data"), (String::new(), json!(0)));
    assert_eq!(names("page=9"), (String::new(), json!(3)));
    let page = house.get(&format!("{LIST}?limit=1&page=2&name=r")).value()["data"].clone();
    let base = format!("{}{LIST}", house.url);
    assert_eq!(page["next_page_url"], format!("{base}?page=3&limit=1&name=r"));
    assert_eq!(page["prev_page_url"], format!("{base}?page=1&limit=1&name=r"));
    let faults = sentences(&house.get(&format!("{LIST}?limit=101&page=0&sortOrder=up&nmae=x")));
    assert_eq!(
        faults,
        [
            "The page field must be at least 1.",
            "The limit field must be between 1 and 100.",
            "The selected sortOrder is invalid. Allowed: asc, desc.",
            "The nmae field is not known. Did you mean name?",
        ]
    );
}

#[test]
fn its_paginator_has_the_keys_of_the_one_of_tasks() {
    let house = House::new();
    made(&house, &named("A"));
    let keys = |paginator: &Value| paginator.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let tasks = house.get("/api/v3/tasks").value()["tasks"].clone();
    assert_eq!(keys(&house.get(LIST).value()["data"]), keys(&tasks));
}

#[test]
fn every_fault_of_a_config_is_told_at_once() {
    let house = House::new();
    let body = json!({
        "collection": "data", "description": 7, "flowIds": [1, "nope"], "timezone": "Mars/North", "on_fault": "stop",
        "fields": [
            {"component": "input", "title": " ", "uniqueTitle": 1, "type": 2, "inputType": 3, "flowId": "x", "flowName": [4]},
            {"id": "statu", "component": "input", "title": "S", "source": "reservedKey", "width": 256, "format": ""},
            {"id": "status", "component": "script", "title": "S", "args": [], "additionalField": ["a.b"]},
            7
        ],
        "flows": [{"flowId": "nope", "scirpt": "x"}],
        "feilds": []
    });
    let reply = house.post(PATH, &body.to_string());
    assert_eq!(reply.message(), "The name field is required.");
    assert_eq!(
        sentences(&reply),
        [
            "The name field is required.",
            "The selected collection is invalid. Allowed: task.",
            "The description field must be a string.",
            "The flowIds.0 field must be a string.",
            "The selected flowIds.1 is invalid.",
            "The fields.0.id field is required.",
            "The fields.0.title field is required.",
            "The fields.0.uniqueTitle field must be a string.",
            "The fields.0.type field must be a string.",
            "The fields.0.inputType field must be a string.",
            "The fields.0.flowId field must be a list.",
            "The fields.0.flowName.0 field must be a string.",
            "The selected fields.1.id is invalid. There is no reserved key statu. Did you mean status?",
            "The fields.1.format field must be a number format of Excel such as #,##0.00 or dd/mm/yyyy.",
            "The fields.1.width field must be a number between 1 and 255.",
            "The fields.2.id field must not be status, which every task has.",
            "The fields.2.additionalField field is not for component script, which makes one column.",
            "The fields.2.args field must be an object.",
            "The fields.2.script field is required where there is no expression.",
            "The fields.3 field must be an object.",
            "The selected flows.0.flowId is invalid. There is no such flow.",
            "The flows.0.script field is required.",
            "The flows.0.scirpt field is not known. Did you mean script?",
            "The selected timezone is invalid. Use an IANA name such as Asia/Jakarta.",
            "The selected on_fault is invalid. Allowed: continue, fail.",
            "The feilds field is not known. Did you mean fields?",
        ]
    );
}

#[test]
fn each_rule_of_a_column_has_its_sentence() {
    let house = House::new();
    let script = |more: Value| {
        let mut field = json!({"id": "x", "component": "script", "title": "X"});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    for (field, sentence) in [
        (json!({"id": "", "component": "input", "title": "X"}), "The fields.0.id field is required."),
        (json!({"id": "x", "title": "X"}), "The fields.0.component field is required."),
        (
            json!({"id": "hidePhoto", "component": "input", "title": "X"}),
            "The fields.0.id field must not be hidePhoto, which is no column but a switch.",
        ),
        (json!({"id": "a,b", "component": "input", "title": "X"}), "The fields.0.id field must not contain a comma."),
        (
            json!({"id": "x", "component": "input", "title": "X", "source": 1}),
            "The fields.0.source field must be a string.",
        ),
        (
            json!({"id": "x", "component": "bill", "title": "X", "additionalField": ["cost"]}),
            "The fields.0.additionalField.0 field must be the id of a bill, a dot and the name of a cost, or totalCost.",
        ),
        (
            json!({"id": "x", "component": "bill", "title": "X", "additionalField": ["c.d", "c.d"]}),
            "The fields.0.additionalField.1 field must not be c.d twice.",
        ),
        (
            json!({"id": "x", "component": "input", "title": "X", "script": "y"}),
            "The fields.0.script field is for component script alone.",
        ),
        (
            json!({"id": "x", "component": "input", "title": "X", "expression": "1"}),
            "The fields.0.expression field is for component script alone.",
        ),
        (
            json!({"id": "x", "component": "input", "title": "X", "format": "0\n"}),
            "The fields.0.format field must be a number format of Excel such as #,##0.00 or dd/mm/yyyy.",
        ),
        (
            json!({"id": "x", "component": "input", "title": "X", "width": "12"}),
            "The fields.0.width field must be a number between 1 and 255.",
        ),
        (
            json!({"id": "x", "component": "input", "title": "X", "width": 0.5}),
            "The fields.0.width field must be a number between 1 and 255.",
        ),
        (
            script(json!({"script": "a", "expression": "1"})),
            "The fields.0.expression field must not stand beside script.",
        ),
        (script(json!({"script": " "})), "The fields.0.script field is required."),
        (script(json!({"expression": 1})), "The fields.0.expression field must be a string."),
        (
            script(json!({"script": "nope"})),
            "The selected fields.0.script is invalid. fields/nope: There is no such script.",
        ),
    ] {
        assert_eq!(sentences(&house.post(PATH, &column(field.clone()))), [sentence], "{field}");
    }
}

#[test]
fn the_lists_of_a_config_have_their_rules() {
    let house = House::new();
    let flow = add_flow(&house, "Delivery");
    let id = flow.as_str().unwrap();
    let status = json!({"id": "status", "component": "input", "title": "Status"});
    for (more, sentence) in [
        (json!({"fields": null}), "The fields field is required.".to_owned()),
        (json!({"fields": []}), "The fields field must have at least one column.".to_owned()),
        (json!({"fields": {}}), "The fields field must be a list of columns.".to_owned()),
        (json!({"fields": [status, status]}), "The fields.1.id field must not be status twice.".to_owned()),
        (json!({"fields": vec![&status; 2_001]}), "The fields field must not have more than 2000 columns.".to_owned()),
        (
            json!({"fields": [{"id": "x", "component": "bill", "title": "X", "additionalField": vec!["c.d"; 1_001]}]}),
            "The fields.0.additionalField field must not have more than 1000 entries.".to_owned(),
        ),
        (json!({"flowIds": id}), "The flowIds field must be a list of flows.".to_owned()),
        (json!({"flowIds": [id, id]}), format!("The flowIds.1 field must not be {id} twice.")),
        (json!({"flowIds": vec![1; 1_001]}), "The flowIds field must not have more than 1000 flows.".to_owned()),
        (json!({"flows": {}}), "The flows field must be a list of flows.".to_owned()),
        (
            json!({"flows": [{"flowId": id, "script": "nope"}]}),
            "The selected flows.0.script is invalid. flows/nope: There is no such script.".to_owned(),
        ),
        (
            json!({"name": "x".repeat(201)}),
            "The name field must be at most 200 characters without control characters.".to_owned(),
        ),
    ] {
        let body = with("A", more);
        assert_eq!(sentences(&house.post(PATH, &body)), [sentence], "{}", &body[..body.len().min(200)]);
    }
    let theirs = house.token_with(|claims| claims.org = THEIRS);
    let reply = house.json("POST", PATH, &theirs, &with("A", json!({"flowIds": [id]})));
    assert_eq!(sentences(&reply), ["The selected flowIds.0 is invalid."]);
}

#[test]
fn columns_come_back_as_they_were_sent() {
    let house = House::new();
    let columns = concat!(
        r#"[{"title":"A","type":"number","inputType":"text","id":"a","component":"input","uniqueTitle":null,"flowId":[],"flowName":["x"],"#,
        r#""page":{"deep":[1.50,123456789012345678901234567890]},"additionalField":[],"any":false},"#,
        r#"{"id":"b","component":"whatever","title":"\u00e9\n"}]"#
    );
    let reply = house.post(PATH, &format!(r#"{{"fields": {columns}, "name": "A"}}"#));
    let wanted = format!(r#""fields":{columns},"#);
    for reply in [house.get(&path_of(&reply.value()["data"])), house.get(LIST), reply] {
        assert!(reply.text().contains(&wanted), "{}", reply.text());
    }
}

#[test]
fn a_config_and_the_number_of_configs_have_limits() {
    let house = House::with(|settings| settings.server.max_body_bytes = 4 << 20);
    let long = with("A", json!({"description": "x".repeat(1 << 20)}));
    let reply = house.post(PATH, &long);
    assert_eq!(
        (reply.status, reply.message().as_str()),
        (413, "An export config must not be larger than 1048576 bytes.")
    );
    let mut config: waybill::domain::ExportConfig = serde_json::from_value(made(&house, &named("0"))).unwrap();
    let fill = |edit: &mut waybill::store::Edit<'_>| {
        for number in 1..1_000 {
            (config.id, config.name) = (crate::support::id(number), number.to_string());
            edit.put_config(crate::support::OURS, &config)?;
        }
        Ok(())
    };
    house.app.store.edit(fill).unwrap();
    let reply = house.post(PATH, &named("more"));
    assert_eq!(
        (reply.status, reply.message().as_str()),
        (409, "There are 1000 export configs already. Delete one that nobody uses.")
    );
    assert_eq!(put(&house, &path_of(&json!({"_id": config.id})), &named("same")).status, 200);
}

#[test]
fn a_config_makes_no_more_columns_than_a_sheet_has_and_a_hundred_faults_are_enough() {
    let house = House::new();
    let bill = |number: u32| {
        let costs: Vec<String> = (0..1_000).map(|cost| format!("b{number}.{cost}")).collect();
        json!({"id": format!("b{number}"), "component": "bill", "title": "B", "additionalField": costs})
    };
    let bills: Vec<Value> = (0..17).map(bill).collect();
    let told = sentences(&house.post(PATH, &with("A", json!({ "fields": bills }))));
    assert_eq!(told, ["The fields field must not make more than 16384 columns, those of bills among them."]);
    assert_eq!(house.post(PATH, &with("A", json!({"fields": bills[..16]}))).status, 201);
    assert_eq!(sentences(&house.post(PATH, &with("B", json!({"fields": vec![1; 2_000]})))).len(), 100);
}

/// A house whose folder has a good script of each kind and a broken one.
fn scripted() -> House {
    House::with(|settings| {
        let dir = &settings.scripts.dir;
        write_script(dir, "fields/minutes.rhai", "fn value(task, args) { 1 }");
        write_script(dir, "fields/broken.rhai", "fn value(task, args) {\n  1 +\n}");
        write_script(dir, "flows/split.rhai", "fn rows(task, args) { [#{}, #{}] }");
    })
}

#[test]
fn scripts_and_expressions_that_work_are_taken_with_their_arguments() {
    let house = scripted();
    let flow = add_flow(&house, "Delivery");
    let config = made(
        &house,
        &with(
            "A",
            json!({
                "fields": [
                    {"id": "a", "component": "script", "title": "A", "script": "minutes", "args": {"from": 1.5}, "format": "0", "width": 9},
                    {"id": "b", "component": "script", "title": "B", "expression": "task.status + args.more", "args": {"more": "!"}},
                ],
                "flows": [{"flowId": flow, "script": "split", "args": {"by": ["x"]}}]
            }),
        ),
    );
    assert_eq!(config["flows"], json!([{"flowId": flow, "script": "split", "args": {"by": ["x"]}}]));
    assert_eq!(config["fields"][0]["args"], json!({"from": 1.5}));
}

#[test]
fn a_script_that_does_not_work_is_told_with_its_place() {
    let house = scripted();
    let flow = add_flow(&house, "Delivery");
    let script = |key: &str, value: &str| column(json!({"id": "x", "component": "script", "title": "X", key: value}));
    let broken = house.app.scripts.current().program(waybill::script::ScriptKind::Field, "broken").unwrap_err();
    assert_eq!(broken.line, Some(3));
    for (body, sentence) in [
        (
            script("script", "minuts"),
            "The selected fields.0.script is invalid. fields/minuts: There is no such script. Did you mean minutes?"
                .to_owned(),
        ),
        (
            script("script", "split"),
            "The selected fields.0.script is invalid. fields/split: There is no such script.".to_owned(),
        ),
        (script("script", "broken"), format!("The selected fields.0.script is invalid. {broken}")),
        (
            script("expression", "1 +\n  * 2"),
            "The fields.0.expression field does not compile: expression of x, line 2, column 3: ".to_owned(),
        ),
        (
            script("expression", "nope(task)"),
            "The fields.0.expression field does not compile: expression of x, line 1, column 1: ".to_owned(),
        ),
        (
            with("A", json!({"flows": [{"flowId": flow, "script": "splt"}]})),
            "The selected flows.0.script is invalid. flows/splt: There is no such script. Did you mean split?"
                .to_owned(),
        ),
        (
            with(
                "A",
                json!({"flows": [{"flowId": flow, "script": "split"}, {"flowId": flow, "script": "split", "args": 1}]}),
            ),
            format!("The flows.1.flowId field must not be {} twice.", flow.as_str().unwrap()),
        ),
    ] {
        let told = sentences(&house.post(PATH, &body));
        assert!(told[0].starts_with(&sentence), "{told:?} does not start with {sentence}");
        assert!(told[0].len() > 20 && told.len() <= 2, "{told:?}");
    }
}

#[test]
fn the_config_that_the_description_gives_as_an_example_is_taken() {
    let house = House::new();
    let described: Value = serde_json::from_str(waybill::http::OPENAPI).unwrap();
    let schemas = &described["components"]["schemas"];
    let mut example = schemas["ExportConfigRequest"]["example"].clone();
    example["flowIds"] = json!([add_flow(&house, "Delivery")]);
    let config = made(&house, &example.to_string());
    assert_eq!(config["fields"], example["fields"]);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&schemas["ExportConfig"]["example"]), keys(&config));
    assert_eq!(keys(&schemas["ExportConfig"]["properties"]), keys(&config));
}
