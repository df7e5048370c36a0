//! Turns: updates that are saved at the same time go together in one transaction.
//!
//! All that happens in a room changes the room's record, so transactions of their own would conflict, each with every other.
//! As in a group commit there is no leader: all who wait poll the one transaction under way, and whoever finds none begins the
//! next with all that wait. So one that is dropped, or not polled any more, holds up nobody; with the last of them the
//! transaction is dropped too, and it has happened or not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::matrix::rules::{Settings, Update, Verdict, run};
use crate::{Database, Error, ErrorKind, Limit, Merged, Result};

/// Updates in one transaction at most.
const TOGETHER_MAX: usize = 256;

type UnderWay = BoxFuture<'static, ()>;

/// Who waits, and what is under way.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Waiting>>,
    under_way: Option<WeakShared<UnderWay>>,
}

struct Waiting {
    update: Update,
    settings: Settings,
    answer: Mutex<Option<Result<Verdict>>>,
}

impl Turns {
    /// Merges one update, together with others that wait at the same time.
    pub(super) async fn merge(&self, db: &Database, update: Update, settings: Settings) -> Result<Merged> {
        let own = Arc::new(Waiting { update, settings, answer: Mutex::default() });
        lock(&self.0).waiting.push_back(own.clone());
        let _withdraw = Withdraw { turns: self, own: &own };
        loop {
            let under_way = {
                // Answers are there before the transaction resolves, so a look under the lock misses none.
                let mut state = lock(&self.0);
                if let Some(answer) = lock(&own.answer).take() {
                    return merged(answer?);
                }
                state.next(db)
            };
            under_way.await;
        }
    }
}

impl State {
    /// The transaction that is under way, or the next one.
    fn next(&mut self, db: &Database) -> Shared<UnderWay> {
        let under_way = self.under_way.as_ref().and_then(WeakShared::upgrade);
        if let Some(under_way) = under_way.filter(|under_way| under_way.peek().is_none()) {
            return under_way;
        }
        let db = db.clone();
        let together = self.take();
        let next = async move { merge_all(&db, &together).await }.boxed().shared();
        self.under_way = next.downgrade();
        next
    }

    /// The first that wait, for as long as they have one local user.
    fn take(&mut self) -> Vec<Arc<Waiting>> {
        let me = self.waiting.front().and_then(|first| first.settings.me.clone());
        let alike = self.waiting.iter().take(TOGETHER_MAX).take_while(|waiting| waiting.settings.me == me).count();
        self.waiting.drain(..alike).collect()
    }
}

/// Merges in one transaction and answers all. If something is wrong with one of them, it is found by halves, and the others are
/// merged.
async fn merge_all(db: &Database, waiting: &[Arc<Waiting>]) {
    let mut parts = vec![waiting];
    while let Some(part) = parts.pop() {
        let Some(first) = part.first() else { continue };
        let updates: Vec<&Update> = part.iter().map(|waiting| &waiting.update).collect();
        let (updates, settings) = (&updates, &first.settings);
        match db.write(|tx| run(tx, updates, settings)).await {
            Ok(verdicts) => {
                for (waiting, verdict) in part.iter().zip(verdicts) {
                    *lock(&waiting.answer) = Some(Ok(verdict));
                }
            }
            Err(error) if part.len() > 1 && is_of_one(&error) => {
                let (left, right) = part.split_at(part.len() / 2);
                parts.extend([right, left]);
            }
            Err(error) => part.iter().for_each(|waiting| *lock(&waiting.answer) = Some(Err(error.clone()))),
        }
    }
}

/// Whether the error may be about one of the updates rather than the store.
fn is_of_one(error: &Error) -> bool {
    let about_rows =
        [ErrorKind::InvalidInput, ErrorKind::Corrupt, ErrorKind::IndexMismatch, ErrorKind::UniqueViolation];
    about_rows.contains(&error.kind()) || error.is_limit() && error.kind() != ErrorKind::Limit(Limit::Snapshots)
}

fn merged(verdict: Verdict) -> Result<Merged> {
    match verdict {
        Verdict::Stored => Ok(Merged::Stored),
        Verdict::Unchanged | Verdict::Skipped(_) => Ok(Merged::Unchanged),
        Verdict::Failed(error) => Err(Error::new(ErrorKind::AlreadyExists, error)),
    }
}

/// Takes an update out of the queue when its waiter is dropped.
struct Withdraw<'t> {
    turns: &'t Turns,
    own: &'t Arc<Waiting>,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        lock(&self.turns.0).waiting.retain(|waiting| !Arc::ptr_eq(waiting, self.own));
    }
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Turns({} waiting)", lock(&self.0).waiting.len())
    }
}

/// A lock that was poisoned by a panic elsewhere is still good: nothing here is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
