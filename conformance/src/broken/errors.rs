//! Errors that do not say where they come from, `Debug` that says too much, and rows that the typed layer must miss.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_core::store::{
    Batch, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoredKey, Summary, Write,
};
use strongroom_core::{Error, ErrorKind, Result};

use super::Broken;
use super::changes::{Changes, twisted};
use super::views::lock;
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "errors_do_not_name_the_backend",
        wrong: "Errors say what failed, and not on which backend.",
        caught_by: "semantics::every_error_names_its_backend_and_operation",
        wrap: |inner| {
            twisted(
                inner,
                Errors(|error, _| Error::new(error.kind(), "failed").during(error.operation().unwrap_or(""))),
            )
        },
    },
    Broken {
        name: "errors_do_not_name_the_operation",
        wrong: "Errors say on which backend, and not in which operation.",
        caught_by: "semantics::every_error_names_its_backend_and_operation",
        wrap: |inner| {
            twisted(inner, Errors(|error, _| Error::new(error.kind(), "failed").on(error.backend().unwrap_or("none"))))
        },
    },
    Broken {
        name: "errors_show_keys",
        wrong: "An error of a get or a commit shows the key that it failed on.",
        caught_by: "semantics::errors_show_no_keys_or_values",
        wrap: |inner| twisted(inner, Errors(|error, key| error.at(String::from_utf8_lossy(key).into_owned()))),
    },
    Broken {
        name: "every_failure_is_io",
        wrong: "Whatever fails, the answer is that the engine failed.",
        caught_by: "semantics::errors_name_the_limit_that_was_passed",
        wrap: |inner| {
            twisted(
                inner,
                Errors(|error, _| {
                    let io = Error::new(ErrorKind::Io, "the engine failed");
                    io.on(error.backend().unwrap_or("none")).during(error.operation().unwrap_or("none"))
                }),
            )
        },
    },
    Broken {
        name: "debug_shows_keys",
        wrong: "The Debug of a store shows the keys that were written last.",
        caught_by: "semantics::nothing_that_can_be_printed_shows_keys_or_values",
        wrap: |inner| twisted(inner, Talkative { shown: Mutex::default(), of: Shown::Keys }),
    },
    Broken {
        name: "debug_shows_values",
        wrong: "The Debug of a store shows the values that were written last, as numbers.",
        caught_by: "semantics::nothing_that_can_be_printed_shows_keys_or_values",
        wrap: |inner| twisted(inner, Talkative { shown: Mutex::default(), of: Shown::Values }),
    },
    Broken {
        name: "the_last_link_of_a_batch_is_dropped",
        wrong: "A batch loses its last link: an index entry is missing, and everything else is there.",
        caught_by: "typed::a_put_replaces_the_record_and_all_its_entries",
        wrap: |inner| {
            let lose = |batch: &mut Batch| {
                let links = batch.writes.iter().filter(|(_, write)| matches!(write, Write::Link(_)));
                if let Some(last) = links.map(|(key, _)| key.clone()).next_back() {
                    batch.writes.remove(&last);
                }
            };
            Changes::default().batch(lose).on(inner)
        },
    },
    Broken {
        name: "deletes_beside_puts_are_ignored",
        wrong: "A batch that puts or links loses its deletes: index entries of the old record stay.",
        caught_by: "typed::only_the_entries_that_differ_are_written",
        wrap: |inner| {
            let lose = |batch: &mut Batch| {
                if batch.writes.values().any(|write| *write != Write::Delete) {
                    batch.writes.retain(|_, write| *write != Write::Delete);
                }
            };
            Changes::default().batch(lose).on(inner)
        },
    },
];

/// Every error becomes another one, which may be made of a key.
#[derive(Debug)]
struct Errors(fn(Error, &[u8]) -> Error);

#[async_trait]
impl Twist for Errors {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let key = keys.first().cloned().unwrap_or_default();
        inner.get(keys).await.map_err(|error| self.0(error, key.as_bytes()))
    }

    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        inner.scan(scan).await.map_err(|error| self.0(error, b""))
    }

    async fn summarize(&self, inner: &dyn Read, range: &KeyRange) -> Result<Summary> {
        inner.summarize(range).await.map_err(|error| self.0(error, b""))
    }

    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        inner.snapshot().await.map_err(|error| self.0(error, b""))
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let keys: Vec<_> =
            batches.iter().map(|batch| batch.writes.keys().next().cloned().unwrap_or_default()).collect();
        let mut outcomes = inner.commit(batches).await.map_err(|error| self.0(error, b""))?;
        for (outcome, key) in outcomes.iter_mut().zip(keys) {
            if let Outcome::Rejected(error) = outcome {
                *error = self.0(error.clone(), key.as_bytes());
            }
        }
        Ok(outcomes)
    }

    async fn changed(&self, inner: &Arc<dyn Store>, after: Revision) -> Result<Revision> {
        inner.changed(after).await.map_err(|error| self.0(error, b""))
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        inner.drop_range(range, guards).await.map_err(|error| self.0(error, b""))
    }
}

enum Shown {
    Keys,
    Values,
}

/// Shows in its `Debug` what was written last.
struct Talkative {
    shown: Mutex<String>,
    of: Shown,
}

impl Debug for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Talkative({})", lock(&self.shown))
    }
}

#[async_trait]
impl Twist for Talkative {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        for (key, write) in batches.iter().flat_map(|batch| &batch.writes) {
            match (&self.of, write) {
                (Shown::Keys, _) => *lock(&self.shown) = String::from_utf8_lossy(key.as_bytes()).into_owned(),
                (Shown::Values, Write::Put(value)) => *lock(&self.shown) = format!("{:?}", value.to_vec()),
                (Shown::Values, _) => {}
            }
        }
        inner.commit(batches).await
    }
}
