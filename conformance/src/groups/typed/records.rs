//! Single records: `insert`, `put`, `update`, `delete` and `get`.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::store::{KeyRange, Limits};
use strongroom_core::{Database, ErrorKind, Limit, Record, Timestamp};

use super::support::{Counter, Note, at, one, open, open_as, open_one, open_with, put_all, rows, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    an_insert_is_refused_where_a_record_is,
    an_update_is_refused_where_no_record_is,
    a_put_replaces_the_record_and_all_its_entries,
    a_delete_says_whether_there_was_a_record_and_leaves_no_row,
    get_many_answers_in_the_order_asked,
    get_many_takes_more_keys_than_one_get_of_the_store,
    every_type_of_component_is_kept_and_found,
    an_empty_and_a_large_record_come_back_as_they_were,
    a_record_past_a_limit_is_refused_and_nothing_is_written,
    stats_count_records_and_entries_by_collection,
    after_close_every_call_says_so,
}

async fn an_insert_is_refused_where_a_record_is(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let first = Note::new("r", 1, 10);
    db.insert(&first).await?;
    let error = ensure_kind!(db.insert(&Note::new("r", 1, 20)).await, ErrorKind::AlreadyExists);
    ensure!(error.to_string().contains("notes"), "{error}");
    ensure_eq!(db.get(&Note::key("r", &1)).await?, Some(first));
    db.insert(&Note::new("s", 1, 20)).await?;
    ensure_eq!(db.count::<Note>().await?, 2);
    sound(&db).await
}

async fn an_update_is_refused_where_no_record_is(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let mut note = Note::new("r", 1, 10);
    ensure_kind!(db.update(&note).await, ErrorKind::NotFound);
    ensure_eq!(db.count::<Note>().await?, 0);
    db.insert(&note).await?;
    "other".clone_into(&mut note.text);
    db.update(&note).await?;
    ensure_eq!(db.get(&Note::key("r", &1)).await?, Some(note));
    Ok(())
}

async fn a_put_replaces_the_record_and_all_its_entries(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let first = Note {
        thread: Some("t".to_owned()),
        tags: vec!["a".to_owned()],
        slug: Some("s".to_owned()),
        expires_at: Some(at(1_000)),
        ..Note::new("r", 1, 10)
    };
    db.put(&first).await?;
    let second = Note { done_at: Some(at(1)), ..Note::new("r", 1, 20) };
    db.put(&second).await?;
    ensure_eq!(db.query(Note::BY_TIME).equal("r").range(at(10)..at(11)).count().await?, 0);
    ensure_eq!(db.query(Note::BY_TIME).equal("r").page().await?.records, [second]);
    ensure_eq!(db.query(Note::THREAD).equal("r").count().await?, 0);
    ensure_eq!(db.query(Note::TAG).count().await?, 0);
    ensure_eq!(db.query(Note::SLUG).count().await?, 0);
    ensure_eq!(db.query(Note::OPEN).equal("r").count().await?, 0);
    ensure_eq!(db.query(Note::EXPIRY).count().await?, 0);
    sound(&db).await
}

async fn a_delete_says_whether_there_was_a_record_and_leaves_no_row(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let tags = vec!["a".to_owned(), "b".to_owned()];
    let note = Note { tags, thread: Some("t".to_owned()), expires_at: Some(at(9)), ..Note::with_slug(1, "s") };
    db.put(&note).await?;
    ensure!(db.delete(&Note::key("r", &1)).await?);
    ensure!(!db.delete(&Note::key("r", &1)).await?);
    ensure!(!db.delete(&Note::key("r", &2)).await?);
    ensure_eq!(db.get(&Note::key("r", &1)).await?, None);
    let left = site.store.summarize(&KeyRange::prefix(&[0, 1])).await?.rows;
    ensure_eq!(left, 0, "rows of the collection");
    Ok(())
}

async fn get_many_answers_in_the_order_asked(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Note::new("r", 1, 0), Note::new("r", 2, 0), Note::new("r", 3, 0)]).await?;
    let keys = [3, 9, 1, 3].map(|id| Note::key("r", &id));
    let found: Vec<_> = db.get_many(&keys).await?.into_iter().map(|note| note.map(|note| note.id)).collect();
    ensure_eq!(found, [Some(3), None, Some(1), Some(3)]);
    ensure!(db.get_many::<Note>(&[]).await?.is_empty());
    Ok(())
}

async fn get_many_takes_more_keys_than_one_get_of_the_store(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { get_keys_max: 7, ..context.limits() }).await?;
    let counters: Vec<_> = (0..50).map(|value| Counter::new(&value.to_string(), value)).collect();
    put_all(&db, &counters).await?;
    let keys: Vec<_> = counters.iter().rev().map(|counter| Counter::key(&counter.name)).collect();
    let found: Vec<_> = db.get_many(&keys).await?.into_iter().flatten().map(|counter| counter.value).collect();
    ensure_eq!(found, (0..50).rev().collect::<Vec<_>>());
    Ok(())
}

/// A key and an index of every type of component.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "kinds", key(flag, small, count, number, size, text, bytes, time, maybe))]
#[index(id = 1, name = "by_number", on(number: ordered))]
#[index(id = 2, name = "by_size", on(size: ordered))]
#[index(id = 3, name = "by_text", on(text: ordered))]
#[index(id = 4, name = "by_bytes", on(bytes: ordered))]
#[index(id = 5, name = "by_small", on(flag, small: ordered))]
struct Kinds {
    flag: bool,
    small: i32,
    count: u32,
    number: i64,
    size: u64,
    text: String,
    bytes: Vec<u8>,
    time: Timestamp,
    maybe: Option<String>,
}

/// Also that ranges and order are those of the values, at the ends of each type.
async fn every_type_of_component_is_kept_and_found(context: Context) -> Checked {
    let (db, _site) = open_one::<Kinds>(&context).await?;
    let texts = ["", "\0", "\0\0", "a", "a\0", "a\u{1}", "ab", "é", "\u{10FFFF}"];
    let numbers = [i64::MIN, i64::MIN + 1, -256, -1, 0, 1, 255, i64::MAX - 1, i64::MAX];
    let kinds: Vec<Kinds> = (0..9_u8)
        .map(|at| {
            let (number, text) = (numbers[usize::from(at)], texts[usize::from(at)]);
            Kinds {
                flag: at % 2 == 0,
                small: i32::MIN + i32::from(at),
                count: u32::MAX - u32::from(at),
                number,
                size: number.wrapping_sub(i64::MIN).cast_unsigned(),
                text: text.to_owned(),
                bytes: vec![0xFF; usize::from(at)],
                time: Timestamp::from_millis(number),
                maybe: (at > 2).then(|| text.to_owned()),
            }
        })
        .collect();
    put_all(&db, &kinds).await?;
    for kind in &kinds {
        let key = Kinds::key(
            &kind.flag,
            &kind.small,
            &kind.count,
            &kind.number,
            &kind.size,
            &kind.text,
            &kind.bytes,
            &kind.time,
            &kind.maybe,
        );
        ensure_eq!(db.get(&key).await?.as_ref(), Some(kind));
    }
    let reversed: Vec<Kinds> = kinds.iter().rev().cloned().collect();
    ensure_eq!(db.query(Kinds::BY_NUMBER).ascending().page().await?.records, kinds);
    ensure_eq!(db.query(Kinds::BY_SIZE).descending().page().await?.records, reversed);
    ensure_eq!(db.query(Kinds::BY_TEXT).ascending().page().await?.records, kinds);
    ensure_eq!(db.query(Kinds::BY_BYTES).descending().page().await?.records, reversed);
    ensure_eq!(db.query(Kinds::BY_TEXT).range("\0".to_owned().."a\0".to_owned()).page().await?.records, kinds[1..4]);
    ensure_eq!(db.query(Kinds::BY_BYTES).from(vec![0xFF; 7]).page().await?.records, kinds[7..]);
    let odd = db.query(Kinds::BY_SMALL).equal(&false).before(i32::MIN + 4).page().await?.records;
    ensure_eq!(odd, [kinds[1].clone(), kinds[3].clone()]);
    sound(&db).await
}

async fn an_empty_and_a_large_record_come_back_as_they_were(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let empty = Note { text: String::new(), ..Note::new("", 0, 0) };
    let most = context.limits().value_bytes_max.min(context.limits().batch_bytes_max).min(2 << 20) / 2;
    let large = Note { text: "x".repeat(most), ..Note::new("r", u32::MAX, i64::MAX) };
    db.insert(&empty).await?;
    db.insert(&large).await?;
    ensure!(db.get(&Note::key("", &0)).await? == Some(empty.clone()));
    ensure!(db.get(&Note::key("r", &u32::MAX)).await? == Some(large.clone()));
    let mut all: Vec<Note> = db.query(Note::PRIMARY).stream().try_collect().await?;
    all.sort();
    ensure!(all == [empty, large], "a stream gives them as well");
    Ok(())
}

/// Ordered components are stored as they are, also where a codec makes others shorter.
#[derive(Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "files", key(path: ordered))]
#[index(id = 1, name = "title", on(title: ordered))]
struct File {
    path: String,
    title: String,
    text: String,
}

async fn a_record_past_a_limit_is_refused_and_nothing_is_written(context: Context) -> Checked {
    let limits = Limits { key_bytes_max: 300, value_bytes_max: 10_000, ..context.limits() };
    let site = context.open_with(limits).await?;
    let db = open_as(&site, one::<File>(1)?).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let file = |path: &str, title: &str, text: &str| File {
        path: path.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
    };
    let long = "x".repeat(400);
    for file in [file(&long, "title", "text"), file("path", &long, "text")] {
        let error = ensure_kind!(db.put(&file).await, ErrorKind::Limit(Limit::KeyBytes));
        ensure!(error.to_string().contains("files") && !error.to_string().contains(&long), "{error}");
        ensure_kind!(db.insert(&file).await, ErrorKind::Limit(Limit::KeyBytes));
    }
    let big = file("path", "title", &"x".repeat(10_001));
    ensure_kind!(db.put(&big).await, ErrorKind::Limit(Limit::ValueBytes));
    ensure_eq!(db.get(&File::key(&long)).await?, None, "a key that is too long has no record");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn stats_count_records_and_entries_by_collection(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let plain = Note::new("r", 1, 1);
    let tagged = Note { tags: vec!["a".to_owned(), "b".to_owned()], ..Note::with_slug(2, "s") };
    put_all(&db, &[plain, tagged]).await?;
    db.put(&Counter::new("c", 1)).await?;
    let stats = db.stats().await?;
    let (notes, counters) = (stats.collections["notes"], stats.collections["counters"]);
    // `by_time` and `open` for both, two tags and a slug.
    ensure_eq!((notes.records, notes.entries), (2, 7));
    ensure_eq!((counters.records, counters.entries), (1, 1));
    ensure_eq!(stats.collections.len(), 2);
    ensure_eq!(db.verify().await?.collections, stats.collections);
    ensure_eq!(stats.revision, site.store.snapshot().await?.revision());
    ensure_eq!(rows(&*site.store, 1, 3).await?.len(), 2, "entries of the index tag");
    Ok(())
}

async fn after_close_every_call_says_so(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    db.put(&Counter::new("c", 1)).await?;
    let (other, snapshot) = (db.clone(), db.snapshot().await?);
    db.close().await?;
    db.close().await?;
    ensure_kind!(other.get(&Counter::key("c")).await, ErrorKind::Closed);
    ensure_kind!(other.put(&Counter::new("c", 1)).await, ErrorKind::Closed);
    ensure_kind!(other.count::<Counter>().await, ErrorKind::Closed);
    ensure_kind!(other.write(|tx| async move { tx.count::<Counter>().await }).await, ErrorKind::Closed);
    ensure_kind!(other.query(Counter::GROUP).stream().try_collect::<Vec<_>>().await, ErrorKind::Closed);
    ensure_kind!(other.snapshot().await, ErrorKind::Closed);
    ensure_kind!(snapshot.count::<Counter>().await, ErrorKind::Closed);
    ensure_kind!(other.changed(snapshot.revision()).await, ErrorKind::Closed);
    ensure_kind!(other.verify().await, ErrorKind::Closed);
    ensure_kind!(other.stats().await, ErrorKind::Closed);
    ensure_kind!(open_as(&site, one::<Note>(1)?).await.map(|_: Database| ()), ErrorKind::Closed);
    Ok(())
}
