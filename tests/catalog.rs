//! How a store and a program with another schema meet.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use std::sync::Arc;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom::schema::Schema;
use strongroom::store::{Batch, Outcome, Store, StoredKey, Write};
use strongroom::{Database, ErrorKind, Record, Timestamp};
use support::{ENGINES, Place, assert_sound};

/// The record of the first release.
#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "items", key(id))]
#[index(id = 1, name = "color", on(color))]
struct First {
    id: u64,
    color: String,
    time: Timestamp,
    code: Option<String>,
}

macro_rules! item {
    ($name:ident, $record:meta $(, $index:meta)*) => {
        #[derive(Record, Serialize, Deserialize)]
        #[$record]
        $(#[$index])*
        struct $name {
            id: u64,
            color: String,
            time: Timestamp,
            code: Option<String>,
        }
    };
}

item!(
    WithTime,
    record(id = 1, name = "things", key(id)),
    index(id = 1, name = "colour", on(color)),
    index(id = 2, name = "time", on(color, time: ordered))
);
item!(
    WithUnique,
    record(id = 1, name = "items", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "code", on(code), unique)
);
item!(WithoutColor, record(id = 1, name = "items", key(id), removed_indexes(1)));
item!(ForgotColor, record(id = 1, name = "items", key(id)));
item!(OtherComponents, record(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(color: ordered)));
item!(OtherField, record(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(code)));
item!(NowUnique, record(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(color), unique));
item!(OtherKey, record(id = 1, name = "items", key(color, id)), index(id = 1, name = "color", on(color)));
item!(ReusedId, record(id = 1, name = "items", key(id)), index(id = 1, name = "time", on(time: ordered)));
item!(Another, record(id = 2, name = "more", key(id)));

fn one<R: Record>(version: u32) -> Schema {
    Schema::builder("shop", version).collection::<R>().build().unwrap()
}

async fn fill(place: &Place, items: u64) {
    let db = place.open_with(one::<First>(1)).await.unwrap();
    for id in 0..items {
        let item = First { id, color: format!("c{}", id % 3), time: Timestamp::from_millis(id as i64), code: None };
        db.put(&item).await.unwrap();
    }
    place.close(db).await;
}

/// What an open is refused with; the store must afterwards still open with its own schema.
async fn refused(place: &Place, schema: Schema) -> strongroom::Error {
    let store = place.store().await;
    let error = Database::builder(schema).open(store.clone()).await.unwrap_err();
    let db = Database::builder(one::<First>(1)).open(store).await.expect("the store is as it was");
    assert_sound(&db).await;
    place.close(db).await;
    error
}

#[tokio::test]
async fn an_added_index_is_built_over_what_is_there() {
    for engine in ENGINES {
        let place = Place::new(engine);
        fill(&place, 1_234).await;
        let db = place.open_with(one::<WithTime>(2)).await.unwrap();
        let found: Vec<WithTime> =
            db.query(WithTime::TIME).equal("c1").newest_first().stream().try_collect().await.unwrap();
        let expected: Vec<u64> = (0..1_234).rev().filter(|id| id % 3 == 1).collect();
        assert_eq!(found.iter().map(|item| item.id).collect::<Vec<_>>(), expected);
        assert_sound(&db).await;
        place.close(db).await;
        // The older program must not write past the index that it does not know.
        let store = place.store().await;
        let error = Database::builder(one::<First>(1)).open(store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
        assert!(error.to_string().contains("newer program"), "{error}");
    }
}

#[tokio::test]
async fn a_unique_index_over_duplicates_is_refused_and_nothing_changes() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open_with(one::<First>(1)).await.unwrap();
        for id in 0..2_000 {
            // The duplicate comes late, when batches have already been written.
            let code = Some(if id == 1_999 { "code 7".to_owned() } else { format!("code {id}") });
            db.put(&First { id, color: String::new(), time: Timestamp::MIN, code }).await.unwrap();
        }
        place.close(db).await;
        let error = refused(&place, one::<WithUnique>(2)).await;
        assert_eq!(error.kind(), ErrorKind::UniqueViolation);
        assert!(error.to_string().contains("code") && error.to_string().contains("items"), "{error}");
        let db = place.open_with(one::<First>(1)).await.unwrap();
        db.delete(&First::key(&7)).await.unwrap();
        place.close(db).await;
        let db = place.open_with(one::<WithUnique>(2)).await.unwrap();
        assert_eq!(db.query(WithUnique::CODE).equal("code 7").first().await.unwrap().unwrap().id, 1_999);
        assert_sound(&db).await;
        place.close(db).await;
    }
}

#[tokio::test]
async fn removing_is_declared_and_its_id_stays_taken() {
    for engine in ENGINES {
        let place = Place::new(engine);
        fill(&place, 100).await;
        let error = refused(&place, one::<ForgotColor>(2)).await;
        assert!(error.to_string().contains("color") && error.to_string().contains("declare it removed"), "{error}");
        let db = place.open_with(one::<WithoutColor>(2)).await.unwrap();
        let counts = db.stats().await.unwrap().collections["items"];
        assert_eq!((counts.records, counts.entries), (100, 0));
        assert_sound(&db).await;
        place.close(db).await;
        let error = Database::builder(one::<ReusedId>(3)).open(place.store().await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
        assert!(error.to_string().contains("removed"), "{error}");
    }
}

#[tokio::test]
async fn a_removed_collection_takes_its_rows_with_it() {
    for engine in ENGINES {
        let place = Place::new(engine);
        fill(&place, 100).await;
        let error = refused(&place, one::<Another>(2)).await;
        assert!(error.to_string().contains("items"), "{error}");
        let without = || Schema::builder("shop", 2).collection::<Another>().removed(1).build().unwrap();
        let db = place.open_with(without()).await.unwrap();
        assert_sound(&db).await;
        place.close(db).await;
        let db = place.open_with(without()).await.unwrap();
        place.close(db).await;
        let again = Schema::builder("shop", 3).collection::<First>().collection::<Another>().build().unwrap();
        let error = Database::builder(again).open(place.store().await).await.unwrap_err();
        assert!(error.to_string().contains("removed"), "{error}");
    }
}

#[tokio::test]
async fn unsafe_changes_are_refused_with_what_differs() {
    for engine in ENGINES {
        let place = Place::new(engine);
        fill(&place, 3).await;
        for (schema, words) in [
            (one::<OtherComponents>(2), vec!["color", "exact String", "ordered String", "new id"]),
            (one::<OtherField>(2), vec!["color: exact String", "code: exact optional String"]),
            (one::<NowUnique>(2), vec!["unique", "new id"]),
            (one::<OtherKey>(2), vec!["key", "items"]),
            (Schema::builder("bank", 1).collection::<First>().build().unwrap(), vec!["shop", "bank"]),
            (one::<First>(0), vec!["version 1", "newer program"]),
        ] {
            let error = refused(&place, schema).await;
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error}");
            for word in words {
                assert!(error.to_string().contains(word), "{word}: {error}");
            }
        }
    }
}

/// A build that is cut off at any commit goes on at the next open, and never shows an incomplete index.
#[tokio::test]
async fn an_interrupted_build_is_finished() {
    let place = Place::new(support::Engine::Memory);
    fill(&place, 2_600).await;
    for commits in 1.. {
        let store = place.store().await;
        let failing = support::failing::FailAfter::new(store.clone(), commits);
        let result = Database::builder(one::<WithTime>(2)).open(Arc::new(failing)).await;
        if result.is_err() {
            let error = Database::builder(one::<First>(1)).open(store).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "an upgrade that began must be finished");
        } else {
            let db = Database::builder(one::<WithTime>(2)).open(store).await.unwrap();
            assert_eq!(db.query(WithTime::TIME).count().await.unwrap(), 2_600);
            assert_sound(&db).await;
            assert!(commits > 1, "it was interrupted at least once");
            return;
        }
    }
}

#[tokio::test]
async fn two_first_opens_at_once_agree() {
    for _ in 0..50 {
        let store: Arc<dyn Store> = Arc::new(strongroom_memory::Memory::new());
        let open = |store: Arc<dyn Store>| tokio::spawn(Database::builder(one::<First>(1)).open(store));
        let (a, b) = (open(store.clone()), open(store));
        let (a, b) = (a.await.unwrap().unwrap(), b.await.unwrap().unwrap());
        a.put(&First { id: 1, color: String::new(), time: Timestamp::MIN, code: None }).await.unwrap();
        assert!(b.get(&First::key(&1)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn rows_without_a_catalog_and_a_damaged_catalog_are_refused() {
    let write = async |store: &Arc<dyn Store>, key: &[u8], value: &'static [u8]| {
        let writes = [(StoredKey::from(key.to_vec()), Write::Put(value.into()))].into();
        let outcome = store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
        assert!(matches!(outcome[..], [Outcome::Committed(_)]));
    };
    let store: Arc<dyn Store> = Arc::new(strongroom_memory::Memory::new());
    write(&store, &[0, 1, 0, 9], b"x").await;
    let error = Database::builder(one::<First>(1)).open(store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    for (catalog, kind) in [
        (&b""[..], ErrorKind::Corrupt),
        (b"\x01", ErrorKind::Corrupt),
        (b"\x01garbage", ErrorKind::Corrupt),
        (b"\x02", ErrorKind::UnsupportedVersion),
        // A newer format may have another shape: {"format": 2, "shape": "another"}.
        (b"\x01\x82\xA6format\x02\xA5shape\xA7another", ErrorKind::UnsupportedVersion),
    ] {
        let store: Arc<dyn Store> = Arc::new(strongroom_memory::Memory::new());
        write(&store, &[0, 0, 1], catalog).await;
        let error = Database::builder(one::<First>(1)).open(store).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// A field without a default makes older records unreadable: the error says so, and says what to do.
#[tokio::test]
async fn a_new_field_without_a_default_is_named() {
    #[derive(Debug, Record, Serialize, Deserialize)]
    #[record(id = 1, name = "items", key(id))]
    #[index(id = 1, name = "color", on(color))]
    struct Grown {
        id: u64,
        color: String,
        weight: u32,
    }
    let place = Place::new(support::Engine::Memory);
    fill(&place, 1).await;
    let db = place.open_with(one::<Grown>(2)).await.unwrap();
    let error = db.get(&Grown::key(&0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("weight") && error.to_string().contains("serde(default)"), "{error}");
}
