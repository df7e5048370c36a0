//! What a database says of itself: how much it holds, what it has done and what it is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::future::{self, join_all};
use serde::{Deserialize, Serialize};
use strongroom_core::store::{Batch, Content, Fetch, KeyRange, Outcome, Scan, Store};
use strongroom_core::{Database, Error, ErrorKind, Record, Result, Schema};
use tokio::sync::Semaphore;

use super::support::{open, open_again};
use crate::case::cases;
use crate::context::Site;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    batches_that_wait_are_seen_and_go_together,
    lost_attempts_are_counted_where_they_were_made,
    a_commit_that_fails_is_counted_as_a_failure,
    a_batch_that_is_given_up_leaves_no_trace_in_the_queue,
    held_views_are_counted_while_they_are_held,
    sizes_are_those_of_the_stored_rows,
    stats_say_what_is_there_and_what_was_done,
}

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "letters", key(id))]
#[index(id = 1, name = "by_sender", on(sender, id: ordered))]
#[index(id = 2, name = "number", on(number), unique)]
struct Letter {
    id: u32,
    sender: String,
    number: Option<u32>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 2, name = "stamps", key(name))]
struct Stamp {
    name: String,
}

fn letter(id: u32) -> Letter {
    let number = id.is_multiple_of(2).then_some(id);
    Letter { id, sender: format!("sender {}", id % 7), number, text: "x".repeat(id as usize % 50) }
}

fn schema() -> Result<Schema> {
    Schema::builder("post", 1).collection::<Letter>().collection::<Stamp>().build()
}

async fn put_all(db: &Database, ids: std::ops::Range<u32>) -> Result<()> {
    let ids = &ids;
    db.write(|tx| async move {
        for id in ids.clone() {
            tx.put(&letter(id)).await?;
        }
        Ok(())
    })
    .await
}

/// A store whose commits can be held up, or made to fail before anything happens.
#[derive(Debug)]
struct Gate {
    passes: Semaphore,
    fails: AtomicBool,
}

const PASSES: usize = 1_000;

impl Gate {
    fn shut(&self) {
        self.passes.forget_permits(PASSES);
    }

    fn open(&self) {
        self.passes.add_permits(PASSES);
    }
}

#[async_trait]
impl Twist for Gate {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let _pass = self.passes.acquire().await.map_err(|_| Error::new(ErrorKind::Closed, "the gate is gone"))?;
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Io, "the medium is gone"));
        }
        inner.commit(batches).await
    }
}

async fn open_gated(context: &Context) -> Checked<(Database, Arc<Gate>, Site)> {
    let site = context.open().await?;
    let gate = Arc::new(Gate { passes: Semaphore::new(PASSES), fails: AtomicBool::new(false) });
    let store = Arc::new(Twisted::new(site.store.clone(), gate.clone()));
    let db = Database::builder(schema()?).clock(site.clock.clone()).open(store).await?;
    Ok((db, gate, site))
}

/// One commit is held up; what comes meanwhile waits, and goes in one group when it ends.
async fn batches_that_wait_are_seen_and_go_together(context: Context) -> Checked {
    let (db, gate, _site) = open_gated(&context).await?;
    ensure_eq!(db.activity(), Default::default(), "opening is not counted");
    gate.shut();
    let letters: Vec<Letter> = (0..64).map(letter).collect();
    // An insert reads nothing, so the first poll of each brings it into the queue.
    let inserts = join_all(letters.iter().map(|letter| db.insert(letter)));
    let look = async {
        let meanwhile = db.activity();
        gate.open();
        meanwhile
    };
    let (inserted, meanwhile) = future::join(inserts, look).await;
    inserted.into_iter().collect::<Result<Vec<()>>>()?;
    ensure_eq!((meanwhile.queued, meanwhile.groups, meanwhile.group_batches), (63, 1, 1), "while one is held up");
    ensure_eq!((meanwhile.commits, meanwhile.failures), (0, 0), "nothing has ended");
    let after = db.activity();
    ensure_eq!((after.queued, after.queued_max), (0, 63));
    ensure_eq!((after.commits, after.conflicts, after.failures, after.retries), (64, 0, 0, 0));
    ensure_eq!((after.groups, after.group_batches), (2, 64));
    ensure_eq!(after.group_sizes, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], "one of 1, one of 32 to 63");
    ensure_eq!(after.group_size_mean(), Some(32.0));
    Ok(())
}

async fn lost_attempts_are_counted_where_they_were_made(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    let other = open_again(&site, schema()?).await?;
    db.put(&letter(1)).await?;
    let runs = AtomicU32::new(0);
    let (runs, rival) = (&runs, &other);
    db.write(|tx| async move {
        let read = tx.get(&Letter::key(&1)).await?;
        if runs.fetch_add(1, Ordering::Relaxed) < 2 {
            rival.put(&Letter { text: format!("{}", runs.load(Ordering::Relaxed)), ..letter(1) }).await?;
        }
        tx.put(&Letter { text: read.map_or(String::new(), |letter| letter.text + "!"), ..letter(1) }).await
    })
    .await?;
    let (own, others) = (db.activity(), other.activity());
    ensure_eq!((own.commits, own.conflicts, own.retries), (2, 2, 2), "of the one that lost twice");
    ensure_eq!((others.commits, others.conflicts, others.retries), (2, 0, 0), "of the one that won");
    ensure_eq!(own.group_batches, own.commits + own.conflicts + own.failures);
    Ok(())
}

async fn a_commit_that_fails_is_counted_as_a_failure(context: Context) -> Checked {
    let (db, gate, _site) = open_gated(&context).await?;
    gate.fails.store(true, Ordering::Relaxed);
    ensure_kind!(db.insert(&letter(1)).await, ErrorKind::Io);
    gate.fails.store(false, Ordering::Relaxed);
    db.insert(&letter(1)).await?;
    let activity = db.activity();
    ensure_eq!((activity.commits, activity.failures, activity.groups), (1, 1, 2));
    Ok(())
}

async fn a_batch_that_is_given_up_leaves_no_trace_in_the_queue(context: Context) -> Checked {
    let (db, gate, _site) = open_gated(&context).await?;
    gate.shut();
    let (held_up, given_up) = (letter(1), letter(2));
    let meanwhile = async {
        let mut waiting = Box::pin(db.insert(&given_up));
        ensure!(future::poll_fn(|task| std::task::Poll::Ready(waiting.as_mut().poll(task).is_pending())).await);
        ensure_eq!(db.activity().queued, 1, "while it waits");
        drop(waiting);
        ensure_eq!(db.activity().queued, 0, "when it is gone");
        gate.open();
        Ok::<(), Failure>(())
    };
    let (inserted, looked) = future::join(db.insert(&held_up), meanwhile).await;
    inserted?;
    looked?;
    let activity = db.activity();
    ensure_eq!((activity.commits, activity.groups, activity.group_batches), (1, 1, 1));
    ensure_eq!(db.get(&Letter::key(&2)).await?, None);
    Ok(())
}

async fn held_views_are_counted_while_they_are_held(context: Context) -> Checked {
    let (db, _site) = open(&context, schema()?).await?;
    let held = || (db.activity().snapshots, db.activity().transactions);
    ensure_eq!(held(), (0, 0));
    let one = db.snapshot().await?;
    let (clone, other) = (one.clone(), db.snapshot().await?);
    ensure_eq!(held(), (2, 0), "a clone is the same view");
    drop(one);
    ensure_eq!(held(), (2, 0), "a clone holds it");
    drop((clone, other));
    ensure_eq!(held(), (0, 0));
    let db = &db;
    let within = db.write(|_| async move { Ok(db.activity().transactions) }).await?;
    ensure_eq!((within, db.activity().transactions), (1, 0));
    Ok(())
}

/// Rows of one keyspace and the bytes of their keys, and of their values if they are records.
async fn stored(store: &dyn Store, collection: u8, index: u8) -> Checked<(u64, u64)> {
    let range = KeyRange::prefix(&[0, collection, index]);
    let scan = Scan { range, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values };
    let page = store.scan(&scan).await?;
    ensure!(!page.more, "all of them");
    let bytes = page.entries.iter().map(|entry| {
        let value = match &entry.content {
            Some(Content::Value(value)) => value.len(),
            _ => 0,
        };
        (entry.key.len() + value) as u64
    });
    Ok((page.entries.len() as u64, bytes.sum()))
}

async fn sizes_are_those_of_the_stored_rows(context: Context) -> Checked {
    let (db, site) = open(&context, schema()?).await?;
    // More than one look takes.
    for hundred in 0..11 {
        put_all(&db, hundred * 100..(hundred + 1) * 100).await?;
    }
    let sizes = db.sizes().await?;
    ensure_eq!(sizes.keys().map(String::as_str).collect::<Vec<_>>(), ["letters", "stamps"]);
    let (letters, stamps) = (sizes["letters"], sizes["stamps"]);
    ensure_eq!((letters.records, letters.record_bytes), stored(&*site.store, 1, 0).await?);
    let (senders, numbers) = (stored(&*site.store, 1, 1).await?, stored(&*site.store, 1, 2).await?);
    ensure_eq!((letters.entries, letters.entry_bytes), (senders.0 + numbers.0, senders.1 + numbers.1));
    ensure_eq!((letters.records, letters.entries), (1_100, 1_650));
    ensure_eq!((stamps.records, stamps.record_bytes, stamps.entries, stamps.entry_bytes), (0, 0, 0, 0));
    let counted = &db.stats().await?.collections["letters"];
    ensure_eq!((counted.records, counted.entries), (letters.records, letters.entries), "as stats count them");
    Ok(())
}

async fn stats_say_what_is_there_and_what_was_done(context: Context) -> Checked {
    let (db, _site) = open(&context, schema()?).await?;
    put_all(&db, 0..10).await?;
    db.delete(&Letter::key(&3)).await?;
    db.put(&Stamp { name: "red".to_owned() }).await?;
    let stats = db.stats().await?;
    ensure_eq!((stats.collections["letters"].records, stats.collections["letters"].entries), (9, 14));
    ensure_eq!((stats.collections["stamps"].records, stats.collections["stamps"].entries), (1, 0));
    ensure!(stats.bytes > 0, "bytes on the medium");
    ensure_eq!(stats.activity.commits, 3);
    ensure_eq!(stats.activity, db.activity(), "the same, without a visit of each row");
    ensure_eq!(stats.cache, db.cache_counters());
    Ok(())
}
