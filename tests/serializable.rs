//! Serializability, proved by replay: random transactions run interleaved; those that committed are run again one by one on a
//! plain map, in the order of their revisions, and every single read must have been the same.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::poll_immediate;
use proptest::prelude::*;
use strongroom::store::{Revision, Store};
use strongroom::{Committed, Database, Result, Transaction};
use support::weak::{Halves, Weak};
use support::{Counter, Engine, Place};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const GROUPS: [&str; 2] = ["x", "y"];

#[derive(Clone, Debug)]
enum Step {
    Get(&'static str),
    /// A page of an index: group, limit, direction, and values from here on.
    Page(&'static str, usize, bool, i64),
    /// A page of the records themselves.
    List(usize),
    Count(&'static str),
    CountAll,
    Put(&'static str, &'static str),
    Insert(&'static str, &'static str),
    Delete(&'static str),
}

/// What a step told the transaction.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Counter(Option<Counter>),
    Page(Vec<Counter>),
    Count(u64),
    Nothing,
    Flag(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || prop::sample::select(&NAMES[..]);
    let group = || prop::sample::select(&GROUPS[..]);
    prop_oneof![
        1 => name().prop_map(Step::Get),
        1 => (group(), 1..4_usize, any::<bool>(), 0..40_i64).prop_map(|(g, limit, back, from)| Step::Page(g, limit, back, from)),
        1 => (1..7_usize).prop_map(Step::List),
        1 => group().prop_map(Step::Count),
        1 => Just(Step::CountAll),
        3 => (name(), group()).prop_map(|(name, group)| Step::Put(name, group)),
        1 => (name(), group()).prop_map(|(name, group)| Step::Insert(name, group)),
        1 => name().prop_map(Step::Delete),
    ]
}

/// The value that a step of a transaction writes: all differ, so a read tells whose write it saw.
fn value(transaction: usize, step: usize) -> i64 {
    (transaction * 10 + step) as i64
}

fn counter(name: &str, group: &str, value: i64) -> Counter {
    Counter { name: name.to_owned(), group: group.to_owned(), value }
}

async fn run(tx: &Transaction, step: &Step, value: i64) -> Result<Seen> {
    Ok(match step {
        Step::Get(name) => Seen::Counter(tx.get(&Counter::key(name)).await?),
        Step::Page(group, limit, back, from) => {
            let query = tx.query(Counter::GROUP).equal(group).from(*from).limit(*limit);
            let query = if *back { query.descending() } else { query };
            Seen::Page(query.page().await?.records)
        }
        Step::List(limit) => Seen::Page(tx.query(Counter::PRIMARY).limit(*limit).page().await?.records),
        Step::Count(group) => Seen::Count(tx.query(Counter::GROUP).equal(group).count().await?),
        Step::CountAll => Seen::Count(tx.count::<Counter>().await?),
        Step::Put(name, group) => {
            tx.put(&counter(name, group, value)).await?;
            Seen::Nothing
        }
        Step::Insert(name, group) => Seen::Flag(tx.insert(&counter(name, group, value)).await.is_ok()),
        Step::Delete(name) => Seen::Flag(tx.delete(&Counter::key(name)).await?),
    })
}

fn replay(map: &mut BTreeMap<String, Counter>, step: &Step, value: i64) -> Seen {
    match step {
        Step::Get(name) => Seen::Counter(map.get(*name).cloned()),
        Step::Page(group, limit, back, from) => {
            let mut found: Vec<Counter> =
                map.values().filter(|c| c.group == *group && c.value >= *from).cloned().collect();
            found.sort_by_key(|counter| counter.value);
            if *back {
                found.reverse();
            }
            found.truncate(*limit);
            Seen::Page(found)
        }
        Step::List(limit) => Seen::Page(map.values().take(*limit).cloned().collect()),
        Step::Count(group) => Seen::Count(map.values().filter(|counter| counter.group == *group).count() as u64),
        Step::CountAll => Seen::Count(map.len() as u64),
        Step::Put(name, group) => {
            map.insert((*name).to_owned(), counter(name, group, value));
            Seen::Nothing
        }
        Step::Insert(name, group) => {
            let new = !map.contains_key(*name);
            if new {
                map.insert((*name).to_owned(), counter(name, group, value));
            }
            Seen::Flag(new)
        }
        Step::Delete(name) => Seen::Flag(map.remove(*name).is_some()),
    }
}

type Running<'t> = Pin<Box<dyn Future<Output = Result<Committed<(bool, Vec<Seen>)>>> + 't>>;

/// Runs the transactions interleaved as `schedule` says, replays them, and says what does not fit.
async fn check(store: Arc<dyn Store>, scripts: &[Vec<Step>], schedule: &[usize]) -> Result<(), String> {
    let db = Database::builder(support::schema()).open(store).await.map_err(|error| error.to_string())?;
    for (at, name) in NAMES.iter().enumerate().take(3) {
        db.put(&counter(name, GROUPS[at % 2], 20 + at as i64)).await.map_err(|error| error.to_string())?;
    }
    let mut map: BTreeMap<String, Counter> = BTreeMap::new();
    for found in db.query(Counter::PRIMARY).page().await.map_err(|error| error.to_string())?.records {
        map.insert(found.name.clone(), found);
    }
    let db = &db;
    let mut running: Vec<(usize, Running<'_>)> = Vec::new();
    for (number, script) in scripts.iter().enumerate() {
        let transaction = db.write_at(move |tx| async move {
            let mut seen = Vec::new();
            for (at, step) in script.iter().enumerate() {
                tokio::task::yield_now().await;
                seen.push(run(&tx, step, value(number, at)).await?);
            }
            tokio::task::yield_now().await;
            let writes = seen.iter().zip(script).any(|(seen, step)| match step {
                Step::Put(..) => true,
                Step::Insert(..) | Step::Delete(_) => *seen == Seen::Flag(true),
                _ => false,
            });
            Ok((writes, seen))
        });
        running.push((number, Box::pin(transaction)));
    }
    let mut committed: Vec<(Revision, bool, usize, Vec<Seen>)> = Vec::new();
    let mut turns = schedule.iter().cycle();
    while !running.is_empty() {
        let turn = turns.next().copied().unwrap_or(0) % running.len();
        if let Some(result) = poll_immediate(&mut running[turn].1).await {
            let (number, _) = running.remove(turn);
            let Committed { value: (writes, seen), revision } = result.map_err(|error| error.to_string())?;
            committed.push((revision, writes, number, seen));
        }
    }
    // What only read stands behind the commit that it saw.
    committed.sort_by_key(|(revision, writes, ..)| (*revision, !*writes));
    for (revision, _, number, seen) in &committed {
        for (at, step) in scripts[*number].iter().enumerate() {
            let expected = replay(&mut map, step, value(*number, at));
            if expected != seen[at] {
                return Err(format!("{revision}: {step:?} saw {:?}, serially it is {expected:?}", seen[at]));
            }
        }
    }
    let left = db.query(Counter::PRIMARY).page().await.map_err(|error| error.to_string())?.records;
    if left != map.into_values().collect::<Vec<_>>() {
        return Err("the end is not that of the serial run".to_owned());
    }
    Ok(())
}

/// Runs random schedules; the first that is not serializable, shrunk.
fn search(cases: u32, store: impl Fn() -> Arc<dyn Store>) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let input =
        (prop::collection::vec(prop::collection::vec(step(), 1..6), 2..6), prop::collection::vec(0..6_usize, 1..60));
    let outcome = runner.run(&input, |(scripts, schedule)| {
        runtime.block_on(check(store(), &scripts, &schedule)).map_err(TestCaseError::fail)
    });
    outcome.err().map(|failure| failure.to_string())
}

fn memory() -> Arc<dyn Store> {
    Arc::new(strongroom_memory::Memory::new())
}

#[test]
fn transactions_are_serializable_on_memory() {
    assert_eq!(search(1_500, memory), None);
}

#[test]
fn transactions_are_serializable_on_redb() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let places = std::cell::RefCell::new(Vec::new());
    let found = search(60, || {
        let place = Place::new(Engine::Redb);
        let store = runtime.block_on(place.store());
        places.borrow_mut().push(place);
        store
    });
    assert_eq!(found, None);
}

#[test]
fn a_store_that_leaves_out_half_a_guard_is_caught() {
    let weak = |rows, newest| {
        move || -> Arc<dyn Store> { Arc::new(Weak { inner: memory(), halves: Halves { rows, newest } }) }
    };
    assert_eq!(search(1_500, weak(true, true)), None, "the control: with both halves nothing is found");
    assert!(search(20_000, weak(false, true)).is_some(), "without the number of rows");
    assert!(search(20_000, weak(true, false)).is_some(), "without the newest revision");
}
