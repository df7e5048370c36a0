//! Transactions that go to the store together: what becomes of one is no matter of the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::{LocalBoxFuture, join, join_all};
use strongroom_core::store::{Batch, Outcome, Store};
use strongroom_core::{Database, Error, ErrorKind, Result};
use tokio::sync::{Notify, Semaphore};

use super::support::{Counter, ensure_sound, over, put_all, value, value_in};
use crate::case::cases;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Isolation;
    transactions_that_commit_together_have_each_their_own_outcome,
    a_member_that_is_dropped_harms_no_other,
}

/// A store whose next commit waits until it is let go, so that what comes meanwhile goes together in the next.
#[derive(Debug, Default)]
struct Held {
    armed: AtomicBool,
    over: Notify,
    /// Batches of each commit since it was armed.
    sizes: Mutex<Vec<usize>>,
}

impl Held {
    fn sizes(&self) -> Vec<usize> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Twist for Held {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).push(batches.len());
        if self.armed.swap(false, Ordering::SeqCst) {
            self.over.notified().await;
        }
        inner.commit(batches).await
    }
}

/// A database over such a store, armed.
async fn held(context: &Context) -> Checked<(Database, Arc<Held>)> {
    let (site, twist) = (context.open().await?, Arc::new(Held::default()));
    let store: Arc<dyn Store> = Arc::new(Twisted::new(site.store.clone(), twist.clone()));
    let db = over(&store).await?;
    put_all(&db, &[Counter::new("hot", 1), Counter::new("there", 1)]).await?;
    twist.sizes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    twist.armed.store(true, Ordering::SeqCst);
    Ok((db, twist))
}

type Member<'m> = LocalBoxFuture<'m, Result<()>>;

/// Who of the members may begin, and how many have ended.
struct Turns {
    /// Closed until the first is in flight: on an engine that is asked over a channel, another could be faster.
    others: Semaphore,
    ended: Semaphore,
}

impl Turns {
    fn new() -> Self {
        Turns { others: Semaphore::new(0), ended: Semaphore::new(0) }
    }

    /// Waits until so many closures have ended.
    async fn ended(&self, members: u32) {
        if let Ok(all) = self.ended.acquire_many(members).await {
            all.forget();
        }
    }
}

/// The transaction whose commit is the one that is held. When its closure has ended, its batch is queued before anybody else
/// is polled; then the others may begin.
fn first<'m, F, Fut>(db: &'m Database, turns: &'m Turns, body: F) -> Member<'m>
where
    F: Fn(strongroom_core::Transaction) -> Fut + Send + Sync + 'm,
    Fut: Future<Output = Result<()>> + Send + 'm,
{
    Box::pin(db.write(move |tx| {
        let body = body(tx);
        async move {
            body.await?;
            turns.others.add_permits(1);
            turns.ended.add_permits(1);
            Ok(())
        }
    }))
}

/// A transaction that comes after the first, and says when its closure has ended.
fn member<'m, F, Fut>(db: &'m Database, turns: &'m Turns, body: F) -> Member<'m>
where
    F: Fn(strongroom_core::Transaction) -> Fut + Send + Sync + 'm,
    Fut: Future<Output = Result<()>> + Send + 'm,
{
    Box::pin(db.write(move |tx| {
        let body = body(tx);
        async move {
            // Given back at once: one permit lets in all, one after the other.
            drop(turns.others.acquire().await);
            body.await?;
            turns.ended.add_permits(1);
            Ok(())
        }
    }))
}

async fn transactions_that_commit_together_have_each_their_own_outcome(context: Context) -> Checked {
    let (db, twist) = held(&context).await?;
    let (db, turns) = (&db, &Turns::new());
    let mut members = vec![first(db, turns, |tx| async move {
        tx.put(&Counter::new("hot", 2)).await?;
        tx.insert(&Counter { badge: Some("taken".to_owned()), ..Counter::new("holder", 1) }).await
    })];
    for at in 0..4 {
        members.push(member(
            db,
            turns,
            move |tx| async move { tx.insert(&Counter::new(&format!("own {at}"), at)).await },
        ));
    }
    members.push(member(db, turns, |tx| async move {
        let hot = value_in(&tx, "hot").await?;
        tx.put(&Counter::new("sum", hot + 10)).await
    }));
    members.push(member(db, turns, |tx| async move {
        tx.insert(&Counter { badge: Some("taken".to_owned()), ..Counter::new("late", 1) }).await
    }));
    members.push(member(db, turns, |tx| async move { tx.insert(&Counter::new("holder", 9)).await }));
    let count = members.len() as u32;
    let failing = db.write(|tx| async move {
        tx.put(&Counter::new("never", 1)).await?;
        Err::<(), _>(Error::application(std::fmt::Error))
    });
    let release = async {
        turns.ended(count).await;
        twist.over.notify_one();
    };
    let ((results, ()), failed) = join(join(join_all(members), release), failing).await;
    ensure_kind!(failed, ErrorKind::Application);
    let kinds: Vec<Option<ErrorKind>> = results.iter().map(|result| result.as_ref().err().map(Error::kind)).collect();
    let (unique, exists) = (Some(ErrorKind::UniqueViolation), Some(ErrorKind::AlreadyExists));
    ensure_eq!(kinds, [None, None, None, None, None, None, unique, exists], "errors");
    ensure_eq!(twist.sizes()[..2], [1, 7], "the batches of the first two commits");
    ensure_eq!((value(db, "sum").await?, value(db, "holder").await?, value(db, "never").await?), (12, 1, 0));
    ensure_sound(db).await
}

async fn a_member_that_is_dropped_harms_no_other(context: Context) -> Checked {
    let (db, twist) = held(&context).await?;
    let (db, turns) = (&db, &Turns::new());
    let put = |name: &'static str| member(db, turns, move |tx| async move { tx.put(&Counter::new(name, 7)).await });
    let in_flight = first(db, turns, |tx| async move { tx.put(&Counter::new("in flight", 7)).await });
    // The first is in flight, the second queued; both are dropped while the others wait.
    let dropped = async {
        let both = join(in_flight, put("queued"));
        futures_util::future::select(Box::pin(both), Box::pin(turns.ended(6))).await;
    };
    let others = join_all(["a", "b", "c", "d"].map(put));
    let release = async {
        dropped.await;
        twist.over.notify_one();
    };
    let ((), results) = join(release, others).await;
    for result in results {
        result?;
    }
    for name in ["a", "b", "c", "d", "in flight"] {
        ensure_eq!(value(db, name).await?, 7, "{name}");
    }
    // It was taken out of the queue whole.
    ensure_eq!(value(db, "queued").await?, 0);
    ensure!(twist.sizes().starts_with(&[1, 4]), "the batches of the commits: {:?}", twist.sizes());
    ensure_sound(db).await
}
