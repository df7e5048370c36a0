//! Dropped ranges that leave rows, take others, or are not noticed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Read, Revision, Rows, Scan, Store, StoredKey, Write};
use strongroom_core::{Error, Limit, Result};

use super::Broken;
use super::changes::Changes;
use super::views::{View, all_of, always, lock, newest};

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "drop_range_leaves_the_last_row",
        wrong: "The last row of a dropped range stays.",
        caught_by: "semantics::drop_range_removes_every_row_of_the_range",
        wrap: |inner| {
            dropping(inner, |inner, mut range, guards| async move {
                let last = all_of(&*inner, &range).await?.entries.pop();
                range.end = last.map_or(range.end, |entry| Bound::Excluded(entry.key));
                inner.drop_range(&range, &guards).await
            })
        },
    },
    Broken {
        name: "drop_range_takes_its_neighbour",
        wrong: "A dropped range takes the row at its excluded end with it.",
        caught_by: "semantics::drop_range_leaves_the_neighbours_at_every_kind_of_bound",
        wrap: |inner| {
            dropping(inner, |inner, mut range, guards| async move {
                if let Bound::Excluded(end) = range.end {
                    range.end = Bound::Included(end);
                }
                inner.drop_range(&range, &guards).await
            })
        },
    },
    Broken {
        name: "drop_range_takes_the_row_before",
        wrong: "A dropped range takes the row at its excluded start with it.",
        caught_by: "semantics::drop_range_leaves_the_neighbours_at_every_kind_of_bound",
        wrap: |inner| {
            dropping(inner, |inner, mut range, guards| async move {
                if let Bound::Excluded(start) = range.start {
                    range.start = Bound::Included(start);
                }
                inner.drop_range(&range, &guards).await
            })
        },
    },
    Broken {
        name: "drop_range_ignores_its_guards",
        wrong: "A range is dropped although a guard does not hold.",
        caught_by: "semantics::drop_range_does_nothing_where_a_guard_fails",
        wrap: |inner| dropping(inner, |inner, range, _| async move { inner.drop_range(&range, &[]).await }),
    },
    Broken {
        name: "drop_range_judges_its_first_guard",
        wrong: "A range is dropped when the first of its guards holds.",
        caught_by: "semantics::drop_range_names_the_first_guard_that_fails",
        wrap: |inner| {
            dropping(inner, |inner, range, mut guards| async move {
                guards.truncate(1);
                inner.drop_range(&range, &guards).await
            })
        },
    },
    Broken {
        name: "drop_range_conflicts_after_the_fact",
        wrong: "A range is dropped, then its guards are judged: a conflict is told of what happened.",
        caught_by: "semantics::drop_range_does_nothing_where_a_guard_fails",
        wrap: |inner| {
            dropping(inner, |inner, range, guards| async move {
                let nothing = KeyRange { start: Bound::Unbounded, end: Bound::Excluded(StoredKey::EMPTY) };
                let judged = inner.drop_range(&nothing, &guards).await?;
                let dropped = inner.drop_range(&range, &[]).await?;
                Ok(if judged.revision().is_some() { dropped } else { judged })
            })
        },
    },
    Broken {
        name: "drop_range_tells_the_revision_before",
        wrong: "A dropped range is told to have happened at the revision before it.",
        caught_by: "semantics::drop_range_has_a_revision_of_its_own",
        wrap: |inner| {
            dropping(inner, |inner, range, guards| async move {
                let before = newest(&*inner).await?;
                let outcome = inner.drop_range(&range, &guards).await?;
                Ok(if outcome.revision().is_some() { Outcome::Committed(before) } else { outcome })
            })
        },
    },
    Broken {
        name: "dropping_an_empty_range_takes_a_revision",
        wrong: "Dropping a range without rows makes a revision.",
        caught_by: "semantics::drop_range_of_nothing_has_the_current_revision",
        wrap: |inner| {
            dropping(inner, |inner, range, guards| async move {
                let before = newest(&*inner).await?;
                let outcome = inner.drop_range(&range, &guards).await?;
                if outcome.revision() == Some(before) {
                    let writes = [(StoredKey::from(b"\xFFno row has this key".to_vec()), Write::Delete)].into();
                    let mut outcomes = inner.commit(vec![Batch { writes, ..Batch::default() }]).await?;
                    return Ok(outcomes.pop().unwrap_or(outcome));
                }
                Ok(outcome)
            })
        },
    },
    Broken {
        name: "drop_range_is_bound_by_the_limits_of_a_batch",
        wrong: "A range with more rows than a batch may write is not dropped.",
        caught_by: "semantics::drop_range_of_many_rows_is_not_bound_by_the_limits_of_a_batch",
        wrap: |inner| {
            dropping(inner, |inner, range, guards| async move {
                let max = inner.info().limits.batch_writes_max as u64;
                let rows = inner.summarize(&range).await?.rows;
                if rows > max {
                    return Ok(Outcome::Rejected(Error::limit(Limit::BatchWrites, max, rows)));
                }
                inner.drop_range(&range, &guards).await
            })
        },
    },
    Broken {
        name: "drop_range_accepts_any_number_of_guards",
        wrong: "A range is dropped under more guards than the limit, of which the first are judged.",
        caught_by: "semantics::drop_range_past_the_limits_of_guards_is_rejected",
        wrap: |inner| {
            dropping(inner, |inner, range, mut guards| async move {
                guards.truncate(inner.info().limits.batch_guards_max);
                inner.drop_range(&range, &guards).await
            })
        },
    },
    Broken {
        name: "range_guards_do_not_notice_drop_range",
        wrong: "A guard on a range that was dropped since still holds.",
        caught_by: "semantics::a_range_guard_fails_after_drop_range",
        wrap: unnoticed,
    },
    Broken {
        name: "snapshots_lose_dropped_ranges",
        wrong: "A dropped range disappears from older snapshots too.",
        caught_by: "semantics::a_dropped_range_stays_in_older_snapshots",
        wrap: lost_in_snapshots,
    },
    Broken {
        name: "rows_put_into_a_dropped_range_stay_dropped",
        wrong: "A dropped range is remembered, and keys that had a row in it stay hidden from get when put again.",
        caught_by: "semantics::a_dropped_range_can_be_filled_again",
        wrap: hidden,
    },
];

fn dropping<F: Future<Output = Result<Outcome>> + Send + 'static>(
    inner: Arc<dyn Store>,
    call: fn(Arc<dyn Store>, KeyRange, Vec<Guard>) -> F,
) -> Arc<dyn Store> {
    Changes::default().drop_range(move |inner, (range, guards)| call(inner, range, guards)).on(inner)
}

type Dropped = Arc<Mutex<Vec<(Revision, KeyRange)>>>;

/// Drops, and remembers what was dropped at which revision.
fn remembering(dropped: &Dropped) -> Changes {
    let dropped = dropped.clone();
    Changes::default().drop_range(move |inner, (range, guards)| {
        let dropped = dropped.clone();
        async move {
            let outcome = inner.drop_range(&range, &guards).await?;
            lock(&dropped).extend(outcome.revision().map(|revision| (revision, range)));
            Ok(outcome)
        }
    })
}

fn unnoticed(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let dropped = Dropped::default();
    let changes = remembering(&dropped);
    let forgotten = move |guard: &Guard| match guard {
        Guard::Range { range, as_of, .. } => lock(&dropped).iter().any(|(at, gone)| gone == range && as_of < at),
        Guard::Key { .. } => false,
    };
    let ignore = move |guard: &mut Guard| {
        if forgotten(guard) {
            *guard = always();
        }
    };
    changes.batch(move |batch| batch.guards.iter_mut().for_each(&ignore)).on(inner)
}

fn lost_in_snapshots(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let dropped = Dropped::default();
    let changes = remembering(&dropped);
    let snapshot = move |inner: Arc<dyn Store>, ()| {
        let dropped = dropped.clone();
        async move {
            let snapshot = inner.snapshot().await?;
            let (revision, read) = (snapshot.revision(), Arc::from(snapshot));
            Ok(View::of(revision, Arc::new(Without { read, revision, dropped })))
        }
    };
    changes.snapshot(snapshot).on(inner)
}

/// A snapshot without what was dropped after it.
struct Without {
    read: Arc<dyn strongroom_core::store::Snapshot>,
    revision: Revision,
    dropped: Dropped,
}

impl Without {
    fn is_gone(&self, key: &StoredKey) -> bool {
        lock(&self.dropped).iter().any(|(at, range)| *at > self.revision && range.holds(key.as_bytes()))
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for Without {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let mut rows = self.read.get(keys).await?;
        for (key, row) in keys.iter().zip(&mut rows.rows) {
            *row = row.take().filter(|_| !self.is_gone(key));
        }
        Ok(rows)
    }

    async fn scan(&self, scan: &Scan) -> Result<strongroom_core::store::Page> {
        let mut page = self.read.scan(scan).await?;
        page.entries.retain(|entry| !self.is_gone(&entry.key));
        Ok(page)
    }

    async fn summarize(&self, range: &KeyRange) -> Result<strongroom_core::store::Summary> {
        self.read.summarize(range).await
    }
}

fn hidden(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let gone = Arc::new(Mutex::new(BTreeMap::<StoredKey, Revision>::new()));
    let known = gone.clone();
    let drop_range = move |inner: Arc<dyn Store>, (range, guards): (KeyRange, Vec<Guard>)| {
        let gone = gone.clone();
        async move {
            let rows = all_of(&*inner, &range).await?;
            let outcome = inner.drop_range(&range, &guards).await?;
            for entry in rows.entries {
                lock(&gone).extend(outcome.revision().map(|revision| (entry.key, revision)));
            }
            Ok(outcome)
        }
    };
    Changes::default()
        .drop_range(drop_range)
        .rows(move |keys, rows| {
            for (key, row) in keys.iter().zip(&mut rows.rows) {
                *row = row.take().filter(|row| lock(&known).get(key).is_none_or(|at| row.revision < *at));
            }
        })
        .on(inner)
}
