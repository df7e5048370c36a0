//! Every kind of index but the unique and the expiring ones: which records have entries, and which entries are written.

use super::support::{Note, at, ids, open, put_all, rows, some, sorted_ids, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Typed;
    a_record_without_an_optional_component_has_no_entry,
    a_multi_index_has_an_entry_for_each_distinct_element,
    only_the_entries_that_differ_are_written,
    a_conditional_index_holds_a_record_until_the_field_is_set,
    a_compound_index_narrows_component_by_component,
    components_do_not_run_into_each_other,
    an_index_sees_a_record_move,
}

async fn a_record_without_an_optional_component_has_no_entry(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    // The empty text is a value like any other.
    let mut note = Note { thread: Some(String::new()), ..Note::new("r", 1, 1) };
    put_all(&db, &[note.clone(), Note::new("r", 2, 2)]).await?;
    ensure_eq!(db.query(Note::THREAD).equal("r").count().await?, 1);
    ensure_eq!(ids(&db.query(Note::THREAD).equal("r").equal("").page().await?.records), [1]);
    note.thread = None;
    db.put(&note).await?;
    ensure_eq!(db.query(Note::THREAD).equal("r").count().await?, 0);
    sound(&db).await
}

async fn a_multi_index_has_an_entry_for_each_distinct_element(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let tags = ["b", "a", "b", ""].map(str::to_owned).to_vec();
    put_all(&db, &[Note { tags, ..Note::new("r", 1, 1) }, Note::new("r", 2, 2)]).await?;
    ensure_eq!(db.query(Note::TAG).count().await?, 3);
    for tag in ["a", "b", ""] {
        ensure_eq!(ids(&db.query(Note::TAG).equal(tag).page().await?.records), [1], "tag {tag:?}");
    }
    ensure_eq!(db.query(Note::TAG).equal("c").count().await?, 0);
    sound(&db).await
}

/// Seen in the rows: an entry that stays keeps the revision of the batch that wrote it.
async fn only_the_entries_that_differ_are_written(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let note =
        |tags: &[&str]| Note { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..Note::new("r", 1, 1) };
    db.put(&note(&["goes", "stays", "also"])).await?;
    let (first, by_time) = (rows(&*site.store, 1, 3).await?, rows(&*site.store, 1, 1).await?);
    ensure_eq!(first.len(), 3);
    let inserted = some(first.first())?.revision;
    db.put(&note(&["comes", "also", "stays"])).await?;
    let second = rows(&*site.store, 1, 3).await?;
    ensure_eq!(second.len(), 3);
    let kept: Vec<_> = second.iter().filter(|entry| entry.revision == inserted).collect();
    ensure_eq!(kept.len(), 2, "entries that stayed");
    ensure!(kept.iter().all(|entry| first.contains(entry)));
    ensure_eq!(rows(&*site.store, 1, 1).await?, by_time, "an index that the change is not about");
    ensure_eq!(db.query(Note::TAG).equal("goes").count().await?, 0);
    ensure_eq!(db.query(Note::TAG).equal("comes").count().await?, 1);
    let record = some(rows(&*site.store, 1, 0).await?.pop())?;
    ensure!(record.revision > inserted && second.iter().any(|entry| entry.revision == record.revision));
    sound(&db).await
}

async fn a_conditional_index_holds_a_record_until_the_field_is_set(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let mut note = Note::new("r", 1, 1);
    put_all(&db, &[note.clone(), Note::new("r", 2, 2), Note::new("s", 3, 3)]).await?;
    ensure_eq!(ids(&db.query(Note::OPEN).equal("r").page().await?.records), [1, 2]);
    note.done_at = Some(at(5));
    db.put(&note).await?;
    ensure_eq!(ids(&db.query(Note::OPEN).equal("r").page().await?.records), [2]);
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), [1, 2]);
    note.done_at = None;
    db.put(&note).await?;
    ensure_eq!(ids(&db.query(Note::OPEN).equal("r").page().await?.records), [1, 2]);
    sound(&db).await
}

async fn a_compound_index_narrows_component_by_component(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let threaded =
        |room: &str, id, thread: &str, time| Note { thread: Some(thread.to_owned()), ..Note::new(room, id, time) };
    let notes = [
        threaded("r", 1, "t", 3),
        threaded("r", 2, "t", 1),
        threaded("r", 3, "u", 2),
        threaded("s", 4, "t", 2),
        threaded("r", 5, "t", 2),
    ];
    put_all(&db, &notes).await?;
    let query = || db.query(Note::THREAD);
    ensure_eq!(sorted_ids(&query().page().await?.records), [1, 2, 3, 4, 5]);
    ensure_eq!(sorted_ids(&query().equal("r").page().await?.records), [1, 2, 3, 5]);
    ensure_eq!(ids(&query().equal("r").equal("t").page().await?.records), [2, 5, 1]);
    ensure_eq!(ids(&query().equal("r").equal("t").newest_first().page().await?.records), [1, 5, 2]);
    ensure_eq!(ids(&query().equal("r").equal("t").equal(&at(2)).page().await?.records), [5]);
    ensure_eq!(ids(&query().equal("r").equal("t").from(at(2)).page().await?.records), [5, 1]);
    ensure_eq!(query().equal("t").count().await?, 0);
    Ok(())
}

async fn components_do_not_run_into_each_other(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let rooms = ["", "\0", "a", "a\0", "a\0\0", "a\u{1}", "aa", "a\u{ff}"];
    let mut notes = Vec::new();
    for (id, room) in (0_u32..).zip(rooms) {
        let tags = vec![room.to_owned()];
        notes.push(Note { tags, thread: Some(room.to_owned()), ..Note::new(room, id, 1) });
    }
    put_all(&db, &notes).await?;
    for (id, room) in (0_u32..).zip(rooms) {
        ensure_eq!(ids(&db.query(Note::PRIMARY).equal(room).page().await?.records), [id], "key {room:?}");
        ensure_eq!(ids(&db.query(Note::BY_TIME).equal(room).page().await?.records), [id], "room {room:?}");
        ensure_eq!(ids(&db.query(Note::TAG).equal(room).page().await?.records), [id], "tag {room:?}");
        ensure_eq!(ids(&db.query(Note::THREAD).equal(room).equal(room).page().await?.records), [id], "{room:?}");
    }
    Ok(())
}

async fn an_index_sees_a_record_move(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..5).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    db.put(&Note::new("r", 0, 10)).await?;
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), [1, 2, 3, 4, 0]);
    db.put(&Note::new("r", 4, -1)).await?;
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), [4, 1, 2, 3, 0]);
    sound(&db).await
}
