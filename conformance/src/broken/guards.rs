//! Guards that hold when they do not, or are judged too early.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use strongroom_core::Result;
use strongroom_core::store::{Batch, Content, Guard, Outcome, Revision, Row, Store, StoredKey, Write};

use super::Broken;
use super::changes::Changes;
use super::views::{always, commit_one, lock, newest};

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "key_guards_are_ignored",
        wrong: "Every guard on a key that has a row holds.",
        caught_by: "semantics::a_key_guard_fails_once_the_row_was_written_again",
        wrap: |inner| ignoring(inner, |guard| matches!(guard, Guard::Key { revision: Some(_), .. })),
    },
    Broken {
        name: "absence_guards_are_ignored",
        wrong: "Every guard on a key that has no row holds.",
        caught_by: "semantics::a_key_guard_of_an_absent_row_fails_once_it_came",
        wrap: |inner| ignoring(inner, |guard| matches!(guard, Guard::Key { revision: None, .. })),
    },
    Broken {
        name: "range_guards_are_ignored",
        wrong: "Every guard on a range holds.",
        caught_by: "semantics::a_range_guard_fails_when_a_row_changed",
        wrap: |inner| ignoring(inner, |guard| matches!(guard, Guard::Range { .. })),
    },
    Broken {
        name: "range_guards_of_no_rows_are_ignored",
        wrong: "A guard on a range that had no rows holds: a phantom may come.",
        caught_by: "semantics::a_range_guard_over_nothing_keeps_rows_away",
        wrap: |inner| ignoring(inner, |guard| matches!(guard, Guard::Range { rows: 0, .. })),
    },
    Broken {
        name: "guards_of_batches_that_only_read_are_ignored",
        wrong: "A batch that writes nothing is committed without a look at its guards.",
        caught_by: "semantics::guards_alone_are_checked_too",
        wrap: |inner| {
            Changes::default()
                .batch(|batch| {
                    if batch.is_read_only() {
                        batch.guards.clear()
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "only_the_first_guard_is_judged",
        wrong: "Guards behind the first are not looked at.",
        caught_by: "semantics::a_conflict_names_the_first_guard_that_fails",
        wrap: |inner| {
            Changes::default()
                .batch(|batch| batch.guards.iter_mut().skip(1).for_each(|guard| *guard = always()))
                .on(inner)
        },
    },
    Broken {
        name: "a_row_is_enough_for_a_key_guard",
        wrong: "A guard on a key's revision holds when the key has a row, of whatever revision.",
        caught_by: "semantics::a_key_guard_holds_at_exactly_the_revision_of_the_row",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, mut batches: Vec<Batch>| async move {
                judge_keys(&*inner, &mut batches, |_, _, row| row.is_some()).await?;
                inner.commit(batches).await
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "an_older_row_is_enough_for_a_key_guard",
        wrong: "A guard on a key's revision holds when the row is not newer than it.",
        caught_by: "semantics::a_key_guard_holds_at_exactly_the_revision_of_the_row",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, mut batches: Vec<Batch>| async move {
                judge_keys(&*inner, &mut batches, |_, asked, row| row.is_some_and(|row| row.revision <= asked)).await?;
                inner.commit(batches).await
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "key_guards_compare_values",
        wrong: "A guard on a key's revision holds when the row has the value again that it had then.",
        caught_by: "semantics::a_key_guard_compares_revisions_and_not_values",
        wrap: comparing_values,
    },
    Broken {
        name: "range_guards_do_not_count",
        wrong: "A guard on a range asks whether a row is newer, and not whether one has gone.",
        caught_by: "semantics::a_range_guard_fails_when_a_row_went",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, mut batches: Vec<Batch>| async move {
                for guard in batches.iter_mut().flat_map(|batch| &mut batch.guards) {
                    if let Guard::Range { range, rows, .. } = guard {
                        *rows = inner.summarize(range).await?.rows;
                    }
                }
                inner.commit(batches).await
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "range_guards_only_count",
        wrong: "A guard on a range counts its rows, and does not ask whether one is newer.",
        caught_by: "semantics::a_range_guard_fails_when_one_came_and_another_went",
        wrap: |inner| {
            each_range(inner, |guard| {
                if let Guard::Range { as_of, .. } = guard {
                    *as_of = Revision(u64::MAX)
                }
            })
        },
    },
    Broken {
        name: "range_guards_miss_their_last_key",
        wrong: "A guard on a range does not cover the range's included end.",
        caught_by: "semantics::a_range_guard_minds_every_combination_of_bounds",
        wrap: |inner| {
            each_range(inner, |guard| {
                let Guard::Range { range, .. } = guard else { return };
                if let Bound::Included(end) = &range.end {
                    range.end = Bound::Excluded(end.clone());
                }
            })
        },
    },
    Broken {
        name: "range_guards_reach_too_far",
        wrong: "A guard on a range also covers the range's excluded end.",
        caught_by: "semantics::a_range_guard_minds_every_combination_of_bounds",
        wrap: |inner| {
            each_range(inner, |guard| {
                let Guard::Range { range, .. } = guard else { return };
                if let Bound::Excluded(end) = &range.end {
                    range.end = Bound::Included(end.clone());
                }
            })
        },
    },
    Broken {
        name: "guards_of_the_future_hold",
        wrong: "A guard on a range as of a revision that does not exist yet holds, whatever it counts.",
        caught_by: "semantics::a_range_guard_newer_than_the_store_counts_its_rows",
        wrap: |inner| by_age(inner, |as_of, current| as_of > current),
    },
    Broken {
        name: "old_range_guards_hold",
        wrong: "A guard on a range as of more than 1,000 revisions ago holds: those writes were forgotten.",
        caught_by: "semantics::a_range_guard_far_back_is_still_exact",
        wrap: |inner| by_age(inner, |as_of, current| as_of.0 + 1_000 < current.0),
    },
    Broken {
        name: "range_guards_fail_on_any_commit",
        wrong: "A guard on a range fails as soon as anything was committed, also elsewhere.",
        caught_by: "semantics::a_range_guard_holds_whatever_changes_beside_its_range",
        wrap: |inner| Changes::default().commit(only_current).on(inner),
    },
    Broken {
        name: "a_conflict_names_the_last_guard",
        wrong: "A conflict names the last guard of the batch.",
        caught_by: "semantics::a_conflict_names_the_first_guard_that_fails",
        wrap: |inner| naming(inner, |batch, _| batch.guards.len().saturating_sub(1)),
    },
    Broken {
        name: "a_conflict_counts_guards_from_one",
        wrong: "A conflict names the guard behind the one that does not hold.",
        caught_by: "semantics::a_conflict_names_the_first_guard_that_fails",
        wrap: |inner| naming(inner, |_, guard| guard + 1),
    },
    Broken {
        name: "guards_are_judged_before_the_call",
        wrong: "All guards of a call are judged before its first batch is applied.",
        caught_by: "semantics::guards_of_a_batch_see_the_batches_before_it",
        wrap: |inner| Changes::default().commit(all_first).on(inner),
    },
    Broken {
        name: "guards_are_judged_after_the_writes",
        wrong: "A batch's guards are judged once its own writes are there.",
        caught_by: "semantics::guards_of_a_batch_do_not_see_its_own_writes",
        wrap: |inner| Changes::default().commit(own_writes_first).on(inner),
    },
    Broken {
        name: "guards_do_not_hear_of_drop_range",
        wrong: "Revisions of keys are cached for guards, and drop_range does not clear the cache.",
        caught_by: "semantics::a_key_guard_fails_after_drop_range",
        wrap: cached,
    },
];

/// Replaces the guards that `ignored` picks by one that holds.
fn ignoring(inner: Arc<dyn Store>, ignored: fn(&Guard) -> bool) -> Arc<dyn Store> {
    let replace = move |guard: &mut Guard| {
        if ignored(guard) {
            *guard = always();
        }
    };
    Changes::default().batch(move |batch| batch.guards.iter_mut().for_each(replace)).on(inner)
}

fn each_range(inner: Arc<dyn Store>, change: fn(&mut Guard)) -> Arc<dyn Store> {
    Changes::default().batch(move |batch| batch.guards.iter_mut().for_each(change)).on(inner)
}

/// Range guards hold whose revision, beside the current one, is as said.
fn by_age(inner: Arc<dyn Store>, holds: fn(Revision, Revision) -> bool) -> Arc<dyn Store> {
    let call = move |inner: Arc<dyn Store>, mut batches: Vec<Batch>| async move {
        let current = newest(&*inner).await?;
        for guard in batches.iter_mut().flat_map(|batch| &mut batch.guards) {
            if matches!(guard, Guard::Range { as_of, .. } if holds(*as_of, current)) {
                *guard = always();
            }
        }
        inner.commit(batches).await
    };
    Changes::default().commit(call).on(inner)
}

/// Key guards hold for which `holds` says so of the key, the revision that the guard asks for and the row that there is.
async fn judge_keys(
    inner: &dyn Store,
    batches: &mut [Batch],
    holds: impl Fn(&StoredKey, Revision, Option<&Row>) -> bool,
) -> Result<()> {
    for guard in batches.iter_mut().flat_map(|batch| &mut batch.guards) {
        if let Guard::Key { key, revision: Some(asked) } = guard {
            let rows = inner.get(std::slice::from_ref(key)).await?.rows;
            if holds(key, *asked, rows.first().and_then(Option::as_ref)) {
                *guard = always();
            }
        }
    }
    Ok(())
}

fn comparing_values(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    type Written = BTreeMap<(StoredKey, Revision), Content>;
    let written = Arc::new(Mutex::new(Written::new()));
    let call = move |inner: Arc<dyn Store>, mut batches: Vec<Batch>| {
        let written = written.clone();
        async move {
            judge_keys(&*inner, &mut batches, |key, asked, row| {
                row.is_some_and(|row| lock(&written).get(&(key.clone(), asked)) == Some(&row.content))
            })
            .await?;
            let outcomes = inner.commit(batches.clone()).await?;
            for (batch, outcome) in batches.iter().zip(&outcomes) {
                for (key, write) in &batch.writes {
                    if let (Write::Put(value), Some(revision)) = (write, outcome.revision()) {
                        lock(&written).insert((key.clone(), revision), Content::Value(value.clone()));
                    }
                }
            }
            Ok(outcomes)
        }
    };
    Changes::default().commit(call).on(inner)
}

async fn only_current(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for batch in batches {
        let current = newest(&*inner).await?;
        let old = |guard: &Guard| matches!(guard, Guard::Range { as_of, .. } if *as_of != current);
        outcomes.push(match batch.guards.iter().position(old) {
            Some(guard) => Outcome::Conflict { guard },
            None => commit_one(&*inner, batch).await?,
        });
    }
    Ok(outcomes)
}

fn naming(inner: Arc<dyn Store>, named: fn(&Batch, usize) -> usize) -> Arc<dyn Store> {
    let name = move |batch: &Batch, outcome: &mut Outcome| {
        if let Outcome::Conflict { guard } = outcome {
            *guard = named(batch, *guard);
        }
    };
    Changes::default().outcome(name).on(inner)
}

async fn all_first(inner: Arc<dyn Store>, mut batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let guards = |batch: &mut Batch| Batch { guards: std::mem::take(&mut batch.guards), ..Batch::default() };
    let judged = inner.commit(batches.iter_mut().map(guards).collect()).await?;
    let mut outcomes = Vec::new();
    for (batch, judged) in batches.into_iter().zip(judged) {
        outcomes.push(match judged {
            Outcome::Committed(_) => commit_one(&*inner, batch).await?,
            refused => refused,
        });
    }
    Ok(outcomes)
}

async fn own_writes_first(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for mut batch in batches {
        // An absence guard on a key that the batch itself writes.
        let own = |guard: &Guard| matches!(guard, Guard::Key { key, revision: None } if batch.writes.contains_key(key));
        let refused = batch.guards.iter().position(own);
        outcomes.push(match refused {
            Some(guard) => Outcome::Conflict { guard },
            None => commit_one(&*inner, std::mem::take(&mut batch)).await?,
        });
    }
    Ok(outcomes)
}

fn cached(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let revisions = Arc::new(Mutex::new(BTreeMap::<StoredKey, Revision>::new()));
    let call = move |inner: Arc<dyn Store>, batches: Vec<Batch>| {
        let revisions = revisions.clone();
        async move {
            let mut outcomes = Vec::new();
            for mut batch in batches {
                for guard in &mut batch.guards {
                    let known = |key| lock(&revisions).get(key).copied();
                    if matches!(guard, Guard::Key { key, revision: Some(asked) } if known(key) == Some(*asked)) {
                        *guard = always();
                    }
                }
                let written: Vec<_> = batch.writes.iter().map(|(key, write)| (key.clone(), write.clone())).collect();
                let outcome = commit_one(&*inner, batch).await?;
                for (key, write) in written {
                    match (write, outcome.revision()) {
                        (Write::Delete, Some(_)) => drop(lock(&revisions).remove(&key)),
                        (_, Some(revision)) => drop(lock(&revisions).insert(key, revision)),
                        (_, None) => {}
                    }
                }
                outcomes.push(outcome);
            }
            Ok(outcomes)
        }
    };
    Changes::default().commit(call).on(inner)
}
