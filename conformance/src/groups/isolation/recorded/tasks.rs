//! Tasks that run transactions, and the record of what they were asked and answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adya::history::{History, Interner, Mop, Op, OpType, ReadValue, Scalar};
use futures_util::future::try_join_all;
use strongroom_core::store::Revision;
use strongroom_core::{Error, Result};

use super::ways::Way;
use crate::{Checked, Failure, ensure};

/// Lists or registers that the tasks contend for at one time.
pub(super) const KEYS: u32 = 5;
/// Transactions after which they contend for others.
const TRANSACTIONS_ON_KEYS: usize = 150;

/// What is kept under a key, and how a write changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A list; a write appends to it.
    Lists,
    /// A value; a write replaces it.
    Registers,
}

/// One operation of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Read(u32),
    Write(u32),
}

/// The same operation with what it writes, which no other does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Read(u32),
    Write(u32, i64),
}

/// What a transaction came to.
#[derive(Debug)]
pub(crate) struct Done {
    /// For each read, in order, what it found: nothing, the value, or the list.
    pub(crate) found: Vec<Vec<i64>>,
    pub(crate) revision: Revision,
    /// How often it was tried.
    pub(crate) runs: usize,
}

/// What was recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) history: History,
    /// The position in commit order of each transaction that wrote, by the index of its completion.
    pub(super) order: HashMap<u64, i64>,
    /// Transactions that began while another was under way.
    pub(super) overlapping: usize,
    /// Runs that lost to another transaction.
    pub(super) conflicts: usize,
}

#[derive(Default)]
struct Record {
    operations: Vec<Op>,
    interner: Interner,
    order: HashMap<u64, i64>,
    open: usize,
    overlapping: usize,
    conflicts: usize,
}

impl Record {
    fn begin(&mut self, task: usize, steps: &[Step], kind: Kind) {
        self.overlapping += usize::from(self.open > 0);
        self.open += 1;
        self.note(task, OpType::Invoke, steps, &[], kind);
    }

    fn end(&mut self, task: usize, steps: &[Step], kind: Kind, done: &Result<Done>) {
        self.open -= 1;
        let Ok(done) = done else {
            self.note(task, OpType::Fail, steps, &[], kind);
            return;
        };
        self.conflicts += done.runs - 1;
        let index = self.note(task, OpType::Ok, steps, &done.found, kind);
        if steps.iter().any(|step| matches!(step, Step::Write(..))) {
            self.order.insert(index, done.revision.0 as i64);
        }
    }

    fn note(&mut self, task: usize, status: OpType, steps: &[Step], found: &[Vec<i64>], kind: Kind) -> u64 {
        let index = self.operations.len() as u64;
        let mut found = found.iter();
        let mut id = |value: i64| self.interner.intern(Scalar::Int(value));
        let mut value = Vec::new();
        for step in steps {
            value.push(match (*step, kind) {
                (Step::Write(key, value), Kind::Lists) => Mop::Append { key: id(key.into()), value: id(value) },
                (Step::Write(key, value), Kind::Registers) => Mop::Write { key: id(key.into()), value: id(value) },
                (Step::Read(key), kind) => {
                    let value = match (found.next(), kind) {
                        (None, _) => ReadValue::Nil,
                        (Some(found), Kind::Lists) => ReadValue::List(found.iter().map(|value| id(*value)).collect()),
                        (Some(found), Kind::Registers) => {
                            found.last().map_or(ReadValue::Nil, |value| ReadValue::Scalar(id(*value)))
                        }
                    };
                    Mop::Read { key: id(key.into()), value }
                }
            });
        }
        self.operations.push(Op { index, kind: status, process: Some(task as i64), value, time: None });
        index
    }
}

/// Deals the transactions out to so many tasks, over all ways, and runs them.
pub(super) async fn run<W: Way>(
    ways: Vec<W>,
    transactions: Vec<Vec<Ask>>,
    tasks: usize,
    kind: Kind,
) -> Checked<Recorded> {
    let record: Arc<Mutex<Record>> = Arc::default();
    let mut dealt: Vec<Vec<Vec<Step>>> = vec![Vec::new(); tasks];
    let mut written = 0;
    for (at, transaction) in transactions.into_iter().enumerate() {
        // The hot keys change now and then, so that no list grows without end.
        let first = (at / TRANSACTIONS_ON_KEYS) as u32 * KEYS;
        let step = |ask| match ask {
            Ask::Read(key) => Step::Read(first + key),
            Ask::Write(key) => {
                written += 1;
                Step::Write(first + key, written)
            }
        };
        dealt[at % tasks].push(transaction.into_iter().map(step).collect());
    }
    let tasks = dealt.into_iter().enumerate().map(|(task, transactions)| {
        let (way, record) = (ways[task % ways.len()].clone(), record.clone());
        tokio::spawn(async move {
            for steps in transactions {
                lock(&record).begin(task, &steps, kind);
                let done = way.run(&steps).await;
                lock(&record).end(task, &steps, kind, &done);
                match done {
                    Err(error) if !error.is_conflict() => return Err(error),
                    _ => {}
                }
            }
            Ok::<(), Error>(())
        })
    });
    let ended = try_join_all(tasks).await.map_err(|error| Failure::new(format!("a task ended: {error}")))?;
    ended.into_iter().collect::<Result<Vec<()>>>()?;
    let Record { operations, interner, order, open, overlapping, conflicts } = std::mem::take(&mut *lock(&record));
    ensure!(open == 0, "{open} transactions did not end");
    Ok(Recorded { history: History::from_ops(operations, interner), order, overlapping, conflicts })
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
