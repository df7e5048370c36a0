use serde_json::Value;

use crate::place::{Place, ROOM, lines, messages};

/// Every page of a room, on one store.
fn pages(place: &Place, store: &str) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let mut arguments = vec!["timeline", ROOM, "--limit", "7", "--store", store, "--plain"];
        if let Some(last) = pages.last() {
            match last["next"].as_str() {
                Some(next) => arguments.extend(["--before", next]),
                None => return pages,
            }
        }
        let mut page = place.json(arguments);
        for message in page["messages"].as_array_mut().unwrap() {
            // When it was imported.
            message.as_object_mut().unwrap().remove("stored_at").unwrap();
        }
        pages.push(page);
    }
}

/// In clear: what is encrypted has another order among messages of one time in every store.
#[test]
fn sqlite_pages_as_redb_does() {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(60)));
    let stores = ["redb:chat.redb", "sqlite:chat.db"];
    let found = stores.map(|store| {
        place.run(["import", "events.jsonl", "--store", store, "--plain"]).done();
        let pages = pages(&place, store);
        assert_eq!(pages.len(), 9);
        place.run(["verify", "--store", store, "--plain"]).done();
        place.run(["compact", "--store", store, "--plain"]).done();
        assert!(self::pages(&place, store) == pages);
        pages
    });
    assert!(found[0] == found[1]);
    assert_eq!(place.json(["stats", "--store", "sqlite:chat.db", "--plain"])["store"], "sqlite:chat.db");
    assert!(place.path("chat.db").exists() && !place.path("chat.db-wal").exists(), "a command closes its store");

    place.write("foreign.db", "not a store ".repeat(1_000));
    place.run(["stats", "--store", "sqlite:foreign.db"]).refused(1, &["sqlite", "not a store"]);
    place.run(["stats", "--store", "sqlite:"]).refused(2, &["sqlite:PATH"]);
    place.run(["stats", "--store", "sqlite:none.db"]).refused(1, &["no store sqlite:none.db"]);
}

#[test]
fn encrypted_both_hold_the_same() {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(60)));
    let [redb, sqlite] = ["redb:chat.redb", "sqlite:chat.db"].map(|store| {
        place.run(["import", "events.jsonl", "--store", store]).done();
        place.run(["compact", "--store", store]).done();
        place.run(["verify", "--store", store]).done();
        place.run(["export", ROOM, "--store", store]).done().stdout
    });
    assert_eq!(redb, sqlite);
    assert_eq!(redb.lines().count(), 60);
}
