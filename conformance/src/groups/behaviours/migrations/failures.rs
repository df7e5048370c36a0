//! What cannot succeed leaves the schema and the records as they were, and says where it stands.

use serde::{Deserialize, Serialize};
use strongroom_core::schema::Migration;
use strongroom_core::store::Limits;
use strongroom_core::{Database, Duplicates, Error, ErrorKind, Limit, Record, Schema, Timestamp};

use super::super::support::open_again;
use super::records::{
    NoteV1, NoteV2, Slim, filled, is_settled, is_v2, note, put_all, rows, shapes, small, to_v2, v1, v2, v2_by, v3,
};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Behaviours;
    a_function_that_fails_leaves_all_as_it_was,
    a_record_whose_key_would_change_is_refused,
    a_record_whose_kept_entries_would_change_is_refused,
    a_record_that_would_be_too_long_is_refused,
    a_record_of_too_many_entries_is_refused,
    a_type_that_no_record_has_is_refused,
    duplicates_under_an_added_unique_index_are_named,
    what_was_refused_succeeds_once_the_records_are_right,
}

/// A note as nobody ever wrote it.
#[derive(Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(room, id))]
#[index(id = 1, name = "color", on(color, sent: ordered))]
struct Authored {
    room: String,
    id: u64,
    color: String,
    sent: Timestamp,
    author: String,
}

/// What an opening is refused with, both when it waits for all and when it does not. The store must then be as it was.
async fn refused(site: &Site, old: &Database, schema: &Schema) -> Checked<Error> {
    let before = old.count::<NoteV1>().await?;
    let mut errors = Vec::new();
    for builder in [Database::builder(schema.clone()), Database::builder(schema.clone()).migrate_later()] {
        match builder.open(site.store.clone()).await {
            Ok(_) => return Err(Failure::new("an open succeeded that had to be refused")),
            Err(error) => errors.push(error),
        }
        ensure!(shapes(&*site.store).await?.iter().all(|shape| *shape == 0), "a record was written");
        for added in [3, 4] {
            ensure_eq!(rows(&*site.store, &[0, 1, added]).await?, 0, "rows of an index that is none");
        }
        let db = open_again(site, v1()?).await?;
        is_settled(site, &db).await?;
        for db in [&db, old] {
            ensure_eq!(db.count::<NoteV1>().await?, before);
            ensure_eq!(db.query(NoteV1::BODY).equal(&note(1).body).count().await?, 1);
            put_all(db, [note(1)]).await?;
        }
    }
    ensure_eq!(errors[0].kind(), errors[1].kind());
    ensure_eq!(errors[0].to_string(), errors[1].to_string());
    Ok(errors.remove(0))
}

async fn a_function_that_fails_leaves_all_as_it_was(context: Context) -> Checked {
    let (old, site) = filled(&context, 45).await?;
    put_all(&old, [NoteV1 { size: "secret".to_owned(), ..note(33) }]).await?;
    let error = refused(&site, &old, &v2()?).await?;
    ensure_eq!(error.kind(), ErrorKind::Application);
    ensure_eq!(error.get_ref::<Error>().map(Error::kind), Some(ErrorKind::InvalidInput));
    let text = error.to_string();
    ensure!(text.contains("version 2") && text.contains("notes") && text.contains("row "), "{text}");
    ensure!(!text.contains("secret"), "{text}");
    Ok(())
}

async fn a_record_whose_key_would_change_is_refused(context: Context) -> Checked {
    let (old, site) = filled(&context, 45).await?;
    let step = |old: NoteV1| Ok(NoteV2 { id: old.id + u64::from(old.id == 33) * 100, ..to_v2(old)? });
    let error = refused(&site, &old, &v2_by(step)?).await?;
    ensure!(error.kind() == ErrorKind::SchemaMismatch && error.to_string().contains("the key"), "{error}");
    Ok(())
}

async fn a_record_whose_kept_entries_would_change_is_refused(context: Context) -> Checked {
    let (old, site) = filled(&context, 45).await?;
    let step = |old: NoteV1| {
        Ok(NoteV2 { color: format!("{}{}", old.color, "x".repeat((old.id / 33) as usize)), ..to_v2(old)? })
    };
    let error = refused(&site, &old, &v2_by(step)?).await?;
    ensure!(error.kind() == ErrorKind::SchemaMismatch && error.to_string().contains("keeps its id"), "{error}");
    Ok(())
}

async fn a_record_that_would_be_too_long_is_refused(context: Context) -> Checked {
    let site = context.open_with(Limits { value_bytes_max: 2_000, ..small(&context) }).await?;
    let old = open_again(&site, v1()?).await?;
    put_all(&old, (0..45).map(note)).await?;
    let step = |old: NoteV1| Ok(NoteV2 { text: old.body.repeat(1 + 300 * (old.id / 40) as usize), ..to_v2(old)? });
    let error = refused(&site, &old, &v2_by(step)?).await?;
    ensure!(matches!(error.kind(), ErrorKind::Limit(Limit::ValueBytes | Limit::KeyBytes)), "{error}");
    Ok(())
}

/// Each entry is short enough, and all of them fit into no batch.
async fn a_record_of_too_many_entries_is_refused(context: Context) -> Checked {
    let few_writes = Limits { batch_writes_max: 200, ..small(&context) };
    let few_bytes = Limits { batch_bytes_max: 6_000, ..small(&context) };
    for (limits, limit) in [(few_writes, Limit::BatchWrites), (few_bytes, Limit::BatchBytes)] {
        let site = context.open_with(limits).await?;
        let old = open_again(&site, v1()?).await?;
        for id in 0..25 {
            put_all(&old, [note(id)]).await?;
        }
        let body = (100..350).map(|word| format!("{word}")).collect::<Vec<_>>().join(" ");
        put_all(&old, [NoteV1 { body, ..note(23) }]).await?;
        let error = refused(&site, &old, &v3()?).await?;
        ensure!(error.kind() == ErrorKind::Limit(limit) && error.to_string().contains("notes"), "{error}");
        ensure_eq!(rows(&*site.store, &[0, 1, 5]).await?, 0);
        site.store.close().await?;
    }
    Ok(())
}

async fn a_type_that_no_record_has_is_refused(context: Context) -> Checked {
    let (old, site) = filled(&context, 25).await?;
    let step = |old: Authored| Ok(Slim { room: old.room, id: old.id, color: old.color, sent: old.sent });
    let schema = Schema::builder("notes", 2).collection::<Slim>().migration(Migration::to(2).rewrite(step)).build()?;
    let error = refused(&site, &old, &schema).await?;
    ensure!(error.kind() == ErrorKind::SchemaMismatch && error.to_string().contains("author"), "{error}");
    Ok(())
}

async fn duplicates_under_an_added_unique_index_are_named(context: Context) -> Checked {
    let (old, site) = filled(&context, 45).await?;
    let twin = |id: u64, of: u64| NoteV1 { body: note(of).body, ..note(id) };
    // The rows' names follow from their keys alone, so they are the same where nothing else is.
    put_all(&old, [twin(20, 3), twin(22, 3), twin(44, 4)]).await?;
    let error = refused(&site, &old, &v2()?).await?;
    ensure_eq!(error.kind(), ErrorKind::UniqueViolation);
    let Some(Duplicates { pairs, .. }) = error.get_ref() else {
        return Err(Failure::new(format!("no duplicates are named: {error}")));
    };
    ensure!((1..=5).contains(&pairs.len()), "{pairs:?}");
    for (first, second) in pairs {
        ensure!(first != second && error.to_string().contains(first) && error.to_string().contains(second), "{error}");
    }
    ensure!(error.to_string().contains("text") && !error.to_string().contains("note 3"), "{error}");
    Ok(())
}

async fn what_was_refused_succeeds_once_the_records_are_right(context: Context) -> Checked {
    let (old, site) = filled(&context, 45).await?;
    put_all(&old, [NoteV1 { size: String::new(), ..note(33) }]).await?;
    refused(&site, &old, &v2()?).await?;
    put_all(&old, [NoteV1 { body: note(2).body, ..note(33) }]).await?;
    refused(&site, &old, &v2()?).await?;
    put_all(&old, [note(33)]).await?;
    let db = open_again(&site, v2()?).await?;
    is_v2(&site, &db, 45).await
}
