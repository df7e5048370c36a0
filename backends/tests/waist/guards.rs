//! Guards against the documentation's own words, evaluated on a plain map.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_core::store::{Batch, Guard, KeyRange, Limits, Outcome, Revision, Write};

use super::reads::{keys_of_a_small_space, ranges};
use super::{Make, batch, commit, key, put, run};

#[derive(Clone, Debug)]
enum Step {
    /// Notes what a reader of the range sees now.
    Read(KeyRange),
    /// One call of `commit`.
    Commit(Vec<Attempt>),
    Drop(KeyRange),
}

#[derive(Clone, Debug)]
struct Attempt {
    /// Which of the reads so far it guards, counted from the newest.
    reads: Vec<usize>,
    keys: Vec<(Vec<u8>, usize)>,
    writes: Vec<(Vec<u8>, bool)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let attempt = (
        vec(0_usize..8, 0..3),
        vec((keys_of_a_small_space(), 0_usize..4), 0..2),
        vec((keys_of_a_small_space(), prop::bool::weighted(0.6)), 0..4),
    );
    let attempt = attempt.prop_map(|(reads, keys, writes)| Attempt { reads, keys, writes });
    let step = prop_oneof![
        4 => ranges().prop_map(Step::Read),
        6 => vec(attempt, 1..4).prop_map(Step::Commit),
        1 => ranges().prop_map(Step::Drop),
    ];
    vec(step, 1..60)
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, Revision>,
    revision: Revision,
    /// Revisions that a key once had, so that guards name plausible ones.
    seen: BTreeMap<Vec<u8>, Vec<Revision>>,
    reads: Vec<Guard>,
}

impl Model {
    fn in_range(&self, range: &KeyRange) -> Vec<(Vec<u8>, Revision)> {
        self.rows
            .iter()
            .filter(|(name, _)| range.holds(name))
            .map(|(name, revision)| (name.clone(), *revision))
            .collect()
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Key { key, revision } => self.rows.get(key.as_bytes()) == revision.as_ref(),
            Guard::Range { range, as_of, rows } => {
                let found = self.in_range(range);
                found.len() as u64 == *rows && found.iter().all(|(_, revision)| revision <= as_of)
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

    fn apply(&mut self, batch: &Batch) -> Result<Revision, usize> {
        if let Some(guard) = batch.guards.iter().position(|guard| !self.holds(guard)) {
            return Err(guard);
        }
        if batch.writes.is_empty() {
            return Ok(self.revision);
        }
        self.revision = self.revision.next();
        for (name, write) in &batch.writes {
            let name = name.as_bytes().to_vec();
            if *write == Write::Delete {
                self.rows.remove(&name);
            } else {
                self.rows.insert(name.clone(), self.revision);
                self.seen.entry(name).or_default().push(self.revision);
            }
        }
        Ok(self.revision)
    }
}

pub(crate) fn guards_hold_exactly_when_the_documentation_says(make: Make) {
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in steps())| {
        let fixture = make(Limits::default());
        run(async {
            let store = &*fixture.store;
            let mut model = Model::default();
            for step in &steps {
                match step {
                    Step::Read(range) => {
                        let summary = store.summarize(range).await.unwrap();
                        let rows = model.in_range(range);
                        prop_assert_eq!(summary.rows, rows.len() as u64);
                        prop_assert_eq!(summary.newest, rows.iter().map(|row| row.1).max().unwrap_or_default());
                        prop_assert_eq!(summary.as_of, model.revision);
                        let (range, as_of, rows) = (range.clone(), summary.as_of, summary.rows);
                        model.reads.push(Guard::Range { range, as_of, rows });
                    }
                    Step::Commit(attempts) => {
                        let batches: Vec<_> = attempts.iter().map(|attempt| model.batch(attempt)).collect();
                        let outcomes = store.commit(batches.clone()).await.unwrap();
                        prop_assert_eq!(outcomes.len(), batches.len());
                        for (batch, outcome) in batches.iter().zip(outcomes) {
                            match (model.apply(batch), outcome) {
                                (Ok(expected), Outcome::Committed(revision)) => prop_assert_eq!(revision, expected),
                                (Err(expected), Outcome::Conflict { guard }) => prop_assert_eq!(guard, expected),
                                (expected, outcome) => prop_assert!(false, "{:?}, not {:?}", outcome, expected),
                            }
                        }
                    }
                    Step::Drop(range) => {
                        store.drop_range(range, &[]).await.unwrap();
                        let rows = model.in_range(range);
                        if !rows.is_empty() {
                            model.revision = model.revision.next();
                        }
                        for (name, _) in rows {
                            model.rows.remove(&name);
                        }
                    }
                }
            }
            Ok(())
        })?;
    });
}

pub(crate) fn a_guard_older_than_what_is_remembered_is_still_exact(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let read = commit(store, batch([("a1", put("")), ("a2", put("")), ("b", put(""))])).await;
        let others = |count| (0..count).map(|number| batch([(format!("c{number}"), put(""))])).collect::<Vec<_>>();
        let guarded = |rows| {
            let range = KeyRange::prefix(b"a");
            Batch { guards: vec![Guard::Range { range, as_of: read, rows }], ..Batch::default() }
        };
        let holds = async |rows| matches!(store.commit(vec![guarded(rows)]).await.unwrap()[0], Outcome::Committed(_));
        store.commit(others(2_500)).await.unwrap();
        assert!(holds(2).await, "untouched since, however long ago");
        store.commit([vec![batch([("a1", Write::Delete)])], others(1_500)].concat()).await.unwrap();
        assert!(!holds(2).await, "one went");
        assert!(holds(1).await);
        store.commit([vec![batch([("a1", put(""))])], others(1_500)].concat()).await.unwrap();
        assert!(!holds(2).await, "one came back, newer");
        assert!(!holds(1).await);
    });
}

pub(crate) fn a_guard_over_a_dropped_range_fails(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let read = commit(store, batch([("a", put("")), ("b", put(""))])).await;
        store.drop_range(&KeyRange::prefix(b"a"), &[]).await.unwrap();
        let guard = |prefix: &[u8], rows| {
            let guards = vec![Guard::Range { range: KeyRange::prefix(prefix), as_of: read, rows }];
            Batch { guards, ..Batch::default() }
        };
        let outcomes = store.commit(vec![guard(b"a", 1), guard(b"", 2), guard(b"b", 1)]).await.unwrap();
        assert!(
            matches!(outcomes.as_slice(), [Outcome::Conflict { .. }, Outcome::Conflict { .. }, Outcome::Committed(_)]),
            "{outcomes:?}"
        );
    });
}
