//! Caches in front of a store that are filled too early or cleared too late.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{
    Batch, Content, Guard, KeyRange, Outcome, Page, Read, Revision, Row, Rows, Scan, Store, StoredKey, Summary, Write,
};

use crate::broken::Broken;
use crate::broken::changes::twisted;
use crate::broken::views::{lock, newest};
use crate::twist::Twist;

pub(in crate::broken) const ALL: &[Broken] = &[
    Broken {
        name: "cached_rows_stay_when_written",
        wrong: "A row that was read is cached, and a commit does not clear it.",
        caught_by: "typed::an_update_is_refused_where_no_record_is",
        wrap: |inner| caching(inner, |_, _| true),
    },
    Broken {
        name: "cached_rows_stay_when_deleted",
        wrong: "A row that was read is cached, and a delete does not clear it.",
        caught_by: "typed::a_delete_says_whether_there_was_a_record_and_leaves_no_row",
        wrap: |inner| caching(inner, |write, _| matches!(write, Write::Delete)),
    },
    Broken {
        name: "cached_rows_stay_when_they_become_links",
        wrong: "A row that was read is cached, and a link in its place does not clear it.",
        caught_by: "typed::a_unique_value_moves_from_one_record_to_another",
        wrap: |inner| caching(inner, |write, _| matches!(write, Write::Link(_))),
    },
    Broken {
        name: "cached_absence_stays",
        wrong: "That a key has no row is cached, and a put does not clear it.",
        caught_by: "typed::get_many_answers_in_the_order_asked",
        wrap: |inner| caching(inner, |_, row| row.is_none()),
    },
    Broken {
        name: "cached_rows_stay_when_their_range_is_dropped",
        wrong: "A row that was read is cached, commits clear it, and drop_range does not.",
        caught_by: "semantics::what_was_read_before_is_gone_after_drop_range",
        wrap: |inner| caching(inner, |_, _| false),
    },
    Broken {
        name: "the_cache_is_filled_before_the_commit",
        wrong: "What a batch writes is cached before it is known whether it happens.",
        caught_by: "typed::a_conflict_runs_the_closure_again_on_what_is_there_now",
        wrap: |inner| twisted(inner, FilledEarly::default()),
    },
    Broken {
        name: "cached_pages_stay_when_their_range_is_dropped",
        wrong: "A page is cached, commits clear it, and drop_range does not.",
        caught_by: "semantics::what_was_read_before_is_gone_after_drop_range",
        wrap: |inner| twisted(inner, Pages { stay_beside: false, pages: Mutex::default() }),
    },
    Broken {
        name: "cached_pages_stay_when_a_key_is_new",
        wrong: "A page is cached, and only a commit that writes one of its keys clears it.",
        caught_by: "typed::a_conditional_index_holds_a_record_until_the_field_is_set",
        wrap: |inner| twisted(inner, Pages { stay_beside: true, pages: Mutex::default() }),
    },
    Broken {
        name: "cached_targets_stay",
        wrong: "What a link points to is cached with the link, and a commit to the target alone does not clear it.",
        caught_by: "semantics::a_changed_target_is_read_as_it_is_now",
        wrap: |inner| twisted(inner, Targets::default()),
    },
    Broken {
        name: "cached_summaries_stay",
        wrong: "A summary is cached until the number of rows in the store is another.",
        caught_by: "semantics::overwriting_a_row_moves_newest_and_not_the_count",
        wrap: |inner| twisted(inner, Summaries::default()),
    },
    Broken {
        name: "reads_are_one_commit_behind",
        wrong: "A read begins on the view that was current before the last commit, until it is read again.",
        caught_by: "semantics::a_commit_is_seen_by_every_read_that_begins_after_it",
        wrap: |inner| twisted(inner, Behind::default()),
    },
];

/// Rows by key, for as long as `stays` says so of the write that came and the row that was cached.
#[derive(Debug)]
struct Cache {
    stays: fn(&Write, &Option<Row>) -> bool,
    rows: Mutex<BTreeMap<StoredKey, Option<Row>>>,
    live: Arc<dyn Store>,
}

fn caching(inner: Arc<dyn Store>, stays: fn(&Write, &Option<Row>) -> bool) -> Arc<dyn Store> {
    twisted(inner.clone(), Cache { stays, rows: Mutex::default(), live: inner })
}

#[async_trait]
impl Twist for Cache {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let mut rows = inner.get(keys).await?;
        // Snapshots of older views are read as they are.
        if rows.as_of == newest(&*self.live).await? {
            let mut cache = lock(&self.rows);
            for (key, row) in keys.iter().zip(&mut rows.rows) {
                *row = cache.entry(key.clone()).or_insert_with(|| row.clone()).clone();
            }
        }
        Ok(rows)
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let outcomes = inner.commit(batches.clone()).await?;
        let mut cache = lock(&self.rows);
        for (key, write) in batches.iter().flat_map(|batch| &batch.writes) {
            if !cache.get(key).is_some_and(|row| (self.stays)(write, row)) {
                cache.remove(key);
            }
        }
        Ok(outcomes)
    }
}

#[derive(Debug, Default)]
struct FilledEarly {
    rows: Mutex<BTreeMap<StoredKey, Content>>,
}

#[async_trait]
impl Twist for FilledEarly {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let mut rows = inner.get(keys).await?;
        let cache = lock(&self.rows);
        for (key, row) in keys.iter().zip(rows.rows.iter_mut().map(Option::as_mut)) {
            if let (Some(row), Some(content)) = (row, cache.get(key)) {
                row.content = content.clone();
            }
        }
        Ok(rows)
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        for (key, write) in batches.iter().flat_map(|batch| &batch.writes) {
            match write {
                Write::Put(value) => drop(lock(&self.rows).insert(key.clone(), Content::Value(value.clone()))),
                Write::Link(_) | Write::Delete => drop(lock(&self.rows).remove(key)),
            }
        }
        inner.commit(batches).await
    }
}

/// Pages by what was asked.
#[derive(Debug)]
struct Pages {
    /// Whether a page stays when a commit writes none of its keys.
    stay_beside: bool,
    pages: Mutex<Vec<(Scan, Page)>>,
}

#[async_trait]
impl Twist for Pages {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        if let Some((_, page)) = lock(&self.pages).iter().find(|(asked, _)| asked == scan) {
            return Ok(page.clone());
        }
        let page = inner.scan(scan).await?;
        lock(&self.pages).push((scan.clone(), page.clone()));
        Ok(page)
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let outcomes = inner.commit(batches.clone()).await?;
        lock(&self.pages).retain(|(_, page)| {
            let writes = |key: &StoredKey| batches.iter().any(|batch| batch.writes.contains_key(key));
            self.stay_beside && !page.entries.iter().any(|entry| writes(&entry.key))
        });
        Ok(outcomes)
    }
}

/// Targets by the link's key and revision.
#[derive(Debug, Default)]
struct Targets {
    rows: Mutex<BTreeMap<(StoredKey, Revision), Option<Row>>>,
}

#[async_trait]
impl Twist for Targets {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let mut page = inner.scan(scan).await?;
        let mut cache = lock(&self.rows);
        for entry in &mut page.entries {
            if let (Some(Content::Link(_)), strongroom_core::store::Fetch::Targets) = (&entry.content, scan.fetch) {
                let cached = cache.entry((entry.key.clone(), entry.revision));
                entry.target = cached.or_insert_with(|| entry.target.clone()).clone();
            }
        }
        Ok(page)
    }
}

#[derive(Debug, Default)]
struct Summaries {
    known: Mutex<HashMap<String, Summary>>,
}

#[async_trait]
impl Twist for Summaries {
    async fn summarize(&self, inner: &dyn Read, range: &KeyRange) -> Result<Summary> {
        let now = inner.summarize(range).await?;
        let mut known = lock(&self.known);
        let ends = |bound: &std::ops::Bound<StoredKey>| bound.as_ref().map(|key| key.as_bytes().to_vec());
        let name = format!("{:?} {:?}", ends(&range.start), ends(&range.end));
        let cached = known.entry(name).or_insert(now);
        if cached.rows != now.rows {
            *cached = now;
        }
        Ok(*cached)
    }
}

/// The view before the last commit, given to the first read after it.
#[derive(Debug, Default)]
struct Behind {
    before: Mutex<Option<Box<dyn strongroom_core::store::Snapshot>>>,
}

#[async_trait]
impl Twist for Behind {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let before = lock(&self.before).take();
        match before {
            Some(before) => before.get(keys).await,
            None => inner.get(keys).await,
        }
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let before = inner.snapshot().await.ok();
        let outcomes = inner.commit(batches).await?;
        *lock(&self.before) = before;
        Ok(outcomes)
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        lock(&self.before).take();
        inner.drop_range(range, guards).await
    }
}
