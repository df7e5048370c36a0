//! Damage that was planted past the database: `verify` finds and names it, queries refuse it, or pass over it when asked.

use std::sync::Arc;

use bytes::Bytes;
use strongroom_core::store::{Content, Entry, LinkTo, Store, StoredKey, Write};
use strongroom_core::{Database, ErrorKind, Problem};

use super::support::{Counter, Note, at, ids, open, overwrite, put_all, row, rows, some, sound, value};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    verify_finds_nothing_where_nothing_is_wrong,
    verify_finds_an_entry_that_is_missing,
    verify_finds_an_entry_that_no_record_has,
    verify_finds_an_entry_whose_record_is_gone,
    verify_finds_a_link_that_was_pointed_elsewhere,
    verify_finds_a_unique_link_that_was_pointed_elsewhere,
    verify_finds_a_value_that_cannot_be_decoded,
    verify_finds_a_record_under_the_key_of_another,
    verify_finds_rows_of_the_wrong_kind,
    verify_finds_rows_that_belong_to_nothing,
    a_query_refuses_what_it_cannot_trust_and_passes_over_it_when_asked,
    a_forged_index_entry_is_damage_and_no_panic,
    what_is_damaged_can_be_overwritten,
}

const NOTES: u16 = 1;
const RECORDS: u8 = 0;
const BY_TIME: u8 = 1;
const TAG: u8 = 3;
const SLUG: u8 = 4;

/// A note with an entry in every index.
fn note(id: u32) -> Note {
    Note {
        thread: Some("t".to_owned()),
        tags: vec![format!("tag {id}")],
        expires_at: Some(at(1_000_000)),
        time: at(i64::from(id)),
        ..Note::with_slug(id, &format!("slug {id}"))
    }
}

/// Three such notes.
async fn three(context: &Context) -> Checked<(Database, Arc<dyn Store>)> {
    let (db, site) = open(context).await?;
    put_all(&db, &[note(0), note(1), note(2)]).await?;
    Ok((db, site.store))
}

/// The key of a note's record.
async fn record_of(store: &Arc<dyn Store>, db: &Database, id: u32) -> Checked<StoredKey> {
    entry_of(store, db, RECORDS, id).await
}

/// The key of the row that a note has in a keyspace: the one that goes when the note goes.
async fn entry_of(store: &Arc<dyn Store>, db: &Database, index: u8, id: u32) -> Checked<StoredKey> {
    let keys = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.key);
    let before: Vec<_> = keys(rows(&**store, NOTES, index).await?).collect();
    db.delete(&Note::key("r", &id)).await?;
    let after: Vec<_> = keys(rows(&**store, NOTES, index).await?).collect();
    db.put(&note(id)).await?;
    some(before.into_iter().find(|key| !after.contains(key)))
}

/// What `verify` says, as collection, index and problem.
async fn found(db: &Database) -> Checked<Vec<(String, Option<String>, String)>> {
    let problems = db.verify().await?.problems;
    Ok(problems.into_iter().map(|Problem { collection, index, problem, .. }| (collection, index, problem)).collect())
}

fn problem(index: Option<&str>, problem: &str) -> (String, Option<String>, String) {
    ("notes".to_owned(), index.map(str::to_owned), problem.to_owned())
}

const MISSING: &str = "the record has no entry in the index";
const STRAY: &str = "the record does not have this entry";

async fn verify_finds_nothing_where_nothing_is_wrong(context: Context) -> Checked {
    let (db, _store) = three(&context).await?;
    db.put(&Counter::new("c", 1)).await?;
    let verification = db.verify().await?;
    ensure!(verification.problems.is_empty() && verification.problems_unlisted == 0);
    let counts = verification.collections["notes"];
    ensure_eq!((counts.records, counts.entries), (3, 18), "all was looked at");
    Ok(())
}

/// Of every index.
async fn verify_finds_an_entry_that_is_missing(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    for (index, name) in [(1, "by_time"), (2, "thread"), (3, "tag"), (4, "slug"), (5, "open"), (255, "expires_at")] {
        let entry = entry_of(&store, &db, index, 1).await?;
        overwrite(&store, entry, Write::Delete).await?;
        ensure_eq!(found(&db).await?, [problem(Some(name), MISSING)]);
        // Writing it anew puts it right.
        db.delete(&Note::key("r", &1)).await?;
        db.put(&note(1)).await?;
        sound(&db).await?;
    }
    Ok(())
}

async fn verify_finds_an_entry_that_no_record_has(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    // The entry of a tag that the note had once.
    db.put(&Note { tags: vec!["old".to_owned()], ..note(1) }).await?;
    let old = some(rows(&*store, NOTES, TAG).await?.into_iter().max_by_key(|entry| entry.revision))?;
    let Some(Content::Link(target)) = old.content else { return Err(Failure::new("an entry is a link")) };
    db.put(&note(1)).await?;
    sound(&db).await?;
    overwrite(&store, old.key, Write::Link(LinkTo::Key(target))).await?;
    ensure_eq!(found(&db).await?, [problem(Some("tag"), STRAY)]);
    ensure_kind!(db.query(Note::TAG).equal("old").page().await, ErrorKind::IndexMismatch);
    ensure_eq!(ids(&db.query(Note::TAG).equal("tag 1").page().await?.records), [1]);
    Ok(())
}

async fn verify_finds_an_entry_whose_record_is_gone(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let record = record_of(&store, &db, 1).await?;
    overwrite(&store, record, Write::Delete).await?;
    let found = found(&db).await?;
    ensure_eq!(found.len(), 6, "one for each index");
    let gone = "the entry's record does not exist";
    ensure!(found.iter().all(|(collection, index, what)| collection == "notes" && index.is_some() && what == gone));
    ensure_kind!(db.query(Note::BY_TIME).equal("r").page().await, ErrorKind::Corrupt);
    Ok(())
}

async fn verify_finds_a_link_that_was_pointed_elsewhere(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let (entry, other) = (entry_of(&store, &db, BY_TIME, 1).await?, record_of(&store, &db, 2).await?);
    overwrite(&store, entry, Write::Link(LinkTo::Key(other))).await?;
    ensure_eq!(found(&db).await?, [problem(Some("by_time"), MISSING), problem(Some("by_time"), STRAY)]);
    ensure_kind!(db.query(Note::BY_TIME).equal("r").page().await, ErrorKind::IndexMismatch);
    Ok(())
}

async fn verify_finds_a_unique_link_that_was_pointed_elsewhere(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let (entry, other) = (entry_of(&store, &db, SLUG, 1).await?, record_of(&store, &db, 2).await?);
    overwrite(&store, entry, Write::Link(LinkTo::Key(other))).await?;
    ensure_eq!(found(&db).await?, [problem(Some("slug"), MISSING), problem(Some("slug"), STRAY)]);
    ensure_kind!(db.query(Note::SLUG).equal("slug 1").page().await, ErrorKind::IndexMismatch);
    ensure_eq!(ids(&db.query(Note::SLUG).equal("slug 2").page().await?.records), [2]);
    Ok(())
}

async fn verify_finds_a_value_that_cannot_be_decoded(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let record = record_of(&store, &db, 1).await?;
    let whole = value(row(&*store, &record).await?.map(|row| row.content).as_ref())?;
    let cut = whole[..whole.len() - 3].to_vec();
    let version = [&[3], &whole[1..]].concat();
    for (bytes, kind) in [
        (Vec::new(), ErrorKind::Corrupt),
        (vec![1], ErrorKind::Corrupt),
        (b"\x01\xC1".to_vec(), ErrorKind::Corrupt),
        (cut, ErrorKind::Corrupt),
        (version, ErrorKind::UnsupportedVersion),
    ] {
        overwrite(&store, record.clone(), Write::Put(bytes.into())).await?;
        ensure_eq!(found(&db).await?, [problem(None, "the record cannot be decoded")]);
        let Err(error) = db.get(&Note::key("r", &1)).await else {
            return Err(Failure::new("a damaged record was read"));
        };
        ensure_eq!(error.kind(), kind);
        ensure!(error.to_string().contains("notes"), "{error}");
    }
    overwrite(&store, record, Write::Put(whole.into())).await?;
    sound(&db).await
}

async fn verify_finds_a_record_under_the_key_of_another(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let (first, second) = (record_of(&store, &db, 1).await?, record_of(&store, &db, 2).await?);
    let other = value(row(&*store, &second).await?.map(|row| row.content).as_ref())?;
    overwrite(&store, first, Write::Put(other.into())).await?;
    let found = found(&db).await?;
    ensure!(found.contains(&problem(None, "the record is stored under the key of another")), "{found:?}");
    ensure_eq!(found.iter().filter(|found| found.2 == STRAY).count(), 6, "entries that lead to it");
    ensure_kind!(db.get(&Note::key("r", &1)).await, ErrorKind::Corrupt);
    ensure_kind!(db.query(Note::PRIMARY).page().await, ErrorKind::Corrupt);
    ensure_eq!(db.get(&Note::key("r", &2)).await?, Some(note(2)));
    Ok(())
}

async fn verify_finds_rows_of_the_wrong_kind(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let (entry, record) = (entry_of(&store, &db, TAG, 1).await?, record_of(&store, &db, 2).await?);
    overwrite(&store, entry.clone(), Write::Put(Bytes::from_static(b"value"))).await?;
    let value = problem(Some("tag"), "a value where an index entry should be");
    ensure_eq!(found(&db).await?, [problem(Some("tag"), MISSING), value]);
    overwrite(&store, record.clone(), Write::Link(LinkTo::Key(entry))).await?;
    let found = found(&db).await?;
    ensure!(found.contains(&problem(None, "a link where a record should be")), "{found:?}");
    ensure!(found.contains(&problem(Some("by_time"), "the entry leads to another entry")), "{found:?}");
    ensure_kind!(db.get(&Note::key("r", &2)).await, ErrorKind::Corrupt);
    ensure_kind!(db.put(&note(2)).await, ErrorKind::Corrupt);
    Ok(())
}

async fn verify_finds_rows_that_belong_to_nothing(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    // Of an index and of collections that nobody knows: before, between and behind those that are known.
    for (front, collection) in
        [([0, 1, 9], "notes"), ([0, 2, 200], "counters"), ([0, 7, 0], "7"), ([255, 255, 255], "")]
    {
        let key = StoredKey::from([&front[..], b"key"].concat());
        overwrite(&store, key.clone(), Write::Put(Bytes::from_static(b"value"))).await?;
        let problems = found(&db).await?;
        ensure_eq!(problems.len(), 1, "{front:?}");
        let (place, index, what) = some(problems.first())?;
        ensure!(place.contains(collection) && index.is_none(), "{place}");
        ensure_eq!(what, "the row belongs to nothing that the schema has");
        overwrite(&store, key, Write::Delete).await?;
    }
    sound(&db).await
}

async fn a_query_refuses_what_it_cannot_trust_and_passes_over_it_when_asked(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let record = record_of(&store, &db, 1).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    // A version that is not known may as well be a damaged byte.
    for (damaged, kind) in [(&b"\x01garbage"[..], ErrorKind::Corrupt), (b"\x03", ErrorKind::UnsupportedVersion)] {
        overwrite(&store, record.clone(), Write::Put(Bytes::from_static(damaged))).await?;
        let Err(error) = query().page().await else { return Err(Failure::new("a damaged record was read")) };
        ensure_eq!(error.kind(), kind);
        ensure_eq!(ids(&query().limit(1).page().await?.records), [0], "what lies before it");
        let page = query().skip_damaged().page().await?;
        ensure_eq!((ids(&page.records), page.damaged.len()), (vec![0, 2], 1));
        ensure_eq!(some(page.damaged.first())?.error.kind(), kind);
        let all = db.query(Note::PRIMARY).skip_damaged().page().await?;
        ensure_eq!((all.records.len(), all.damaged.len()), (2, 1));
        let in_transaction = db.write(|tx| async move { tx.query(Note::BY_TIME).equal("r").page().await.map(drop) });
        ensure_eq!(super::support::kind(in_transaction.await), Some(kind));
    }
    Ok(())
}

/// What a hostile or damaged file may hold in place of an index entry.
async fn a_forged_index_entry_is_damage_and_no_panic(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    let (entry, record) = (entry_of(&store, &db, TAG, 1).await?, record_of(&store, &db, 1).await?);
    // Shorter than what it leads to and without it as its tail; part of the true one, which lies behind it.
    let short = StoredKey::from(entry.as_bytes()[..entry.len() - record.len()].to_vec());
    let end = u16::try_from(short.len()).map_err(|error| Failure::new(error.to_string()))?;
    for forged in [
        Write::Link(LinkTo::Key(record.clone())),
        Write::Link(LinkTo::Key(short.clone())),
        Write::Link(LinkTo::Key(StoredKey::EMPTY)),
        Write::Link(LinkTo::Suffix(0)),
        Write::Link(LinkTo::Suffix(3)),
        Write::Link(LinkTo::Suffix(end)),
        Write::Put(Bytes::from_static(b"value")),
    ] {
        overwrite(&store, short.clone(), forged).await?;
        let page = db.query(Note::TAG).equal("tag 1").page().await;
        ensure!(page.is_err_and(|error| error.is_corrupt()), "a page with it");
        let page = db.query(Note::TAG).equal("tag 1").skip_damaged().page().await?;
        ensure_eq!((ids(&page.records), page.damaged.len()), (vec![1], 1));
        let found = found(&db).await?;
        ensure_eq!(found.len(), 1);
        ensure_eq!(found[0].1.as_deref(), Some("tag"));
    }
    Ok(())
}

async fn what_is_damaged_can_be_overwritten(context: Context) -> Checked {
    let (db, store) = three(&context).await?;
    for index in [BY_TIME, TAG] {
        let entry = entry_of(&store, &db, index, 1).await?;
        overwrite(&store, entry, Write::Put(Bytes::from_static(b"value"))).await?;
        ensure_eq!(found(&db).await?.len(), 2);
        ensure!(db.delete(&Note::key("r", &1)).await?);
        db.insert(&note(1)).await?;
        sound(&db).await?;
    }
    Ok(())
}
