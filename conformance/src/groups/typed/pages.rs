//! Pages and cursors: nothing is lost, nothing comes twice, wherever a page ends.

use std::ops::Range;

use strongroom_core::store::Limits;
use strongroom_core::{Cursor, Database, ErrorKind, Query, Record, Source};

use super::support::{Note, at, ids, open, open_with, put_all, some, sorted_ids};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    pages_of_any_size_are_exact_within_ties,
    descending_is_the_exact_reverse_of_ascending,
    a_page_that_ends_with_the_last_record_has_no_next,
    a_cursor_survives_as_text,
    a_cursor_outlives_its_record,
    a_cursor_goes_on_past_what_was_written_meanwhile,
    a_cursor_can_turn_round,
    a_cursor_combines_with_a_range,
    a_cursor_of_another_query_is_refused,
    a_malformed_cursor_is_refused,
    a_page_may_be_larger_than_a_page_of_the_store,
    a_page_of_large_records_is_complete,
    an_empty_query_gives_an_empty_page,
}

/// All records of a query, page by page.
async fn walk<S: Source, R: Record + Clone, C>(query: Query<S, R, C>, size: usize) -> Checked<Vec<R>> {
    let mut records = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let query = query.clone().limit(size);
        let page = match after {
            None => query.page().await?,
            Some(cursor) => query.after(cursor).page().await?,
        };
        ensure!(page.records.len() == size || page.next.is_none(), "a page in the middle is full");
        records.extend(page.records);
        ensure!(records.len() < 1_000, "pages without end");
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(records),
        }
    }
}

/// Twenty notes at three times, beside those of another room.
async fn ties(db: &Database) -> Checked {
    let notes = (0..20).flat_map(|id| [Note::new("r", id, i64::from(id / 7)), Note::new("other", id, 1)]);
    put_all(db, &notes.collect::<Vec<_>>()).await?;
    Ok(())
}

async fn pages_of_any_size_are_exact_within_ties(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    ties(&db).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    let whole = query().page().await?.records;
    ensure!(whole.is_sorted_by_key(|note| note.time));
    ensure_eq!(sorted_ids(&whole), (0..20).collect::<Vec<_>>());
    for size in [1, 2, 3, 7, 19, 20, 21] {
        ensure_eq!(ids(&walk(query(), size).await?), ids(&whole), "pages of {size}");
        let back: Vec<u32> = ids(&whole).into_iter().rev().collect();
        ensure_eq!(ids(&walk(query().newest_first(), size).await?), back, "pages of {size}, newest first");
    }
    Ok(())
}

async fn descending_is_the_exact_reverse_of_ascending(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    ties(&db).await?;
    let query = || db.query(Note::BY_TIME).equal("other");
    let mut forward = query().oldest_first().page().await?.records;
    ensure_eq!(forward.len(), 20);
    forward.reverse();
    ensure_eq!(query().newest_first().page().await?.records, forward);
    ensure_eq!(query().descending().ascending().first().await?, forward.pop(), "the last word on the order counts");
    Ok(())
}

async fn a_page_that_ends_with_the_last_record_has_no_next(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..6).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    ensure_eq!(query().limit(6).page().await?.next, None);
    ensure_eq!(query().newest_first().limit(6).page().await?.next, None);
    let next = some(query().limit(3).page().await?.next)?;
    let rest = query().after(next).limit(3).page().await?;
    ensure_eq!((ids(&rest.records), rest.next), (vec![3, 4, 5], None));
    // The end of a range is an end too, whatever lies behind it.
    ensure_eq!(query().before(at(3)).limit(3).page().await?.next, None);
    Ok(())
}

async fn a_cursor_survives_as_text(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    ties(&db).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    let next = some(query().limit(8).page().await?.next)?;
    let parsed: Cursor = next.to_string().parse()?;
    ensure!(parsed == next);
    ensure_eq!(query().after(parsed).page().await?.records, query().page().await?.records[8..]);
    Ok(())
}

async fn a_cursor_outlives_its_record(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..6).map(|id| Note::new("r", id, 7)).collect::<Vec<_>>()).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    let whole = ids(&query().page().await?.records);
    let next = some(query().limit(2).page().await?.next)?;
    db.delete(&Note::key("r", &whole[1])).await?;
    let rest = query().after(next.clone()).page().await?;
    ensure_eq!((ids(&rest.records), rest.next), (whole[2..].to_vec(), None));
    for id in &whole[2..] {
        db.delete(&Note::key("r", id)).await?;
    }
    let rest = query().after(next).page().await?;
    ensure!(rest.records.is_empty() && rest.next.is_none());
    Ok(())
}

async fn a_cursor_goes_on_past_what_was_written_meanwhile(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..6).map(|id| Note::new("r", id, i64::from(id) * 10)).collect::<Vec<_>>()).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    let next = some(query().limit(3).page().await?.next)?;
    // One before the cursor, one right behind it, one that leaves for the front.
    put_all(&db, &[Note::new("r", 6, 15), Note::new("r", 7, 21), Note::new("r", 4, 1)]).await?;
    ensure_eq!(ids(&query().after(next).page().await?.records), [7, 3, 5]);
    Ok(())
}

async fn a_cursor_can_turn_round(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..6).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let query = || db.query(Note::BY_TIME).equal("r");
    let next = some(query().limit(4).page().await?.next)?;
    ensure_eq!(ids(&query().newest_first().after(next.clone()).page().await?.records), [2, 1, 0]);
    ensure_eq!(ids(&query().after(next).page().await?.records), [4, 5]);
    Ok(())
}

async fn a_cursor_combines_with_a_range(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..10).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let next = some(db.query(Note::BY_TIME).equal("r").limit(3).page().await?.next)?;
    let page = |range: Range<i64>, reverse: bool| {
        let query = db.query(Note::BY_TIME).equal("r").range(at(range.start)..at(range.end));
        let query = if reverse { query.descending() } else { query };
        let query = query.after(next.clone());
        async move { query.page().await.map(|page| ids(&page.records)) }
    };
    ensure_eq!(page(0..5, false).await?, [3, 4]);
    ensure_eq!(page(5..8, false).await?, [5, 6, 7]);
    ensure_eq!(page(0..2, false).await?, [0; 0]);
    ensure_eq!(page(0..9, true).await?, [1, 0]);
    ensure_eq!(page(5..9, true).await?, [0; 0]);
    ensure_eq!(page(0..2, true).await?, [1, 0]);
    Ok(())
}

async fn a_cursor_of_another_query_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    ties(&db).await?;
    let next = some(db.query(Note::BY_TIME).equal("r").limit(2).page().await?.next)?;
    let after = || next.clone();
    ensure_kind!(db.query(Note::BY_TIME).equal("s").after(after()).page().await, ErrorKind::InvalidInput);
    ensure_kind!(db.query(Note::OPEN).equal("r").after(after()).page().await, ErrorKind::InvalidInput);
    ensure_kind!(db.query(Note::PRIMARY).after(after()).page().await, ErrorKind::InvalidInput);
    ensure_kind!(db.query(Note::BY_TIME).equal("s").after(after()).count().await, ErrorKind::InvalidInput);
    ensure_kind!(db.query(Note::OPEN).equal("r").after(after()).delete().await, ErrorKind::InvalidInput);
    ensure_eq!(db.count::<Note>().await?, 40);
    Ok(())
}

async fn a_malformed_cursor_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    ties(&db).await?;
    for text in ["", "AA", "!!", "AQ==", "AQ\n"] {
        ensure_kind!(text.parse::<Cursor>(), ErrorKind::InvalidInput);
    }
    // A version and no key, or one that is cut off: cursors of no query.
    let text = some(db.query(Note::BY_TIME).equal("r").limit(2).page().await?.next)?.to_string();
    let short: Cursor = text[..4].parse()?;
    for cursor in ["AQ".parse::<Cursor>()?, short] {
        ensure_kind!(db.query(Note::BY_TIME).equal("r").after(cursor).page().await, ErrorKind::InvalidInput);
    }
    Ok(())
}

async fn a_page_may_be_larger_than_a_page_of_the_store(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { page_entries_max: 10, ..context.limits() }).await?;
    put_all(&db, &(0..45).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let page = db.query(Note::BY_TIME).equal("r").limit(40).page().await?;
    ensure_eq!(ids(&page.records), (0..40).collect::<Vec<_>>());
    let rest = db.query(Note::BY_TIME).equal("r").after(some(page.next)?).page().await?;
    ensure_eq!((ids(&rest.records), rest.next), ((40..45).collect::<Vec<_>>(), None));
    Ok(())
}

async fn a_page_of_large_records_is_complete(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let bytes = (context.limits().value_bytes_max / 2).min(300 << 10);
    for id in 0..16 {
        db.put(&Note { text: "x".repeat(bytes), ..Note::new("r", id, i64::from(id)) }).await?;
    }
    let page = db.query(Note::BY_TIME).equal("r").limit(16).page().await?;
    ensure_eq!((ids(&page.records), page.next), ((0..16).collect::<Vec<_>>(), None));
    ensure!(page.records.iter().all(|note| note.text.len() == bytes));
    Ok(())
}

async fn an_empty_query_gives_an_empty_page(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for page in [db.query(Note::PRIMARY).page().await?, db.query(Note::BY_TIME).equal("r").page().await?] {
        ensure!(page.records.is_empty() && page.next.is_none() && page.damaged.is_empty());
    }
    put_all(&db, &[Note::new("r", 1, 1)]).await?;
    let none = db.query(Note::BY_TIME).equal("r").limit(0).page().await?;
    ensure!(none.records.is_empty() && none.next.is_none());
    ensure_eq!(db.query(Note::BY_TIME).equal("s").first().await?, None);
    Ok(())
}
