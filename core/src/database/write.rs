//! Running a transaction until it commits.

use std::future::Future;
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::{MutexGuard, SemaphorePermit};

use super::context::Context;
use super::transaction::Transaction;
use crate::observe;
use crate::store::{Guard, Outcome, Read, Revision, Snapshot};
use crate::{Error, ErrorKind, Result};

/// How often a closure runs at most.
const ATTEMPTS_MAX: u32 = 64;
/// Runs after which a transaction waits for its turn among those that conflict.
const ATTEMPTS_BEFORE_GATE: u32 = 3;

/// What a transaction gave, and where in the commit order it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the closure returned.
    pub value: T,
    /// The revision of its writes; without writes, the revision that it read.
    pub revision: Revision,
}

/// How a transaction reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// From a snapshot: all reads agree.
    Snapshot,
    /// From the store: enough for a single operation, whose reads are all guarded one by one, and saves a snapshot.
    Direct,
    /// As [`Direct`](Base::Direct) in the first run, in which inserts read nothing; after that as [`Snapshot`](Base::Snapshot), since many records
    /// are read in several calls, and an error must not come of two moments.
    Unread,
    /// As [`Direct`](Base::Direct), for operations that all want the same record: after its first conflict each waits for its turn.
    Contended,
}

impl Base {
    fn attempts_before_gate(self) -> u32 {
        if self == Base::Contended { 1 } else { ATTEMPTS_BEFORE_GATE }
    }
}

/// Runs `body` until its batch commits.
///
/// A first run of a direct or unread transaction may be blind: its inserts are not preceded by a read.
///
/// What does not depend on the closure is in [`Attempts`]: this function is compiled anew for each closure of a program.
pub(crate) async fn run<T, F, Fut>(context: &Arc<Context>, base: Base, body: F) -> Result<Committed<T>>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let mut attempts = Attempts { context, base, begun: 0, lost_to: String::new() };
    loop {
        let attempt = attempts.begin().await?;
        match body(attempt.transaction.0.clone()).await {
            Ok(value) => {
                if let Some(revision) = attempts.commit(attempt).await? {
                    return Ok(Committed { value, revision });
                }
            }
            Err(error) => attempts.give_up_on(error)?,
        }
    }
}

/// The runs of one closure.
struct Attempts<'c> {
    context: &'c Arc<Context>,
    base: Base,
    begun: u32,
    /// What stood in the way of the last one.
    lost_to: String,
}

/// One run, with what it holds until its commit has ended.
struct Attempt<'c> {
    transaction: Sealed,
    as_of: Option<Revision>,
    _permit: Option<SemaphorePermit<'c>>,
    _turn: Option<MutexGuard<'c, ()>>,
}

impl<'c> Attempts<'c> {
    async fn begin(&mut self) -> Result<Attempt<'c>> {
        let before = self.begun;
        if before == ATTEMPTS_MAX {
            return Err(conflict(&self.lost_to));
        }
        self.begun += 1;
        let context = self.context;
        if before > 0 {
            context.queue.counters.retried();
        }
        let turn = if before < self.base.attempts_before_gate() { None } else { Some(context.gate.lock().await) };
        let base = if self.base == Base::Unread && before > 0 { Base::Snapshot } else { self.base };
        let (read, as_of, permit) = open_base(context, base).await?;
        let blind = matches!(base, Base::Direct | Base::Unread) && before == 0;
        let transaction = Sealed(Transaction::new(context.clone(), read, blind));
        Ok(Attempt { transaction, as_of, _permit: permit, _turn: turn })
    }

    /// Commits what was written; `None` if it lost to somebody.
    async fn commit(&mut self, attempt: Attempt<'c>) -> Result<Option<Revision>> {
        let context = self.context;
        let batch = attempt.transaction.0.seal()?;
        if batch.is_read_only() {
            // All reads were of one revision: that is where it stands, and there is nothing to check.
            return Ok(Some(attempt.as_of.unwrap_or_default()));
        }
        let guards = batch.guards.clone();
        match context.commit(batch).await? {
            Outcome::Committed(revision) => return Ok(Some(revision)),
            Outcome::Rejected(error) => return Err(error),
            Outcome::Conflict { guard } => match guards.get(guard) {
                Some(guard) => {
                    observe::conflict(context.collection_name(start(guard)), self.begun);
                    self.lost_to = format!("a concurrent change of {}", context.place(start(guard)));
                }
                // Past the transaction's own guards stands the one on the catalog.
                None if context.follow_catalog().await? => {
                    "a concurrent change of the catalog".clone_into(&mut self.lost_to);
                }
                None => return Err(schema_changed()),
            },
        }
        Ok(None)
    }

    /// The error, unless another run may do without it.
    fn give_up_on(&mut self, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::SnapshotExpired {
            return Err(error);
        }
        "the age limit of its snapshot".clone_into(&mut self.lost_to);
        Ok(())
    }
}

async fn open_base<'c>(
    context: &'c Context,
    base: Base,
) -> Result<(Arc<dyn Read>, Option<Revision>, Option<SemaphorePermit<'c>>)> {
    if base != Base::Snapshot {
        return Ok((context.store.clone(), None, None));
    }
    let closed = |_| Error::new(ErrorKind::Closed, "the database is closed");
    let permit = context.transaction_snapshots.acquire().await.map_err(closed)?;
    let snapshot: Arc<dyn Snapshot> = context.store.snapshot().await?.into();
    let revision = snapshot.revision();
    Ok((snapshot, Some(revision), Some(permit)))
}

/// Seals its transaction also when the run is dropped or the closure panics.
struct Sealed(Transaction);

impl Drop for Sealed {
    fn drop(&mut self) {
        self.0.seal().ok();
    }
}

/// Where a guard begins to look.
fn start(guard: &Guard) -> &[u8] {
    match guard {
        Guard::Key { key, .. } => key.as_bytes(),
        Guard::Range { range, .. } => match &range.start {
            Bound::Included(key) | Bound::Excluded(key) => key.as_bytes(),
            Bound::Unbounded => &[],
        },
    }
}

fn schema_changed() -> Error {
    let message =
        "another program changed the schema of this store; open it again with a program that knows the new one";
    Error::new(ErrorKind::SchemaMismatch, message)
}

fn conflict(lost_to: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("gave up after {ATTEMPTS_MAX} attempts; the last one lost to {lost_to}"))
}
