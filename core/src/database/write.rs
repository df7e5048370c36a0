//! Running a transaction until it commits.

use std::future::Future;
use std::ops::Bound;
use std::sync::Arc;

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
pub(crate) async fn run<T, F, Fut>(context: &Arc<Context>, base: Base, body: F) -> Result<Committed<T>>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let mut lost_to = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            context.queue.counters.retried();
        }
        let _turn = if attempt < base.attempts_before_gate() { None } else { Some(context.gate.lock().await) };
        let base = if base == Base::Unread && attempt > 0 { Base::Snapshot } else { base };
        let (read, as_of, _permit) = open_base(context, base).await?;
        let blind = matches!(base, Base::Direct | Base::Unread) && attempt == 0;
        let transaction = Sealed(Transaction::new(context.clone(), read, blind));
        let result = body(transaction.0.clone()).await;
        let batch = transaction.0.seal();
        let value = match result {
            Ok(value) => value,
            Err(error) if error.kind() == ErrorKind::SnapshotExpired => {
                "the age limit of its snapshot".clone_into(&mut lost_to);
                continue;
            }
            Err(error) => return Err(error),
        };
        let batch = batch?;
        if batch.is_read_only() {
            // All reads were of one revision: that is where it stands, and there is nothing to check.
            return Ok(Committed { value, revision: as_of.unwrap_or_default() });
        }
        let guards = batch.guards.clone();
        match context.commit(batch).await? {
            Outcome::Committed(revision) => return Ok(Committed { value, revision }),
            Outcome::Rejected(error) => return Err(error),
            Outcome::Conflict { guard } => match guards.get(guard) {
                Some(guard) => {
                    observe::conflict(context.collection_name(start(guard)), attempt + 1);
                    lost_to = format!("a concurrent change of {}", context.place(start(guard)));
                }
                // Past the transaction's own guards stands the one on the catalog.
                None if context.follow_catalog().await? => lost_to = "a concurrent change of the catalog".to_owned(),
                None => return Err(schema_changed()),
            },
        }
    }
    Err(conflict(&lost_to))
}

async fn open_base<'c>(
    context: &'c Context,
    base: Base,
) -> Result<(Arc<dyn Read>, Option<Revision>, Option<tokio::sync::SemaphorePermit<'c>>)> {
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
