//! What is known of the steps of a history, and the check that a store agrees: the one judge of this group.

use std::collections::BTreeMap;
use std::fmt;

use strongroom_core::store::{KeyRange, Revision, Row, Store, StoredKey};

use super::history::{History, Model, Step, apply, logged};
use super::seen::{Seen, see};
use crate::{Checked, Failure, ensure, ensure_eq};

/// What a store may have forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing that was acknowledged.
    All,
    /// The newest of what was acknowledged: what is left is what some moment of the past had.
    Older,
}

/// The steps of a history that happened or may have happened on one store.
#[derive(Debug)]
pub(super) struct Ledger {
    history: History,
    /// What was acknowledged, or found.
    done: BTreeMap<Revision, u32>,
    /// What the store must hold after all that was done up to `modelled`.
    model: Model,
    modelled: Revision,
    /// Calls of which nobody knows whether they happened.
    open: Vec<Open>,
    next: u32,
    tally: Tally,
}

#[derive(Debug)]
struct Open {
    numbers: Vec<u32>,
    /// The newest revision that was known when the call was made.
    after: Revision,
}

/// What came of a case so far.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    checks: usize,
    acknowledged: usize,
    more: usize,
    lost: usize,
}

impl Ledger {
    /// Of a store that is empty.
    pub(super) fn new(history: History) -> Self {
        let (done, model, modelled) = (BTreeMap::new(), Model::new(), Revision::ZERO);
        Ledger { history, done, model, modelled, open: Vec::new(), next: 0, tally: Tally::default() }
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// How many acknowledged commits the last check did not find.
    pub(super) fn lost(&self) -> usize {
        self.tally.lost
    }

    /// Whether nothing was acknowledged or found so far.
    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// The steps of the next call.
    pub(super) fn next_call(&self) -> Vec<u32> {
        self.history.call(self.next)
    }

    /// The call was acknowledged at these revisions.
    pub(super) fn acknowledged(&mut self, numbers: &[u32], revisions: &[Revision]) -> Checked {
        ensure_eq!(numbers.len(), revisions.len(), "outcomes of one call");
        self.tally.acknowledged += numbers.len();
        for (number, revision) in numbers.iter().zip(revisions) {
            self.next = self.next.max(number + 1);
            match self.history.step(*number) {
                // Of an empty range: nothing happened, and the revision is that of another step.
                Step::Drop(_) if self.newest() == *revision => {}
                _ => {
                    ensure!(self.newest() < *revision, "step {number} was committed at {revision}, which is not newer");
                    self.done.insert(*revision, *number);
                }
            }
        }
        Ok(())
    }

    /// The call may have happened, all of it, or the first of its steps.
    pub(super) fn unknown(&mut self, numbers: Vec<u32>) {
        self.refused(&numbers);
        self.open.push(Open { numbers, after: self.newest() });
    }

    /// The call surely did not happen.
    pub(super) fn refused(&mut self, numbers: &[u32]) {
        self.next = numbers.last().map_or(self.next, |last| self.next.max(last + 1));
    }

    /// Makes the next call, which must succeed.
    pub(super) async fn go_on(&mut self, store: &dyn Store) -> Checked {
        let numbers = self.next_call();
        let revisions = self.history.make(store, &numbers).await?;
        self.acknowledged(&numbers, &revisions)
    }

    /// The newest revision that was acknowledged or found.
    pub(super) fn newest(&self) -> Revision {
        self.done.last_key_value().map_or(Revision::ZERO, |(newest, _)| *newest)
    }

    /// Checks that the store holds exactly what the steps left: all that were acknowledged, of the open calls the first so
    /// many steps, each step whole. Afterwards nothing is open, and the store has gone on.
    pub(super) async fn check(&mut self, store: &dyn Store, kept: Kept) -> Checked {
        self.tally.checks += 1;
        self.settle(store, kept).await?;
        self.go_on(store).await?;
        self.settle(store, Kept::All).await
    }

    /// As [`check`](Self::check), without making a step, unless a drop of a range was open, which is made again.
    pub(super) async fn settle(&mut self, store: &dyn Store, kept: Kept) -> Checked {
        let drops = self.judge(&see(store).await?, kept)?;
        for number in drops {
            let revisions = self.history.make(store, &[number]).await?;
            self.acknowledged(&[number], &revisions)?;
        }
        Ok(())
    }

    /// As [`settle`](Self::settle), of what was seen of a store. Gives the drops that were open: they may have happened in
    /// part, and are to be made again.
    pub(super) fn judge(&mut self, seen: &Seen, kept: Kept) -> Checked<Vec<u32>> {
        let found = seen.rows()?;
        self.agree(&found, kept)?;
        let as_of = seen.as_of();
        ensure!(as_of >= self.newest(), "the store reads at {as_of}, but {} was acknowledged", self.newest());
        for (revision, number) in self.done.range(self.modelled.next()..) {
            apply(&mut self.model, self.history.step(*number), *revision);
        }
        self.modelled = self.newest();
        let drops = self.open_drops();
        compare(&found, &self.model, |key, row| {
            drops.iter().any(|(range, after)| range.holds(key) && row.revision <= *after)
        })?;
        let open = std::mem::take(&mut self.open).into_iter().flat_map(|open| open.numbers);
        Ok(open.filter(|number| matches!(self.history.step(*number), Step::Drop(_))).collect())
    }

    /// Brings the ledger to what the store's own log says, if that is possible.
    fn agree(&mut self, found: &Model, kept: Kept) -> Checked {
        let log = log_of(found)?;
        let newest = log.last_key_value().map_or(Revision::ZERO, |(newest, _)| *newest);
        if kept == Kept::Older {
            let lost = self.done.split_off(&newest.next());
            (self.model, self.modelled) = (Model::new(), Revision::ZERO);
            // Nothing tells whether a drop among them is there.
            self.open.extend(lost.into_values().map(|number| Open { numbers: vec![number], after: newest }));
        }
        let logs = |number: &u32| matches!(self.history.step(*number), Step::Batch(_));
        let acknowledged = self.done.iter().filter(|(_, number)| logs(number));
        let lost: Vec<_> = acknowledged.filter(|(revision, number)| log.get(revision) != Some(number)).collect();
        self.tally.lost = lost.len();
        if let Some((revision, number)) = lost.first() {
            let others = lost.len() - 1;
            let message = format!("{LOST}: step {number} of revision {revision}, and {others} others, {}", self.tally);
            return Err(Failure::new(message));
        }
        for (revision, number) in log {
            if self.done.contains_key(&revision) {
                continue;
            }
            let call = self.open.iter_mut().find(|open| open.numbers.first() == Some(&number));
            let Some(call) = call else {
                return Err(Failure::new(format!(
                    "step {number} is there, which was refused, or without one before it"
                )));
            };
            call.numbers.remove(0);
            ensure!(call.after < revision, "step {number} has revision {revision}, older than what was there before");
            self.done.insert(revision, number);
            self.tally.more += 1;
        }
        Ok(())
    }

    fn open_drops(&self) -> Vec<(KeyRange, Revision)> {
        let open = self.open.iter().flat_map(|open| open.numbers.iter().map(|number| (*number, open.after)));
        let drops = open.filter_map(|(number, after)| match self.history.step(number) {
            Step::Drop(range) => Some((range, after)),
            Step::Batch(_) => None,
        });
        drops.collect()
    }

    /// Names the round, and what had come of the rounds before it.
    pub(super) fn in_round(&self, round: usize, failure: &Failure) -> Failure {
        Failure::new(format!("round {round}, {}: {failure}", self.tally))
    }
}

/// How a message about a lost acknowledged step begins.
pub(super) const LOST: &str = "an acknowledged commit is lost";

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { checks, acknowledged, more, .. } = self;
        write!(f, "in {checks} checks of {acknowledged} acknowledged steps, {more} more were found")
    }
}

/// Checks a store that another process is writing to: what it holds is what the steps of its own log leave. Gives the
/// revision that was seen. For histories that drop no ranges.
pub(super) async fn look(history: &History, store: &dyn Store) -> Checked<Revision> {
    let seen = see(store).await?;
    let found = seen.rows()?;
    let mut model = Model::new();
    for (revision, number) in log_of(&found)? {
        apply(&mut model, history.step(number), revision);
    }
    compare(&found, &model, |_, _| false)?;
    Ok(seen.as_of())
}

/// Which step each revision was, as the store itself says.
fn log_of(found: &Model) -> Checked<BTreeMap<Revision, u32>> {
    let logged = found.iter().filter_map(|(key, row)| logged(key, row));
    logged.map(|logged| logged.map_err(Failure::new)).collect()
}

/// `may_lack`: whether a row that the model has may be missing.
fn compare(found: &Model, model: &Model, may_lack: impl Fn(&[u8], &Row) -> bool) -> Checked {
    for (key, expected) in model {
        match found.get(key) {
            None if may_lack(key.as_bytes(), expected) => {}
            None => return Err(Failure::new(format!("row {} is missing: {expected:?}", shown(key)))),
            Some(row) if row == expected => {}
            Some(row) => {
                let same = if row.content == expected.content { "same" } else { "another" };
                let message = format!("row {} is {row:?}, expected {expected:?}, {same} content", shown(key));
                return Err(Failure::new(message));
            }
        }
    }
    let stranger = found.keys().find(|key| !model.contains_key(*key));
    stranger.map_or(Ok(()), |key| Err(Failure::new(format!("row {} should not be there", shown(key)))))
}

fn shown(key: &StoredKey) -> String {
    key.as_bytes().escape_ascii().to_string()
}
