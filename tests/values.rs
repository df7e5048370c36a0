//! What stored values may hold: how deep they are nested, and fields that come and go. It is the same on every engine; what
//! depends on the store is in the conformance suite.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom::schema::Schema;
use strongroom::store::{Batch, Content, KeyRange, Store, StoredKey, Write};
use strongroom::{Database, ErrorKind, Record};
use strongroom_memory::Memory;

#[derive(Debug, Record, Serialize, Deserialize)]
#[record(id = 1, name = "items", key(id))]
struct Item {
    id: u64,
    color: String,
}

async fn open<R: Record>(store: &Arc<dyn Store>, version: u32) -> Database {
    let schema = Schema::builder("shop", version).collection::<R>().build().unwrap();
    Database::builder(schema).open(store.clone()).await.unwrap()
}

fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::new())
}

async fn put(store: &Arc<dyn Store>, key: StoredKey, value: Vec<u8>) {
    let writes = [(key, Write::Put(value.into()))].into();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
}

/// A field without a default makes older records unreadable: the error says so, and says what to do.
#[tokio::test]
async fn a_new_field_without_a_default_is_named() {
    #[derive(Debug, Record, Serialize, Deserialize)]
    #[record(id = 1, name = "items", key(id))]
    struct Grown {
        id: u64,
        color: String,
        weight: u32,
    }
    let store = memory();
    open::<Item>(&store, 1).await.put(&Item { id: 1, color: "red".to_owned() }).await.unwrap();
    let error = open::<Grown>(&store, 2).await.get(&Grown::key(&1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("weight") && error.to_string().contains("serde(default)"), "{error}");
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
        schema: "shop".to_owned(),
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
            let store = memory();
            put(&store, StoredKey::from(vec![0, 0, 1]), bytes).await;
            let schema = Schema::builder("shop", 1).collection::<Item>().build().unwrap();
            Database::builder(schema).open(store).await.map(drop)
        })
    };
    // As much as a thread of tokio has.
    let opened = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_value_nested_deep_is_no_overflow() {
    let store = memory();
    let db = open::<Item>(&store, 1).await;
    db.put(&Item { id: 1, color: "red".to_owned() }).await.unwrap();
    let scan = strongroom::store::Scan {
        range: KeyRange::prefix(&[0, 1, 0]),
        reverse: false,
        limit: 1,
        max_bytes: usize::MAX,
        fetch: strongroom::store::Fetch::Values,
    };
    let row = store.scan(&scan).await.unwrap().entries.remove(0);
    let Some(Content::Value(value)) = row.content else { panic!("a record is a value") };
    let mut value = value.to_vec();
    // One more field, which the program does not know: lists in lists.
    value[1] += 1;
    value.extend_from_slice(b"\xA1x");
    value.extend(std::iter::repeat_n(0x91, 100_000));
    value.push(0xC0);
    put(&store, row.key, value).await;
    assert_eq!(db.get(&Item::key(&1)).await.unwrap_err().kind(), ErrorKind::Corrupt);
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
    let db = open::<Nested>(&memory(), 1).await;
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
