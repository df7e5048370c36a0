//! Turns: updates that are saved at the same time go together in one transaction.
//!
//! All that happens in a room changes the room's record, so transactions of their own would conflict, each with every other.
//! As in a group commit there is no leader: all who wait poll the one transaction under way, and whoever finds none begins the
//! next with all that wait. So one that is dropped, or not polled any more, holds up nobody: whoever comes next carries the
//! transaction on. It is dropped when nobody at all waits any more, and has happened or not.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::matrix::rules::{Settings, Update, Verdict, run};
use crate::{Database, Error, ErrorKind, Limit, Merged, Result};

/// Updates in one transaction at most.
const TOGETHER_MAX: usize = 256;

type UnderWay = Shared<BoxFuture<'static, ()>>;

/// Who waits, and what is under way.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Waiting>>,
    /// Held here and not by the callers alone: some of those whose updates it has may not have polled it yet.
    under_way: Option<UnderWay>,
    /// Callers that are neither answered nor dropped.
    callers: usize,
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
        let mut place = Place::take(self, &own);
        loop {
            let under_way = {
                // Answers are there before the transaction resolves, so a look under the lock misses none.
                let mut state = lock(&self.0);
                if let Some(answer) = lock(&own.answer).take() {
                    place.waits = false;
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
    fn next(&mut self, db: &Database) -> UnderWay {
        if let Some(under_way) = self.under_way.as_ref().filter(|under_way| under_way.peek().is_none()) {
            return under_way.clone();
        }
        let db = db.clone();
        let together = self.take();
        let next = async move {
            // A merge must not panic; if one does, those who wait for it must neither hang nor panic with it.
            if AssertUnwindSafe(merge_all(&db, &together)).catch_unwind().await.is_err() {
                let error = Error::new(ErrorKind::CommitUnknown, "a panic ended the transaction of this update");
                for waiting in &together {
                    lock(&waiting.answer).get_or_insert_with(|| Err(error.clone()));
                }
            }
        };
        let next = next.boxed().shared();
        self.under_way = Some(next.clone());
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
    let about_rows = [
        ErrorKind::InvalidInput,
        ErrorKind::Corrupt,
        ErrorKind::IndexMismatch,
        ErrorKind::UniqueViolation,
        ErrorKind::UnsupportedVersion,
        ErrorKind::SchemaMismatch,
        ErrorKind::Application,
    ];
    about_rows.contains(&error.kind()) || error.is_limit() && error.kind() != ErrorKind::Limit(Limit::Snapshots)
}

fn merged(verdict: Verdict) -> Result<Merged> {
    match verdict {
        Verdict::Stored => Ok(Merged::Stored),
        Verdict::Unchanged | Verdict::Skipped(_) => Ok(Merged::Unchanged),
        Verdict::Failed(error) => Err(Error::new(ErrorKind::AlreadyExists, error)),
    }
}

/// A caller's place among those who wait, given up when the caller is answered or dropped.
struct Place<'t> {
    turns: &'t Turns,
    own: &'t Arc<Waiting>,
    /// Whether the update may still be in the queue: one that was answered is not looked for.
    waits: bool,
}

impl<'t> Place<'t> {
    fn take(turns: &'t Turns, own: &'t Arc<Waiting>) -> Self {
        let mut state = lock(&turns.0);
        state.waiting.push_back(own.clone());
        state.callers += 1;
        Place { turns, own, waits: true }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.turns.0);
        if self.waits {
            state.waiting.retain(|waiting| !Arc::ptr_eq(waiting, self.own));
        }
        state.callers -= 1;
        let left = if state.callers == 0 { state.under_way.take() } else { None };
        // A transaction is not dropped under the lock.
        drop(state);
        drop(left);
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
