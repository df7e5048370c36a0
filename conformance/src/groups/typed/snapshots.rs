//! Snapshots and streams see one moment; their number and age are limited.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use strongroom_core::store::{Limits, Page, Read, Rows, Scan, StoredKey};
use strongroom_core::{Database, ErrorKind, Limit, ManualClock, Result};

use super::support::{Counter, Note, at, ids, joined, open, open_with, put_all, schema, some, sound};
use crate::case::cases;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    a_snapshot_sees_one_moment,
    a_stream_sees_one_moment,
    a_stream_of_a_snapshot_sees_that_snapshot,
    a_snapshot_past_its_age_says_so,
    snapshots_past_their_number_are_refused_until_one_is_dropped,
    transactions_share_few_snapshots,
    verify_takes_as_many_views_as_it_needs,
}

async fn a_snapshot_sees_one_moment(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..10).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let snapshot = db.snapshot().await?;
    put_all(&db, &[Note::new("r", 0, 100), Note::new("r", 10, 10)]).await?;
    db.delete(&Note::key("r", &9)).await?;
    ensure_eq!(snapshot.get(&Note::key("r", &0)).await?, Some(Note::new("r", 0, 0)));
    ensure_eq!(snapshot.get(&Note::key("r", &10)).await?, None);
    ensure_eq!(ids(&snapshot.query(Note::BY_TIME).equal("r").page().await?.records), (0..10).collect::<Vec<_>>());
    ensure_eq!(snapshot.count::<Note>().await?, 10);
    let later = db.snapshot().await?;
    ensure!(later.revision() > snapshot.revision());
    ensure_eq!(ids(&later.query(Note::BY_TIME).equal("r").limit(2).page().await?.records), [1, 2]);
    drop(later);
    ensure_eq!(snapshot.clone().count::<Note>().await?, 10);
    Ok(())
}

/// Records move to where the stream has been, and to where it has yet to come.
async fn a_stream_sees_one_moment(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..600).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let mut stream = Box::pin(db.query(Note::BY_TIME).equal("r").stream());
    let first = some(stream.next().await)??;
    let forward = (0..300).map(|id| Note::new("r", id, 10_000));
    let back = (400..500).map(|id| Note::new("r", id, -1));
    put_all(&db, &forward.chain(back).collect::<Vec<_>>()).await?;
    db.delete(&Note::key("r", &599)).await?;
    let rest: Vec<Note> = stream.try_collect().await?;
    let seen: Vec<u32> = std::iter::once(first.id).chain(ids(&rest)).collect();
    ensure_eq!(seen, (0..600).collect::<Vec<_>>());
    ensure_eq!(db.count::<Note>().await?, 599);
    Ok(())
}

async fn a_stream_of_a_snapshot_sees_that_snapshot(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Note::new("r", 1, 1), Note::new("r", 2, 2)]).await?;
    let snapshot = db.snapshot().await?;
    ensure_eq!(db.query(Note::PRIMARY).delete().await?, 2);
    let stream = snapshot.query(Note::BY_TIME).equal("r").stream();
    // The stream holds the view by itself.
    drop(snapshot);
    ensure_eq!(ids(&stream.try_collect::<Vec<_>>().await?), [1, 2]);
    Ok(())
}

async fn a_snapshot_past_its_age_says_so(context: Context) -> Checked {
    let (db, site) = open_with(&context, Limits { snapshot_age_ms_max: 1_000, ..context.limits() }).await?;
    db.put(&Counter::new("c", 1)).await?;
    let snapshot = db.snapshot().await?;
    site.clock.set(at(900));
    ensure_eq!(snapshot.count::<Counter>().await?, 1);
    site.clock.set(at(1_500));
    let error = ensure_kind!(snapshot.get(&Counter::key("c")).await, ErrorKind::SnapshotExpired);
    ensure!(error.is_retryable());
    ensure_kind!(snapshot.query(Counter::GROUP).equal("all").page().await, ErrorKind::SnapshotExpired);
    ensure_kind!(snapshot.count::<Counter>().await, ErrorKind::SnapshotExpired);
    ensure_eq!(db.snapshot().await?.count::<Counter>().await?, 1);
    // A transaction whose snapshot grows too old runs again on a new one.
    let clock = &site.clock;
    let late = std::sync::atomic::AtomicBool::new(false);
    let late = &late;
    let counted = db.write(|tx| async move {
        if !late.swap(true, std::sync::atomic::Ordering::SeqCst) {
            clock.set(at(5_000));
        }
        tx.count::<Counter>().await
    });
    ensure_eq!(counted.await?, 1);
    Ok(())
}

async fn snapshots_past_their_number_are_refused_until_one_is_dropped(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { snapshots_max: 4, ..context.limits() }).await?;
    db.put(&Counter::new("c", 1)).await?;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(db.snapshot().await?);
    }
    let error = ensure_kind!(db.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    ensure!(error.is_retryable());
    ensure_kind!(db.write(|tx| async move { tx.count::<Counter>().await }).await, ErrorKind::Limit(Limit::Snapshots));
    // Lone operations need none.
    db.put(&Counter::new("c", 2)).await?;
    ensure_eq!(db.get(&Counter::key("c")).await?, Some(Counter::new("c", 2)));
    held.pop();
    ensure_eq!(db.snapshot().await?.count::<Counter>().await?, 1);
    Ok(())
}

async fn transactions_share_few_snapshots(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { snapshots_max: 4, ..context.limits() }).await?;
    let tasks: Vec<_> = (0..32)
        .map(|value| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(|tx| async move {
                    tx.get(&Counter::key("c")).await?;
                    tokio::task::yield_now().await;
                    tx.put(&Counter::new(&format!("c{value}"), value)).await
                })
                .await
            })
        })
        .collect();
    for task in tasks {
        joined(task).await??;
    }
    ensure_eq!(db.count::<Counter>().await?, 32);
    sound(&db).await
}

/// Every look takes so long that a view lives for two.
#[derive(Debug)]
struct Slow {
    clock: Arc<ManualClock>,
    now: AtomicI64,
}

impl Slow {
    fn look(&self) {
        self.clock.set(at(self.now.fetch_add(600, Ordering::SeqCst) + 600));
    }
}

#[async_trait]
impl Twist for Slow {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let rows = inner.get(keys).await;
        self.look();
        rows
    }

    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let page = inner.scan(scan).await;
        self.look();
        page
    }
}

async fn verify_takes_as_many_views_as_it_needs(context: Context) -> Checked {
    let limits = Limits { snapshot_age_ms_max: 1_000, page_entries_max: 40, ..context.limits() };
    let (db, site) = open_with(&context, limits).await?;
    let note = |id: u32| Note { slug: Some(format!("slug {id}")), ..Note::new("r", id, i64::from(id)) };
    put_all(&db, &(0..200).map(note).collect::<Vec<_>>()).await?;
    let slow = Arc::new(Slow { clock: site.clock.clone(), now: AtomicI64::new(0) });
    let store = Twisted::new(site.store.clone(), slow.clone());
    let db = Database::builder(schema()?).clock(site.clock.clone()).open(Arc::new(store)).await?;
    let found = db.verify().await?;
    ensure!(found.problems.is_empty(), "{:?}", found.problems);
    let counted = found.collections.get("notes").copied().unwrap_or_default();
    ensure_eq!((counted.records, counted.entries), (200, 600));
    ensure!(slow.now.load(Ordering::SeqCst) > 10_000, "it took longer than ten views live");
    Ok(())
}
