//! A migration that is cut off, wherever it has come to.

use strongroom_core::schema::{Migration, Split};
use strongroom_core::{Database, Error, ErrorKind, Result, Schema};

use super::super::support::open_again;
use super::records::{
    Body, Color, NoteV1, NoteV3, Slim, filled, is_settled, is_v2, note, note_v2, put_all, rows, shapes, slim, split,
    to_v3, v1, v2, v2_split, v2_split_by, v3,
};
use super::splits::is_split;
use crate::case::cases;
use crate::context::Site;
use crate::groups::cut::Cut;
use crate::groups::typed::poll_at_most;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Behaviours;
    a_migration_cut_off_before_any_commit_is_finished,
    a_migration_cut_off_after_any_commit_is_finished,
    a_split_cut_off_anywhere_is_finished,
    a_migration_that_is_cut_off_each_time_comes_to_its_end,
    a_way_back_cut_off_anywhere_is_finished,
    a_way_back_that_was_cut_off_takes_nothing_from_who_comes_again,
    the_next_version_takes_over_wherever_the_last_was_cut_off,
    the_next_version_begins_a_split_anew,
    a_program_without_the_split_that_was_cut_off_takes_it_back,
    a_migration_dropped_at_any_moment_is_finished,
}

/// Changes after which no migration here is still at work.
const CHANGES_MAX: usize = 60;

/// Opens the store and migrates, and is cut off after so many changes.
async fn migrate_cut(site: &Site, schema: Schema, after: usize, late: bool) -> Result<()> {
    let store = Cut::new(after, late).over(&site.store);
    // With an odd number in one go, else in two.
    if after % 2 == 1 {
        return Database::builder(schema).open(store).await.map(drop);
    }
    Database::builder(schema).migrate_later().open(store).await?.migrate(|_| {}).await
}

async fn a_migration_cut_off_before_any_commit_is_finished(context: Context) -> Checked {
    cut_off(&context, false).await
}

async fn a_migration_cut_off_after_any_commit_is_finished(context: Context) -> Checked {
    cut_off(&context, true).await
}

async fn cut_off(context: &Context, late: bool) -> Checked {
    for changes in 0..CHANGES_MAX {
        let (_, site) = filled(context, 15).await?;
        let finished = migrate_cut(&site, v2()?, changes, late).await.is_ok();
        // The program of before may go on if nothing has happened, and must not if something has.
        let began = changes > 0 || late;
        match open_again(&site, v1()?).await {
            Ok(db) if !began => is_settled(&site, &db).await?,
            Ok(_) => return Err(Failure::new(format!("after {changes} changes the older program goes on"))),
            Err(error) => ensure!(began, "after {changes} changes: {error:?}"),
        }
        let db = open_again(&site, v2()?).await?;
        is_v2(&site, &db, 15).await?;
        site.store.close().await?;
        if finished {
            ensure!(changes > 10, "it was cut off in all of its steps");
            return Ok(());
        }
    }
    Err(Failure::new("a migration does not end"))
}

async fn a_split_cut_off_anywhere_is_finished(context: Context) -> Checked {
    for changes in 0..CHANGES_MAX {
        let (_, site) = filled(&context, 15).await?;
        let finished = migrate_cut(&site, v2_split()?, changes, changes % 4 < 2).await.is_ok();
        let db = open_again(&site, v2_split()?).await?;
        is_split(&site, &db, 15).await?;
        site.store.close().await?;
        if finished {
            ensure!(changes > 8, "it was cut off in all of its steps");
            return Ok(());
        }
    }
    Err(Failure::new("a migration does not end"))
}

/// One that began anew each time would never end.
async fn a_migration_that_is_cut_off_each_time_comes_to_its_end(context: Context) -> Checked {
    let (_, site) = filled(&context, 95).await?;
    for attempts in 1..=CHANGES_MAX {
        if migrate_cut(&site, v2()?, 2 + attempts % 2, false).await.is_ok() {
            ensure!(attempts > 5, "it was cut off");
            let db = open_again(&site, v2()?).await?;
            return is_v2(&site, &db, 95).await;
        }
    }
    Err(Failure::new("it does not go on"))
}

/// The split of note 23 fails in another batch than the first; it has put something by then.
fn split_that_fails() -> Result<Schema> {
    v2_split_by(|old, out| {
        if old.id == 23 {
            return Err(Error::new(ErrorKind::InvalidInput, "not this one"));
        }
        split(old, out)
    })
}

async fn a_way_back_cut_off_anywhere_is_finished(context: Context) -> Checked {
    for changes in 0..16 {
        let (_, site) = filled(&context, 25).await?;
        ensure!(migrate_cut(&site, split_that_fails()?, changes, changes % 4 < 2).await.is_err());
        // Whoever comes next meets the same, and leaves all as it was.
        let again = Database::builder(split_that_fails()?).open(site.store.clone()).await;
        ensure_eq!(again.err().map(|error| error.kind()), Some(ErrorKind::Application), "after {changes} changes");
        let old = open_again(&site, v1()?).await?;
        ensure_eq!(
            rows(&*site.store, &[0, 2]).await? + rows(&*site.store, &[0, 3]).await?,
            0,
            "after {changes} changes"
        );
        ensure_eq!(shapes(&*site.store).await?, [0; 25]);
        put_all(&old, [note(1)]).await?;
        ensure_eq!(old.count::<NoteV1>().await?, 25);
        is_settled(&site, &old).await?;
        site.store.close().await?;
    }
    Ok(())
}

/// What the way back has still to drop is what the program whose split succeeds adds.
async fn a_way_back_that_was_cut_off_takes_nothing_from_who_comes_again(context: Context) -> Checked {
    for changes in 0..16 {
        let (_, site) = filled(&context, 25).await?;
        ensure!(migrate_cut(&site, split_that_fails()?, changes, changes % 4 < 2).await.is_err());
        let db = open_again(&site, v2_split()?).await?;
        is_split(&site, &db, 25).await?;
        site.store.close().await?;
    }
    Ok(())
}

/// The second version's program is cut off anywhere; then the user installs the third.
async fn the_next_version_takes_over_wherever_the_last_was_cut_off(context: Context) -> Checked {
    for changes in 0..CHANGES_MAX {
        let (_, site) = filled(&context, 15).await?;
        let finished = migrate_cut(&site, v2()?, changes, false).await.is_ok();
        let db = open_again(&site, v3()?).await?;
        for id in 0..15 {
            let found = db.get(&NoteV3::key(&note(id).room, &id)).await?;
            ensure_eq!(found, Some(to_v3(note_v2(id)?)?), "after {changes} changes");
        }
        ensure_eq!(db.query(NoteV3::LINE).equal("and").count().await?, 11);
        ensure_eq!(shapes(&*site.store).await?, [3; 15]);
        ensure_eq!(rows(&*site.store, &[0, 1, 3]).await? + rows(&*site.store, &[0, 1, 4]).await?, 0);
        is_settled(&site, &db).await?;
        site.store.close().await?;
        if finished {
            return Ok(());
        }
    }
    Err(Failure::new("a migration does not end"))
}

/// What the second version's program has put by its own step does not count.
async fn the_next_version_begins_a_split_anew(context: Context) -> Checked {
    let wrong = |note: &NoteV1, out: &mut Split<'_>| {
        out.put(&Body { room: note.room.clone(), id: note.id, text: format!("wrong {}", note.body) })
    };
    let slims = |version| Schema::builder("notes", version).collection::<Slim>().collection::<Body>();
    for changes in 1..=4 {
        let (_, site) = filled(&context, 25).await?;
        let second = slims(2).migration(Migration::to(2).split(wrong).rewrite(slim)).build()?;
        ensure!(migrate_cut(&site, second, changes, false).await.is_err());
        let third = slims(3).collection::<Color>().migration(Migration::to(2).split(split).rewrite(slim));
        let db = open_again(&site, third.build()?).await?;
        is_split(&site, &db, 25).await?;
        site.store.close().await?;
    }
    Ok(())
}

/// It adds the same collections, and finishes nothing that it would not have begun.
async fn a_program_without_the_split_that_was_cut_off_takes_it_back(context: Context) -> Checked {
    let added = || Schema::builder("notes", 2).collection::<NoteV1>().collection::<Body>().collection::<Color>();
    let with_split = || added().migration(Migration::to(2).split(split)).build();
    for changes in 1..=4 {
        let (_, site) = filled(&context, 25).await?;
        ensure!(migrate_cut(&site, with_split()?, changes, false).await.is_err());
        ensure_eq!(rows(&*site.store, &[0, 2, 0]).await?, [0, 10, 20, 25][changes - 1], "after {changes} changes");
        let db = open_again(&site, added().build()?).await?;
        for collection in [2, 3] {
            ensure_eq!(rows(&*site.store, &[0, collection]).await?, 0, "after {changes} changes");
        }
        ensure_eq!(db.count::<NoteV1>().await?, 25);
        put_all(&db, [note(25)]).await?;
        is_settled(&site, &db).await?;
        site.store.close().await?;
    }
    Ok(())
}

async fn a_migration_dropped_at_any_moment_is_finished(context: Context) -> Checked {
    for polls in 1..12 {
        let (_, site) = filled(&context, 25).await?;
        let db = Database::builder(v2()?).migrate_later().open(site.store.clone()).await?;
        let dropped = poll_at_most(polls, db.migrate(|_| {})).await;
        put_all(&db, [note_v2(25)?]).await?;
        if let Some(done) = dropped {
            done?;
        }
        db.migrate(|_| {}).await?;
        is_v2(&site, &db, 26).await?;
        site.store.close().await?;
    }
    Ok(())
}
