//! A copy is what the source was at one moment, is verified, and goes on where it was interrupted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strongroom_core::schema::Migration;
use strongroom_core::store::{Batch, Content, KeyRange, Outcome, Read, Revision, Store, StoredKey, Summary, Write};
use strongroom_core::{CopyPhase, Database, Digest, Error, ErrorKind, Record, Result, Schema};

use super::letters::{
    ALL, AfterScans, Failing, Letter, Tally, delete, fill, letters, open, schema, sound, twisted, write,
};
use super::support::at;
use crate::case::cases;
use crate::child::{Role, Work};
use crate::context::Site;
use crate::twist::Twist;
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq, ensure_kind};

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: WRITER, run: |work| Box::pin(write_letters(work)) }];

cases! { Behaviours;
    a_copy_is_of_one_moment_though_others_write,
    a_copy_whose_view_expires_becomes_one_of_a_later_moment,
    a_copy_that_never_ends_in_one_view_is_given_up_and_can_be_gone_on_with,
    a_copy_that_is_interrupted_at_any_commit_goes_on_where_it_was,
    a_copy_that_is_dropped_at_any_await_can_be_gone_on_with,
    a_copy_that_is_gone_on_with_becomes_what_the_source_is_by_then random random,
    a_target_with_other_records_is_refused_and_stays,
    a_copy_of_the_same_has_nothing_to_write,
    a_copy_goes_on_though_its_records_cannot_be_counted,
    an_unfinished_copy_is_no_source,
    databases_of_different_schemas_are_not_copied,
    a_target_that_loses_or_changes_a_record_is_not_called_a_copy,
    one_of_two_copies_into_one_target_is_told,
    a_target_whose_catalog_was_moved_is_copied_into,
    a_target_that_got_another_schema_is_refused,
    stores_of_the_same_records_have_the_same_digest,
    a_copy_is_of_one_moment_though_another_process_writes [Reopen, Processes, Share],
}

/// Rows in a page of a source.
const PAGE: usize = 20;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn a_copy_is_of_one_moment_though_others_write(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..100).await?;
    let moments: Arc<Mutex<BTreeMap<Revision, Digest>>> = Arc::default();
    let begin = (source.snapshot().await?.revision(), source.digest().await?);
    lock(&moments).extend([begin]);
    let (writer, seen) = (source.clone(), moments.clone());
    let meanwhile = Arc::new(AfterScans::new(move |scan| {
        let (writer, seen) = (writer.clone(), seen.clone());
        Box::pin(async move {
            // Behind the walk and before it: one that goes, one that comes, one that changes.
            let scan = scan as u32;
            delete(&writer, scan * 7 % 100).await?;
            write(&writer, &Letter::new(1_000 + scan)).await?;
            write(&writer, &Letter { text: "another".to_owned(), ..Letter::new(99 - scan) }).await?;
            let view = writer.snapshot().await?;
            let digest = writer.digest().await?;
            lock(&seen).insert(view.revision(), digest);
            Ok(())
        })
    }));
    let copied = twisted(&site, &meanwhile).await?.copy_into(&to, |_| {}).await?;
    ensure!(meanwhile.scans().await? > 5, "others wrote meanwhile");
    ensure_eq!(Some(&copied.digest), lock(&moments).get(&copied.revision), "what there was at that moment");
    ensure_eq!(to.digest().await?, copied.digest);
    ensure!(source.digest().await? != copied.digest, "and others wrote");
    sound(&to).await
}

async fn a_copy_whose_view_expires_becomes_one_of_a_later_moment(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..100).await?;
    let (writer, clock, age) = (source.clone(), site.clock.clone(), site.settings.limits.snapshot_age_ms_max);
    let meanwhile = Arc::new(AfterScans::new(move |scan| {
        let (writer, clock) = (writer.clone(), clock.clone());
        Box::pin(async move {
            // Twice in the middle: once while nobody writes, then behind writes.
            if scan == 5 || scan == 7 {
                let now = strongroom_core::Clock::now(&*clock).as_millis();
                clock.set(at(now + age as i64 + 1));
            }
            if scan == 7 {
                delete(&writer, 3).await?;
                write(&writer, &Letter { text: "another".to_owned(), ..Letter::new(4) }).await?;
                write(&writer, &Letter { slug: Some("slug 2".to_owned()), ..Letter::new(2) }).await?;
            }
            Ok(())
        })
    }));
    let copied = twisted(&site, &meanwhile).await?.copy_into(&to, |_| {}).await?;
    ensure!(meanwhile.scans().await? > 10, "it was begun again");
    ensure_eq!(copied.digest, source.digest().await?);
    ensure_eq!(to.digest().await?, copied.digest);
    ensure_eq!(copied.revision, source.snapshot().await?.revision());
    sound(&to).await
}

async fn a_copy_that_never_ends_in_one_view_is_given_up_and_can_be_gone_on_with(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..60).await?;
    let (writer, clock, age) = (source.clone(), site.clock.clone(), site.settings.limits.snapshot_age_ms_max);
    let meanwhile = Arc::new(AfterScans::new(move |scan| {
        let (writer, clock) = (writer.clone(), clock.clone());
        Box::pin(async move {
            if scan % 2 == 0 {
                let now = strongroom_core::Clock::now(&*clock).as_millis();
                clock.set(at(now + age as i64 + 1));
                write(&writer, &Letter { text: format!("{scan}"), ..Letter::new(1) }).await?;
            }
            Ok(())
        })
    }));
    let busy = twisted(&site, &meanwhile).await?;
    ensure_kind!(busy.copy_into(&to, |_| {}).await, ErrorKind::SnapshotExpired);
    meanwhile.scans().await?;
    ensure!(to.is_unfinished_copy().await?);
    let copied = source.copy_into(&to, |_| {}).await?;
    ensure!(!to.is_unfinished_copy().await?);
    ensure_eq!((copied.records, to.digest().await?), (61, source.digest().await?));
    sound(&to).await
}

async fn a_copy_that_is_interrupted_at_any_commit_goes_on_where_it_was(context: Context) -> Checked {
    let (source, _site) = open(&context, PAGE).await?;
    fill(&source, 0..70).await?;
    let expected = source.digest().await?;
    // The mark, four pages of letters, one of tallies, and the mark again.
    for (commits, after) in (0..7).flat_map(|commits| [(commits, false), (commits, true)]) {
        let (to, to_site) = open(&context, PAGE).await?;
        let failing = Failing { commits_left: commits.into(), after };
        let interrupted = twisted(&to_site, &Arc::new(failing)).await?;
        ensure_kind!(source.copy_into(&interrupted, |_| {}).await, ErrorKind::Io);
        ensure_eq!(to.is_unfinished_copy().await?, (commits, after) != (0, false) && (commits, after) != (6, true));
        let copied = source.copy_into(&to, |_| {}).await?;
        let done = commits.saturating_sub(1) + usize::from(after && commits > 0);
        ensure_eq!(copied.written, [71, 51, 31, 11, 1, 0][done.min(5)], "written after {done} pages");
        ensure_eq!((copied.digest, to.digest().await?), (expected, expected));
        ensure!(!to.is_unfinished_copy().await?);
        sound(&to).await?;
        to.close().await?;
    }
    Ok(())
}

async fn a_copy_that_is_dropped_at_any_await_can_be_gone_on_with(context: Context) -> Checked {
    let ((source, _site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..70).await?;
    for polls in [1, 2, 3, 5, 8, 13] {
        poll_at_most(polls, source.copy_into(&to, |_| {})).await;
    }
    let copied = source.copy_into(&to, |_| {}).await?;
    ensure_eq!((copied.digest, to.digest().await?), (source.digest().await?, copied.digest));
    sound(&to).await
}

async fn poll_at_most<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    futures_util::future::poll_fn(|task| {
        left = left.saturating_sub(1);
        if future.as_mut().poll(task).is_ready() || left == 0 {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// The source changes at random while the copy is interrupted; slugs are handed from one letter to another.
async fn a_copy_that_is_gone_on_with_becomes_what_the_source_is_by_then(context: Context) -> Checked {
    let ((source, _site), (to, to_site)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..70).await?;
    let mut random = fastrand::Rng::with_seed(context.seed());
    for _ in 0..5 {
        let failing = Failing { commits_left: random.usize(1..6).into(), after: random.bool() };
        let interrupted = twisted(&to_site, &Arc::new(failing)).await?;
        let ended = source.copy_into(&interrupted, |_| {}).await;
        // It is complete also if no more than the answer to its last commit was lost.
        if !to.is_unfinished_copy().await? {
            break;
        }
        ensure_kind!(ended, ErrorKind::Io);
        for _ in 0..10 {
            let (one, other) = (random.u32(0..80), random.u32(0..80));
            match random.u8(0..3) {
                0 => delete(&source, one).await?,
                1 => write(&source, &Letter { slug: None, text: "another".to_owned(), ..Letter::new(one) }).await?,
                _ => hand_over(&source, one, other).await?,
            }
        }
    }
    if to.is_unfinished_copy().await? {
        source.copy_into(&to, |_| {}).await?;
    }
    ensure_eq!(letters(&to).await?, letters(&source).await?);
    ensure_eq!(to.digest().await?, source.digest().await?);
    sound(&to).await
}

/// One letter's slug becomes another's.
async fn hand_over(db: &Database, one: u32, other: u32) -> Result<()> {
    db.write(|tx| async move {
        let (Some(one), Some(other)) = (tx.get(&Letter::key(&one)).await?, tx.get(&Letter::key(&other)).await?) else {
            return Ok(());
        };
        if one.id == other.id {
            return Ok(());
        }
        let slug = one.slug.clone();
        tx.put(&Letter { slug: None, ..one }).await?;
        tx.put(&Letter { slug, ..other }).await
    })
    .await
}

async fn a_target_with_other_records_is_refused_and_stays(context: Context) -> Checked {
    let (source, _site) = open(&context, PAGE).await?;
    fill(&source, 0..30).await?;
    let another = Letter { text: "another".to_owned(), ..Letter::new(7) };
    // One that is another, one more, one less, none in common.
    for others in 0..4 {
        let (to, _to) = open(&context, PAGE).await?;
        match others {
            0 => {
                fill(&to, 0..30).await?;
                to.put(&another).await?;
            }
            1 => fill(&to, 0..31).await?,
            2 => fill(&to, 0..29).await?,
            _ => to.put(&Letter::new(1_000)).await?,
        }
        let before = (to.digest().await?, to.snapshot().await?.revision());
        ensure_kind!(source.copy_into(&to, |_| {}).await, ErrorKind::AlreadyExists);
        ensure_eq!((to.digest().await?, to.snapshot().await?.revision()), before, "target {others}");
        ensure!(!to.is_unfinished_copy().await?);
        to.close().await?;
    }
    Ok(())
}

async fn a_copy_of_the_same_has_nothing_to_write(context: Context) -> Checked {
    let ((source, _site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..50).await?;
    let mut told = Vec::new();
    let copied = source.copy_into(&to, |at| told.push((at.phase, at.records, at.total))).await?;
    ensure_eq!((copied.records, copied.written, copied.digest.records()), (51, 51, 51));
    ensure!(told.contains(&(CopyPhase::Copying, 51, 51)), "{told:?}");
    ensure_eq!(told.last(), Some(&(CopyPhase::Verifying, 51, 51)));
    let revision = to.snapshot().await?.revision();
    let again = source.copy_into(&to, |_| {}).await?;
    ensure_eq!((again.records, again.written, again.digest), (51, 0, copied.digest));
    ensure_eq!(to.snapshot().await?.revision(), revision);
    // Nor is there anything in an empty one.
    let ((empty, _), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    ensure_eq!(empty.copy_into(&to, |_| {}).await?.records, 0);
    ensure!(!to.is_unfinished_copy().await?);
    sound(&to).await
}

/// A twist whose snapshots expire whenever something is counted.
#[derive(Debug)]
struct Uncounted;

#[async_trait]
impl Twist for Uncounted {
    async fn summarize(&self, _: &dyn Read, _: &KeyRange) -> Result<Summary> {
        Err(Error::new(ErrorKind::SnapshotExpired, "a fault that a test makes"))
    }
}

async fn a_copy_goes_on_though_its_records_cannot_be_counted(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..50).await?;
    let uncounted = twisted(&site, &Arc::new(Uncounted)).await?;
    let mut told = Vec::new();
    let copied = uncounted.copy_into(&to, |at| told.push((at.phase, at.records, at.total))).await?;
    ensure_eq!((copied.records, copied.digest), (51, source.digest().await?));
    ensure_eq!(told.first(), Some(&(CopyPhase::Copying, 20, 20)), "what is known of");
    ensure_eq!(told.last(), Some(&(CopyPhase::Verifying, 51, 51)));
    // Nor when there is nothing left to copy.
    ensure_eq!(uncounted.copy_into(&to, |_| {}).await?.written, 0);
    sound(&to).await
}

async fn an_unfinished_copy_is_no_source(context: Context) -> Checked {
    let ((source, _site), (half, half_site)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    let ((to, _to), (rescued, _rescued)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..70).await?;
    let failing = Failing { commits_left: 3.into(), after: false };
    ensure_kind!(source.copy_into(&twisted(&half_site, &Arc::new(failing)).await?, |_| {}).await, ErrorKind::Io);
    ensure_kind!(half.copy_into(&to, |_| {}).await, ErrorKind::InvalidInput);
    ensure!(!to.is_unfinished_copy().await?, "the target was not touched");
    // What is there of it can be salvaged.
    ensure_eq!(half.salvage_into(&rescued, |_| {}).await?.copied, 40);
    source.copy_into(&half, |_| {}).await?;
    ensure_eq!(half.copy_into(&to, |_| {}).await?.digest, source.digest().await?);
    sound(&to).await
}

/// A collection that not every schema has.
#[derive(Clone, Debug, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 3, name = "others", key(id))]
struct Other {
    id: u32,
}

/// The same name and version, and yet others: one collection more, and one whose records have another shape.
async fn databases_of_different_schemas_are_not_copied(context: Context) -> Checked {
    let builder = || Schema::builder("letters", 2).collection::<Letter>().collection::<Tally>();
    let rewrite = Migration::to(2).rewrite(|letter: Letter| Ok(letter));
    let schemas = [builder().build()?, builder().collection::<Other>().build()?, builder().migration(rewrite).build()?];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        for (from, to) in [(one, other), (other, one)] {
            let (from, _from) = super::support::open(&context, schemas[from].clone()).await?;
            let (to, _to) = super::support::open(&context, schemas[to].clone()).await?;
            from.put(&Letter::new(1)).await?;
            ensure_kind!(from.copy_into(&to, |_| {}).await, ErrorKind::SchemaMismatch);
            ensure_kind!(from.salvage_into(&to, |_| {}).await, ErrorKind::SchemaMismatch);
            ensure!(!to.is_unfinished_copy().await?);
            from.close().await?;
            to.close().await?;
        }
    }
    Ok(())
}

/// A twist that acknowledges all, and does something else with one record.
#[derive(Debug)]
struct Bad {
    changes: bool,
}

#[async_trait]
impl Twist for Bad {
    async fn commit(&self, inner: &Arc<dyn Store>, mut batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        for batch in &mut batches {
            let of_letter = |(key, write): &(&strongroom_core::store::StoredKey, &Write)| {
                key.as_bytes().starts_with(&[0, 1, 0]) && matches!(write, Write::Put(_))
            };
            let Some(key) = batch.writes.iter().find(of_letter).map(|(key, _)| key.clone()) else { continue };
            match batch.writes.get_mut(&key) {
                // The last byte is the end of the text.
                Some(Write::Put(value)) if self.changes => {
                    let mut bytes = value.to_vec();
                    if let Some(last) = bytes.last_mut() {
                        *last ^= 1;
                    }
                    *value = bytes.into();
                }
                _ => drop(batch.writes.remove(&key)),
            }
        }
        inner.commit(batches).await
    }
}

async fn a_target_that_loses_or_changes_a_record_is_not_called_a_copy(context: Context) -> Checked {
    let (source, _site) = open(&context, PAGE).await?;
    fill(&source, 0..50).await?;
    for changes in [false, true] {
        let (to, to_site) = open(&context, PAGE).await?;
        let bad = twisted(&to_site, &Arc::new(Bad { changes })).await?;
        ensure_kind!(source.copy_into(&bad, |_| {}).await, ErrorKind::Corrupt);
        ensure!(to.is_unfinished_copy().await?);
        // Once the medium is as it should be.
        ensure_eq!(source.copy_into(&to, |_| {}).await?.digest, source.digest().await?);
        sound(&to).await?;
    }
    Ok(())
}

async fn one_of_two_copies_into_one_target_is_told(context: Context) -> Checked {
    let ((one, site), (other, _other)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    let (to, _to) = open(&context, PAGE).await?;
    fill(&one, 0..50).await?;
    fill(&other, 40..60).await?;
    let target = to.clone();
    let meanwhile = Arc::new(AfterScans::new(move |scan| {
        let (other, target) = (other.clone(), target.clone());
        Box::pin(async move {
            if scan == 3 {
                other.copy_into(&target, |_| {}).await?;
            }
            Ok(())
        })
    }));
    ensure_kind!(twisted(&site, &meanwhile).await?.copy_into(&to, |_| {}).await, ErrorKind::Conflict);
    meanwhile.scans().await?;
    ensure_eq!(to.count::<Letter>().await?, 20);
    sound(&to).await
}

/// Writes the same catalog again, as a layer that seals it with another key does.
async fn move_catalog(site: &Site) -> Checked {
    let key = StoredKey::from(vec![0, 0, 1]);
    let row = site.store.get(std::slice::from_ref(&key)).await?.rows.into_iter().next().flatten();
    let Some(Content::Value(catalog)) = row.map(|row| row.content) else {
        return Err(Failure::new("there is no catalog"));
    };
    let batch = Batch { writes: [(key, Write::Put(catalog))].into(), ..Default::default() };
    ensure!(matches!(site.store.commit(vec![batch]).await?[..], [Outcome::Committed(_)]));
    Ok(())
}

async fn a_target_whose_catalog_was_moved_is_copied_into(context: Context) -> Checked {
    let (source, site) = open(&context, PAGE).await?;
    fill(&source, 0..70).await?;
    // Before the copy, and in its middle.
    for scan in [0, 3] {
        let (to, to_site) = open(&context, PAGE).await?;
        // A copy that tried for ever would be ended by this.
        let target = twisted(&to_site, &Arc::new(Failing { commits_left: 50.into(), after: false })).await?;
        let to_site = Arc::new(to_site);
        if scan == 0 {
            move_catalog(&to_site).await?;
        }
        let meanwhile = Arc::new(AfterScans::new(move |number| {
            let to_site = to_site.clone();
            Box::pin(async move { if number == scan { move_catalog(&to_site).await } else { Ok(()) } })
        }));
        let copied = twisted(&site, &meanwhile).await?.copy_into(&target, |_| {}).await?;
        meanwhile.scans().await?;
        ensure_eq!((copied.written, copied.digest, to.digest().await?), (71, source.digest().await?, copied.digest));
        sound(&to).await?;
        to.close().await?;
    }
    Ok(())
}

async fn a_target_that_got_another_schema_is_refused(context: Context) -> Checked {
    let (source, site) = open(&context, PAGE).await?;
    fill(&source, 0..70).await?;
    for scan in [0, 3] {
        let (_, to_site) = open(&context, PAGE).await?;
        let target = twisted(&to_site, &Arc::new(Failing { commits_left: 50.into(), after: false })).await?;
        let store = to_site.store.clone();
        let newer = move || {
            let store = store.clone();
            async move {
                let schema = Schema::builder("letters", 2).collection::<Letter>().collection::<Tally>().build()?;
                Database::builder(schema).open(store).await?;
                Ok::<_, Failure>(())
            }
        };
        if scan == 0 {
            newer().await?;
        }
        let meanwhile = Arc::new(AfterScans::new(move |number| {
            let newer = newer();
            Box::pin(async move { if number == scan { newer.await } else { Ok(()) } })
        }));
        let refused = twisted(&site, &meanwhile).await?.copy_into(&target, |_| {}).await;
        meanwhile.scans().await?;
        ensure_kind!(refused, ErrorKind::SchemaMismatch);
    }
    Ok(())
}

async fn stores_of_the_same_records_have_the_same_digest(context: Context) -> Checked {
    let ((one, _one), (other, _other)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    ensure_eq!(one.digest().await?, other.digest().await?);
    fill(&one, 0..30).await?;
    for id in (0..30).rev() {
        write(&other, &Letter { text: "first".to_owned(), ..Letter::new(id) }).await?;
        write(&other, &Letter::new(id)).await?;
    }
    ensure_eq!(one.digest().await?, other.digest().await?);
    ensure_eq!(one.digest().await?.records(), 31);
    let (whole, text) = (one.digest().await?, one.digest().await?.to_string());
    ensure!(text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()), "{text}");
    other.delete(&Letter::key(&29)).await?;
    ensure!(other.digest().await? != whole, "one less");
    other.put(&Letter { text: "letter 28".to_owned(), ..Letter::new(29) }).await?;
    ensure!(other.digest().await? != whole, "one that is another");
    Ok(())
}

/// Children that write letters until they are killed.
const WRITER: &str = "write_letters";

async fn write_letters(work: Work) -> Checked {
    let db = Database::builder(schema()?).open(work.reopen().await?).await?;
    work.say("ready")?;
    for id in 1_000.. {
        match write(&db, &Letter::new(id)).await {
            Err(error) if !error.is_retryable() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

async fn a_copy_is_of_one_moment_though_another_process_writes(context: Context) -> Checked {
    let (source, site) = open(&context, PAGE).await?;
    fill(&source, 0..100).await?;
    let mut writer = Child::start(&context, WRITER, &site.place, 0)?;
    ensure_eq!(writer.next_line()?.as_deref(), Some("ready"));
    let mut last = source.snapshot().await?.revision();
    for _ in 0..3 {
        // It writes indeed.
        last = source.changed(last).await?;
        let (to, _to) = open(&context, PAGE).await?;
        let copied = source.copy_into(&to, |_| {}).await?;
        ensure_eq!(to.digest().await?, copied.digest);
        // As many letters as were counted in the same steps.
        sound(&to).await?;
        let tally = to.get(&Tally::key(ALL)).await?.ok_or_else(|| Failure::new("there is no tally"))?;
        ensure_eq!(copied.records, tally.letters + 1);
        to.close().await?;
    }
    ensure!(writer.kill()?, "it wrote to the end");
    Ok(())
}
