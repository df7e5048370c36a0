//! Writers that do not stop, and what became of each of their commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use strongroom_core::store::{KeyRange, Page, Revision, Store};
use strongroom_core::{ErrorKind, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::site::{commit, guarded, puts, scan};

/// Rows that each commit writes.
const ROWS: [&str; 3] = ["a", "b", "c"];

/// Writers over one store.
pub(crate) struct Load {
    writers: Vec<JoinHandle<Vec<Attempt>>>,
    ends: Arc<AtomicBool>,
    /// Commits of each writer that were acknowledged.
    acknowledged: watch::Receiver<Vec<u64>>,
}

/// A commit, and what was answered.
pub(crate) struct Attempt {
    name: String,
    answer: Result<Revision>,
}

/// What became of all of them.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    /// Acknowledged, and not there.
    pub(crate) lost: Vec<String>,
    /// Answered with `CommitUnknown`, and how many of those are there.
    pub(crate) unknown: usize,
    pub(crate) unknown_there: usize,
    /// Answered with another error, that nothing has happened.
    pub(crate) refused: usize,
    /// There, though that was answered.
    pub(crate) denied: Vec<String>,
    /// There in part.
    pub(crate) torn: Vec<String>,
    /// The errors that were answered.
    pub(crate) errors: BTreeSet<String>,
}

impl Load {
    /// Each commit writes some rows of its own, whose keys begin with `name`.
    pub(crate) fn start(store: &Arc<dyn Store>, writers: usize, name: &str) -> Self {
        let (counts, acknowledged) = watch::channel(vec![0; writers]);
        let (ends, counts) = (Arc::<AtomicBool>::default(), Arc::new(counts));
        let writer = |writer: usize| {
            let (store, ends, counts) = (store.clone(), ends.clone(), counts.clone());
            let name = format!("{name}/{writer}");
            tokio::spawn(async move {
                let mut attempts = Vec::new();
                while !ends.load(Ordering::SeqCst) {
                    let name = format!("{name}/{}/", attempts.len());
                    // Made a second time in silence, it would meet its own rows.
                    let rows = ROWS.map(|row| format!("{name}{row}"));
                    let answer = commit(&*store, guarded(&rows[0], None, puts(&rows))).await;
                    if answer.is_ok() {
                        counts.send_modify(|counts| counts[writer] += 1);
                    }
                    attempts.push(Attempt { name, answer });
                }
                attempts
            })
        };
        Load { writers: (0..writers).map(writer).collect(), ends, acknowledged }
    }

    /// Waits until so many more commits of every writer are acknowledged.
    pub(crate) async fn advance(&self, commits: u64) {
        let mut counts = self.acknowledged.clone();
        let from = counts.borrow_and_update().clone();
        let far = |counts: &Vec<u64>| counts.iter().zip(&from).all(|(now, from)| *now >= from + commits);
        counts.wait_for(far).await.unwrap();
    }

    pub(crate) async fn end(self) -> Vec<Attempt> {
        self.ends.store(true, Ordering::SeqCst);
        let mut attempts = Vec::new();
        for writer in self.writers {
            attempts.extend(writer.await.unwrap());
        }
        attempts
    }
}

/// Looks for every commit.
pub(crate) async fn judge(store: &dyn Store, attempts: &[Attempt]) -> Verdict {
    let found = found(store).await.unwrap();
    let mut verdict = Verdict::default();
    for Attempt { name, answer } in attempts {
        let rows = found.get(name).map_or(&[][..], Vec::as_slice);
        let revisions: BTreeSet<Revision> = rows.iter().copied().collect();
        if !(rows.is_empty() || rows.len() == ROWS.len() && revisions.len() == 1) {
            verdict.torn.push(name.clone());
        }
        match answer {
            Ok(revision) => {
                verdict.acknowledged += 1;
                if !revisions.contains(revision) {
                    verdict.lost.push(name.clone());
                }
            }
            Err(error) => {
                verdict.errors.insert(error.to_string());
                if error.kind() == ErrorKind::CommitUnknown {
                    verdict.unknown += 1;
                    verdict.unknown_there += usize::from(!rows.is_empty());
                } else {
                    verdict.refused += 1;
                    if !rows.is_empty() {
                        verdict.denied.push(name.clone());
                    }
                }
            }
        }
    }
    verdict
}

impl Verdict {
    /// Checks that every answer was true.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(self.lost.is_empty() && self.denied.is_empty() && self.torn.is_empty(), "{self:?}");
    }
}

/// The revisions of the rows of each commit.
async fn found(store: &dyn Store) -> Result<BTreeMap<String, Vec<Revision>>> {
    let (mut range, mut found) = (KeyRange::ALL, BTreeMap::<String, Vec<Revision>>::new());
    loop {
        let Page { entries, more, .. } = store.scan(&scan(range.clone())).await?;
        for entry in &entries {
            let key = String::from_utf8_lossy(entry.key.as_bytes());
            let (name, _) = key.split_at(key.rfind('/').map_or(0, |at| at + 1));
            found.entry(name.to_owned()).or_default().push(entry.revision);
        }
        match entries.last() {
            Some(last) if more => range = range.beyond(&last.key, false),
            _ => return Ok(found),
        }
    }
}
