//! Many at once: claims, cancelled futures, and the anomalies that a serializable transaction excludes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use strongroom_core::store::Limits;
use strongroom_core::{Database, Record, Result, Timestamp, Transaction};
use tokio::sync::Barrier;

use super::support::{Counter, Note, at, joined, open, open_one, open_with, poll_at_most, put_all, sound};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Typed;
    as_many_claims_succeed_as_there_are_keys,
    a_cancelled_writer_harms_no_other,
    a_transaction_can_be_dropped_at_any_await,
    no_update_is_lost,
    write_skew_is_refused,
    a_phantom_of_a_page_is_refused,
    a_phantom_of_a_count_is_refused,
    a_record_that_changed_in_a_scanned_range_is_refused,
    a_record_that_took_the_place_of_another_is_refused,
    the_record_behind_an_entry_is_guarded_with_it,
}

/// A key that may be handed out once.
#[derive(Clone, Debug, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "one_time_keys", key(id))]
#[index(id = 1, name = "unclaimed", on(algorithm, created_at: ordered), while_absent = used_at)]
struct OneTimeKey {
    id: u32,
    algorithm: String,
    created_at: Timestamp,
    used_at: Option<Timestamp>,
}

async fn claim(db: Database) -> Result<Option<u32>> {
    db.write(|tx| async move {
        let oldest = tx.query(OneTimeKey::UNCLAIMED).equal("ed25519").oldest_first().first().await?;
        let Some(mut key) = oldest else { return Ok(None) };
        key.used_at = Some(at(1));
        tx.update(&key).await?;
        Ok(Some(key.id))
    })
    .await
}

async fn as_many_claims_succeed_as_there_are_keys(context: Context) -> Checked {
    let (db, _site) = open_one::<OneTimeKey>(&context).await?;
    let key =
        |id: u32| OneTimeKey { id, algorithm: "ed25519".to_owned(), created_at: at(i64::from(id)), used_at: None };
    put_all(&db, &(0..40).map(key).collect::<Vec<_>>()).await?;
    let mut claimed = Vec::new();
    for task in join_all((0..64).map(|_| tokio::spawn(claim(db.clone())))).await {
        claimed.extend(task.map_err(|error| Failure::new(error.to_string()))??);
    }
    let distinct: BTreeSet<u32> = claimed.iter().copied().collect();
    ensure_eq!((claimed.len(), distinct.len()), (40, 40));
    sound(&db).await
}

/// Half of the writers are dropped after a number of polls; whatever became of theirs, the others all succeed.
async fn a_cancelled_writer_harms_no_other(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let writers: Vec<_> = (0..300_u32)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move {
                let note = Note { time: at(i64::from(id % 7)), ..Note::with_slug(id, &format!("slug {id}")) };
                let polls = if id % 2 == 0 { usize::MAX } else { id as usize % 5 };
                poll_at_most(polls, db.insert(&note)).await.transpose().map(|done| done.is_some())
            })
        })
        .collect();
    for (id, writer) in (0..).zip(writers) {
        let done = joined(writer).await??;
        ensure!(done || id % 2 == 1);
        let there = db.get(&Note::key("r", &id)).await?.is_some();
        ensure!(there || !done, "writer {id} was told that it had succeeded");
    }
    db.put(&Counter::new("after", 1)).await?;
    sound(&db).await
}

async fn a_transaction_can_be_dropped_at_any_await(context: Context) -> Checked {
    const SNAPSHOTS: usize = 8;
    let (db, _site) = open_with(&context, Limits { snapshots_max: SNAPSHOTS, ..context.limits() }).await?;
    put_all(&db, &(0..50).map(|id| Note::new("r", id, 1)).collect::<Vec<_>>()).await?;
    let mut finished = false;
    for polls in 0..200 {
        let write = db.write(|tx| async move {
            tokio::task::yield_now().await;
            tx.query(Note::BY_TIME).equal("r").limit(5).delete().await?;
            tokio::task::yield_now().await;
            tx.put(&Note::new("r", 1_000, 5)).await?;
            tx.count::<Note>().await
        });
        if let Some(done) = poll_at_most(polls, write).await {
            done?;
            finished = true;
            break;
        }
    }
    ensure!(finished, "a transaction that is polled often enough ends");
    // The next writer is not held up, what there is fits together, and the snapshots have been given back: at the latest
    // when the store has come round to it.
    db.put(&Counter::new("after", 1)).await?;
    sound(&db).await?;
    for _ in 0..10_000 {
        let held = join_all((0..SNAPSHOTS).map(|_| db.snapshot())).await;
        if held.iter().all(Result::is_ok) {
            return Ok(());
        }
        ensure!(held.into_iter().filter_map(Result::err).all(|error| error.is_retryable()));
        db.get(&Counter::key("after")).await?;
    }
    Err(Failure::new("dropped transactions kept their snapshots"))
}

async fn no_update_is_lost(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Counter::new("c", 0)).await?;
    let writers = (0..100).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            db.write(|tx| async move {
                let found = tx.get(&Counter::key("c")).await?;
                let mut counter = found.ok_or_else(|| strongroom_core::Error::application(std::fmt::Error))?;
                tokio::task::yield_now().await;
                counter.value += 1;
                tx.put(&counter).await
            })
            .await
        })
    });
    for writer in join_all(writers).await {
        writer.map_err(|error| Failure::new(error.to_string()))??;
    }
    ensure_eq!(db.get(&Counter::key("c")).await?, Some(Counter::new("c", 100)));
    sound(&db).await
}

/// Two transactions, held together after their reads so that both decide on the same state: exactly one of them must run
/// again.
async fn race<F, Fut>(db: &Database, body: F) -> Checked
where
    F: Fn(Transaction, u32, Meeting) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(2));
    let runs = Arc::new(AtomicU32::new(0));
    let tasks = [0, 1].map(|who| {
        let (db, body, barrier, runs) = (db.clone(), body.clone(), barrier.clone(), runs.clone());
        tokio::spawn(async move {
            let mine = AtomicU32::new(0);
            db.write(|tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                let first = mine.fetch_add(1, Ordering::SeqCst) == 0;
                body(tx, who, Meeting(first.then(|| barrier.clone())))
            })
            .await
        })
    });
    for task in tasks {
        joined(task).await??;
    }
    ensure_eq!(runs.load(Ordering::SeqCst), 3, "runs of the two: one of them ran again");
    Ok(())
}

/// Where the first runs of both wait for each other.
struct Meeting(Option<Arc<Barrier>>);

impl Meeting {
    async fn wait(self) {
        if let Some(barrier) = self.0 {
            barrier.wait().await;
        }
    }
}

/// Each may go to zero only while the other has not.
async fn write_skew_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Counter::new("0", 1), Counter::new("1", 1)]).await?;
    race(&db, |tx, who, meeting| async move {
        let both = tx.get_many(&[Counter::key("0"), Counter::key("1")]).await?;
        let sum: i64 = both.into_iter().flatten().map(|counter| counter.value).sum();
        meeting.wait().await;
        if sum == 2 { tx.put(&Counter::new(&who.to_string(), 0)).await } else { Ok(()) }
    })
    .await?;
    let left: i64 = db.query(Counter::PRIMARY).page().await?.records.iter().map(|counter| counter.value).sum();
    ensure_eq!(left, 1);
    Ok(())
}

async fn a_phantom_of_a_page_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    race(&db, |tx, who, meeting| async move {
        let empty = tx.query(Counter::GROUP).equal("all").page().await?.records.is_empty();
        meeting.wait().await;
        if empty { tx.insert(&Counter::new(&who.to_string(), 1)).await } else { Ok(()) }
    })
    .await?;
    ensure_eq!(db.query(Counter::GROUP).equal("all").count().await?, 1);
    sound(&db).await
}

async fn a_phantom_of_a_count_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    race(&db, |tx, who, meeting| async move {
        let empty = tx.query(Counter::GROUP).equal("all").count().await? == 0;
        meeting.wait().await;
        if empty { tx.insert(&Counter::new(&who.to_string(), 1)).await } else { Ok(()) }
    })
    .await?;
    ensure_eq!(db.count::<Counter>().await?, 1);
    sound(&db).await
}

/// An entry that is not touched does not hide that its record changed.
async fn the_record_behind_an_entry_is_guarded_with_it(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Note::new("r", 0, 1), Note::new("r", 1, 1)]).await?;
    race(&db, |tx, who, meeting| async move {
        let notes = tx.query(Note::BY_TIME).equal("r").page().await?.records;
        meeting.wait().await;
        if notes.iter().any(|note| note.text == "taken") {
            return Ok(());
        }
        tx.put(&Note { text: "taken".to_owned(), ..Note::new("r", who, 1) }).await
    })
    .await?;
    let notes = db.query(Note::PRIMARY).page().await?.records;
    ensure_eq!(notes.iter().filter(|note| note.text == "taken").count(), 1);
    Ok(())
}

/// The range has as many rows as before: one of them is newer.
async fn a_record_that_changed_in_a_scanned_range_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Counter::new("0", 1), Counter::new("1", 1)]).await?;
    race(&db, |tx, who, meeting| async move {
        let counters = tx.query(Counter::PRIMARY).page().await?.records;
        meeting.wait().await;
        if counters.iter().all(|counter| counter.value == 1) {
            tx.put(&Counter::new(&who.to_string(), 0)).await
        } else {
            Ok(())
        }
    })
    .await?;
    let left: i64 = db.query(Counter::PRIMARY).page().await?.records.iter().map(|counter| counter.value).sum();
    ensure_eq!(left, 1);
    sound(&db).await
}

/// As many rows as before, and those that were there are unchanged: one is gone, another one has come.
async fn a_record_that_took_the_place_of_another_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Counter::new("0", 0), Counter::new("1", 1), Counter::new("2", 2)]).await?;
    race(&db, |tx, who, meeting| async move {
        let count = tx.query(Counter::GROUP).equal("all").count().await?;
        meeting.wait().await;
        tx.delete(&Counter::key(&who.to_string())).await?;
        tx.insert(&Counter::new(&format!("new {who}"), count.cast_signed())).await
    })
    .await?;
    // The second has seen what the first left.
    ensure_eq!(db.query(Counter::GROUP).equal("all").range(3..=3).count().await?, 2);
    ensure_eq!(db.count::<Counter>().await?, 3);
    sound(&db).await
}
