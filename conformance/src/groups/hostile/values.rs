//! Forged rows under the typed database: every one is an error, none is a crash.

use serde::{Deserialize, Serialize};
use strongroom_core::store::{Batch, Fetch, KeyRange, LinkTo, Scan, Store, StoredKey, Write};
use strongroom_core::{Database, ErrorKind, Json, Record, Schema};

use crate::case::cases;
use crate::groups::semantics::support::{commit, everything};
use crate::random::search;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Hostile;
    lengths_of_four_gigabytes_are_corrupt,
    values_nested_a_hundred_thousand_deep_are_corrupt,
    values_cut_anywhere_are_corrupt,
    random_values_are_records_or_corrupt random true,
    a_value_of_another_version_is_refused,
    a_link_in_place_of_a_record_is_corrupt,
    a_value_in_place_of_an_index_entry_is_no_record,
    an_entry_that_points_to_another_record_gives_none,
    an_entry_that_points_nowhere_gives_none,
    a_forged_catalog_is_refused,
}

/// A record with something of everything that has a length.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "things", key(id))]
#[index(id = 1, name = "by_group", on(group))]
struct Thing {
    id: String,
    group: String,
    list: Vec<String>,
    json: Json,
}

fn schema() -> Checked<Schema> {
    Ok(Schema::builder("hostile", 1).collection::<Thing>().build()?)
}

fn thing(id: &str) -> Checked<Thing> {
    let json = Json::new(r#"{"body": [1, {"a": "b"}]}"#)?;
    Ok(Thing { id: id.to_owned(), group: "all".to_owned(), list: vec!["x".to_owned(), "y".to_owned()], json })
}

/// A database with two records, their stored keys, and the store below.
async fn two_things(context: &Context) -> Checked<(Database, std::sync::Arc<dyn Store>, Vec<StoredKey>)> {
    let store = context.open().await?.store;
    let db = Database::open(store.clone(), schema()?).await?;
    let records = Scan { range: KeyRange::prefix(&[0, 1, 0]), fetch: Fetch::Keys, ..everything(&*store) };
    let mut keys: Vec<StoredKey> = Vec::new();
    for id in ["one", "two"] {
        db.put(&thing(id)?).await?;
        // Which key is whose is the codec's affair.
        let found = store.scan(&records).await?.entries.into_iter().map(|entry| entry.key);
        keys.extend(found.filter(|key| !keys.contains(key)).collect::<Vec<_>>());
    }
    ensure_eq!(keys.len(), 2, "the stored keys of two records");
    Ok((db, store, keys))
}

async fn write(store: &dyn Store, key: &StoredKey, write: Write) -> Checked {
    commit(store, Batch { writes: [(key.clone(), write)].into(), ..Batch::default() }).await.map(drop)
}

/// The record must be refused as corrupt by every way to it, and its neighbour be untouched.
async fn refused(db: &Database, what: &str) -> Checked {
    match db.get(&Thing::key("one")).await {
        Err(error) => {
            ensure_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
            ensure!(!error.to_string().contains("one"), "{what}: the error shows the key");
        }
        Ok(found) => return Err(Failure::new(format!("{what}: it was read: {}", found.is_some()))),
    }
    let page = db.query(Thing::BY_GROUP).equal("all").page().await;
    ensure!(page.is_err_and(|error| error.is_corrupt()), "{what}: a page with it");
    ensure!(!db.verify().await?.problems.is_empty(), "{what}: verify finds nothing");
    ensure!(db.get(&Thing::key("two")).await?.is_some(), "{what}: its neighbour");
    Ok(())
}

async fn lengths_of_four_gigabytes_are_corrupt(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    // MessagePack's map, array, text and binary, each of 2^32 - 1 elements that do not follow.
    for tag in [0xDF, 0xDD, 0xDB, 0xC6, 0xC9] {
        let forged = [1, tag, 0xFF, 0xFF, 0xFF, 0xFF, 0xA2, b'i', b'd'];
        write(&*store, &keys[0], Write::Put(forged.to_vec().into())).await?;
        refused(&db, &format!("a length of 4 GiB behind {tag:#x}")).await?;
        // The same inside of a field that the record has.
        let inside = [&[1, 0x81, 0xA4][..], b"list", &[tag, 0xFF, 0xFF, 0xFF, 0xFF]].concat();
        write(&*store, &keys[0], Write::Put(inside.into())).await?;
        refused(&db, &format!("a field with a length of 4 GiB behind {tag:#x}")).await?;
    }
    Ok(())
}

async fn values_nested_a_hundred_thousand_deep_are_corrupt(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    for nest in [&[0x91][..], &[0x81, 0xA1, b'x'], &[0x81, 0xC0]] {
        let deep = [vec![1], nest.repeat(100_000)].concat();
        write(&*store, &keys[0], Write::Put(deep.into())).await?;
        refused(&db, "a value that is nested").await?;
        // In a field that the record does not know, and so skips.
        let skipped = [&[1, 0x81, 0xA7][..], b"unknown", &nest.repeat(100_000)].concat();
        write(&*store, &keys[0], Write::Put(skipped.into())).await?;
        refused(&db, "an unknown field that is nested").await?;
    }
    Ok(())
}

async fn values_cut_anywhere_are_corrupt(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    let rows = store.get(&keys[..1]).await?.rows;
    let Some(Some(strongroom_core::store::Row { content: strongroom_core::store::Content::Value(whole), .. })) =
        rows.first()
    else {
        return Err(Failure::new("the record has no value"));
    };
    for len in 0..whole.len() {
        write(&*store, &keys[0], Write::Put(whole.slice(..len))).await?;
        refused(&db, &format!("cut to {len} of {} bytes", whole.len())).await?;
    }
    Ok(())
}

async fn random_values_are_records_or_corrupt(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    let values = proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..200);
    let inputs = (context.effort().operations / 20).clamp(50, 5_000) as u32;
    search(&context, inputs, &values, async |mut value: Vec<u8>| {
        if let Some(version) = value.first_mut() {
            *version = 1;
        }
        write(&*store, &keys[0], Write::Put(value.into())).await?;
        if let Err(error) = db.get(&Thing::key("one")).await {
            // A map without the record's fields may as well come from another version of the program.
            ensure!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::SchemaMismatch), "{error}");
        }
        Ok(())
    })
}

async fn a_value_of_another_version_is_refused(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    for version in [0, 2, 0x7F, 0xFF] {
        write(&*store, &keys[0], Write::Put(vec![version, 0x80].into())).await?;
        let error = db.get(&Thing::key("one")).await.err().ok_or_else(|| Failure::new("it was read"))?;
        ensure!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnsupportedVersion),
            "version {version}: {:?}",
            error.kind()
        );
    }
    Ok(())
}

async fn a_link_in_place_of_a_record_is_corrupt(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    for target in [&keys[1], &keys[0], &StoredKey::EMPTY] {
        write(&*store, &keys[0], Write::Link(LinkTo::Key(target.clone()))).await?;
        refused(&db, "a link in place of a record").await?;
    }
    Ok(())
}

/// The entries of the index, in the order of the records' keys that they end in.
async fn entries(store: &dyn Store, records: &[StoredKey]) -> Checked<Vec<StoredKey>> {
    let scan = Scan { range: KeyRange::prefix(&[0, 1, 1]), fetch: Fetch::Keys, ..everything(store) };
    let mut entries: Vec<_> = store.scan(&scan).await?.entries.into_iter().map(|entry| entry.key).collect();
    entries.sort_by_key(|entry| records.iter().position(|record| entry.as_bytes().ends_with(record.as_bytes())));
    Ok(entries)
}

/// Queries must give the second record alone, or say that something is damaged; `verify` must find it.
async fn planted(db: &Database, what: &str) -> Checked {
    match db.query(Thing::BY_GROUP).equal("all").page().await {
        Ok(page) => {
            let ids: Vec<_> = page.records.iter().map(|thing| thing.id.as_str()).collect();
            ensure!(ids == ["two"], "{what}: the page has {} records", ids.len());
        }
        Err(error) => ensure!(error.is_corrupt(), "{what}: {:?}: {error}", error.kind()),
    }
    ensure!(!db.verify().await?.problems.is_empty(), "{what}: verify finds nothing");
    Ok(())
}

async fn a_value_in_place_of_an_index_entry_is_no_record(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    let entries = entries(&*store, &keys).await?;
    for value in [Vec::new(), vec![1, 0x80], keys[1].as_bytes().to_vec()] {
        write(&*store, &entries[0], Write::Put(value.into())).await?;
        planted(&db, "a value in place of an entry").await?;
    }
    Ok(())
}

async fn an_entry_that_points_to_another_record_gives_none(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    let entries = entries(&*store, &keys).await?;
    write(&*store, &entries[0], Write::Link(LinkTo::Key(keys[1].clone()))).await?;
    planted(&db, "an entry of one record that points to the other").await?;
    // And one that points to another entry, or to itself.
    for target in &entries {
        write(&*store, &entries[0], Write::Link(LinkTo::Key(target.clone()))).await?;
        planted(&db, "an entry that points to an entry").await?;
    }
    Ok(())
}

async fn an_entry_that_points_nowhere_gives_none(context: Context) -> Checked {
    let (db, store, keys) = two_things(&context).await?;
    write(&*store, &keys[0], Write::Delete).await?;
    planted(&db, "a record that is gone").await?;
    Ok(())
}

async fn a_forged_catalog_is_refused(context: Context) -> Checked {
    let catalog = StoredKey::from(vec![0, 0, 1]);
    for forged in [
        Vec::new(),
        vec![1],
        vec![1, 0x80],
        vec![1, 0xDF, 0xFF, 0xFF, 0xFF, 0xFF],
        [vec![1], vec![0x91; 100_000]].concat(),
    ] {
        let (db, store, _) = two_things(&context).await?;
        write(&*store, &catalog, Write::Put(forged.clone().into())).await?;
        drop(db);
        match Database::open(store, schema()?).await {
            Err(error) => ensure!(error.is_corrupt(), "{} bytes: {:?}: {error}", forged.len(), error.kind()),
            Ok(_) => return Err(Failure::new(format!("a catalog of {} forged bytes was taken", forged.len()))),
        }
    }
    Ok(())
}
