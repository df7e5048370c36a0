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
    // Once more there is nothing to do.
    let again = place.run(["copy", "sqlite:new.db", "--new-key-file", "new.key"]).done().stdout;
    assert!(again.contains("0 records copied"), "{again}");
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
    place.run(["copy", "redb:strongroom.redb", "--new-plain"]).refused(2, &["another one"]);
    place.run(["copy", "memory:", "--new-plain"]).refused(2, &["keeps nothing"]);
}
