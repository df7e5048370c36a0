use strongroom::cache::CacheOptions;
use strongroom::matrix::{self, Message};
use strongroom::{Database, open};

use crate::place::{Place, ROOM, lines, messages, pages};

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

/// Two processes on one file: what one writes, the other one's cache does not hide.
#[tokio::test]
async fn a_cached_reader_sees_what_another_process_writes() {
    let place = Place::new();
    let (first, all) = (messages(20), messages(60));
    let url = format!("sqlite:{}", place.path("chat.db").display());
    let store = open(&url).cached(CacheOptions::default()).await.unwrap();
    let db = Database::open(store.clone(), matrix::schema()).await.unwrap();
    let keys: Vec<_> =
        all.iter().map(|event| Message::key(&ROOM.into(), &event["event_id"].as_str().unwrap().into())).collect();
    for (name, events) in [("first.jsonl", &first), ("all.jsonl", &all)] {
        place.write(name, lines(events));
        place.run(["import", name, "--store", "sqlite:chat.db", "--plain"]).done();
        for _ in 0..2 {
            // What was absent a moment ago is there.
            let found = db.get_many(&keys).await.unwrap();
            assert_eq!(found.iter().flatten().count(), events.len());
        }
    }
    let counters = store.counters();
    assert!(counters.hits >= 120, "the second time, all of them come from memory: {counters:?}");
    place.run(["delete-before", "2100-01-01T00:00:00Z", "--store", "sqlite:chat.db", "--plain"]).done();
    assert_eq!(db.get_many(&keys).await.unwrap().iter().flatten().count(), 0);
    db.close().await.unwrap();
}
