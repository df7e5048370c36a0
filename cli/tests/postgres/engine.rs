//! A store on a server does what a file does.

use strongroom_conformance_servers::Postgres;

use crate::new_store;
use crate::place::{Place, ROOM, lines, messages, pages};

/// In clear: what is encrypted has another order among messages of one time in every store.
pub(crate) fn a_server_pages_as_a_file_does(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(60)));
    let store = new_store(server);
    let found = ["redb:chat.redb", &store].map(|store| {
        place.run(["import", "events.jsonl", "--store", store, "--plain"]).done();
        place.run(["verify", "--store", store, "--plain"]).done();
        let shown = place.run(["show", "rooms", ROOM, "--store", store, "--plain"]).done().stdout;
        (pages(&place, store), place.run(["export", ROOM, "--store", store, "--plain"]).done().stdout, shown)
    });
    assert_eq!(found[0].0.len(), 9);
    assert!(found[0] == found[1]);
    let stats = place.json(["stats", "--sizes", "--store", &store, "--plain"]);
    assert_eq!((&stats["store"], &stats["collections"]["messages"]["records"]), (&store.as_str().into(), &60.into()));

    let compact = ["compact", "--store", &store, "--plain"];
    place.run(compact).refused(1, &["the server does it by itself", "autovacuum"]);
    assert_eq!(pages(&place, &store).len(), 9);
}

pub(crate) fn what_changes_a_store_changes_one_on_a_server(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(60)));
    let store = new_store(server);
    let run = |arguments: &[&str]| place.run([arguments, &["--store", &store]].concat()).done().stdout;
    let count = || run(&["export", ROOM]).lines().count();
    run(&["import", "events.jsonl"]);
    assert!(run(&["import", "events.jsonl"]).contains("60"), "the same again stores nothing twice");
    assert_eq!(count(), 60);
    run(&["delete-before", "1700000000010"]);
    assert_eq!(count(), 30);
    run(&["retain", "--max-count", "10", "--room", ROOM]);
    assert_eq!(count(), 10);
    assert!(run(&["sweep"]).contains("0 expired records removed"));
    assert!(run(&["verify"]).contains("no problems"));
}

pub(crate) fn its_keys_are_listed_changed_and_rotated(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(60)));
    let store = new_store(server);
    place.run(["import", "events.jsonl", "--store", &store]).done();
    place.run_bare(["rooms", "--store", &store]).refused(1, &["is encrypted", "--key-file"]);
    place.run(["key", "generate", "other.key"]).done();
    place.run(["key", "add", "other", "--new-key-file", "other.key", "--store", &store]).done();
    // As the tables say, without a key.
    let listed = place.run_bare(["key", "list", "--format", "json", "--store", &store]).done().json();
    assert_eq!((&listed["slots"][1]["label"], &listed["checked"]), (&"other".into(), &false.into()));
    place.run(["key", "rotate", "--store", &store]).done();
    let other = ["--store", store.as_str(), "--key-file", "other.key"];
    place.run([&["key", "remove", "main"], &other[..]].concat()).done();
    place.run(["rooms", "--store", &store]).refused(1, &["does not open"]);
    place.run([&["verify"], &other[..]].concat()).done();
}

pub(crate) fn media_need_a_place_that_is_said(server: &Postgres) {
    let place = Place::new();
    place.write("a.bin", "a picture of nobody");
    let store = new_store(server);
    let put = ["media", "put", "a.bin", "--room", ROOM, "--id", "mxc://example.org/a", "--store", &store];
    place.run(put).refused(2, &["on a server", "no folder beside it", "--objects file:DIR"]);
    assert!(!crate::exists(&store));
    place.run(put.into_iter().chain(["--objects", "file:bytes"])).done();
    let get = ["media", "get", "mxc://example.org/a", "-o", "out.bin", "--objects", "file:bytes", "--store", &store];
    place.run(get).done();
    assert_eq!(std::fs::read(place.path("out.bin")).unwrap(), b"a picture of nobody");

    let (to, key) = (new_store(server), place.key_file("main"));
    let key = ["--new-key-file", key.to_str().unwrap(), "--store", &store];
    place.run([&["copy", to.as_str()], &key[..]].concat()).done();
    let copy = [&["media", "copy", to.as_str(), "--objects", "file:bytes"], &key[..]].concat();
    place.run(copy.iter().copied()).refused(2, &["on a server", "--to-objects file:DIR"]);
    place.run(copy.into_iter().chain(["--to-objects", "file:other"])).done();
    place.run(["media", "verify", "--objects", "file:other", "--store", &to]).done();
}

/// A file of redb is open in one program at a time; a namespace is not.
pub(crate) fn two_imports_at_a_time_store_each_event_once(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(600)));
    let store = new_store(server);
    let import = || place.keyed(["import", "events.jsonl", "--store", &store, "--plain"]).spawn().unwrap();
    for child in [import(), import()] {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let exported = place.run(["export", ROOM, "--store", &store, "--plain"]).done().stdout;
    assert_eq!(exported.lines().count(), 600);
    place.run(["verify", "--store", &store, "--plain"]).done();
}
