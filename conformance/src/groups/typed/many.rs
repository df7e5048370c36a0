//! Many records at once: `insert_many` and `put_many`, which are one transaction each.

use strongroom_core::store::{KeyRange, Limits};
use strongroom_core::{ErrorKind, Limit};

use super::support::{Note, at, ids, open, open_with, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    many_records_are_saved_with_all_their_entries,
    an_insert_of_many_is_refused_whole_where_one_record_is,
    of_two_inserted_with_one_key_both_are_refused,
    of_two_put_with_one_key_the_later_stays,
    two_of_many_cannot_have_one_unique_value,
    a_unique_value_moves_between_the_first_and_the_last_of_many,
    of_many_the_one_past_a_limit_is_named,
    many_take_the_place_of_what_has_expired,
    in_a_transaction_many_meet_what_it_has_written,
    more_than_a_transaction_holds_is_refused_and_nothing_is_written,
}

/// More than are read in one call.
const MANY: u32 = 1_200;

fn note(id: u32) -> Note {
    Note {
        thread: Some(format!("t{}", id % 7)),
        tags: vec![format!("tag{}", id % 3)],
        slug: id.is_multiple_of(2).then(|| format!("s{id}")),
        ..Note::new("r", id, i64::from(id))
    }
}

fn notes(ids: impl Iterator<Item = u32>) -> Vec<Note> {
    ids.map(note).collect()
}

async fn many_records_are_saved_with_all_their_entries(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.insert_many(&notes(0..MANY)).await?;
    db.insert_many::<Note>(&[]).await?;
    ensure_eq!(db.count::<Note>().await?, u64::from(MANY));
    ensure_eq!(db.get(&Note::key("r", &700)).await?, Some(note(700)));
    sound(&db).await?;
    // Every second one again, with other entries, and as many new ones.
    let moved: Vec<_> = (0..MANY).map(|id| Note { thread: Some("moved".to_owned()), ..note(2 * id) }).collect();
    db.put_many(&moved).await?;
    ensure_eq!(db.count::<Note>().await?, u64::from(MANY + MANY / 2));
    ensure_eq!(db.query(Note::THREAD).equal("r").equal("moved").count().await?, u64::from(MANY));
    ensure_eq!(ids(&db.query(Note::SLUG).equal("s2398").page().await?.records), [2_398]);
    sound(&db).await
}

async fn an_insert_of_many_is_refused_whole_where_one_record_is(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    db.insert(&note(900)).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let error = ensure_kind!(db.insert_many(&notes(0..MANY)).await, ErrorKind::AlreadyExists);
    ensure!(error.to_string().contains("record number 901"), "{error}");
    let error = ensure_kind!(db.insert_many(&[Note::with_slug(5_000, "s900")]).await, ErrorKind::UniqueViolation);
    ensure!(error.to_string().contains("slug"), "{error}");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn of_two_inserted_with_one_key_both_are_refused(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let twice = [note(1), note(2), Note { text: "another".to_owned(), ..note(1) }];
    let error = ensure_kind!(db.insert_many(&twice).await, ErrorKind::AlreadyExists);
    ensure!(error.to_string().contains("record number 3"), "{error}");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn of_two_put_with_one_key_the_later_stays(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let last = Note { thread: Some("last".to_owned()), slug: Some("last".to_owned()), ..note(1) };
    db.put_many(&[note(1), note(2), last.clone()]).await?;
    ensure_eq!(db.get(&Note::key("r", &1)).await?, Some(last));
    ensure_eq!(db.count::<Note>().await?, 2);
    sound(&db).await
}

async fn two_of_many_cannot_have_one_unique_value(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let both = [Note::with_slug(1, "x"), Note::with_slug(2, "x")];
    ensure_kind!(db.insert_many(&both).await, ErrorKind::UniqueViolation);
    ensure_kind!(db.put_many(&both).await, ErrorKind::UniqueViolation);
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn a_unique_value_moves_between_the_first_and_the_last_of_many(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.insert_many(&notes(0..MANY)).await?;
    let mut moved = notes(0..MANY);
    moved[0].slug = Some("new".to_owned());
    moved[MANY as usize - 1].slug = Some("s0".to_owned());
    db.put_many(&moved).await?;
    ensure_eq!(ids(&db.query(Note::SLUG).equal("s0").page().await?.records), [MANY - 1]);
    ensure_eq!(ids(&db.query(Note::SLUG).equal("new").page().await?.records), [0]);
    sound(&db).await
}

async fn of_many_the_one_past_a_limit_is_named(context: Context) -> Checked {
    let limits = Limits { value_bytes_max: 10_000, ..context.limits() };
    let (db, site) = open_with(&context, limits).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let mut many = notes(0..700);
    many[600].text = "x".repeat(10_001);
    let error = ensure_kind!(db.insert_many(&many).await, ErrorKind::Limit(Limit::ValueBytes));
    ensure!(error.to_string().contains("record number 601") && error.to_string().contains("notes"), "{error}");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn many_take_the_place_of_what_has_expired(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let expiring: Vec<_> = (0..20).map(|id| Note { expires_at: Some(at(2_000)), ..note(id) }).collect();
    db.insert_many(&expiring).await?;
    site.clock.set(at(2_000));
    // The same keys, and a unique value that another one held; among them one that has expired before it is written.
    let mut new = notes(0..20);
    new[4].slug = Some("s6".to_owned());
    new[6].slug = None;
    new.insert(0, Note { expires_at: Some(at(1_000)), slug: None, ..note(30) });
    new.push(note(30));
    db.insert_many(&new).await?;
    ensure_eq!(db.count::<Note>().await?, 21);
    ensure_eq!(ids(&db.query(Note::SLUG).equal("s6").page().await?.records), [4]);
    sound(&db).await
}

async fn in_a_transaction_many_meet_what_it_has_written(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let refused = db.write(|tx| async move {
        tx.put(&note(3)).await?;
        tx.insert_many(&notes(0..5)).await
    });
    ensure_kind!(refused.await, ErrorKind::AlreadyExists);
    let found = db.write(|tx| async move {
        tx.insert_many(&notes(0..5)).await?;
        tx.delete(&Note::key("r", &3)).await?;
        tx.put_many(&notes(3..8)).await?;
        tx.count::<Note>().await
    });
    ensure_eq!(found.await?, 8);
    sound(&db).await
}

async fn more_than_a_transaction_holds_is_refused_and_nothing_is_written(context: Context) -> Checked {
    let limits = Limits { batch_writes_max: 100, ..context.limits() };
    let (db, site) = open_with(&context, limits).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    ensure_kind!(db.insert_many(&notes(0..60)).await, ErrorKind::Limit(Limit::BatchWrites));
    ensure_kind!(db.put_many(&notes(0..60)).await, ErrorKind::Limit(Limit::BatchWrites));
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    db.insert_many(&notes(0..10)).await?;
    sound(&db).await
}
