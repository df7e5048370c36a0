//! Turns: updates that are saved at the same time go together in one transaction.
//!
//! All that happens in a room changes the room's record, so transactions of their own would conflict, each with every other.
//! Whoever has the turn takes along all that wait. If it is dropped before the end, the next one does: what it took is still
//! there, and to merge an update twice is the same as once.

use std::sync::{Arc, Mutex, PoisonError};

use crate::matrix::rules::{Settings, Update, Verdict, run};
use crate::{Database, Error, ErrorKind, Limit, Merged, Result};

/// Updates in one transaction at most.
const TOGETHER_MAX: usize = 256;

/// Who waits, and whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    turn: tokio::sync::Mutex<()>,
    waiting: Mutex<Vec<Arc<Waiting>>>,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Turns({} waiting)", lock(&self.waiting).len())
    }
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
        lock(&self.waiting).push(own.clone());
        let _withdraw = Withdraw { turns: self, own: &own };
        let _turn = self.turn.lock().await;
        loop {
            if let Some(answer) = lock(&own.answer).take() {
                return merged(answer?);
            }
            let together: Vec<Arc<Waiting>> = {
                let waiting = lock(&self.waiting);
                // Settings differ if there are handles for several users.
                let alike = waiting.iter().filter(|one| one.settings.me == own.settings.me);
                alike.take(TOGETHER_MAX).cloned().collect()
            };
            merge_all(db, &together).await;
            lock(&self.waiting).retain(|waiting| lock(&waiting.answer).is_none());
        }
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

/// Takes an update out when its waiter is dropped.
struct Withdraw<'t> {
    turns: &'t Turns,
    own: &'t Arc<Waiting>,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        lock(&self.turns.waiting).retain(|waiting| !Arc::ptr_eq(waiting, self.own));
    }
}

/// A lock that was poisoned by a panic elsewhere is still good: nothing here is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
