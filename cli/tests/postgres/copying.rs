//! `copy`, `backup`, `restore`, `salvage`: from files to a server and back.

use strongroom_conformance_servers::Postgres;

use crate::new_store;
use crate::place::{Place, ROOM, messages};

pub(crate) fn a_copy_goes_to_a_server_and_on_and_stays_the_same(server: &Postgres) {
    let place = Place::with(&messages(600));
    let exported = place.run(["export", ROOM]).done().stdout;
    let (store, key) = (new_store(server), place.key_file("main"));
    let key = ["--new-key-file", key.to_str().unwrap()];
    let there = place.json([&["copy", store.as_str()], &key[..]].concat());
    assert_eq!(there["to"], store);
    let back = place.json([&["copy", "--from", store.as_str(), "--to", "sqlite:back.db"], &key[..]].concat());
    assert_eq!((&there["digest"], &there["records"]), (&back["digest"], &back["records"]));
    for store in [&store, "sqlite:back.db"] {
        assert_eq!(sorted(&place.run(["export", ROOM, "--store", store]).done().stdout), sorted(&exported));
        place.run(["verify", "--store", store]).done();
    }
    let saved = place.json(["salvage", "redb:saved.redb", "--new-plain", "--store", &store]);
    assert_eq!((&saved["digest"], &saved["problems"]), (&there["digest"], &serde_json::json!([])));
}

pub(crate) fn a_backup_is_a_file_and_becomes_a_store_on_a_server(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", crate::place::lines(&messages(50)));
    let (store, restored) = (new_store(server), new_store(server));
    place.run(["import", "events.jsonl", "--store", &store]).done();
    let backed_up = place.json(["backup", "redb:backup.redb", "--store", &store]);
    assert_eq!(backed_up["to"], "redb:backup.redb");
    let again = place.json(["restore", "redb:backup.redb", "--store", &restored]);
    assert_eq!((&again["digest"], &again["records"]), (&backed_up["digest"], &backed_up["records"]));
    let exported =
        [&store, &restored].map(|store| sorted(&place.run(["export", ROOM, "--store", store]).done().stdout));
    assert_eq!((exported[0].len(), exported[0] == exported[1]), (50, true));
    place.run(["restore", "redb:backup.redb", "--store", &restored]).refused(1, &["already"]);
    // What has no name of its own until it is complete.
    place.run(["backup", &new_store(server), "--store", &store]).refused(2, &["a backup is a file", "strongroom copy"]);
}

pub(crate) fn a_copy_goes_into_no_store_that_is_there(server: &Postgres) {
    let place = Place::with(&messages(5));
    let store = new_store(server);
    let copy = ["copy", &store, "--new-plain"];
    place.run(copy).done();
    place.run(copy).refused(1, &["already", "--resume"]);
    let again = place.run(copy.into_iter().chain(["--resume"])).done().stdout;
    assert!(again.contains("0 records copied"), "{again}");
    let itself = ["--store", &store, "--plain", "--resume"];
    place.run(copy.into_iter().chain(itself)).refused(2, &["the same store"]);
    // With a password it is the same one, too.
    let named = |password: &str| store.replace("strongroom@", &format!("strongroom{password}@"));
    let (one, other) = (named(":one"), named(":other"));
    place
        .run(["copy", "--from", &one, "--to", &other, "--new-plain", "--plain", "--resume"])
        .refused(2, &["the same store"]);
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
