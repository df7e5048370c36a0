//! Ranges, prefixes, counts, streams, and deletion by query.

use std::ops::Bound;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::store::Limits;
use strongroom_core::{ErrorKind, Record, Timestamp};

use super::support::{
    Counter, Note, at, ids, one, open, open_as, open_one, open_with, put_all, some, sorted_ids, sound,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    a_range_has_exact_bounds,
    an_inverted_range_holds_nothing,
    nothing_lies_behind_the_greatest_of_all_keys,
    equality_on_the_first_components_is_a_prefix,
    a_count_is_that_of_the_records,
    a_stream_gives_all_records_once,
    deletion_by_query_is_exact,
    deletion_by_query_keeps_to_its_limit,
    a_deletion_in_a_transaction_is_atomic,
    records_of_many_entries_are_deleted_in_smaller_batches,
}

async fn a_range_has_exact_bounds(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let times = [i64::MIN, -1, 0, 1, i64::MAX];
    put_all(&db, &(0..).zip(times).map(|(id, time)| Note::new("r", id, time)).collect::<Vec<_>>()).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    ensure_eq!(ids(&query().range(at(-1)..at(1)).page().await?.records), [1, 2]);
    ensure_eq!(ids(&query().range(at(-1)..=at(1)).page().await?.records), [1, 2, 3]);
    ensure_eq!(ids(&query().before(at(0)).page().await?.records), [0, 1]);
    ensure_eq!(ids(&query().from(at(1)).page().await?.records), [3, 4]);
    ensure_eq!(ids(&query().from(at(0)).before(at(1)).page().await?.records), [2]);
    let excluded = (Bound::Excluded(at(-1)), Bound::Unbounded);
    ensure_eq!(ids(&query().range(excluded).page().await?.records), [2, 3, 4]);
    ensure_eq!(ids(&query().range(at(-1)..=at(1)).newest_first().page().await?.records), [3, 2, 1]);
    ensure_eq!(query().range(at(-1)..at(1)).count().await?, 2);
    ensure_eq!(query().first().await?.map(|note| note.id), Some(0));
    ensure_eq!(query().newest_first().first().await?.map(|note| note.id), Some(4));
    Ok(())
}

async fn an_inverted_range_holds_nothing(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Note::new("r", 1, 0), Note::new("r", 2, 1)]).await?;
    let query = || db.query(Note::BY_TIME).equal("r").range(at(1)..at(-1));
    ensure!(query().page().await?.records.is_empty());
    ensure!(query().newest_first().page().await?.records.is_empty());
    ensure_eq!(query().count().await?, 0);
    ensure_eq!(query().delete().await?, 0);
    // Nor does one whose ends meet.
    ensure_eq!(db.query(Note::BY_TIME).equal("r").range(at(1)..at(1)).count().await?, 0);
    let between = (Bound::Excluded(at(0)), Bound::Excluded(at(1)));
    ensure_eq!(db.query(Note::BY_TIME).equal("r").range(between).count().await?, 0);
    ensure_eq!(
        db.write(|tx| async move { tx.query(Note::BY_TIME).equal("r").range(at(1)..at(-1)).delete().await }).await?,
        0
    );
    Ok(())
}

/// The collection and index with the greatest ids, and the greatest component.
#[derive(Debug, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 65_535, name = "last", key(id), expires = at)]
struct Last {
    id: u64,
    at: Timestamp,
}

async fn nothing_lies_behind_the_greatest_of_all_keys(context: Context) -> Checked {
    let (db, site) = open_one::<Last>(&context).await?;
    db.put(&Last { id: 1, at: Timestamp::MAX }).await?;
    let behind = (Bound::Excluded(Timestamp::MAX), Bound::Unbounded);
    ensure_eq!(db.query(Last::EXPIRY).range(behind).page().await?.records.len(), 0);
    ensure_eq!(db.query(Last::EXPIRY).range(Timestamp::MAX..).page().await?.records.len(), 1);
    ensure_eq!(db.query(Last::EXPIRY).descending().page().await?.records.len(), 1);
    let again = open_as(&site, one::<Last>(1)?).await?;
    ensure_eq!(again.count::<Last>().await?, 1);
    sound(&db).await
}

async fn equality_on_the_first_components_is_a_prefix(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let notes = [Note::new("a", 1, 1), Note::new("a", 2, 1), Note::new("ab", 3, 1), Note::new("", 4, 1)];
    put_all(&db, &notes).await?;
    ensure_eq!(sorted_ids(&db.query(Note::PRIMARY).equal("a").page().await?.records), [1, 2]);
    ensure_eq!(ids(&db.query(Note::PRIMARY).equal("a").equal(&2).page().await?.records), [2]);
    ensure_eq!(db.query(Note::PRIMARY).count().await?, 4);
    ensure_eq!(db.query(Note::PRIMARY).equal("b").count().await?, 0);
    ensure_eq!(db.query(Note::BY_TIME).equal("a").equal(&at(1)).count().await?, 2);
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("").page().await?.records), [4]);
    Ok(())
}

/// Of records that expire and of such that do not: these are counted in two ways.
async fn a_count_is_that_of_the_records(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..300).map(|id| Note::new("r", id, i64::from(id % 10))).collect::<Vec<_>>()).await?;
    put_all(&db, &(0..300).map(|at| Counter::new(&at.to_string(), at % 10)).collect::<Vec<_>>()).await?;
    ensure_eq!((db.count::<Note>().await?, db.count::<Counter>().await?), (300, 300));
    let notes = || db.query(Note::BY_TIME).equal("r").range(at(2)..at(5));
    let counters = || db.query(Counter::GROUP).equal("all").range(2..5);
    ensure_eq!((notes().count().await?, counters().count().await?), (90, 90));
    ensure_eq!((notes().limit(7).count().await?, counters().limit(7).count().await?), (7, 7));
    ensure_eq!((notes().limit(900).count().await?, counters().limit(900).count().await?), (90, 90));
    ensure_eq!((notes().limit(0).count().await?, counters().limit(0).count().await?), (0, 0));
    let (note, counter) = (some(notes().limit(20).page().await?.next)?, some(counters().limit(20).page().await?.next)?);
    ensure_eq!((notes().after(note).count().await?, counters().after(counter).count().await?), (70, 70));
    Ok(())
}

async fn a_stream_gives_all_records_once(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..600).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    let all: Vec<Note> = query().stream().try_collect().await?;
    ensure_eq!(ids(&all), (0..600).collect::<Vec<_>>());
    let some: Vec<Note> = query().newest_first().limit(300).stream().try_collect().await?;
    ensure_eq!(ids(&some), (300..600).rev().collect::<Vec<_>>());
    let none: Vec<Note> = query().limit(0).stream().try_collect().await?;
    ensure!(none.is_empty());
    Ok(())
}

async fn deletion_by_query_is_exact(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let room = |id| if id % 2 == 0 { "a" } else { "b" };
    put_all(&db, &(0..1_000).map(|id| Note::new(room(id), id, i64::from(id))).collect::<Vec<_>>()).await?;
    ensure_eq!(db.query(Note::BY_TIME).equal("a").before(at(900)).delete().await?, 450);
    ensure_eq!(db.query(Note::BY_TIME).equal("a").before(at(900)).delete().await?, 0);
    ensure_eq!(db.query(Note::BY_TIME).equal("a").count().await?, 50);
    ensure_eq!(db.query(Note::BY_TIME).equal("b").count().await?, 500);
    sound(&db).await
}

async fn deletion_by_query_keeps_to_its_limit(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..40).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    ensure_eq!(db.query(Note::BY_TIME).equal("r").newest_first().limit(7).delete().await?, 7);
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), (0..33).collect::<Vec<_>>());
    ensure_eq!(db.query(Note::BY_TIME).equal("r").limit(0).delete().await?, 0);
    ensure_eq!(db.query(Note::BY_TIME).equal("r").limit(900).delete().await?, 33);
    sound(&db).await
}

async fn a_deletion_in_a_transaction_is_atomic(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..300).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let delete = |fail: bool| {
        db.write(move |tx| async move {
            let deleted = tx.query(Note::BY_TIME).equal("r").before(at(280)).delete().await?;
            if fail { Err(strongroom_core::Error::application(std::fmt::Error)) } else { Ok(deleted) }
        })
    };
    ensure_kind!(delete(true).await, ErrorKind::Application);
    ensure_eq!(db.count::<Note>().await?, 300);
    ensure_eq!(delete(false).await?, 280);
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), (280..300).collect::<Vec<_>>());
    sound(&db).await
}

async fn records_of_many_entries_are_deleted_in_smaller_batches(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { batch_writes_max: 300, ..context.limits() }).await?;
    let tagged = |id| Note { tags: (0..30).map(|tag| tag.to_string()).collect(), ..Note::new("r", id, 1) };
    for few in (0..40).map(tagged).collect::<Vec<_>>().chunks(8) {
        put_all(&db, few).await?;
    }
    ensure_eq!(db.query(Note::TAG).equal("7").count().await?, 40);
    // 40 records of 33 rows each: more than one batch holds.
    ensure_eq!(db.query(Note::PRIMARY).delete().await?, 40);
    ensure_eq!(db.query(Note::TAG).count().await?, 0);
    sound(&db).await
}
