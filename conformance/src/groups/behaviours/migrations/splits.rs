//! Records that become several.

use serde::{Deserialize, Serialize};
use strongroom_core::schema::{Migration, Split};
use strongroom_core::{Database, ErrorKind, Record, Result, Schema};

use super::super::support::open_again;
use super::records::{
    Body, Color, NoteV1, Slim, all, filled, is_settled, note, put_all, rows, shapes, shapes_of, slim, split, v1,
    v2_split, v2_split_by,
};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_split_and_a_rewrite_share_what_a_record_had,
    a_collection_is_split_up_and_goes,
    a_split_record_is_rewritten_by_later_versions,
    a_split_into_one_key_twice_is_refused_and_nothing_changes,
    a_split_into_a_unique_entry_twice_is_refused_and_nothing_changes,
    a_split_into_a_collection_with_records_is_refused_and_nothing_changes,
}

async fn a_split_and_a_rewrite_share_what_a_record_had(context: Context) -> Checked {
    let (_, site) = filled(&context, 45).await?;
    let db = open_again(&site, v2_split()?).await?;
    is_split(&site, &db, 45).await
}

/// Checks a store whose notes were split.
pub(super) async fn is_split(site: &Site, db: &Database, notes: u64) -> Checked {
    for id in 0..notes {
        let NoteV1 { room, body: text, .. } = note(id);
        ensure_eq!(db.get(&Slim::key(&room, &id)).await?, Some(slim(note(id))?));
        ensure_eq!(db.query(Body::TEXT).equal(&text).first().await?, Some(Body { room, id, text }));
    }
    ensure_eq!(db.count::<Slim>().await?, notes);
    ensure_eq!(db.count::<Body>().await?, notes);
    ensure_eq!(all(db, Color::PRIMARY).await?.len() as u64, notes.min(3));
    ensure!(shapes(&*site.store).await?.iter().all(|shape| *shape == 2), "records of an older shape");
    is_settled(site, db).await
}

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 4, name = "even", key(id))]
#[index(id = 1, name = "color", on(color))]
struct Even {
    id: u64,
    color: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 5, name = "odd", key(id))]
struct Odd {
    id: u64,
    body: String,
}

async fn a_collection_is_split_up_and_goes(context: Context) -> Checked {
    let (_, site) = filled(&context, 45).await?;
    let migration = Migration::to(2).split(|note: &NoteV1, out| match note.id % 2 {
        0 => out.put(&Even { id: note.id, color: note.color.clone() }),
        _ => out.put(&Odd { id: note.id, body: note.body.clone() }),
    });
    let schema = || {
        let notes = Schema::builder("notes", 2).collection::<Even>().collection::<Odd>().removed(1);
        notes.migration(migration.clone()).build()
    };
    let db = open_again(&site, schema()?).await?;
    ensure_eq!((db.count::<Even>().await?, db.count::<Odd>().await?), (23, 22));
    ensure_eq!(db.get(&Odd::key(&7)).await?, Some(Odd { id: 7, body: note(7).body }));
    ensure_eq!(db.query(Even::COLOR).equal("c1").count().await?, 7);
    ensure_eq!(rows(&*site.store, &[0, 1]).await?, 0, "rows of the collection that was removed");
    is_settled(&site, &db).await?;
    // It is done once: what is deleted does not come back.
    db.delete(&Odd::key(&7)).await?;
    ensure_eq!(open_again(&site, schema()?).await?.count::<Odd>().await?, 21);
    Ok(())
}

/// As bodies became in the third version.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 2, name = "bodies", key(room, id), removed_indexes(1))]
#[index(id = 2, name = "letters", on(letters: ordered))]
struct Letters {
    room: String,
    id: u64,
    letters: u32,
}

async fn a_split_record_is_rewritten_by_later_versions(context: Context) -> Checked {
    for by_the_second in [true, false] {
        let (_, site) = filled(&context, 25).await?;
        if by_the_second {
            open_again(&site, v2_split()?).await?;
        }
        let to_3 = Migration::to(3).rewrite(|old: Body| {
            Ok(Letters { room: old.room, id: old.id, letters: u32::try_from(old.text.len()).unwrap_or(u32::MAX) })
        });
        let schema = Schema::builder("notes", 3).collection::<Slim>().collection::<Letters>().collection::<Color>();
        let schema = schema.migration(Migration::to(2).split(split).rewrite(slim)).migration(to_3);
        let db = open_again(&site, schema.build()?).await?;
        let found = all(&db, Letters::LETTERS).await?;
        ensure!(found.len() == 25 && found.is_sorted_by_key(|letters| letters.letters), "{found:?}");
        for found in found {
            ensure_eq!(found.letters as usize, note(found.id).body.len());
        }
        ensure_eq!(shapes_of(&*site.store, 2).await?, [3; 25]);
        is_settled(&site, &db).await?;
    }
    Ok(())
}

/// What an opening with such a split is refused with; then the first version's program goes on.
async fn refused(context: &Context, schema: Schema) -> Checked<strongroom_core::Error> {
    let (old, site) = filled(context, 45).await?;
    let error = ensure_kind_of(open_again_as(&site, schema).await)?;
    is_as_it_was(&site, &old).await?;
    Ok(error)
}

async fn open_again_as(site: &Site, schema: Schema) -> Result<Database> {
    Database::builder(schema).open(site.store.clone()).await
}

fn ensure_kind_of(opened: Result<Database>) -> Checked<strongroom_core::Error> {
    match opened {
        Ok(_) => Err(crate::Failure::new("an open succeeded that had to be refused")),
        Err(error) => Ok(error),
    }
}

/// Checks that the store is as the first version's program had left it.
async fn is_as_it_was(site: &Site, old: &Database) -> Checked {
    for collection in [2, 3] {
        ensure_eq!(rows(&*site.store, &[0, collection]).await?, 0, "rows of a collection that was not added");
    }
    ensure_eq!(shapes(&*site.store).await?, [0; 45]);
    let db = open_again(site, v1()?).await?;
    is_settled(site, &db).await?;
    for db in [old, &db] {
        ensure_eq!(db.get(&NoteV1::key("room 1", &7)).await?, Some(note(7)));
        put_all(db, [note(7)]).await?;
    }
    Ok(())
}

async fn a_split_into_one_key_twice_is_refused_and_nothing_changes(context: Context) -> Checked {
    // The two come in one batch, and in different ones.
    for twin in [4, 44] {
        let step = move |note: &NoteV1, out: &mut Split<'_>| {
            let id = if note.id == twin { 3 } else { note.id };
            out.put(&Body { room: String::new(), id, text: note.body.clone() })
        };
        let error = refused(&context, v2_split_by(step)?).await?;
        ensure_eq!(error.kind(), ErrorKind::AlreadyExists);
        ensure!(error.to_string().contains("notes") && !error.to_string().contains("note 3"), "{error}");
    }
    Ok(())
}

async fn a_split_into_a_unique_entry_twice_is_refused_and_nothing_changes(context: Context) -> Checked {
    for twin in [4, 44] {
        let step = move |old: &NoteV1, out: &mut Split<'_>| {
            let text = if old.id == twin { note(3).body } else { old.body.clone() };
            out.put(&Body { room: old.room.clone(), id: old.id, text })
        };
        ensure_eq!(refused(&context, v2_split_by(step)?).await?.kind(), ErrorKind::UniqueViolation);
    }
    Ok(())
}

async fn a_split_into_a_collection_with_records_is_refused_and_nothing_changes(context: Context) -> Checked {
    let site = context.open().await?;
    let both = || Schema::builder("notes", 1).collection::<NoteV1>().collection::<Body>().build();
    let db = open_again(&site, both()?).await?;
    put_all(&db, (0..5).map(note)).await?;
    let own = Body { room: "own".to_owned(), id: 1, text: "own".to_owned() };
    db.put(&own).await?;
    ensure_kind!(open_again_as(&site, v2_split()?).await, ErrorKind::SchemaMismatch);
    let db = open_again(&site, both()?).await?;
    ensure_eq!(all(&db, Body::PRIMARY).await?, [own]);
    ensure_eq!(db.count::<NoteV1>().await?, 5);
    is_settled(&site, &db).await
}
