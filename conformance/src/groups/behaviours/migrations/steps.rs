//! What a rewrite does, alone and in a row.

use strongroom_core::{Database, ErrorKind};

use super::super::support::{open, open_again};
use super::records::{
    NoteV2, NoteV3, all, filled, is_settled, is_v2, note, note_v2, notes_v2, put_all, rows, shapes, to_v3, v1, v2, v3,
};
use crate::case::cases;
use crate::{Checked, Context, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_rewrite_adds_removes_renames_and_retypes_fields,
    rewrites_of_several_versions_are_taken_in_turn,
    a_record_that_is_written_again_has_the_newest_shape,
    a_new_store_has_the_newest_shape_at_once,
    a_store_without_migrations_has_the_bytes_it_always_had,
    a_schema_with_a_migration_and_nothing_stored_is_only_noted,
    a_copy_of_records_of_older_shapes_has_the_newest,
}

async fn a_rewrite_adds_removes_renames_and_retypes_fields(context: Context) -> Checked {
    let (_, site) = filled(&context, 45).await?;
    let db = open_again(&site, v2()?).await?;
    is_v2(&site, &db, 45).await?;
    let taken = NoteV2 { id: 99, ..note_v2(7)? };
    ensure_kind!(db.insert(&taken).await, ErrorKind::UniqueViolation);
    let again = open_again(&site, v2()?).await?;
    is_v2(&site, &again, 45).await
}

async fn rewrites_of_several_versions_are_taken_in_turn(context: Context) -> Checked {
    let mut expected = Vec::new();
    for by_the_second in [true, false] {
        let (_, site) = filled(&context, 25).await?;
        if by_the_second {
            open_again(&site, v2()?).await?;
        }
        let db = open_again(&site, v3()?).await?;
        ensure_eq!(shapes(&*site.store).await?, [3; 25]);
        for id in 0..25 {
            let found = db.get(&NoteV3::key(&note(id).room, &id)).await?;
            ensure_eq!(found, Some(to_v3(note_v2(id)?)?));
        }
        ensure_eq!(db.query(NoteV3::LINE).equal("and").count().await?, 18);
        ensure_eq!(db.query(NoteV3::COLOR).equal("c1").count().await?, 8);
        for removed in [2, 3, 4] {
            ensure_eq!(rows(&*site.store, &[0, 1, removed]).await?, 0);
        }
        is_settled(&site, &db).await?;
        let mut found = all(&db, NoteV3::PRIMARY).await?;
        found.sort_by_key(|note| note.id);
        if by_the_second {
            expected = found;
        } else {
            ensure_eq!(found, expected);
        }
    }
    Ok(())
}

async fn a_record_that_is_written_again_has_the_newest_shape(context: Context) -> Checked {
    let (_, site) = filled(&context, 5).await?;
    let db = open_again(&site, v2()?).await?;
    let changed = NoteV2 { text: "other".to_owned(), ..note_v2(3)? };
    db.update(&changed).await?;
    ensure_eq!(shapes(&*site.store).await?, [2; 5]);
    ensure_eq!(db.query(NoteV2::TEXT).equal("other").first().await?, Some(changed));
    is_settled(&site, &db).await
}

async fn a_new_store_has_the_newest_shape_at_once(context: Context) -> Checked {
    let (db, site) = open(&context, v3()?).await?;
    db.put(&to_v3(note_v2(1)?)?).await?;
    ensure_eq!(shapes(&*site.store).await?, [3]);
    is_settled(&site, &db).await
}

async fn a_store_without_migrations_has_the_bytes_it_always_had(context: Context) -> Checked {
    let (_, site) = filled(&context, 5).await?;
    ensure_eq!(shapes(&*site.store).await?, [0; 5]);
    Ok(())
}

/// Of all that a collection can be, empty is the one that is easily forgotten.
async fn a_schema_with_a_migration_and_nothing_stored_is_only_noted(context: Context) -> Checked {
    let (_, site) = filled(&context, 0).await?;
    let db = open_again(&site, v2()?).await?;
    is_v2(&site, &db, 0).await?;
    put_all(&db, [note_v2(1)?]).await?;
    ensure_eq!(shapes(&*site.store).await?, [2]);
    let old = site.store.clone();
    ensure_kind!(Database::open(old, v1()?).await, ErrorKind::SchemaMismatch);
    Ok(())
}

async fn a_copy_of_records_of_older_shapes_has_the_newest(context: Context) -> Checked {
    let (_, site) = filled(&context, 25).await?;
    let db = Database::builder(v2()?).migrate_later().open(site.store.clone()).await?;
    ensure_eq!(shapes(&*site.store).await?, [0; 25]);
    let (target, place) = open(&context, v2()?).await?;
    ensure_eq!(db.copy_into(&target, |_| {}).await?.written, 25);
    is_v2(&place, &target, 25).await?;
    ensure_eq!(notes_v2(&db).await?.len(), 25);
    Ok(())
}
