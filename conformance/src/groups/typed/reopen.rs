//! A store that is closed and opened again: everything is as it was.

use strongroom_core::ErrorKind;

use super::support::{Counter, Note, all, at, ids, open, open_as, put_all, rows, schema, some, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    everything_written_is_read_back_equal [Reopen],
    every_row_is_as_it_was [Reopen],
    what_was_deleted_stays_deleted [Reopen],
    a_cursor_outlives_a_reopen [Reopen],
    revisions_go_on_where_they_were [Reopen],
    unique_values_stay_taken [Reopen],
    a_closed_database_stays_closed [Reopen],
}

/// Notes of every shape.
fn notes() -> Vec<Note> {
    let text = |choice: u32, text: &str| (choice > 0).then(|| text.repeat(choice as usize));
    let note = |id: u32| Note {
        thread: text(id % 3, "t\0"),
        tags: (0..id % 4).map(|tag| format!("{tag}")).collect(),
        slug: text(id % 2, "s").map(|slug| format!("{slug}{id}")),
        done_at: id.is_multiple_of(5).then(|| at(i64::from(id))),
        expires_at: id.is_multiple_of(7).then(|| at(i64::from(id) + 10)),
        text: "é\0".repeat(id as usize),
        ..Note::new(["", "a", "a\0"][id as usize % 3], id, i64::from(id % 10) - 5)
    };
    (0..120).map(note).collect()
}

async fn everything_written_is_read_back_equal(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    let mut expected = notes();
    expected.sort();
    put_all(&db, &expected).await?;
    db.put(&Counter::new("c", i64::MIN)).await?;
    let before = db.stats().await?;
    for _ in 0..2 {
        site.reopen().await?;
        let db = open_as(&site, schema()?).await?;
        ensure_eq!(all(&db, Note::PRIMARY).await?, expected);
        for note in &expected {
            ensure_eq!(db.get(&Note::key(&note.room, &note.id)).await?.as_ref(), Some(note));
        }
        for room in ["", "a", "a\0"] {
            let mut of_room: Vec<_> = expected.iter().filter(|note| note.room == room).cloned().collect();
            let mut found = db.query(Note::BY_TIME).equal(room).limit(200).page().await?.records;
            ensure!(found.is_sorted_by_key(|note| note.time));
            found.sort();
            ensure_eq!(found, of_room);
            of_room.retain(|note| note.done_at.is_none());
            ensure_eq!(db.query(Note::OPEN).equal(room).count().await?, of_room.len() as u64);
        }
        let tagged = expected.iter().filter(|note| note.tags.len() > 2).count();
        ensure_eq!(db.query(Note::TAG).equal("2").count().await?, tagged as u64);
        ensure_eq!(db.query(Note::EXPIRY).count().await?, 18);
        ensure_eq!(db.get(&Counter::key("c")).await?, Some(Counter::new("c", i64::MIN)));
        ensure_eq!(db.stats().await?.collections, before.collections);
        sound(&db).await?;
    }
    Ok(())
}

/// With the revision that wrote it.
async fn every_row_is_as_it_was(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    put_all(&db, &notes()).await?;
    let mut before = Vec::new();
    for index in [0, 1, 2, 3, 4, 5, 255] {
        before.push(rows(&*site.store, 1, index).await?);
    }
    site.reopen().await?;
    for (index, before) in [0, 1, 2, 3, 4, 5, 255].into_iter().zip(before) {
        ensure!(!before.is_empty());
        ensure_eq!(rows(&*site.store, 1, index).await?, before);
    }
    Ok(())
}

async fn what_was_deleted_stays_deleted(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    put_all(&db, &(0..20).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    db.query(Note::BY_TIME).equal("r").before(at(10)).delete().await?;
    db.delete(&Note::key("r", &15)).await?;
    site.reopen().await?;
    let db = open_as(&site, schema()?).await?;
    let left: Vec<u32> = (10..20).filter(|id| *id != 15).collect();
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), left);
    sound(&db).await
}

async fn a_cursor_outlives_a_reopen(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    put_all(&db, &(0..20).map(|id| Note::new("r", id, i64::from(id / 6))).collect::<Vec<_>>()).await?;
    let whole = ids(&db.query(Note::BY_TIME).equal("r").page().await?.records);
    let next = some(db.query(Note::BY_TIME).equal("r").limit(8).page().await?.next)?.to_string();
    site.reopen().await?;
    let db = open_as(&site, schema()?).await?;
    let rest = db.query(Note::BY_TIME).equal("r").after(next.parse()?).page().await?;
    ensure_eq!(ids(&rest.records), whole[8..]);
    Ok(())
}

async fn revisions_go_on_where_they_were(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    let mut last = db.snapshot().await?.revision();
    for value in 0..3 {
        let db = open_as(&site, schema()?).await?;
        let written = db.write_at(|tx| async move { tx.put(&Counter::new("c", value)).await }).await?;
        ensure!(written.revision > last);
        last = written.revision;
        site.reopen().await?;
        ensure!(site.store.snapshot().await?.revision() >= last, "what was committed is not undone");
    }
    Ok(())
}

async fn unique_values_stay_taken(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    db.put(&Note::with_slug(1, "s")).await?;
    site.reopen().await?;
    let db = open_as(&site, schema()?).await?;
    ensure_kind!(db.insert(&Note::with_slug(2, "s")).await, ErrorKind::UniqueViolation);
    db.put(&Note::with_slug(1, "t")).await?;
    db.insert(&Note::with_slug(2, "s")).await?;
    sound(&db).await
}

async fn a_closed_database_stays_closed(context: Context) -> Checked {
    let (old, mut site) = open(&context).await?;
    old.put(&Counter::new("c", 1)).await?;
    site.reopen().await?;
    let new = open_as(&site, schema()?).await?;
    ensure_kind!(old.get(&Counter::key("c")).await, ErrorKind::Closed);
    ensure_kind!(old.put(&Counter::new("c", 2)).await, ErrorKind::Closed);
    ensure_eq!(new.get(&Counter::key("c")).await?, Some(Counter::new("c", 1)));
    Ok(())
}
