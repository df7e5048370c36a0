//! `copy`: everything, into a store with another key or on another engine.

use serde_json::json;

use crate::place::{Place, ROOM, messages};

#[test]
fn a_copy_has_other_keys_and_the_same_content() {
    let place = Place::with(&messages(1_200));
    let exported = place.run(["export", ROOM]).done().stdout;
    place.run(["key", "generate", "new.key"]).done();
    let copied = place.json(["copy", "sqlite:new.db", "--new-key-file", "new.key"]);
    assert_eq!(copied["to"], "sqlite:new.db");
    assert!(copied["copied"].as_u64().unwrap() >= 1_200, "{copied}");
    // Once more: not by mistake, and there is nothing to do.
    place.run(["copy", "sqlite:new.db", "--new-key-file", "new.key"]).refused(1, &["already", "--resume"]);
    let again = place.run(["copy", "sqlite:new.db", "--new-key-file", "new.key", "--resume"]).done().stdout;
    assert!(again.contains("0 records copied") && again.contains("delete the old"), "{again}");
    let new = ["--store", "sqlite:new.db", "--key-file", "new.key"];
    let of_new = |arguments: &[&'static str]| place.run_bare([arguments, &new].concat()).done().stdout;
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&of_new(&["export", ROOM])), sorted(&exported));
    let verified: serde_json::Value = serde_json::from_str(&of_new(&["verify", "--format", "json"])).unwrap();
    assert_eq!(verified["problems"], json!([]));
}

#[test]
fn a_copy_says_what_opens_it() {
    let place = Place::with(&messages(3));
    place.run(["copy", "redb:new.redb"]).refused(2, &["redb:new.redb", "--new-key-file", "--new-plain"]);
    assert!(!place.path("new.redb").exists());
    place.run(["copy", "redb:plain.redb", "--new-plain"]).done();
    assert!(place.run_bare(["rooms", "--store", "redb:plain.redb"]).done().stdout.contains(ROOM));
    // Into itself, or to where nothing is kept.
    place.run(["copy", "redb:strongroom.redb", "--new-plain"]).refused(1, &["already"]);
    place.run(["copy", "memory:", "--new-plain"]).refused(2, &["keeps nothing"]);
}

#[test]
fn a_copy_says_what_media_stay_behind() {
    let place = Place::with(&messages(3));
    place.write("a.bin", "a");
    place.run(["media", "put", "a.bin", "--room", ROOM]).done();
    let said = place.run(["copy", "redb:plain.redb", "--new-plain"]).done().stdout;
    assert!(said.contains("1 medium stay") && said.contains("keep it") && !said.contains("delete"), "{said}");
    assert_eq!(place.json(["copy", "redb:other.redb", "--new-plain"])["media"], 1);
}

#[test]
fn a_copy_does_not_go_into_another_store() {
    let (place, other) = (Place::with(&messages(3)), Place::new());
    // The same events, one of them with another content.
    let mut events = messages(3);
    events[1]["content"]["body"] = json!("another");
    other.write("events.jsonl", crate::place::lines(&events));
    other.run(["import", "events.jsonl", "--plain"]).done();
    std::fs::copy(other.path("strongroom.redb"), place.path("other.redb")).unwrap();
    place.run(["copy", "redb:other.redb", "--new-plain", "--resume"]).refused(1, &["no copy", "a new file"]);
}

#[test]
fn an_empty_file_is_no_store_to_read() {
    let place = Place::new();
    for (file, store) in [("empty.redb", "redb:empty.redb"), ("empty.db", "sqlite:empty.db")] {
        place.write(file, "");
        place.run(["rooms", "--store", store]).refused(1, &["there is no store"]);
        assert_eq!(std::fs::read(place.path(file)).unwrap(), b"");
    }
}
