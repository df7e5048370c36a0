//! The judges of isolation can fail: stores that leave out what keeps transactions apart are found out by the replay of
//! histories, by the checker of recorded ones, or by both, each for the reason that it should give.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_conformance::twist::{Twist, Twisted};
use strongroom_conformance::{Can, Capability, Effort, Factory, Options, Outcome, Place, Settings, groups, run_case};
use strongroom_conformance_runner::stacks::MemoryFactory;
use strongroom_core::Result;
use strongroom_core::store::{
    Batch, Guard, KeyRange, Outcome as Became, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoredKey, Summary,
};

const REPLAY: &str = "many_interleaved_transactions_equal_their_serial_replay";
const LISTS: &str = "recorded_lists_are_strictly_serializable";
const INDEXED: &str = "recorded_lists_within_an_index_are_strictly_serializable";
const REGISTERS: &str = "recorded_registers_are_strictly_serializable";
const WAIST: &str = "recorded_batches_of_the_waist_are_strictly_serializable";

/// What the replay says, and what the checker.
const NOT_SERIAL: &str = "is not serializable";
const VERDICT: &str = "the verdict is False";

/// Memory, twisted.
struct TwistedMemory(fn() -> Arc<dyn Twist>);

impl Debug for TwistedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TwistedMemory")
    }
}

#[async_trait]
impl Factory for TwistedMemory {
    fn name(&self) -> &'static str {
        "memory, twisted"
    }

    fn can(&self, capability: Capability) -> Can {
        MemoryFactory.can(capability)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(Twisted::new(MemoryFactory.open(place, settings).await?, (self.0)())))
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        MemoryFactory.reopen(place, settings).await
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        MemoryFactory.destroy(place).await
    }
}

fn outcome(case: &str, twist: fn() -> Arc<dyn Twist>, operations: usize) -> Outcome {
    let case = groups::all().into_iter().find(|known| known.name == case).unwrap();
    let factory: Arc<dyn Factory> = Arc::new(TwistedMemory(twist));
    let effort = Effort { operations, ..Effort::default() };
    run_case(&case, &factory, &Options { effort, ..Options::default() }).outcome
}

/// Each case fails on the twisted store, with these words.
fn found_out(twist: fn() -> Arc<dyn Twist>, cases: &[(&str, &str)]) {
    for (case, words) in cases {
        // A record is made whole before it is judged; of histories there are as many as it takes, since one that fails ends it.
        let operations = if *case == REPLAY { 60_000 } else { 2_000 };
        match outcome(case, twist, operations) {
            Outcome::Fail(reason) => assert!(reason.contains(words), "{case}: {reason}"),
            other => panic!("{case}: {other}"),
        }
    }
}

/// Which guards are checked, and which halves of those on ranges.
#[derive(Clone, Copy, Debug)]
struct Checks {
    keys: bool,
    /// A range still has as many rows.
    rows: bool,
    /// None of its rows is newer.
    newest: bool,
}

const ALL: Checks = Checks { keys: true, rows: true, newest: true };

impl Checks {
    /// The guard that stands for this one: exact, for what it is to look at. `None`: it does not hold. Empty: not checked.
    async fn stand_in(self, inner: &dyn Store, guard: &Guard) -> Result<Option<Vec<Guard>>> {
        let Guard::Range { range, as_of, rows } = guard else {
            return Ok(Some(if self.keys { vec![guard.clone()] } else { Vec::new() }));
        };
        let now = inner.summarize(range).await?;
        let holds = (!self.rows || now.rows == *rows) && (!self.newest || now.newest <= *as_of);
        let range = range.clone();
        Ok(holds.then(|| vec![Guard::Range { range, as_of: now.as_of, rows: now.rows }]))
    }

    async fn commit_one(self, inner: &dyn Store, batch: &Batch) -> Result<Became> {
        'again: loop {
            let mut batch = batch.clone();
            let mut stand_ins = Vec::new();
            for (at, guard) in batch.guards.iter().enumerate() {
                match self.stand_in(inner, guard).await? {
                    Some(guards) => stand_ins.extend(guards.into_iter().map(|guard| (at, guard))),
                    None => return Ok(Became::Conflict { guard: at }),
                }
            }
            let (places, guards): (Vec<usize>, Vec<Guard>) = stand_ins.into_iter().unzip();
            batch.guards = guards;
            let outcome = inner.commit(vec![batch.clone()]).await?.remove(0);
            match outcome {
                // The range changed since it was looked at: look again.
                Became::Conflict { guard } if matches!(batch.guards[guard], Guard::Range { .. }) => continue 'again,
                Became::Conflict { guard } => return Ok(Became::Conflict { guard: places[guard] }),
                other => return Ok(other),
            }
        }
    }
}

#[async_trait]
impl Twist for Checks {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Became>> {
        let mut outcomes = Vec::new();
        for batch in &batches {
            outcomes.push(self.commit_one(&**inner, batch).await?);
        }
        Ok(outcomes)
    }
}

#[test]
fn a_store_that_checks_all_is_not_accused() {
    for case in [REPLAY, LISTS, INDEXED, REGISTERS, WAIST] {
        assert_eq!(outcome(case, || Arc::new(ALL), 2_000), Outcome::Pass, "{case}");
    }
}

#[test]
fn a_store_without_guards_on_keys_is_found_out() {
    let cases = [(REPLAY, NOT_SERIAL), (LISTS, VERDICT), (REGISTERS, VERDICT), (WAIST, VERDICT)];
    found_out(|| Arc::new(Checks { keys: false, ..ALL }), &cases);
}

#[test]
fn a_store_without_guards_on_ranges_is_found_out() {
    let cases = [(REPLAY, NOT_SERIAL), (INDEXED, VERDICT)];
    found_out(|| Arc::new(Checks { rows: false, newest: false, ..ALL }), &cases);
}

#[test]
fn a_store_that_does_not_count_the_rows_of_a_range_is_found_out() {
    found_out(|| Arc::new(Checks { rows: false, ..ALL }), &[(REPLAY, NOT_SERIAL)]);
}

#[test]
fn a_store_that_only_counts_the_rows_of_a_range_is_found_out() {
    found_out(|| Arc::new(Checks { newest: false, ..ALL }), &[(REPLAY, NOT_SERIAL)]);
}

/// Gives each snapshot one call late: it does not see what was acknowledged in between.
#[derive(Debug, Default)]
struct Stale(Mutex<Option<Box<dyn Snapshot>>>);

#[async_trait]
impl Twist for Stale {
    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        let newest = inner.snapshot().await?;
        let last = self.0.lock().unwrap().replace(newest);
        match last {
            Some(stale) => Ok(stale),
            None => inner.snapshot().await,
        }
    }
}

#[test]
fn a_store_with_stale_snapshots_is_found_out() {
    // In their order they may still be serializable: what tells is that they are late.
    found_out(|| Arc::new(Stale::default()), &[(LISTS, "realtime"), (REGISTERS, "realtime"), (WAIST, "realtime")]);
}

/// Gives snapshots that move with the store.
#[derive(Debug)]
struct Unsteady;

#[derive(Debug)]
struct Moving {
    store: Arc<dyn Store>,
    taken_at: Revision,
}

#[async_trait]
impl Read for Moving {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.store.get(keys).await
    }
    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.store.scan(scan).await
    }
    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.store.summarize(range).await
    }
}

#[async_trait]
impl Snapshot for Moving {
    fn revision(&self) -> Revision {
        self.taken_at
    }
}

#[async_trait]
impl Twist for Unsteady {
    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        let taken_at = inner.snapshot().await?.revision();
        Ok(Box::new(Moving { store: inner.clone(), taken_at }))
    }
}

#[test]
fn a_store_whose_snapshots_move_is_found_out() {
    found_out(|| Arc::new(Unsteady), &[(REPLAY, NOT_SERIAL), (LISTS, VERDICT), (WAIST, VERDICT)]);
}
