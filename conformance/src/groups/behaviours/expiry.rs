//! What has expired is removed by a sweep, in steps, by the clock, and nothing else is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde::{Deserialize, Serialize};
use strongroom_core::store::{Batch, Content, Fetch, KeyRange, Revision, Scan, Write};
use strongroom_core::{
    Database, Error, ErrorKind, ManualClock, Record, Result, Schema, SweepOptions, Swept, Timestamp,
};
use tokio::sync::Mutex;

use super::support::{at, open, open_again, open_watched, sound};
use super::watch::Watch;
use crate::case::cases;
use crate::child::{Role, Work};
use crate::context::Site;
use crate::twist::Twisted;
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_sweep_removes_what_has_expired_with_its_entries_and_nothing_else,
    a_dry_run_counts_and_removes_nothing,
    a_sweep_goes_in_steps_the_longest_expired_first,
    a_record_whose_expiry_is_put_off_during_the_sweep_stays,
    a_clock_set_back_loses_nothing_that_lives_again,
    within_the_grace_a_clock_that_ran_ahead_costs_nothing,
    a_record_that_cannot_be_read_keeps_no_other_from_going,
    a_sweeper_sweeps_at_once_and_again_until_it_is_stopped,
    a_sweeper_outlives_errors_and_ends_with_its_store,
    two_sweeps_at_once_remove_each_record_once,
    of_sweeps_in_two_processes_each_record_is_counted_once [Reopen, Processes, Share],
}

pub(super) const ROLES: &[Role] = &[Role { name: "sweep", run: |work| Box::pin(sweep_when_told(work)) }];

/// A record that may expire.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 7, name = "notices", key(id), expires = expires_at)]
#[index(id = 1, name = "room", on(room, id: ordered))]
#[index(id = 2, name = "name", on(name), unique)]
struct Notice {
    id: u32,
    room: String,
    name: String,
    expires_at: Option<Timestamp>,
}

/// Another.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 8, name = "leases", key(id), expires = until)]
struct Lease {
    id: u32,
    until: Timestamp,
}

const NOTICES: u16 = 7;

fn schema() -> Result<Schema> {
    Schema::builder("expiring", 1).collection::<Notice>().collection::<Lease>().build()
}

fn notice(id: u32, expires_at: Option<i64>) -> Notice {
    Notice { id, room: format!("r{}", id % 3), name: format!("n{id}"), expires_at: expires_at.map(at) }
}

async fn put_notices(db: &Database, notices: impl IntoIterator<Item = Notice>) -> Result<()> {
    let notices: Vec<Notice> = notices.into_iter().collect();
    for chunk in notices.chunks(300) {
        db.write(|tx| async move {
            for notice in chunk {
                tx.put(notice).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// How many records there are, expired ones too.
async fn stored(db: &Database) -> Checked<u64> {
    Ok(db.stats().await?.collections["notices"].records)
}

fn swept(notices: u64) -> Swept {
    let collections = if notices > 0 { [("notices".to_owned(), notices)].into() } else { Default::default() };
    Swept { collections, damaged: 0 }
}

/// A database whose store is watched, and another over the same store.
async fn watched(context: &Context) -> Checked<(Database, Database, Arc<Watch>, Site)> {
    let (other, site) = open(context, schema()?).await?;
    let (db, watch) = open_watched(&site, schema()?).await?;
    Ok((db, other, watch, site))
}

async fn a_sweep_removes_what_has_expired_with_its_entries_and_nothing_else(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    put_notices(&db, [notice(1, Some(100)), notice(2, Some(101)), notice(3, None), notice(4, Some(50))]).await?;
    db.put(&Lease { id: 1, until: at(100) }).await?;
    db.put(&Lease { id: 2, until: at(200) }).await?;
    ensure_eq!(db.sweep_expired().await?, swept(0));
    site.clock.set(at(100));
    let done = db.sweep_expired().await?;
    ensure_eq!(done.collections, [("notices".to_owned(), 2), ("leases".to_owned(), 1)].into());
    ensure_eq!(done.records(), 3);
    let counts = db.stats().await?.collections;
    ensure_eq!(
        (counts["notices"].records, counts["notices"].entries),
        (2, 5),
        "two in two indexes, one of them expires"
    );
    ensure_eq!((counts["leases"].records, counts["leases"].entries), (1, 1));
    let left: Vec<u32> = db.query(Notice::PRIMARY).page().await?.records.iter().map(|notice| notice.id).collect();
    ensure_eq!(left.len(), 2);
    ensure!(left.contains(&2) && left.contains(&3), "{left:?}");
    ensure_eq!(db.sweep_expired().await?, swept(0));
    sound(&db).await
}

async fn a_dry_run_counts_and_removes_nothing(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    put_notices(&db, (0..20).map(|id| notice(id, Some(i64::from(id))))).await?;
    site.clock.set(at(9));
    let dry = SweepOptions { dry_run: true, ..SweepOptions::default() };
    ensure_eq!(db.sweep(&dry).await?, swept(10));
    ensure_eq!(stored(&db).await?, 20);
    ensure_eq!(db.sweep_expired().await?, swept(10));
    ensure_eq!(db.sweep(&dry).await?, swept(0));
    Ok(())
}

async fn a_sweep_goes_in_steps_the_longest_expired_first(context: Context) -> Checked {
    let (db, _other, watch, site) = watched(&context).await?;
    // The ids are not in the order of the times.
    put_notices(&db, (0..1_200).map(|id| notice(id, Some(i64::from(id * 7 % 1_200))))).await?;
    site.clock.set(at(10_000));
    watch.take_deleted();
    watch.fail([false, true]);
    ensure_kind!(db.sweep_expired().await, ErrorKind::Io);
    // The first step stands, the second one has removed nothing.
    site.clock.set(at(0));
    let mut left =
        db.query(Notice::EXPIRY).limit(2_000).page().await?.records.into_iter().map(|notice| notice.expires_at);
    ensure_eq!((left.len(), left.next()), (700, Some(Some(at(500)))), "those that are left, and the first of them");
    site.clock.set(at(10_000));
    ensure_eq!(db.sweep_expired().await?, swept(700));
    // A record, two entries, and the one of its expiry.
    ensure_eq!(watch.take_deleted(), [500 * 4, 500 * 4, 200 * 4]);
    ensure_eq!(stored(&db).await?, 0);
    sound(&db).await
}

async fn a_record_whose_expiry_is_put_off_during_the_sweep_stays(context: Context) -> Checked {
    let (db, other, watch, site) = watched(&context).await?;
    put_notices(&db, (0..40).map(|id| notice(id, Some(100)))).await?;
    site.clock.set(at(100));
    watch.before_commit(async move {
        // The sweep has read both already: one is put off, one is written again as it was.
        other.put(&notice(7, Some(1_000))).await?;
        other.put(&notice(8, None)).await?;
        Ok(())
    });
    ensure_eq!(db.sweep_expired().await?, swept(38));
    ensure!(db.get(&Notice::key(&7)).await? == Some(notice(7, Some(1_000))), "it was put off");
    ensure!(db.get(&Notice::key(&8)).await? == Some(notice(8, None)), "it does not expire any more");
    sound(&db).await
}

async fn a_clock_set_back_loses_nothing_that_lives_again(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    put_notices(&db, (0..10).map(|id| notice(id, Some(i64::from(id) * 100)))).await?;
    site.clock.set(at(5_000));
    ensure_eq!(db.count::<Notice>().await?, 0);
    // The clock was wrong, and is set right before anything is swept.
    site.clock.set(at(250));
    ensure_eq!(db.count::<Notice>().await?, 7);
    ensure_eq!(db.sweep_expired().await?, swept(3));
    ensure_eq!(db.count::<Notice>().await?, 7);
    site.clock.set(at(0));
    ensure_eq!(db.sweep_expired().await?, swept(0));
    ensure_eq!(db.count::<Notice>().await?, 7);
    // It goes back in the middle of a sweep: the steps behind go by the time that it shows then.
    let (db, watch) = open_watched(&site, schema()?).await?;
    put_notices(&db, (1_000..1_600).map(|id| notice(id, Some(i64::from(id))))).await?;
    site.clock.set(at(5_000));
    let clock = site.clock.clone();
    watch.before_commit(async move {
        clock.set(at(300));
        Ok(())
    });
    let first_step = 500;
    ensure_eq!(db.sweep_expired().await?, swept(first_step));
    ensure_eq!(db.count::<Notice>().await?, 607 - first_step);
    sound(&db).await
}

async fn within_the_grace_a_clock_that_ran_ahead_costs_nothing(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    put_notices(&db, [notice(1, Some(100)), notice(2, Some(5_000))]).await?;
    let options = SweepOptions { grace_ms: 1_000, ..SweepOptions::default() };
    site.clock.set(at(1_099));
    ensure_eq!(db.sweep(&options).await?, swept(0));
    ensure_eq!(db.get(&Notice::key(&1)).await?, None, "no read shows it in its grace");
    site.clock.set(at(99));
    ensure!(db.get(&Notice::key(&1)).await?.is_some(), "it had not really expired");
    site.clock.set(at(1_100));
    ensure_eq!(db.sweep(&options).await?, swept(1));
    ensure_eq!(stored(&db).await?, 1);
    let forever = SweepOptions { grace_ms: u64::MAX, ..SweepOptions::default() };
    site.clock.set(Timestamp::MAX);
    ensure_eq!(db.sweep(&forever).await?, swept(0));
    Ok(())
}

async fn a_record_that_cannot_be_read_keeps_no_other_from_going(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    put_notices(&db, [notice(1, Some(100))]).await?;
    let [high, low] = NOTICES.to_be_bytes();
    let range = KeyRange::prefix(&[high, low, 0]);
    let scan = Scan { range, reverse: false, limit: 1, max_bytes: usize::MAX, fetch: Fetch::Values };
    let row = site.store.scan(&scan).await?.entries.pop().ok_or_else(|| Failure::new("no row"))?;
    put_notices(&db, [notice(2, Some(50)), notice(3, Some(150))]).await?;
    // The last one is a map that has a field, and lacks the others.
    for garbage in [&b"\x01garbage"[..], b"\xFFgarbage", b"", b"\x01\x81\xA2id\x01"] {
        let writes = [(row.key.clone(), Write::Put(garbage.to_vec().into()))].into();
        site.store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
        put_notices(&db, [notice(2, Some(50))]).await?;
        site.clock.set(at(100));
        let done = db.sweep_expired().await?;
        ensure_eq!((done.records(), done.damaged), (1, 1), "{garbage:?}");
        site.clock.set(at(0));
    }
    let Some(Content::Value(value)) = row.content else { return Err(Failure::new("no value")) };
    let writes = [(row.key, Write::Put(value))].into();
    site.store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
    site.clock.set(at(200));
    ensure_eq!(db.sweep_expired().await?, swept(2));
    sound(&db).await
}

async fn a_sweeper_sweeps_at_once_and_again_until_it_is_stopped(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    put_notices(&db, [notice(1, Some(100)), notice(2, Some(200))]).await?;
    site.clock.set(at(100));
    ensure_kind!(db.sweeper(Duration::ZERO, SweepOptions::default()).map(drop), ErrorKind::InvalidInput);
    let mut sweeper = db.sweeper(Duration::from_millis(1), SweepOptions::default())?;
    let mut status = sweeper.next_sweep().await;
    while status.swept.records() < 1 {
        status = sweeper.next_sweep().await;
    }
    ensure_eq!(status.swept, swept(1));
    site.clock.set(at(200));
    while status.swept.records() < 2 {
        status = sweeper.next_sweep().await;
    }
    let stopped = sweeper.stop().await;
    ensure_eq!(stopped.swept, swept(2));
    ensure_eq!((stopped.errors, stopped.last_error.is_none()), (0, true));
    ensure!(stopped.sweeps >= 2, "{} sweeps", stopped.sweeps);
    // A period that never ends does not hold up who stops it.
    let sweeper = db.sweeper(Duration::from_secs(1 << 40), SweepOptions::default())?;
    ensure!(sweeper.stop().await.sweeps <= 1, "it slept for half of eternity");
    Ok(())
}

async fn a_sweeper_outlives_errors_and_ends_with_its_store(context: Context) -> Checked {
    let (db, _other, watch, site) = watched(&context).await?;
    put_notices(&db, [notice(1, Some(100))]).await?;
    site.clock.set(at(100));
    watch.fail([true, true]);
    let mut sweeper = db.sweeper(Duration::from_millis(1), SweepOptions::default())?;
    let (mut status, mut failed) = (sweeper.status(), None);
    while status.swept.records() < 1 {
        status = sweeper.next_sweep().await;
        failed = status.last_error.clone().or(failed);
    }
    ensure_eq!(status.errors, 2);
    ensure_eq!(failed.map(|error| error.kind()), Some(ErrorKind::Io));
    db.close().await?;
    let mut ended = sweeper.status();
    while ended.last_error.is_none() {
        ended = sweeper.next_sweep().await;
    }
    ensure_eq!(ended.last_error.as_ref().map(Error::kind), Some(ErrorKind::Closed));
    ensure_eq!(sweeper.next_sweep().await.sweeps, ended.sweeps, "a sweep of a closed store");
    ensure_eq!(sweeper.stop().await.sweeps, ended.sweeps);
    Ok(())
}

async fn two_sweeps_at_once_remove_each_record_once(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    let other = open_again(&site, schema()?).await?;
    put_notices(&db, (0..300).map(|id| notice(id, Some(i64::from(id % 10))))).await?;
    site.clock.set(at(4));
    let sweeps =
        [db.clone(), other.clone(), db.clone(), other].map(|db| tokio::spawn(async move { db.sweep_expired().await }));
    let mut records = 0;
    for sweep in join_all(sweeps).await {
        records += sweep.map_err(|error| Failure::new(error.to_string()))??.records();
    }
    ensure_eq!(records, 150);
    ensure_eq!((stored(&db).await?, db.count::<Notice>().await?), (150, 150));
    sound(&db).await
}

/// A child that sweeps as often as its argument says, each time when the parent has written the lease of that number, and tells what went.
async fn sweep_when_told(work: Work) -> Checked {
    let clock = Arc::new(ManualClock::new(at(EXPIRED)));
    let db = Database::builder(schema()?).clock(clock).open(work.reopen().await?).await?;
    work.say("ready")?;
    let mut revision = Revision::ZERO;
    for id in 0..work.argument as u32 {
        while db.get(&Lease::key(&id)).await?.is_none() {
            revision = db.changed(revision).await?;
        }
        work.say(db.sweep_expired().await?.records())?;
    }
    Ok(db.close().await?)
}

/// When the notices of the case below have expired.
const EXPIRED: i64 = 100;

fn said(child: &mut Child) -> Checked<u64> {
    let line = child.next_line()?.ok_or_else(|| Failure::new("the child ended"))?;
    line.parse().map_err(|_| Failure::new(line))
}

/// Puts off the expiry of some notices; says which of them were still there. To this one's clock none has expired yet.
async fn put_off(early: &Database, ids: impl IntoIterator<Item = u32>) -> Checked<Vec<u32>> {
    let mut extended = Vec::new();
    for id in ids {
        let there = early.write(|tx| async move {
            let there = tx.get(&Notice::key(&id)).await?.is_some();
            if there {
                tx.update(&notice(id, Some(10_000))).await?;
            }
            Ok(there)
        });
        if there.await? {
            extended.push(id);
        }
    }
    Ok(extended)
}

async fn of_sweeps_in_two_processes_each_record_is_counted_once(context: Context) -> Checked {
    let (early, site) = open(&context, schema()?).await?;
    let clock = Arc::new(ManualClock::new(at(EXPIRED)));
    let watch = Arc::new(Watch::default());
    let store = Arc::new(Twisted::new(site.store.clone(), watch.clone()));
    let db = Database::builder(schema()?).clock(clock).open(store).await?;
    put_notices(&early, (0..200).map(|id| notice(id, Some(i64::from(1 + id % 99))))).await?;
    let mut child = Child::start(&context, "sweep", &site.place, 2)?;
    ensure_eq!(child.next_line()?.as_deref(), Some("ready"));
    let lease = |id| Lease { id, until: at(10_000) };

    // The other process sweeps when this one has read what it is about to remove, and some was put off.
    let child = Arc::new(Mutex::new(child));
    let (there, first) = (child.clone(), early.clone());
    watch.before_commit(async move {
        ensure_eq!(put_off(&first, 0..10).await?.len(), 10);
        first.put(&lease(0)).await?;
        ensure_eq!(said(&mut *there.lock().await)?, 190);
        Ok(())
    });
    ensure_eq!(db.sweep_expired().await?, swept(0), "the other one has counted all of them");

    // Both sweep at once, while expiry is put off.
    put_notices(&early, (1_000..1_300).map(|id| notice(id, Some(i64::from(1 + id % 99))))).await?;
    early.put(&lease(1)).await?;
    let (here, extended) = join(db.sweep_expired(), put_off(&early, (1_000..1_300).rev().step_by(15))).await;
    let (here, extended) = (here?.records(), extended?);
    let mut child = child.lock().await;
    let there = said(&mut child)?;
    child.wait()?;
    ensure_eq!(here + there + extended.len() as u64, 300, "{here} here, {there} there, and what was put off");
    let left = early.query(Notice::EXPIRY).limit(500).page().await?.records;
    let left: BTreeSet<u32> = left.into_iter().map(|notice| notice.id).collect();
    ensure_eq!(left, extended.into_iter().chain(0..10).collect(), "what was put off stays, and nothing else");
    ensure_eq!(stored(&early).await?, left.len() as u64);
    sound(&early).await
}
