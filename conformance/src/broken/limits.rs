//! Limits that are not kept, are off by one, or are answered without their name.

use std::sync::Arc;

use async_trait::async_trait;

use strongroom_core::store::{Batch, Guard, Limits, Outcome, Page, Read, Rows, Scan, Store, StoredKey, Write};
use strongroom_core::{Error, ErrorKind, Limit, Result};

use super::Broken;
use super::changes::{Changes, twisted};
use super::views::{always, commit_one};
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "a_key_of_the_limit_is_refused",
        wrong: "A key of exactly the maximal length counts as too long.",
        caught_by: "semantics::the_limit_of_keys_is_exact",
        wrap: |inner| stricter(inner, |limits| limits.key_bytes_max -= 1),
    },
    Broken {
        name: "a_value_of_the_limit_is_refused",
        wrong: "A value of exactly the maximal length counts as too long.",
        caught_by: "semantics::the_limit_of_values_is_exact",
        wrap: |inner| stricter(inner, |limits| limits.value_bytes_max -= 1),
    },
    Broken {
        name: "a_batch_of_the_limit_is_refused",
        wrong: "A batch of exactly as many writes as may be counts as too large.",
        caught_by: "semantics::the_limit_of_writes_in_a_batch_is_exact",
        wrap: |inner| stricter(inner, |limits| limits.batch_writes_max -= 1),
    },
    Broken {
        name: "guards_of_the_limit_are_refused",
        wrong: "A batch of exactly as many guards as may be counts as too large.",
        caught_by: "semantics::the_limit_of_guards_in_a_batch_is_exact",
        wrap: |inner| stricter(inner, |limits| limits.batch_guards_max -= 1),
    },
    Broken {
        name: "batch_bytes_of_the_limit_are_refused",
        wrong: "A batch of exactly as many bytes as may be counts as too large.",
        caught_by: "semantics::the_limit_of_bytes_in_a_batch_is_exact",
        wrap: |inner| stricter(inner, |limits| limits.batch_bytes_max -= 1),
    },
    Broken {
        name: "guard_rows_of_the_limit_are_refused",
        wrong: "Range guards over exactly as many rows as may be count as too many.",
        caught_by: "semantics::the_limit_of_rows_under_guards_is_exact",
        wrap: |inner| stricter(inner, |limits| limits.guard_rows_max -= 1),
    },
    Broken {
        name: "long_keys_are_cut",
        wrong: "A key past the limit is cut to it.",
        caught_by: "semantics::the_limit_of_keys_is_exact_for_deletes",
        wrap: |inner| {
            let max = inner.info().limits.key_bytes_max;
            Changes::default().batch(move |batch| cut_keys(batch, max)).on(inner)
        },
    },
    Broken {
        name: "long_values_are_cut",
        wrong: "A value past the limit is cut to it.",
        caught_by: "semantics::the_limit_of_values_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.value_bytes_max;
            Changes::default().batch(move |batch| cut_values(batch, max)).on(inner)
        },
    },
    Broken {
        name: "large_batches_are_split",
        wrong: "A batch past the limit of writes is committed in several.",
        caught_by: "semantics::the_limit_of_writes_in_a_batch_is_exact",
        wrap: |inner| Changes::default().commit(split).on(inner),
    },
    Broken {
        name: "stamped_rows_do_not_count_as_writes",
        wrong: "The stamped rows of a batch do not count for the limit of its writes.",
        caught_by: "semantics::the_limit_of_writes_counts_stamped_rows",
        wrap: |inner| Changes::default().commit(apart).on(inner),
    },
    Broken {
        name: "guards_past_the_limit_are_left_out",
        wrong: "A batch with more guards than the limit is judged by the first of them.",
        caught_by: "semantics::the_limit_of_guards_in_a_batch_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.batch_guards_max;
            Changes::default().batch(move |batch| batch.guards.truncate(max)).on(inner)
        },
    },
    Broken {
        name: "guards_of_many_rows_hold",
        wrong: "A range guard over more rows than the limit holds.",
        caught_by: "semantics::the_limit_of_rows_under_guards_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.guard_rows_max;
            let many = move |guard: &Guard| matches!(guard, Guard::Range { rows, .. } if *rows > max);
            let ignore = move |guard: &mut Guard| {
                if many(guard) {
                    *guard = always()
                }
            };
            Changes::default().batch(move |batch| batch.guards.iter_mut().for_each(ignore)).on(inner)
        },
    },
    Broken {
        name: "guard_rows_are_counted_guard_by_guard",
        wrong: "Each range guard may cover as many rows as all of a batch may together.",
        caught_by: "semantics::the_limit_of_rows_under_guards_is_that_of_all_together",
        wrap: |inner| Changes::default().commit(one_guard).on(inner),
    },
    Broken {
        name: "long_pages_are_cut",
        wrong: "A scan with a limit past that of the store gives what the store allows.",
        caught_by: "semantics::the_limit_of_entries_in_a_page_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.page_entries_max;
            Changes::default().scan(move |scan| scan.limit = scan.limit.min(max)).on(inner)
        },
    },
    Broken {
        name: "large_gets_are_split",
        wrong: "A get of more keys than the limit is answered from several views.",
        caught_by: "semantics::the_limit_of_keys_in_a_get_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.get_keys_max;
            twisted(inner, SplitGets(max))
        },
    },
    Broken {
        name: "a_get_of_the_limit_is_refused",
        wrong: "A get of exactly as many keys as may be counts as too large.",
        caught_by: "semantics::the_limit_of_keys_in_a_get_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.get_keys_max;
            twisted(inner, FewKeys(max))
        },
    },
    Broken {
        name: "a_page_of_the_limit_is_refused",
        wrong: "A scan for exactly as many entries as a page may have counts as too large.",
        caught_by: "semantics::the_limit_of_entries_in_a_page_is_exact",
        wrap: |inner| {
            let max = inner.info().limits.page_entries_max;
            twisted(inner, ShortPages(max))
        },
    },
    Broken {
        name: "a_get_of_a_long_key_is_an_error",
        wrong: "A get of a key past the limit is an error, not a key without a row.",
        caught_by: "semantics::a_key_longer_than_the_limit_has_no_row",
        wrap: |inner| {
            let max = inner.info().limits.key_bytes_max;
            twisted(inner, LongKeys(max))
        },
    },
    Broken {
        name: "a_rejection_does_not_name_its_limit",
        wrong: "A batch past a limit is rejected as invalid, without the limit's name.",
        caught_by: "semantics::the_limit_of_keys_is_exact",
        wrap: |inner| rejecting(inner, ErrorKind::InvalidInput),
    },
    Broken {
        name: "a_rejection_names_another_limit",
        wrong: "Whatever limit a batch is past, the answer names that of its bytes.",
        caught_by: "semantics::the_limit_of_keys_is_exact",
        wrap: |inner| rejecting(inner, ErrorKind::Limit(Limit::BatchBytes)),
    },
];

/// Rejects what is past limits that are a little lower.
fn stricter(inner: Arc<dyn Store>, lower: fn(&mut Limits)) -> Arc<dyn Store> {
    let call = move |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
        let mut limits = inner.info().limits;
        lower(&mut limits);
        let mut outcomes = Vec::new();
        for batch in batches {
            outcomes.push(match batch.check(&limits) {
                Ok(()) => commit_one(&*inner, batch).await?,
                Err(error) => Outcome::Rejected(error),
            });
        }
        Ok(outcomes)
    };
    Changes::default().commit(call).on(inner)
}

fn cut_keys(batch: &mut Batch, max: usize) {
    let writes = std::mem::take(&mut batch.writes).into_iter();
    let cut = |key: StoredKey| StoredKey::from(key.as_bytes()[..key.len().min(max)].to_vec());
    batch.writes = writes.map(|(key, write)| (cut(key), write)).collect();
}

fn cut_values(batch: &mut Batch, max: usize) {
    for write in batch.writes.values_mut() {
        if let Write::Put(value) = write {
            value.truncate(max);
        }
    }
}

async fn split(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let max = inner.info().limits.batch_writes_max;
    let mut outcomes = Vec::new();
    for mut batch in batches {
        while let Some(next) = batch.writes.keys().nth(max).cloned() {
            let rest = batch.writes.split_off(&next);
            let first = Batch { guards: batch.guards.clone(), writes: batch.writes, ..Batch::default() };
            inner.commit(vec![first]).await?;
            batch.writes = rest;
        }
        outcomes.push(commit_one(&*inner, batch).await?);
    }
    Ok(outcomes)
}

/// Stamped rows are committed in a batch of their own where they would be too many.
async fn apart(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let max = inner.info().limits.batch_writes_max;
    let mut outcomes = Vec::new();
    for mut batch in batches {
        while batch.writes.len() + batch.stamped.len() > max && batch.stamped.len() > 1 {
            let stamped = batch.stamped.pop().into_iter().collect();
            inner.commit(vec![Batch { stamped, ..Batch::default() }]).await?;
        }
        outcomes.push(commit_one(&*inner, batch).await?);
    }
    Ok(outcomes)
}

async fn one_guard(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let max = inner.info().limits.guard_rows_max;
    let mut outcomes = Vec::new();
    'batches: for mut batch in batches {
        let each = |guard: &Guard| !matches!(guard, Guard::Range { rows, .. } if *rows > max);
        if batch.guards.iter().all(each) {
            for (at, guard) in std::mem::take(&mut batch.guards).into_iter().enumerate() {
                let judged = commit_one(&*inner, Batch { guards: vec![guard], ..Batch::default() }).await?;
                if judged.revision().is_none() {
                    outcomes.push(Outcome::Conflict { guard: at });
                    continue 'batches;
                }
            }
        }
        outcomes.push(commit_one(&*inner, batch).await?);
    }
    Ok(outcomes)
}

fn rejecting(inner: Arc<dyn Store>, kind: ErrorKind) -> Arc<dyn Store> {
    let name = inner.info().name;
    let rename = move |_: &Batch, outcome: &mut Outcome| {
        if let Outcome::Rejected(_) = outcome {
            *outcome = Outcome::Rejected(Error::new(kind, "past a limit").on(name).during("commit"));
        }
    };
    Changes::default().outcome(rename).on(inner)
}

#[derive(Debug)]
struct SplitGets(usize);

#[async_trait]
impl Twist for SplitGets {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let mut rows = inner.get(&keys[..keys.len().min(self.0)]).await?;
        for keys in keys.chunks(self.0).skip(1) {
            rows.rows.extend(inner.get(keys).await?.rows);
        }
        Ok(rows)
    }
}

#[derive(Debug)]
struct FewKeys(usize);

#[async_trait]
impl Twist for FewKeys {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        if keys.len() >= self.0 {
            return Err(Error::limit(Limit::GetKeys, self.0 as u64, keys.len() as u64));
        }
        inner.get(keys).await
    }
}

#[derive(Debug)]
struct ShortPages(usize);

#[async_trait]
impl Twist for ShortPages {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        if scan.limit >= self.0 {
            return Err(Error::limit(Limit::PageEntries, self.0 as u64, scan.limit as u64));
        }
        inner.scan(scan).await
    }
}

#[derive(Debug)]
struct LongKeys(usize);

#[async_trait]
impl Twist for LongKeys {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        if let Some(key) = keys.iter().find(|key| key.len() > self.0) {
            return Err(Error::limit(Limit::KeyBytes, self.0 as u64, key.len() as u64));
        }
        inner.get(keys).await
    }
}
