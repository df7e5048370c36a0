//! What the cases have in common: a database of counters, and closures that wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join;
use strongroom_core::store::{Sharing, Store};
use strongroom_core::{Database, ManualClock, Result, Timestamp, Transaction};
use tokio::sync::{Barrier, Notify};

pub(super) use super::super::model::records::{Counter, Note, database, ensure_sound};
use crate::{Checked, Context, Failure, Site, ensure};

/// A new database with these counters.
pub(super) async fn counters(context: &Context, counters: &[Counter]) -> Checked<Database> {
    let site = context.open().await?;
    let db = over(&site.store).await?;
    put_all(&db, counters).await?;
    Ok(db)
}

/// The database over a store.
pub(super) async fn over(store: &Arc<dyn Store>) -> Checked<Database> {
    database(store, Arc::new(ManualClock::new(Timestamp::from_millis(0)))).await
}

/// Every handle that the place may have: of a shared store two, each as another process would have it.
pub(super) async fn handles(site: &Site) -> Checked<Vec<Arc<dyn Store>>> {
    let mut handles = vec![site.store.clone()];
    if site.store.info().sharing == Sharing::Shared {
        handles.push(site.second().await?);
    }
    Ok(handles)
}

pub(super) async fn put_all(db: &Database, counters: &[Counter]) -> Checked {
    Ok(db
        .write(|tx| async move {
            for counter in counters {
                tx.put(counter).await?;
            }
            Ok(())
        })
        .await?)
}

/// The value of a counter; 0 if there is none.
pub(super) async fn value(db: &Database, name: &str) -> Result<i64> {
    Ok(db.get(&Counter::key(name)).await?.map_or(0, |counter| counter.value))
}

/// The value of a counter, as a transaction sees it; 0 if there is none.
pub(super) async fn value_in(tx: &Transaction, name: &str) -> Result<i64> {
    Ok(tx.get(&Counter::key(name)).await?.map_or(0, |counter| counter.value))
}

/// A place in a closure at which its first run waits until something else has happened.
#[derive(Debug, Default)]
pub(super) struct Pause {
    reached: Notify,
    over: Notify,
    runs: AtomicUsize,
}

impl Pause {
    /// Waits here, in the first run. Every run must come here.
    pub(super) async fn here(&self) {
        if self.runs.fetch_add(1, Ordering::SeqCst) == 0 {
            self.reached.notify_one();
            self.over.notified().await;
        }
    }

    /// How often the closure ran.
    pub(super) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Runs the transaction whose closure waits here, and `other` while it waits.
    pub(super) async fn meanwhile<A, B, E: Into<Failure>>(
        &self,
        transaction: impl Future<Output = Result<A, E>>,
        other: impl Future<Output = Checked<B>>,
    ) -> Checked<(A, B)> {
        let transaction = async {
            let done = transaction.await.map_err(Into::into)?;
            ensure!(self.runs() > 0, "the closure never came to its pause");
            Ok(done)
        };
        let other = async {
            self.reached.notified().await;
            let done = other.await?;
            self.over.notify_one();
            Ok(done)
        };
        try_join(transaction, other).await
    }
}

/// Runs two transactions that both wait, in their first run, until the other has come as far: both decide on the same state.
/// Gives what they returned, and how often their closures ran together.
pub(super) async fn race<T, F, Fut>(db: &Database, body: F) -> Checked<([T; 2], usize)>
where
    T: Send,
    F: Fn(Transaction, usize, Meeting) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T>> + Send,
{
    let (body, runs, barrier) = (&body, &AtomicUsize::new(0), Arc::new(Barrier::new(2)));
    let one = |who: usize| {
        let (barrier, first) = (barrier.clone(), AtomicUsize::new(0));
        async move {
            let transaction = db.write(|tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                let first = first.fetch_add(1, Ordering::SeqCst) == 0;
                body(tx, who, Meeting(first.then(|| barrier.clone())))
            });
            transaction.await
        }
    };
    let (a, b) = try_join(one(0), one(1)).await?;
    Ok(([a, b], runs.load(Ordering::SeqCst)))
}

/// Where two transactions of a race meet. An error before it ends the race.
#[derive(Debug)]
pub(super) struct Meeting(Option<Arc<Barrier>>);

impl Meeting {
    pub(super) async fn here(self) {
        if let Some(barrier) = self.0 {
            barrier.wait().await;
        }
    }
}
