//! A migration that is cut off, wherever it has come to.

use strongroom_core::{Database, ErrorKind, Result, Schema};

use super::super::support::open_again;
use super::records::{
    NoteV1, NoteV3, filled, is_settled, is_v2, note, note_v2, put_all, rows, shapes, to_v3, v1, v2, v2_split,
    v2_split_by, v3,
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
    the_next_version_takes_over_wherever_the_last_was_cut_off,
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

async fn a_way_back_cut_off_anywhere_is_finished(context: Context) -> Checked {
    // The split of note 23 fails in another batch than the first; it has put something by then.
    let schema = || {
        v2_split_by(|old, out| {
            if old.id == 23 {
                return Err(strongroom_core::Error::new(ErrorKind::InvalidInput, "not this one"));
            }
            super::records::split(old, out)
        })
    };
    for changes in 0..16 {
        let (_, site) = filled(&context, 25).await?;
        ensure!(migrate_cut(&site, schema()?, changes, changes % 4 < 2).await.is_err());
        // Whoever comes next meets the same, and leaves all as it was.
        let again = Database::builder(schema()?).open(site.store.clone()).await;
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
