use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::place::{Place, ROOM, element_export, lines, message, messages};

fn assert_summary(summary: &Value, read: u64, stored: u64, unchanged: u64) {
    assert_eq!([&summary["read"], &summary["stored"], &summary["unchanged"]], [read, stored, unchanged], "{summary}");
    assert!(
        summary["seconds"].is_number() && summary["skipped"].is_object() && summary["failed"].is_array(),
        "{summary}"
    );
}

#[test]
fn an_export_of_element_is_imported_and_again_is_unchanged() {
    let place = Place::new();
    place.write("export.json", element_export(&messages(2_500)));
    assert_summary(&place.json(["import", "export.json"]), 2_500, 2_500, 0);
    assert_summary(&place.json(["import", "export.json"]), 2_500, 0, 2_500);
    assert_eq!(place.json(["stats"])["collections"]["messages"]["records"], 2_500);
}

#[test]
fn json_lines_come_from_a_file_or_stdin() {
    let place = Place::new();
    place.write("events.jsonl", format!("\u{feff}{}", lines(&messages(10))));
    assert_summary(&place.json(["import", "events.jsonl"]), 10, 10, 0);
    let more = place.run_with_stdin(["import", "-", "--format", "json"], &lines(&messages(20))).done();
    assert_summary(&more.json(), 20, 10, 10);
    let export = place.run_with_stdin(["import", "-", "--format", "json"], &element_export(&messages(30))).done();
    assert_summary(&export.json(), 30, 10, 20);
}

#[test]
fn a_malformed_event_is_named_by_its_position_and_the_rest_goes_on() {
    let place = Place::new();
    let text = format!("{}\n{{\"type\": \"m.room\n\n[1, 2]\n{}\n", message(1), message(2));
    place.write("events.jsonl", &text);
    let run = place.run(["import", "events.jsonl", "--format", "json"]).refused(1, &["2 events", "events.jsonl"]);
    assert_summary(&run.json(), 4, 2, 0);
    let failed = run.json()["failed"].clone();
    assert_eq!([&failed[0]["position"], &failed[1]["position"]], [2, 4], "{failed}");

    let text = element_export(&[message(3), json!({ "type": 5 }), json!("text"), message(4)]);
    place.write("export.json", text);
    let run = place.run(["import", "export.json", "--format", "json"]).refused(1, &["2 events"]);
    assert_summary(&run.json(), 4, 2, 0);
}

#[test]
fn strict_stops_at_the_first_failure() {
    let place = Place::new();
    let text = format!("{}broken\n{}", lines(&messages(3)), lines(&messages(3_000)));
    place.write("events.jsonl", text);
    let run =
        place.run(["import", "events.jsonl", "--strict", "--format", "json"]).refused(1, &["number 4", "--strict"]);
    let failed = run.json()["failed"].clone();
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    assert_eq!(failed[0]["position"], 4);
    assert_eq!(run.json()["stored"], 3);
}

#[test]
fn people_see_ten_failures_and_how_many_more() {
    let place = Place::new();
    place.write("events.jsonl", "{\"type\":\n".repeat(15));
    let run = place.run(["import", "events.jsonl"]).refused(1, &["15 events"]);
    assert!(run.stdout.contains("and 5 more"), "{}", run.stdout);
}

#[test]
fn a_type_that_no_collection_holds_is_counted_and_named() {
    let place = Place::new();
    let unknown = json!({ "type": "org.example.unknown", "content": {} });
    place.write("events.jsonl", lines(&[message(1), unknown.clone(), unknown]));
    let summary = place.json(["import", "events.jsonl"]);
    assert_summary(&summary, 3, 1, 0);
    assert_eq!(summary["skipped"], json!({ "org.example.unknown": 2 }));
    let run = place.run(["import", "events.jsonl"]).done();
    assert!(run.stdout.contains("org.example.unknown"), "{}", run.stdout);
}

#[test]
fn the_room_can_be_given_and_whose_membership_counts() {
    let place = Place::new();
    let member = json!({
        "type": "m.room.member", "event_id": "$join", "sender": "@me:example.org", "state_key": "@me:example.org",
        "origin_server_ts": 1, "content": { "membership": "join" },
    });
    place.write("events.jsonl", lines(&[member]));
    place.run(["import", "events.jsonl"]).refused(1, &["1 event "]);
    place.run(["import", "events.jsonl", "--room", ROOM, "--me", "@me:example.org"]).done();
    let rooms = place.json(["rooms"]);
    assert_eq!(rooms["rooms"][0]["room_id"], ROOM);
    assert_eq!(rooms["rooms"][0]["membership"], "join");
}

#[test]
fn a_truncated_export_keeps_what_came_before_and_says_where_it_broke() {
    let place = Place::new();
    let whole = element_export(&messages(2_000));
    place.write("export.json", &whole[..whole.len() / 2]);
    let run =
        place.run(["import", "export.json", "--format", "json"]).refused(1, &["export.json", "line", "never ends"]);
    let stored = run.json()["stored"].as_u64().unwrap();
    assert!((900..1_100).contains(&stored), "{stored}");
    assert_eq!(place.json(["verify"])["collections"]["messages"]["records"], stored);
    place.write("export.json", whole);
    assert_summary(&place.json(["import", "export.json"]), 2_000, 2_000 - stored, stored);
}

#[test]
fn what_is_no_export_makes_no_store() {
    let place = Place::new();
    place.write("other.json", "{\n\"rooms\": []\n}");
    place.run(["import", "other.json"]).refused(1, &["other.json", "messages"]);
    place.run(["import", "missing.json"]).refused(1, &["missing.json"]);
    place.run(["import", "."]).refused(1, &["folder"]);
    assert!(!place.path("strongroom.redb").exists());
}

#[test]
fn memory_makes_a_dry_run() {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(5)));
    assert_summary(&place.json(["import", "events.jsonl", "--store", "memory:"]), 5, 5, 0);
    assert!(!place.path("strongroom.redb").exists());
}

#[test]
fn what_was_imported_comes_out_again() {
    let place = Place::new();
    let odd = r#"{"type":"m.room.message","room_id":"!room:example.org","event_id":"$odd/id","sender":"@a:b","origin_server_ts":5,"content":{"z": 1.50,"a":[1e3, "\u00e9\/"], "body":"\ud83d"},"unsigned":{"age": 7}}"#;
    place.write("events.jsonl", format!("{}{odd}\n", lines(&messages(300))));
    place.run(["import", "events.jsonl"]).done();
    let exported = place.run(["export", ROOM]).done().stdout;
    assert!(exported.contains(r#"{"z": 1.50,"a":[1e3, "\u00e9\/"], "body":"\ud83d"}"#), "content is text for text");
    let parse = |text: &str| text.lines().map(|line| line.parse::<Value>().ok()).collect::<Vec<_>>();
    let mut expected: Vec<Value> = messages(300);
    expected.sort_by_key(|event| (event["origin_server_ts"].as_i64(), event["event_id"].to_string()));
    assert_eq!(parse(&exported)[1..], expected.into_iter().map(Some).collect::<Vec<_>>());

    let other = Place::new();
    other.write("again.jsonl", &exported);
    other.run(["import", "again.jsonl"]).done();
    assert_eq!(other.run(["export", ROOM]).done().stdout, exported);
}

#[test]
fn indented_content_is_exported_on_one_line() {
    let place = Place::new();
    place.write("export.json", element_export(&messages(9)));
    place.run(["import", "export.json"]).done();
    let exported = place.run(["export", ROOM]).done().stdout;
    let events: BTreeSet<String> = exported.lines().map(|line| line.parse::<Value>().unwrap().to_string()).collect();
    assert_eq!(events, messages(9).iter().map(Value::to_string).collect());
}
