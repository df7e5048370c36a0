//! Cases that a review found.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom::schema::Schema;
use strongroom::store::{Batch, Content, LinkTo, Row, Store, StoredKey, Write};
use strongroom::{Database, ErrorKind, Record, Timestamp};
use support::{Counter, ENGINES, Engine, Note, Place, assert_sound};

macro_rules! tagged {
    ($name:ident $(, $index:meta)*) => {
        #[derive(Record, Serialize, Deserialize)]
        #[record(id = 1, name = "tagged", key(id))]
        $(#[$index])*
        struct $name {
            id: u64,
            tags: Vec<String>,
            code: String,
        }
    };
}

tagged!(Plain);
tagged!(WithTags, index(id = 1, name = "tags", on(tags: multi)));
tagged!(WithCode, index(id = 2, name = "code", on(code)));
tagged!(WithUnique, index(id = 2, name = "code", on(code), unique));

fn one<R: Record>(version: u32) -> Schema {
    Schema::builder("tagged", version).collection::<R>().build().unwrap()
}

#[tokio::test]
async fn a_count_sees_more_own_writes_than_one_get_takes() {
    let db = Place::new(Engine::Memory).open().await;
    let counted = db
        .write(|tx| async move {
            for at in 0..10_001 {
                tx.put(&Counter::new(&at.to_string(), at)).await?;
            }
            tx.query(Counter::GROUP).equal("all").count().await
        })
        .await;
    assert_eq!(counted.unwrap(), 10_001);
}

#[tokio::test]
async fn an_index_with_many_entries_a_record_is_built_in_smaller_batches() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open_with(one::<Plain>(1)).await.unwrap();
        for id in 0..200 {
            let tags = (0..300).map(|tag| tag.to_string()).collect();
            db.put(&Plain { id, tags, code: String::new() }).await.unwrap();
        }
        place.close(db).await;
        let db = place.open_with(one::<WithTags>(2)).await.unwrap();
        assert_eq!(db.query(WithTags::TAGS).equal("7").count().await.unwrap(), 200);
        // And as many are deleted again.
        assert_eq!(db.query(WithTags::PRIMARY).delete().await.unwrap(), 200);
        assert_sound(&db).await;
        place.close(db).await;
    }
}

#[tokio::test]
async fn an_index_that_cannot_be_built_leaves_the_schema_as_it_was() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open_with(one::<Plain>(1)).await.unwrap();
        for id in 0..700 {
            let code = if id == 650 { "c".repeat(2_000) } else { id.to_string() };
            db.put(&Plain { id, tags: Vec::new(), code }).await.unwrap();
        }
        place.close(db).await;
        let store = place.store().await;
        let error = Database::builder(one::<WithCode>(2)).open(store.clone()).await.unwrap_err();
        assert!(error.is_limit(), "{error}");
        let db = Database::builder(one::<Plain>(1)).open(store).await.expect("the schema is as it was");
        assert_sound(&db).await;
        place.close(db).await;
    }
}

/// Wherever the way back from a failed upgrade is cut off, a later open does not take a part of an index for the whole.
#[tokio::test]
async fn an_interrupted_way_back_leaves_no_incomplete_index() {
    for commits in 1..12 {
        let place = Place::new(Engine::Memory);
        let db = place.open_with(one::<Plain>(1)).await.unwrap();
        for id in 0..700 {
            // The second of the pair comes in another batch than the first.
            let code = if id == 650 { 7.to_string() } else { id.to_string() };
            db.put(&Plain { id, tags: Vec::new(), code }).await.unwrap();
        }
        let store = place.store().await;
        let failing = support::failing::FailAfter::new(store.clone(), commits);
        Database::builder(one::<WithUnique>(2)).open(Arc::new(failing)).await.unwrap_err();
        let error = Database::builder(one::<WithUnique>(2)).open(store.clone()).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UniqueViolation, "after {commits} commits");
        let db = Database::builder(one::<Plain>(1)).open(store).await.expect("the schema is as it was");
        assert_sound(&db).await;
    }
}

#[tokio::test]
async fn an_older_schema_cannot_write_past_an_index_that_was_added_in_the_same_process() {
    let store: Arc<dyn Store> = Arc::new(strongroom_memory::Memory::new());
    let old = Database::builder(one::<Plain>(1)).open(store.clone()).await.unwrap();
    let new = Database::builder(one::<WithCode>(2)).open(store).await.unwrap();
    let error = old.put(&Plain { id: 1, tags: Vec::new(), code: "x".to_owned() }).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert_sound(&new).await;
}

#[test]
fn what_goes_to_a_store_and_comes_from_it_shows_no_content() {
    let secret = || bytes::Bytes::from_static(b"SECRET");
    let mut batch = Batch::default();
    batch.writes.insert(StoredKey::from(vec![1]), Write::Put(secret()));
    batch.writes.insert(StoredKey::from(vec![2]), Write::Link(LinkTo::Suffix(0)));
    batch.stamped.push((strongroom::store::KeyPrefix(StoredKey::from(vec![3])), secret()));
    let row = Row { revision: strongroom::store::Revision(1), content: Content::Value(secret()) };
    let shown = format!("{batch:?} {row:?}");
    assert!(!shown.contains("SECRET"), "{shown}");
}

/// Puts the value that is stored under one key under another.
async fn copy(store: &Arc<dyn Store>, from: &[u8], to: &[u8], change: impl Fn(&mut Vec<u8>)) {
    let row = store.get(&[StoredKey::from(from.to_vec())]).await.unwrap().rows.remove(0).unwrap();
    let Content::Value(value) = row.content else { panic!("a link") };
    let mut value = value.to_vec();
    change(&mut value);
    let writes = [(StoredKey::from(to.to_vec()), Write::Put(value.into()))].into();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
}

#[tokio::test]
async fn a_record_under_the_key_of_another_is_refused() {
    let place = Place::new(Engine::Memory);
    let (db, store) = (place.open().await, place.store().await);
    db.put(&Counter::new("a", 1)).await.unwrap();
    db.put(&Counter::new("b", 1)).await.unwrap();
    copy(&store, b"\0\x02\0a\0", b"\0\x02\0b\0", |_| ()).await;
    let got = db.get(&Counter::key("b")).await;
    assert_eq!(got.unwrap_err().kind(), ErrorKind::Corrupt);
    let page = db.query(Counter::GROUP).equal("all").page().await;
    assert_eq!(page.unwrap_err().kind(), ErrorKind::Corrupt);
    let page = db.query(Counter::GROUP).equal("all").skip_damaged().page().await.unwrap();
    assert_eq!((page.records.len(), page.damaged.len()), (1, 1));
}

#[tokio::test]
async fn a_row_with_a_damaged_version_is_passed_over() {
    let place = Place::new(Engine::Memory);
    let (db, store) = (place.open().await, place.store().await);
    db.put(&Counter::new("a", 1)).await.unwrap();
    db.put(&Counter::new("b", 1)).await.unwrap();
    copy(&store, b"\0\x02\0b\0", b"\0\x02\0b\0", |value| value[0] = 3).await;
    let page = db.query(Counter::GROUP).equal("all").skip_damaged().page().await.unwrap();
    assert_eq!((page.records.len(), page.damaged.len()), (1, 1));
}

#[derive(Debug, Record, Serialize, Deserialize)]
#[record(id = 65_535, name = "last", key(id), expires = at)]
struct Last {
    id: u64,
    at: Timestamp,
}

#[tokio::test]
async fn nothing_lies_behind_the_greatest_of_all_keys() {
    let place = Place::new(Engine::Memory);
    let db = place.open_with(Schema::builder("last", 1).collection::<Last>().build().unwrap()).await.unwrap();
    db.put(&Last { id: 1, at: Timestamp::MAX }).await.unwrap();
    let behind = (Bound::Excluded(Timestamp::MAX), Bound::Unbounded);
    assert_eq!(db.query(Last::EXPIRY).range(behind).page().await.unwrap().records.len(), 0);
    assert_eq!(db.query(Last::EXPIRY).range(Timestamp::MAX..).page().await.unwrap().records.len(), 1);
}

#[tokio::test]
async fn verify_and_a_build_keep_to_a_stores_limits() {
    let limits =
        strongroom::store::Limits { page_entries_max: 20, get_keys_max: 7, ..strongroom::store::Limits::default() };
    let options = strongroom_memory::MemoryOptions { limits, ..Default::default() };
    let store: Arc<dyn Store> = Arc::new(strongroom_memory::Memory::with_options(options));
    let db = Database::builder(one::<Plain>(1)).open(store.clone()).await.unwrap();
    for id in 0..100 {
        db.put(&Plain { id, tags: Vec::new(), code: id.to_string() }).await.unwrap();
    }
    let db = Database::builder(one::<WithUnique>(2)).open(store).await.unwrap();
    assert_sound(&db).await;
    assert_eq!(db.query(WithUnique::CODE).count().await.unwrap(), 100);
}

#[tokio::test]
async fn one_record_behind_many_expired_ones_is_found_in_few_reads() {
    let place = Place::new(Engine::Memory);
    let store = Arc::new(support::racing::Racing::new(place.store().await));
    let db = Database::builder(support::schema()).clock(place.clock.clone()).open(store.clone()).await.unwrap();
    for id in 0..2_000 {
        db.put(&Note { expires_at: Some(Timestamp::from_millis(1)), ..Note::new("r", id, 1) }).await.unwrap();
    }
    for id in 2_000..2_010 {
        db.put(&Note::new("r", id, 1)).await.unwrap();
    }
    let before = store.scans();
    assert_eq!(db.query(Note::BY_TIME).equal("r").first().await.unwrap().unwrap().id, 2_000);
    assert!(store.scans() - before < 30, "{} scans", store.scans() - before);
    let page = db.query(Note::BY_TIME).equal("r").limit(3).page().await.unwrap();
    assert_eq!(page.records.iter().map(|note| note.id).collect::<Vec<_>>(), [2_000, 2_001, 2_002]);
    let rest = db.query(Note::BY_TIME).equal("r").after(page.next.unwrap()).page().await.unwrap();
    assert_eq!(rest.records.iter().map(|note| note.id).collect::<Vec<_>>(), (2_003..2_010).collect::<Vec<_>>());
    assert!(rest.next.is_none());
    let mut left: Vec<u32> = (2_000..2_010).rev().collect();
    let mut query = db.query(Note::BY_TIME).equal("r").newest_first().limit(4);
    while let Some(next) = {
        let page = query.clone().page().await.unwrap();
        for note in page.records {
            assert_eq!(note.id, left.remove(0));
        }
        page.next
    } {
        query = query.after(next);
    }
    assert!(left.is_empty());
}

/// The holder of a unique entry has expired, and is swept away between the reads of a lone put.
#[tokio::test]
async fn an_expired_holder_that_goes_meanwhile_is_no_violation() {
    let place = Place::new(Engine::Memory);
    let inner = place.store().await;
    let store = Arc::new(support::racing::Racing::new(inner.clone()));
    let db = Database::builder(support::schema()).clock(place.clock.clone()).open(store.clone()).await.unwrap();
    let slug = Some("s".to_owned());
    let note = Note { slug: slug.clone(), expires_at: Some(Timestamp::from_millis(2_000)), ..Note::new("r", 1, 1) };
    db.put(&note).await.unwrap();
    place.clock.set(Timestamp::from_millis(3_000));
    let other = Database::builder(support::schema()).clock(place.clock.clone()).open(inner).await.unwrap();
    store.after_next_get(Box::pin(async move {
        other.delete(&Note::key("r", &1)).await.unwrap();
    }));
    db.put(&Note { slug, ..Note::new("r", 2, 1) }).await.unwrap();
    assert_sound(&db).await;
}

#[tokio::test]
async fn a_transaction_past_a_limit_fails_before_it_has_gathered_everything() {
    let db = Place::new(Engine::Memory).open().await;
    let puts = std::sync::atomic::AtomicU64::new(0);
    let done = db
        .write(|tx| {
            let puts = &puts;
            async move {
                for at in 0..200_000 {
                    tx.put(&Counter::new(&at.to_string(), at)).await?;
                    puts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                Ok(())
            }
        })
        .await;
    assert!(done.unwrap_err().is_limit());
    assert!(puts.into_inner() < 50_001);
}

#[test]
fn a_catalog_nested_deep_is_an_error() {
    #[derive(Serialize)]
    struct Crafted {
        format: u32,
        schema: String,
        version: u32,
        collections: Vec<u8>,
        removed: Vec<u16>,
        drops: Vec<(u16, Option<u8>)>,
        before: Option<Box<Crafted>>,
    }
    let leaf = |before| Crafted {
        format: 1,
        schema: "tagged".to_owned(),
        version: 1,
        collections: Vec::new(),
        removed: Vec::new(),
        drops: Vec::new(),
        before,
    };
    let mut catalog = leaf(None);
    for _ in 0..400 {
        catalog = leaf(Some(Box::new(catalog)));
    }
    let mut bytes = vec![1];
    catalog.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()).unwrap();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store: Arc<dyn Store> = Arc::new(strongroom_memory::Memory::new());
            let writes = [(StoredKey::from(vec![0, 0, 1]), Write::Put(bytes.into()))].into();
            store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
            Database::builder(one::<Plain>(1)).open(store).await.map(drop)
        })
    };
    // As much as a thread of tokio has.
    let opened = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_value_nested_deep_is_no_overflow() {
    let place = Place::new(Engine::Memory);
    let (db, store) = (place.open().await, place.store().await);
    db.put(&Counter::new("a", 1)).await.unwrap();
    copy(&store, b"\0\x02\0a\0", b"\0\x02\0a\0", |value| {
        // One more field, which the program does not know: lists in lists.
        value[1] += 1;
        value.extend_from_slice(b"\xA1x");
        value.extend(std::iter::repeat_n(0x91, 100_000));
        value.push(0xC0);
    })
    .await;
    assert_eq!(db.get(&Counter::key("a")).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Nest {
    inner: Vec<Nest>,
}

#[derive(Debug, Record, Serialize, Deserialize)]
#[record(id = 1, name = "nests", key(id))]
struct Nested {
    id: u64,
    nest: Nest,
}

#[tokio::test]
async fn what_is_nested_as_deep_as_can_be_written_can_be_read() {
    let place = Place::new(Engine::Memory);
    let db = place.open_with(Schema::builder("nests", 1).collection::<Nested>().build().unwrap()).await.unwrap();
    let mut written = 0;
    for depth in 0..200 {
        let nest = (0..depth).fold(Nest::default(), |nest, _| Nest { inner: vec![nest] });
        match db.put(&Nested { id: depth as u64, nest }).await {
            Ok(()) => written += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
        }
    }
    assert!((20..200).contains(&written), "{written}");
    assert_eq!(db.query(Nested::PRIMARY).limit(200).page().await.unwrap().records.len(), written);
}

#[derive(Debug, Record, Serialize, Deserialize)]
#[record(id = 65_535, name = "last", key(id))]
struct Lasting {
    id: u64,
    at: Timestamp,
}

#[tokio::test]
async fn records_that_shall_not_expire_any_more_are_refused_with_advice_that_can_be_followed() {
    let place = Place::new(Engine::Memory);
    place.open_with(Schema::builder("last", 1).collection::<Last>().build().unwrap()).await.unwrap();
    let lasting = Schema::builder("last", 2).collection::<Lasting>().build().unwrap();
    let error = place.open_with(lasting).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("keep `expires`"), "{error}");
}

/// What a hostile or damaged file may hold in place of an index entry: each is damage that is named, none a panic.
#[tokio::test]
async fn forged_index_entries_are_damage() {
    let place = Place::new(Engine::Memory);
    let db = place.open().await;
    let store = place.store().await;
    let note = Note { tags: vec!["t".to_owned()], ..Note::new("a longer room", 1, 1) };
    db.put(&note).await.unwrap();
    let record = StoredKey::from([&[0, 1, 0][..], b"a longer room\0", &1_u32.to_be_bytes()].concat());
    // In place of the tag's entry, shorter than what it leads to and without it as its tail.
    let entry = StoredKey::from([&[0, 1, 3][..], b"t\0"].concat());
    for forged in [
        Write::Link(LinkTo::Key(record.clone())),
        Write::Link(LinkTo::Key(entry.clone())),
        Write::Link(LinkTo::Suffix(0)),
        Write::Link(LinkTo::Suffix(3)),
        Write::Link(LinkTo::Suffix(5)),
        Write::Put("value".into()),
    ] {
        let writes = [(entry.clone(), forged)].into();
        store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
        let error = db.query(Note::TAG).equal("t").page().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let page = db.query(Note::TAG).equal("t").skip_damaged().page().await.unwrap();
        assert_eq!((page.records.len(), page.damaged.len()), (1, 1), "the true entry lies behind the forged one");
        assert_eq!(db.verify().await.unwrap().problems.len(), 1);
    }
}
