//! What an encrypted store does not show to who holds its files.

use std::fs;

use serde_json::{Value, json};

use crate::place::{Place, lines};

const ROOM: &str = "!canaryroom:example.org";

fn events() -> Vec<Value> {
    let event = |number: u64| {
        json!({
            "type": "m.room.message", "room_id": ROOM, "event_id": format!("$canaryevent{number:04}"),
            "sender": format!("@canarysender{}:example.org", number % 7),
            "origin_server_ts": 1_700_000_000_000 + number,
            "content": { "msgtype": "m.text", "body": format!("canarybody {number}") },
        })
    };
    (0..1_500).map(event).collect()
}

/// The names of the files in the place that hold `needle`.
fn holders(place: &Place, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place.path("")).unwrap() {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        if bytes.windows(needle.len()).any(|part| part == needle.as_bytes()) {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

#[test]
fn no_file_has_what_was_imported() {
    let names = ["canary", "m.room.message", "m.text", "messages", "room_timestamp", "sender_key"];
    for store in ["redb:chat.redb", "sqlite:chat.db"] {
        let place = Place::new();
        place.run_with_stdin(["import", "-", "--store", store, "--plain"], &lines(&events())).done();
        for name in names {
            assert!(!holders(&place, name).is_empty(), "{store}: {name} can be found where nothing hides it");
        }

        let place = Place::new();
        place.run_with_stdin(["import", "-", "--store", store], &lines(&events())).done();
        for name in names {
            assert_eq!(holders(&place, name), Vec::<String>::new(), "{store}: {name}");
        }
        let key = "5a".repeat(32);
        assert_eq!(holders(&place, &key), Vec::<String>::new(), "{store}: the key");
        assert_eq!(holders(&place, &"\u{5a}".repeat(32)), Vec::<String>::new(), "{store}: the key's bytes");
        let timeline = place.json(["timeline", ROOM, "--limit", "1", "--store", store]);
        assert_eq!(timeline["messages"][0]["content"]["body"], "canarybody 1499");
    }
}

/// The log of SQLite is there as long as the store is open, as after a crash.
#[test]
fn what_a_killed_import_leaves_has_nothing_either() {
    let place = Place::new();
    let mut events = events();
    for event in &mut events {
        event["content"]["formatted_body"] = json!("x".repeat(4 << 10));
    }
    let mut command = place.keyed(["import", "-", "--store", "sqlite:chat.db"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    // It reads some batches ahead and no more, so when all of this is taken the first ones are committed.
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), lines(&events).as_bytes()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.path("chat.db-wal").exists());
    assert_eq!(holders(&place, "canary"), Vec::<String>::new());
}

#[test]
fn the_report_says_what_such_a_holder_sees() {
    let place = Place::new();
    let report = place.run_bare(["leakage"]).done().stdout;
    for part in ["messages", "sender_key", "timestamp"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    let report = place.run_bare(["leakage", "--format", "json"]).done().json();
    assert_eq!((&report["schema"], report["collections"].as_array().unwrap().len()), (&json!("matrix"), 18));
}
