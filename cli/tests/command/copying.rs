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
    place.run(["copy", "redb:strongroom.redb", "--new-plain"]).refused(2, &["same file"]);
    place.run(["copy", "memory:", "--new-plain"]).refused(2, &["keeps nothing"]);
}

#[test]
fn a_copy_says_what_media_stay_behind() {
    let place = Place::with(&messages(3));
    place.write("a.bin", "a");
    place.run(["media", "put", "a.bin", "--room", ROOM]).done();
    let said = place.run(["copy", "redb:plain.redb", "--new-plain"]).done().stdout;
    assert!(
        said.contains("1 medium stay") && said.contains("keep the old store") && !said.contains("delete"),
        "{said}"
    );
    assert_eq!(place.json(["copy", "redb:other.redb", "--new-plain"])["media"], 1);
}

#[test]
fn the_bytes_of_media_follow_a_copy() {
    let place = Place::with(&messages(3));
    place.write("a.bin", "a picture of nobody");
    place.run(["media", "put", "a.bin", "--room", ROOM, "--id", "mxc://example.org/a"]).done();
    place.run(["media", "copy", "redb:new.redb", "--new-plain"]).refused(1, &["there is no store", "strongroom copy"]);
    place.run(["key", "generate", "new.key"]).done();
    place.run(["copy", "redb:new.redb", "--new-key-file", "new.key"]).done();
    let copy = ["media", "copy", "redb:new.redb", "--new-key-file", "new.key"];
    let copied = place.json(copy);
    assert!(copied["copied"] == 1 && copied["present"] == 0 && copied["bytes"] == 19, "{copied}");
    assert_eq!(place.json(copy)["present"], 1);
    // The original is not needed for it.
    std::fs::remove_dir_all(place.path("strongroom.redb.media")).unwrap();
    let get =
        ["media", "get", "mxc://example.org/a", "-o", "out.bin", "--store", "redb:new.redb", "--key-file", "new.key"];
    place.run_bare(get).done();
    assert_eq!(std::fs::read(place.path("out.bin")).unwrap(), b"a picture of nobody");
    // What is gone is named.
    place.run(["copy", "redb:third.redb", "--new-plain"]).done();
    let missing = place.run(["media", "copy", "redb:third.redb", "--new-plain"]);
    assert_eq!(missing.status, Some(1));
    assert!(
        missing.stdout.contains("mxc://example.org/a") && missing.stdout.contains("1 problem"),
        "{}",
        missing.stdout
    );
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
    place.run(["copy", "redb:other.redb", "--new-plain", "--resume"]).refused(1, &["no copy", "a new store"]);
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

/// The file's names in a folder.
fn files(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path(".")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_complete_or_not_there_and_becomes_a_store_again() {
    let place = Place::with(&messages(50));
    let exported = place.run(["export", ROOM]).done().stdout;
    // With the key of the store, unless another is given.
    for (backup, restored) in [("redb:backup.redb", "redb:again.redb"), ("sqlite:backup.db", "sqlite:again.db")] {
        let before = files(&place);
        let backed_up = place.json(["backup", backup]);
        let (_, name) = backup.split_once(':').unwrap();
        let mut expected = [before, vec![name.to_owned()]].concat();
        expected.sort();
        assert_eq!(files(&place), expected);
        place.run(["backup", backup]).refused(1, &["already"]);
        let again = place.json(["restore", backup, "--store", restored]);
        assert_eq!((&again["digest"], &again["records"]), (&backed_up["digest"], &backed_up["records"]));
        assert_eq!(place.run(["export", ROOM, "--store", restored]).done().stdout, exported);
        place.run(["restore", backup, "--store", restored]).refused(1, &["already"]);
    }
    place.run(["key", "generate", "backup.key"]).done();
    place.run(["backup", "redb:other.redb", "--new-key-file", "backup.key"]).done();
    place.run(["rooms", "--store", "redb:other.redb"]).refused(1, &["does not open"]);
    place.run_bare(["rooms", "--store", "redb:other.redb", "--key-file", "backup.key"]).done();
    place.run(["backup", "memory:"]).refused(2, &["keeps nothing"]);
}

#[test]
fn a_backup_that_did_not_get_its_name_is_in_nobodys_way() {
    let place = Place::with(&messages(5));
    // As it is when the command is killed when all is written.
    let key = place.key_file("main");
    place.run(["copy", "redb:.backup.redb.unfinished", "--new-key-file", key.to_str().unwrap()]).done();
    place.run(["backup", "redb:backup.redb"]).refused(1, &["not got its name", "the same command"]);
    place.run(["backup", "redb:backup.redb"]).done();
    // A log that another file of that name has left would be taken for the backup's own.
    place.write("monday.db-wal", "a log");
    place.run(["backup", "sqlite:monday.db"]).refused(1, &["monday.db-wal", "remove it"]);
    assert!(!place.path("monday.db").exists());
}

#[test]
fn a_store_is_not_copied_into_itself() {
    let place = Place::with(&messages(5));
    for to in ["redb:strongroom.redb", "redb:./strongroom.redb"] {
        place.run(["copy", to, "--resume", "--new-plain"]).refused(2, &["same file"]);
    }
}

#[test]
fn a_copy_by_names_from_a_store_that_is_not_the_usual_one() {
    let place = Place::with(&messages(5));
    place.run(["copy", "--to", "redb:a.redb", "--new-plain"]).done();
    let copied =
        place.run_bare(["copy", "--from", "redb:a.redb", "--to", "sqlite:b.db", "--new-plain", "--plain"]).done();
    assert!(
        copied.stdout.contains("digest") && copied.stdout.contains("the old store redb:a.redb"),
        "{}",
        copied.stdout
    );
    place.run(["copy", "redb:a.redb", "--to", "redb:c.redb"]).refused(2, &["cannot be used with"]);
}

#[test]
fn what_is_damaged_is_salvaged_and_named() {
    let place = Place::new();
    place.write("events.jsonl", crate::place::lines(&messages(400)));
    let store = ["--store", "sqlite:chat.db", "--plain"];
    let run = |arguments: &[&'static str]| place.run([arguments, &store].concat());
    run(&["import", "events.jsonl"]).done();
    run(&["compact"]).done();
    // A page of messages becomes zeros: not the first, from which the engine finds all others.
    let mut bytes = std::fs::read(place.path("chat.db")).unwrap();
    let half = bytes.len() / 2;
    let at = (half + bytes[half..].windows(6).position(|some| some == b"m.text").unwrap()) / 4096 * 4096;
    bytes[at..at + 4096].fill(0);
    place.write("chat.db", bytes);
    let salvaged = run(&["salvage", "redb:saved.redb", "--new-plain", "--format", "json"]);
    assert_eq!(salvaged.status, Some(1), "{}", salvaged.stderr);
    let found: serde_json::Value = serde_json::from_str(&salvaged.stdout).unwrap();
    assert!(found["copied"].as_u64().unwrap() > 200, "{found}");
    assert!(!found["problems"].as_array().unwrap().is_empty(), "{found}");
    place.run(["verify", "--store", "redb:saved.redb", "--plain"]).done();
    // What is whole is copied whole.
    let said = place.run(["salvage", "redb:twice.redb", "--store", "redb:saved.redb", "--plain", "--new-plain"]).done();
    assert!(said.stdout.contains("copied into redb:twice.redb"), "{}", said.stdout);
}

/// `cargo test --release -p strongroom-cli --test command -- --ignored --nocapture 300_000`
#[test]
#[ignore = "takes minutes; run it by name"]
fn a_store_of_300_000_messages_goes_to_sqlite_and_back_and_exports_the_same_bytes() {
    let place = Place::new();
    let room = "!kitchen:example.org";
    let mut began = std::time::Instant::now();
    let mut step = |what: &str| {
        println!("{what}: {:.1} s", began.elapsed().as_secs_f64());
        began = std::time::Instant::now();
    };
    place.run(["demo", "--messages", "300000", "--keep"]).done();
    let demo = files(&place).into_iter().find(|name| name.starts_with("strongroom-demo")).unwrap();
    let store = files_below(&place, &demo).into_iter().find(|name| name.ends_with(".redb")).unwrap();
    let first = format!("redb:{demo}/{store}");
    step("made and imported");
    let export = |store: &str| place.run(["export", room, "--store", store]).done().stdout;
    let exported = export(&first);
    let lines = exported.lines().count();
    assert!(lines >= 290_000, "{lines} events");
    step("exported");
    place.run(["copy", "--from", &first, "--to", "sqlite:there.db", "--new-plain"]).done();
    step("copied from redb, encrypted, to SQLite, plain");
    assert!(export("sqlite:there.db") == exported, "SQLite exports something else");
    let key = place.key_file("main");
    let back = ["copy", "--from", "sqlite:there.db", "--to", "redb:back.redb", "--new-key-file", key.to_str().unwrap()];
    step("exported");
    place.run_bare(back.into_iter().chain(["--plain"])).done();
    step("copied from SQLite to redb, encrypted");
    assert!(export("redb:back.redb") == exported, "the copy of the copy exports something else");
    step("exported");
    println!("{} bytes exported, three times the same", exported.len());
}

fn files_below(place: &Place, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(place.path(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
