//! Guards against the documentation's own words, evaluated on a plain map.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Revision, Write};

use super::inputs::{Span, names, spans};
use super::random::on_random;
use super::support::{batch, committed, current, key, put};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    guards_hold_exactly_when_the_documentation_says random true,
}

#[derive(Clone, Debug)]
enum Step {
    /// Notes what a reader of the range sees now.
    Read(Span),
    /// One call of `commit`.
    Commit(Vec<Attempt>),
    /// A `drop_range`, under guards.
    Drop(Span, Attempt),
}

#[derive(Clone, Debug)]
struct Attempt {
    /// Which of the reads so far it guards, counted from the newest.
    reads: Vec<usize>,
    /// Which revisions of keys it guards, counted from the newest.
    keys: Vec<(Vec<u8>, usize)>,
    /// What it puts (`true`) and deletes.
    writes: Vec<(Vec<u8>, bool)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let attempt = || {
        let reads = vec(0_usize..8, 0..3);
        let keys = vec((names(), 0_usize..4), 0..2);
        let writes = vec((names(), prop::bool::weighted(0.6)), 0..4);
        (reads, keys, writes).prop_map(|(reads, keys, writes)| Attempt { reads, keys, writes })
    };
    let step = prop_oneof![
        4 => spans().prop_map(Step::Read),
        6 => vec(attempt(), 1..4).prop_map(Step::Commit),
        1 => (spans(), attempt()).prop_map(|(span, attempt)| Step::Drop(span, attempt)),
    ];
    vec(step, 1..60)
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, Revision>,
    /// Revisions that a key once had, so that guards name plausible ones.
    seen: BTreeMap<Vec<u8>, Vec<Revision>>,
    reads: Vec<Guard>,
}

impl Model {
    fn in_range(&self, range: &KeyRange) -> impl Iterator<Item = Revision> {
        self.rows.iter().filter(|(name, _)| range.holds(name)).map(|(_, revision)| *revision)
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Key { key, revision } => self.rows.get(key.as_bytes()) == revision.as_ref(),
            Guard::Range { range, as_of, rows } => {
                self.in_range(range).count() as u64 == *rows && self.in_range(range).all(|revision| revision <= *as_of)
            }
        }
    }

    fn batch(&self, attempt: &Attempt) -> Batch {
        let reads = attempt.reads.iter().filter_map(|back| self.reads.iter().rev().nth(*back).cloned());
        let keys = attempt.keys.iter().map(|(name, back)| {
            let revision = self.seen.get(name).and_then(|seen| seen.iter().rev().nth(*back).copied());
            Guard::Key { key: key(name), revision }
        });
        let writes = attempt.writes.iter().map(|(name, puts)| (name, if *puts { put("value") } else { Write::Delete }));
        Batch { guards: reads.chain(keys).collect(), ..batch(writes) }
    }

    /// Checks the outcome, and does what it says.
    fn follow(&mut self, batch: &Batch, before: Revision, outcome: &Outcome) -> Checked<Revision> {
        if let Some(wanted) = batch.guards.iter().position(|guard| !self.holds(guard)) {
            return match outcome {
                Outcome::Conflict { guard } if *guard == wanted => Ok(before),
                other => Err(Failure::new(format!("{other:?}, but guard {wanted} is the first that does not hold"))),
            };
        }
        let revision = committed(outcome)?;
        if batch.is_read_only() {
            ensure_eq!(revision, before, "the revision of a batch that writes nothing");
            return Ok(before);
        }
        ensure!(revision > before, "revision {revision} after {before}");
        for (name, write) in &batch.writes {
            let name = name.as_bytes().to_vec();
            if *write == Write::Delete {
                self.rows.remove(&name);
            } else {
                self.rows.insert(name.clone(), revision);
                self.seen.entry(name).or_default().push(revision);
            }
        }
        Ok(revision)
    }
}

async fn guards_hold_exactly_when_the_documentation_says(context: Context) -> Checked {
    on_random(&context, context.effort().operations / 80, &steps(), play)
}

async fn play(site: &Site, steps: Vec<Step>) -> Checked {
    let store = &*site.store;
    let mut model = Model::default();
    let mut revision = current(store).await?;
    for step in &steps {
        match step {
            Step::Read(Span(range)) => {
                let summary = store.summarize(range).await?;
                ensure_eq!(summary.rows, model.in_range(range).count() as u64);
                ensure_eq!(summary.newest, model.in_range(range).max().unwrap_or_default());
                ensure_eq!(summary.as_of, revision);
                let (range, as_of, rows) = (range.clone(), summary.as_of, summary.rows);
                model.reads.push(Guard::Range { range, as_of, rows });
            }
            Step::Commit(attempts) => {
                let batches: Vec<_> = attempts.iter().map(|attempt| model.batch(attempt)).collect();
                let outcomes = store.commit(batches.clone()).await?;
                ensure_eq!(outcomes.len(), batches.len(), "outcomes");
                for (batch, outcome) in batches.iter().zip(&outcomes) {
                    revision = model.follow(batch, revision, outcome)?;
                }
            }
            Step::Drop(Span(range), attempt) => {
                let guards = model.batch(attempt).guards;
                let names = model.rows.keys().filter(|name| range.holds(name));
                let dropped = Batch { guards, ..batch(names.map(|name| (name, Write::Delete))) };
                let outcome = store.drop_range(range, &dropped.guards).await?;
                revision = model.follow(&dropped, revision, &outcome)?;
            }
        }
    }
    Ok(())
}
