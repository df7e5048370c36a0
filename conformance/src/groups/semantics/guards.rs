//! Guards: on one key, and on a range.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Revision, Store, Write};

use super::support::{
    all_keys, batch, commit, conflict, guarded, key, key_guard, link, put, range_guard, row, some_key, some_range,
    stamped,
};
use crate::case::cases;
use crate::random::search;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_key_guard_holds_at_exactly_its_revision,
    a_guard_on_absence_holds_while_there_is_no_row,
    a_key_guard_fails_after_the_same_value_was_written_again,
    a_key_guard_fails_after_a_delete_and_a_new_insert,
    a_key_guard_on_a_link_goes_by_the_link_not_its_target,
    a_range_guard_holds_while_nothing_happens_in_its_range,
    a_range_guard_fails_when_a_row_comes,
    a_range_guard_fails_when_a_row_goes,
    a_range_guard_fails_when_a_row_changes,
    a_range_guard_fails_when_one_row_goes_and_another_comes,
    a_range_guard_fails_for_a_stamped_row,
    a_range_guard_with_another_number_of_rows_fails,
    a_range_guard_may_be_later_than_its_rows,
    a_range_guard_minds_its_bounds,
    a_range_guard_over_nothing_holds,
    a_range_guard_far_back_is_still_exact,
    a_conflict_names_the_first_guard_that_fails,
    all_guards_of_a_batch_must_hold,
    a_conflict_writes_nothing,
    a_batch_that_only_checks_meets_conflicts_too,
    guards_see_the_batches_before_them_in_the_call,
    a_batch_may_guard_what_it_writes,
    of_two_that_guard_each_others_write_one_wins,
    guards_hold_exactly_when_the_documentation_says random true,
}

fn check(guard: Guard) -> Batch {
    guarded([guard], Batch::default())
}

async fn holds(store: &dyn Store, guard: Guard) -> Checked<bool> {
    Ok(conflict(store, check(guard)).await?.is_none())
}

/// Three rows in the range `a`, and neighbours on both sides.
async fn three(context: &Context) -> Checked<(std::sync::Arc<dyn Store>, Revision)> {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch(["Z", "a1", "a2", "a3", "b"].map(|name| (name, put("1"))))).await?;
    Ok((store, revision))
}

fn three_guard(as_of: Revision, rows: u64) -> Guard {
    range_guard(KeyRange::prefix(b"a"), as_of, rows)
}

async fn a_key_guard_holds_at_exactly_its_revision(context: Context) -> Checked {
    let (store, first) = three(&context).await?;
    let second = commit(&*store, batch([("a1", put("2"))])).await?;
    for (name, revision, expected) in [
        ("a1", Some(second), true),
        ("a1", Some(first), false),
        ("a1", Some(second.next()), false),
        ("a1", Some(Revision::ZERO), false),
        ("a1", None, false),
        ("a2", Some(first), true),
        ("a2", Some(second), false),
    ] {
        ensure_eq!(holds(&*store, key_guard(name, revision)).await?, expected, "{name} at {revision:?}");
    }
    Ok(())
}

async fn a_guard_on_absence_holds_while_there_is_no_row(context: Context) -> Checked {
    let (store, _) = three(&context).await?;
    ensure!(holds(&*store, key_guard("a4", None)).await?);
    ensure!(!holds(&*store, key_guard("a4", Some(Revision(1)))).await?);
    commit(&*store, batch([("a4", put(""))])).await?;
    ensure!(!holds(&*store, key_guard("a4", None)).await?, "an empty value is not absent");
    commit(&*store, batch([("a4", Write::Delete)])).await?;
    ensure!(holds(&*store, key_guard("a4", None)).await?);
    ensure!(holds(&*store, key_guard("", None)).await?);
    Ok(())
}

async fn a_key_guard_fails_after_the_same_value_was_written_again(context: Context) -> Checked {
    let (store, first) = three(&context).await?;
    commit(&*store, batch([("a1", put("1"))])).await?;
    ensure!(!holds(&*store, key_guard("a1", Some(first))).await?);
    Ok(())
}

async fn a_key_guard_fails_after_a_delete_and_a_new_insert(context: Context) -> Checked {
    let (store, first) = three(&context).await?;
    commit(&*store, batch([("a1", Write::Delete)])).await?;
    ensure!(!holds(&*store, key_guard("a1", Some(first))).await?);
    let back = commit(&*store, batch([("a1", put("1"))])).await?;
    ensure!(!holds(&*store, key_guard("a1", Some(first))).await?);
    ensure!(holds(&*store, key_guard("a1", Some(back))).await?);
    Ok(())
}

async fn a_key_guard_on_a_link_goes_by_the_link_not_its_target(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("l", link("t")), ("t", put("1"))])).await?;
    let second = commit(&*store, batch([("t", put("2"))])).await?;
    ensure!(holds(&*store, key_guard("l", Some(first))).await?);
    ensure!(!holds(&*store, key_guard("t", Some(first))).await?);
    ensure!(holds(&*store, key_guard("t", Some(second))).await?);
    Ok(())
}

async fn a_range_guard_holds_while_nothing_happens_in_its_range(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    for n in 0..20 {
        commit(
            &*store,
            batch([("Z", put(n.to_string())), ("b", put(n.to_string())), ("`", put("")), ("a", Write::Delete)]),
        )
        .await?;
        ensure!(holds(&*store, three_guard(read, 3)).await?, "after {n} commits elsewhere");
    }
    Ok(())
}

async fn a_range_guard_fails_when_a_row_comes(context: Context) -> Checked {
    for name in ["a", "a0", "a11", "a4", "a\u{7f}"] {
        let (store, read) = three(&context).await?;
        commit(&*store, batch([(name, put(""))])).await?;
        ensure!(!holds(&*store, three_guard(read, 3)).await?, "{name} came");
        ensure!(!holds(&*store, three_guard(read, 4)).await?, "{name} came, and was not there to be counted");
    }
    Ok(())
}

async fn a_range_guard_fails_when_a_row_goes(context: Context) -> Checked {
    for name in ["a1", "a2", "a3"] {
        let (store, read) = three(&context).await?;
        commit(&*store, batch([(name, Write::Delete)])).await?;
        ensure!(!holds(&*store, three_guard(read, 3)).await?, "{name} went");
    }
    Ok(())
}

async fn a_range_guard_fails_when_a_row_changes(context: Context) -> Checked {
    for write in [put("2"), put("1"), link("b")] {
        let (store, read) = three(&context).await?;
        commit(&*store, batch([("a2", write)])).await?;
        ensure!(!holds(&*store, three_guard(read, 3)).await?);
    }
    Ok(())
}

async fn a_range_guard_fails_when_one_row_goes_and_another_comes(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    commit(&*store, batch([("a1", Write::Delete), ("a4", put("1"))])).await?;
    ensure!(!holds(&*store, three_guard(read, 3)).await?, "as many rows, one of them newer");
    Ok(())
}

async fn a_range_guard_fails_for_a_stamped_row(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    commit(&*store, stamped("a", "entry")).await?;
    ensure!(!holds(&*store, three_guard(read, 3)).await?);
    Ok(())
}

async fn a_range_guard_with_another_number_of_rows_fails(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    commit(&*store, batch([("a1", put("2"))])).await?;
    let now = commit(&*store, batch([("b", put("2"))])).await?;
    for rows in [0, 1, 2, 4, 1_000] {
        ensure!(!holds(&*store, three_guard(read, rows)).await?, "{rows} rows");
    }
    // Read now, it is three.
    ensure!(holds(&*store, three_guard(now, 3)).await?);
    Ok(())
}

async fn a_range_guard_may_be_later_than_its_rows(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    let later = commit(&*store, batch([("b", put("2"))])).await?;
    ensure!(later > read && holds(&*store, three_guard(later, 3)).await?);
    commit(&*store, batch([("a1", put("2"))])).await?;
    ensure!(!holds(&*store, three_guard(later, 3)).await?);
    Ok(())
}

async fn a_range_guard_minds_its_bounds(context: Context) -> Checked {
    let ends = [
        (Bound::Included(key("a1")), Bound::Included(key("a3")), [true, true], 3),
        (Bound::Excluded(key("a1")), Bound::Included(key("a3")), [false, true], 2),
        (Bound::Included(key("a1")), Bound::Excluded(key("a3")), [true, false], 2),
        (Bound::Excluded(key("a1")), Bound::Excluded(key("a3")), [false, false], 1),
    ];
    for (start, end, inside, rows) in ends {
        let range = KeyRange { start, end };
        for (name, inside) in ["a1", "a3"].into_iter().zip(inside) {
            let (store, read) = three(&context).await?;
            let guard = range_guard(range.clone(), read, rows);
            ensure!(holds(&*store, guard.clone()).await?);
            commit(&*store, batch([(name, put("2"))])).await?;
            ensure_eq!(holds(&*store, guard).await?, !inside, "{name} changed under {rows} rows");
        }
    }
    Ok(())
}

async fn a_range_guard_over_nothing_holds(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    commit(&*store, batch([("b", put("2"))])).await?;
    let inverted = KeyRange { start: Bound::Included(key("b")), end: Bound::Excluded(key("a")) };
    for range in [KeyRange::prefix(b"c"), inverted] {
        ensure!(holds(&*store, range_guard(range.clone(), read, 0)).await?);
        ensure!(holds(&*store, range_guard(range, Revision::ZERO, 0)).await?);
    }
    commit(&*store, batch([("c", put(""))])).await?;
    ensure!(!holds(&*store, range_guard(KeyRange::prefix(b"c"), read, 0)).await?, "a phantom");
    Ok(())
}

async fn a_range_guard_far_back_is_still_exact(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    let others = |count: usize| (0..count).map(|n| batch([(format!("c{n}"), put(""))])).collect::<Vec<_>>();
    store.commit(others(2_500)).await?;
    ensure!(holds(&*store, three_guard(read, 3)).await?, "untouched since, however long ago");
    store.commit([vec![batch([("a1", Write::Delete)])], others(1_500)].concat()).await?;
    ensure!(!holds(&*store, three_guard(read, 3)).await?, "one went");
    ensure!(holds(&*store, three_guard(read, 2)).await?, "two are as old");
    store.commit([vec![batch([("a1", put(""))])], others(1_500)].concat()).await?;
    ensure!(!holds(&*store, three_guard(read, 3)).await?, "one came back, newer");
    ensure!(!holds(&*store, three_guard(read, 2)).await?);
    Ok(())
}

async fn a_conflict_names_the_first_guard_that_fails(context: Context) -> Checked {
    let (store, first) = three(&context).await?;
    let second = commit(&*store, batch([("a2", put("2"))])).await?;
    let good = || [key_guard("a1", Some(first)), three_guard(second, 3), key_guard("none", None)];
    let bad = || [key_guard("a2", Some(first)), three_guard(first, 3), key_guard("a1", None)];
    for position in 0..=3 {
        for failing in bad() {
            let mut guards = good().to_vec();
            guards.insert(position, failing);
            guards.extend(bad());
            let met = conflict(&*store, guarded(guards, batch([("x", put(""))]))).await?;
            ensure_eq!(met, Some(position));
        }
    }
    ensure_eq!(row(&*store, "x").await?, None);
    Ok(())
}

async fn all_guards_of_a_batch_must_hold(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    let names = ["a1", "a2", "a3", "b"];
    let guards = |failing: usize| {
        names.into_iter().enumerate().map(move |(at, name)| key_guard(name, (at != failing).then_some(read)))
    };
    for failing in 0..4 {
        ensure_eq!(conflict(&*store, guarded(guards(failing), batch([("x", put(""))]))).await?, Some(failing));
    }
    ensure_eq!(conflict(&*store, guarded(guards(4), batch([("x", put(""))]))).await?, None);
    Ok(())
}

async fn a_conflict_writes_nothing(context: Context) -> Checked {
    let (store, _) = three(&context).await?;
    let before = store.summarize(&KeyRange::ALL).await?;
    let mut failing =
        guarded([key_guard("a1", None)], batch([("a1", put("2")), ("a2", Write::Delete), ("c", put(""))]));
    failing.stamped = stamped("log", "entry").stamped;
    ensure_eq!(conflict(&*store, failing).await?, Some(0));
    ensure_eq!(store.summarize(&KeyRange::ALL).await?, before);
    ensure_eq!(all_keys(&*store).await?.len(), 5);
    Ok(())
}

async fn a_batch_that_only_checks_meets_conflicts_too(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    ensure!(holds(&*store, key_guard("a1", Some(read))).await?);
    commit(&*store, batch([("a1", put("2"))])).await?;
    ensure!(!holds(&*store, key_guard("a1", Some(read))).await?);
    ensure!(!holds(&*store, three_guard(read, 3)).await?);
    Ok(())
}

async fn guards_see_the_batches_before_them_in_the_call(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    let outcomes = store
        .commit(vec![
            check(three_guard(read, 3)),
            batch([("a4", put(""))]),
            check(three_guard(read, 3)),
            check(key_guard("a4", None)),
            batch([("a4", Write::Delete)]),
            check(three_guard(read, 3)),
            check(key_guard("a4", None)),
            stamped("a", "entry"),
            check(three_guard(read, 3)),
            batch([("a1", Write::Delete)]),
            check(key_guard("a1", Some(read))),
            check(key_guard("a2", Some(read))),
        ])
        .await?;
    let held: Vec<_> = outcomes.iter().map(|outcome| outcome.revision().is_some()).collect();
    let expected = [true, true, false, false, true, true, true, true, false, true, false, true];
    ensure_eq!(held, expected, "{outcomes:?}");
    Ok(())
}

async fn a_batch_may_guard_what_it_writes(context: Context) -> Checked {
    let (store, read) = three(&context).await?;
    let update = |revision, text: &str| {
        let guards = [key_guard("a1", Some(revision)), key_guard("c", None)];
        guarded(guards, batch([("a1", put(text)), ("c", Write::Delete)]))
    };
    let second = commit(&*store, update(read, "2")).await?;
    ensure_eq!(conflict(&*store, update(read, "3")).await?, Some(0));
    commit(&*store, update(second, "4")).await?;
    let own = commit(&*store, batch([("q", put(""))])).await?;
    ensure_eq!(conflict(&*store, guarded([three_guard(own, 3)], batch([("a4", put(""))]))).await?, None);
    Ok(())
}

async fn of_two_that_guard_each_others_write_one_wins(context: Context) -> Checked {
    for round in 0..20 {
        let (store, read) = three(&context).await?;
        let mine = guarded([key_guard("a1", Some(read)), key_guard("a2", Some(read))], batch([("a1", put("mine"))]));
        let theirs =
            guarded([key_guard("a1", Some(read)), key_guard("a2", Some(read))], batch([("a2", put("theirs"))]));
        let (one, other) = futures_util::future::join(conflict(&*store, mine), conflict(&*store, theirs)).await;
        ensure!(one?.is_none() != other?.is_none(), "round {round}: not exactly one of two");
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    /// Notes what a reader of the range sees now.
    Read(KeyRange),
    /// One call of `commit`.
    Commit(Vec<Attempt>),
    Drop(KeyRange, Attempt),
}

#[derive(Clone, Debug)]
struct Attempt {
    /// Which of the reads so far it guards, counted from the newest.
    reads: Vec<usize>,
    keys: Vec<(Vec<u8>, usize)>,
    writes: Vec<(Vec<u8>, bool)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let attempt = || {
        let parts = (
            vec(0_usize..8, 0..3),
            vec((some_key(), 0_usize..4), 0..2),
            vec((some_key(), prop::bool::weighted(0.6)), 0..4),
        );
        parts.prop_map(|(reads, keys, writes)| Attempt { reads, keys, writes })
    };
    let step = prop_oneof![
        4 => some_range().prop_map(Step::Read),
        6 => vec(attempt(), 1..4).prop_map(Step::Commit),
        1 => (some_range(), attempt()).prop_map(|(range, attempt)| Step::Drop(range, attempt)),
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
        self.rows.iter().filter(|(name, _)| range.holds(name)).map(|(name, at)| (name.clone(), *at)).collect()
    }

    fn broken(&self, guards: &[Guard]) -> Option<usize> {
        guards.iter().position(|guard| match guard {
            Guard::Key { key, revision } => self.rows.get(key.as_bytes()) != revision.as_ref(),
            Guard::Range { range, as_of, rows } => {
                let found = self.in_range(range);
                found.len() as u64 != *rows || found.iter().any(|(_, revision)| revision > as_of)
            }
        })
    }

    fn batch(&self, attempt: &Attempt) -> Batch {
        let reads = attempt.reads.iter().filter_map(|back| self.reads.iter().rev().nth(*back).cloned());
        let keys = attempt.keys.iter().map(|(name, back)| {
            let revision = self.seen.get(name).and_then(|seen| seen.iter().rev().nth(*back).copied());
            key_guard(name, revision)
        });
        let writes = attempt.writes.iter().map(|(name, puts)| (name, if *puts { put("value") } else { Write::Delete }));
        guarded(reads.chain(keys), batch(writes))
    }

    fn apply(&mut self, batch: &Batch, revision: Revision) {
        for (name, write) in &batch.writes {
            let name = name.as_bytes().to_vec();
            if *write == Write::Delete {
                self.rows.remove(&name);
            } else {
                self.rows.insert(name.clone(), revision);
                self.seen.entry(name).or_default().push(revision);
            }
        }
        self.revision = revision;
    }

    /// Compares an outcome with what the guards say; gives the revision if it was committed.
    fn judge(&self, guards: &[Guard], outcome: &Outcome, writes: bool) -> Checked<Option<Revision>> {
        match (self.broken(guards), outcome) {
            (None, Outcome::Committed(revision)) if writes => {
                ensure!(*revision > self.revision, "{revision} behind {}", self.revision);
                Ok(Some(*revision))
            }
            (None, Outcome::Committed(revision)) => {
                ensure_eq!(*revision, self.revision);
                Ok(None)
            }
            (Some(expected), Outcome::Conflict { guard }) if *guard == expected => Ok(None),
            (expected, outcome) => {
                Err(crate::Failure::new(format!("{outcome:?}, the first guard that fails is {expected:?}")))
            }
        }
    }
}

async fn guards_hold_exactly_when_the_documentation_says(context: Context) -> Checked {
    let inputs = (context.effort().operations / 60).clamp(8, 2_000) as u32;
    search(&context, inputs, &steps(), async |steps| {
        let store = context.open().await?.store;
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Read(range) => {
                    let summary = store.summarize(range).await?;
                    let rows = model.in_range(range);
                    ensure_eq!((summary.rows, summary.as_of), (rows.len() as u64, model.revision));
                    ensure_eq!(summary.newest, rows.iter().map(|row| row.1).max().unwrap_or_default());
                    model.reads.push(range_guard(range.clone(), summary.as_of, summary.rows));
                }
                Step::Commit(attempts) => {
                    let batches: Vec<_> = attempts.iter().map(|attempt| model.batch(attempt)).collect();
                    let outcomes = store.commit(batches.clone()).await?;
                    ensure_eq!(outcomes.len(), batches.len());
                    for (batch, outcome) in batches.iter().zip(outcomes) {
                        if let Some(revision) = model.judge(&batch.guards, &outcome, !batch.is_read_only())? {
                            model.apply(batch, revision);
                        }
                    }
                }
                Step::Drop(range, attempt) => {
                    let guards = model.batch(attempt).guards;
                    let outcome = store.drop_range(range, &guards).await?;
                    let rows = model.in_range(range);
                    if let Some(revision) = model.judge(&guards, &outcome, !rows.is_empty())? {
                        model.revision = revision;
                        model.rows.retain(|name, _| !range.holds(name));
                    }
                }
            }
        }
        store.close().await?;
        Ok(())
    })
}
