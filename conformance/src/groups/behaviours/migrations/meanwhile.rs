//! Who reads and writes while records are rewritten and indexes are built.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use strongroom_core::store::{Batch, Outcome, Store};
use strongroom_core::{Database, Error, ErrorKind, Result, Schema};
use tokio::sync::Mutex;

use super::super::support::open_again;
use super::records::{
    NoteV1, NoteV2, all, filled, is_settled, is_v2, note, note_v2, notes_v2, put_all, shapes, v1, v2, v2_by,
};
use crate::case::cases;
use crate::context::Site;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    records_of_both_shapes_are_read_alike,
    records_are_written_and_deleted_while_they_are_rewritten,
    an_index_that_is_being_built_says_so_until_it_is_whole,
    a_view_from_before_an_index_was_whole_does_not_use_it,
    a_handle_writes_on_when_another_ends_the_migration,
    several_migrate_at_once_and_all_is_done_once,
    a_program_at_work_goes_no_further_once_another_went_back,
    who_cannot_succeed_looks_anew_when_another_has_succeeded,
    a_record_that_changes_all_the_time_does_not_hold_a_migration_up,
    an_older_program_reads_what_it_knows_and_writes_nothing,
    a_migration_tells_how_far_it_has_come,
}

async fn later(store: Arc<dyn Store>, schema: Schema) -> Result<Database> {
    Database::builder(schema).migrate_later().open(store).await
}

/// Does something before every commit: its argument is how many there were before.
struct Between<F>(F, Mutex<(u64, Vec<Checked>)>);

impl<F: Fn(u64) -> BoxFuture<'static, Checked> + Send + Sync + 'static> Between<F> {
    fn new(event: F) -> Arc<Self> {
        Arc::new(Between(event, Mutex::default()))
    }

    /// How often it was done, if it never failed.
    async fn all_well(&self) -> Checked<u64> {
        let mut done = self.1.lock().await;
        std::mem::take(&mut done.1).into_iter().collect::<Checked<Vec<()>>>()?;
        Ok(done.0)
    }
}

impl<F> fmt::Debug for Between<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

#[async_trait]
impl<F: Fn(u64) -> BoxFuture<'static, Checked> + Send + Sync + 'static> Twist for Between<F> {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let number = {
            let mut done = self.1.lock().await;
            done.0 += 1;
            done.0 - 1
        };
        let became = (self.0)(number).await;
        self.1.lock().await.1.push(became);
        inner.commit(batches).await
    }
}

/// Migrates through a store in which something happens before every commit.
async fn migrated_between(
    site: &Site,
    event: impl Fn(u64) -> BoxFuture<'static, Checked> + Send + Sync + 'static,
) -> Checked<u64> {
    let between = Between::new(event);
    let store = Arc::new(Twisted::new(site.store.clone(), between.clone()));
    later(store, v2()?).await?.migrate(|_| {}).await?;
    between.all_well().await
}

async fn records_of_both_shapes_are_read_alike(context: Context) -> Checked {
    let (_, site) = filled(&context, 45).await?;
    let db = later(site.store.clone(), v2()?).await?;
    ensure_eq!(shapes(&*site.store).await?, [0; 45]);
    let store = site.store.clone();
    let reader = db.clone();
    let commits = migrated_between(&site, move |_| {
        let (db, store) = (reader.clone(), store.clone());
        Box::pin(async move {
            let expected = (0..45).map(note_v2).collect::<Result<Vec<_>>>()?;
            ensure_eq!(notes_v2(&db).await?, expected);
            for note in [&expected[0], &expected[21], &expected[44]] {
                let key = NoteV2::key(&note.chat, &note.id);
                ensure_eq!(db.get(&key).await?.as_ref(), Some(note));
                ensure_eq!(db.snapshot().await?.get(&key).await?.as_ref(), Some(note));
                let key = &key;
                ensure_eq!(db.write(|tx| async move { tx.get(key).await }).await?.as_ref(), Some(note));
                ensure_eq!(db.query(NoteV2::TEXT).equal(&note.text).first().await?.as_ref(), Some(note));
            }
            ensure_eq!(db.query(NoteV2::COLOR).equal("c1").count().await?, 15);
            let verified = db.verify().await?;
            ensure!(verified.problems.is_empty(), "{:?} of {:?}", verified.problems, shapes(&*store).await?);
            Ok(())
        })
    });
    ensure!(commits.await? >= 10, "there were few moments");
    is_v2(&site, &db, 45).await
}

/// Before each batch of the migration a record is deleted and one is added, and before every other batch of rewritten records the next of
/// them is changed: so some are written by the migration, some by the writer.
async fn records_are_written_and_deleted_while_they_are_rewritten(context: Context) -> Checked {
    let (_, site) = filled(&context, 60).await?;
    let db = later(site.store.clone(), v2()?).await?;
    let expected = (0..60).map(|id| Ok((id, note_v2(id)?))).collect::<Result<BTreeMap<_, _>>>()?;
    let expected = Arc::new(Mutex::new(expected));
    let (writer, store, written) = (db.clone(), site.store.clone(), expected.clone());
    let rounds = migrated_between(&site, move |round| {
        let (db, store, written) = (writer.clone(), store.clone(), written.clone());
        Box::pin(async move {
            let mut written = written.lock().await;
            let is_rewriting = db.query(NoteV2::WORDS).count().await.is_ok();
            if is_rewriting
                && round % 2 == 0
                && let Some(next) = shapes(&*store).await?.iter().position(|shape| *shape == 0)
            {
                let old = all(&db, NoteV2::PRIMARY).await?.swap_remove(next);
                let changed = NoteV2 { words: 1_000 + round, text: format!("changed {}", old.id), ..old };
                db.update(&changed).await?;
                written.insert(changed.id, changed);
            }
            let (deleted, added) = (59 - round % 15, note_v2(1_000 + round)?);
            db.delete(&NoteV2::key(&note(deleted).room, &deleted)).await?;
            written.remove(&deleted);
            db.insert(&added).await?;
            written.insert(added.id, added.clone());
            ensure_kind!(db.insert(&NoteV2 { id: 5_000, ..added }).await, ErrorKind::UniqueViolation);
            Ok(())
        })
    });
    ensure!(rounds.await? >= 10, "there were few moments");
    let expected: Vec<NoteV2> = std::mem::take(&mut *expected.lock().await).into_values().collect();
    ensure_eq!(notes_v2(&db).await?, expected);
    ensure!(shapes(&*site.store).await?.iter().all(|shape| *shape == 2), "records of an older shape");
    let changed = expected.iter().filter(|note| note.words >= 1_000).count() as u64;
    ensure!(changed > 5, "{changed} were changed");
    ensure_eq!(db.query(NoteV2::WORDS).from(1_000).count().await?, changed);
    is_settled(&site, &db).await
}

async fn an_index_that_is_being_built_says_so_until_it_is_whole(context: Context) -> Checked {
    let (_, site) = filled(&context, 25).await?;
    let db = later(site.store.clone(), v2()?).await?;
    ensure!(db.is_migrating().await?, "nothing is left to do");
    let error = ensure_kind!(db.query(NoteV2::WORDS).page().await, ErrorKind::IndexBuilding);
    ensure!(error.is_retryable() && error.to_string().contains("words"), "{error}");
    ensure_kind!(db.query(NoteV2::WORDS).count().await, ErrorKind::IndexBuilding);
    ensure_kind!(db.query(NoteV2::WORDS).from(2).delete().await, ErrorKind::IndexBuilding);
    ensure_kind!(db.write(|tx| async move { tx.query(NoteV2::WORDS).first().await }).await, ErrorKind::IndexBuilding);
    // The unique one is whole, as whoever writes must know.
    ensure_eq!(db.query(NoteV2::TEXT).count().await?, 25);
    db.migrate(|_| {}).await?;
    ensure_eq!(db.query(NoteV2::WORDS).count().await?, 25);
    ensure_eq!(db.query(NoteV2::WORDS).page().await?.records.len(), 25);
    is_v2(&site, &db, 25).await
}

async fn a_view_from_before_an_index_was_whole_does_not_use_it(context: Context) -> Checked {
    let (_, site) = filled(&context, 25).await?;
    let db = later(site.store.clone(), v2()?).await?;
    let view = db.snapshot().await?;
    db.migrate(|_| {}).await?;
    ensure_kind!(view.query(NoteV2::WORDS).page().await, ErrorKind::IndexBuilding);
    ensure_eq!(view.query(NoteV2::COLOR).equal("c0").count().await?, 9);
    ensure_eq!(view.get(&NoteV2::key("room 1", &7)).await?, Some(note_v2(7)?));
    ensure_eq!(db.snapshot().await?.query(NoteV2::WORDS).count().await?, 25);
    Ok(())
}

async fn a_handle_writes_on_when_another_ends_the_migration(context: Context) -> Checked {
    let (_, site) = filled(&context, 25).await?;
    let db = later(site.store.clone(), v2()?).await?;
    put_all(&db, [note_v2(25)?]).await?;
    // An opening that waits for everything ends it.
    let other = open_again(&site, v2()?).await?;
    put_all(&db, [note_v2(26)?]).await?;
    put_all(&other, [note_v2(27)?]).await?;
    ensure_eq!(db.query(NoteV2::WORDS).count().await?, 28);
    db.migrate(|_| {}).await?;
    is_v2(&site, &db, 28).await
}

async fn several_migrate_at_once_and_all_is_done_once(context: Context) -> Checked {
    let (_, site) = filled(&context, 60).await?;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let db = later(site.store.clone(), v2()?).await?;
        tasks.push(tokio::spawn(async move { db.migrate(|_| {}).await }));
    }
    for task in tasks {
        task.await.map_err(|error| Failure::new(error.to_string()))??;
    }
    let db = open_again(&site, v2()?).await?;
    is_v2(&site, &db, 60).await
}

/// Another program with the same schema finds that it cannot succeed, and goes back in the middle of this one's work. The older program
/// writes again; then this one goes on, from the beginning.
async fn a_program_at_work_goes_no_further_once_another_went_back(context: Context) -> Checked {
    for moment in 1..=6 {
        let (_, site) = filled(&context, 45).await?;
        let store = site.store.clone();
        let between = Between::new(move |number| {
            let store = store.clone();
            Box::pin(async move {
                if number == moment {
                    let cannot = v2_by(|_| Err(Error::new(ErrorKind::InvalidInput, "not this one")))?;
                    ensure_kind!(Database::open(store.clone(), cannot).await, ErrorKind::Application);
                    let old = Database::open(store.clone(), v1()?).await?;
                    put_all(&old, [note(44), note(45)]).await?;
                }
                Ok(())
            })
        });
        let store = Arc::new(Twisted::new(site.store.clone(), between.clone()));
        let db = Database::builder(v2()?).open(store).await?;
        ensure!(between.all_well().await? > moment, "it did not happen");
        is_v2(&site, &db, 46).await?;
        site.store.close().await?;
    }
    Ok(())
}

/// Of two programs with the same schema one meets an error in its own function, and before it goes back the other has decided.
async fn who_cannot_succeed_looks_anew_when_another_has_succeeded(context: Context) -> Checked {
    let (_, site) = filled(&context, 25).await?;
    let store = site.store.clone();
    let between = Between::new(move |number| {
        let store = store.clone();
        Box::pin(async move {
            // The first announces the upgrade, the second would go back.
            if number == 1 {
                later(store, v2()?).await?;
            }
            Ok(())
        })
    });
    let store = Arc::new(Twisted::new(site.store.clone(), between.clone()));
    let cannot = later(store, v2_by(|_| Err(Error::new(ErrorKind::InvalidInput, "not this one")))?).await?;
    ensure_eq!(between.all_well().await?, 2);
    ensure!(cannot.is_migrating().await?, "it was not decided");
    ensure_kind!(Database::open(site.store.clone(), v1()?).await, ErrorKind::SchemaMismatch);
    let db = open_again(&site, v2()?).await?;
    is_v2(&site, &db, 25).await
}

/// Changes one record before each commit that is guarded by more than one.
#[derive(Debug)]
struct Hot(Database, AtomicU64);

/// Changes after which it is left in peace.
const CHANGES_MAX: u64 = 60;

#[async_trait]
impl Twist for Hot {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        // Two are those of the catalog and of the progress.
        if batches.iter().any(|batch| batch.guards.len() > 3) && self.1.load(Ordering::SeqCst) < CHANGES_MAX {
            let words = self.1.fetch_add(1, Ordering::SeqCst);
            self.0.put(&NoteV2 { words, ..note_v2(7)? }).await?;
        }
        inner.commit(batches).await
    }
}

async fn a_record_that_changes_all_the_time_does_not_hold_a_migration_up(context: Context) -> Checked {
    let (_, site) = filled(&context, 45).await?;
    let db = later(site.store.clone(), v2()?).await?;
    let hot = Arc::new(Hot(db.clone(), AtomicU64::new(0)));
    let store = Arc::new(Twisted::new(site.store.clone(), hot.clone()));
    let mut batches = Vec::new();
    let mut last = 0;
    later(store, v2()?)
        .await?
        .migrate(|records| {
            batches.push(records - last);
            last = records;
        })
        .await?;
    let changes = hot.1.load(Ordering::SeqCst);
    ensure!((10..CHANGES_MAX).contains(&changes), "{changes} changes");
    ensure!(batches.contains(&1), "it was never alone: {batches:?}");
    ensure!(batches.iter().filter(|records| **records == 10).count() >= 5, "the batches stayed small: {batches:?}");
    put_all(&db, [note_v2(7)?]).await?;
    is_v2(&site, &db, 45).await
}

async fn an_older_program_reads_what_it_knows_and_writes_nothing(context: Context) -> Checked {
    let (old, site) = filled(&context, 25).await?;
    let db = later(site.store.clone(), v2()?).await?;
    // What is not rewritten yet it still reads; it must not write past what is under way.
    ensure_eq!(old.get(&NoteV1::key("room 1", &7)).await?, Some(note(7)));
    ensure_eq!(old.query(NoteV1::COLOR).equal("c1").count().await?, 8);
    ensure_kind!(old.put(&note(7)).await, ErrorKind::SchemaMismatch);
    db.migrate(|_| {}).await?;
    let error = ensure_kind!(old.get(&NoteV1::key("room 1", &7)).await, ErrorKind::UnsupportedVersion);
    ensure!(error.to_string().contains("newer program") && error.to_string().contains("notes"), "{error}");
    ensure_kind!(old.put(&note(25)).await, ErrorKind::SchemaMismatch);
    ensure_kind!(old.put(&note(7)).await, ErrorKind::UnsupportedVersion);
    ensure_kind!(old.delete(&NoteV1::key("room 1", &7)).await, ErrorKind::UnsupportedVersion);
    ensure_kind!(Database::open(site.store.clone(), v1()?).await, ErrorKind::SchemaMismatch);
    is_v2(&site, &db, 25).await
}

async fn a_migration_tells_how_far_it_has_come(context: Context) -> Checked {
    let (_, site) = filled(&context, 45).await?;
    let db = later(site.store.clone(), v2()?).await?;
    let mut told = Vec::new();
    db.migrate(|records| told.push(records)).await?;
    // One index that is not unique, then the records: both in batches of ten.
    ensure_eq!(told, [10, 20, 30, 40, 45, 55, 65, 75, 85, 90]);
    let mut told = Vec::new();
    db.migrate(|records| told.push(records)).await?;
    ensure!(told.is_empty(), "{told:?}");
    Ok(())
}
