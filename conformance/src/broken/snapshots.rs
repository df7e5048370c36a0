//! Snapshots that are of another revision, that never end, or that end too early.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_core::store::{KeyRange, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoredKey, Summary};
use strongroom_core::{Error, ErrorKind, Result};

use super::Broken;
use super::changes::Changes;
use super::views::{View, lock, newest};

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "snapshots_see_later_commits",
        wrong: "A snapshot reads the store as it is now.",
        caught_by: "semantics::a_snapshot_does_not_see_what_is_committed_after_it",
        wrap: |inner| viewing(inner, |inner, snapshot| View::of(snapshot.revision(), inner)),
    },
    Broken {
        name: "snapshots_scan_the_store",
        wrong: "A snapshot gets what was, and scans what is now.",
        caught_by: "semantics::a_snapshot_pages_through_one_view_while_the_store_changes",
        wrap: |inner| viewing(inner, |inner, snapshot| partly(inner, snapshot, Part::Scan)),
    },
    Broken {
        name: "snapshots_summarize_the_store",
        wrong: "A snapshot reads what was, and summarizes what is now.",
        caught_by: "semantics::a_snapshot_of_an_empty_store_stays_empty",
        wrap: |inner| viewing(inner, |inner, snapshot| partly(inner, snapshot, Part::Summarize)),
    },
    Broken {
        name: "snapshots_are_behind",
        wrong: "A snapshot is of the store before the last commit, although that was acknowledged.",
        caught_by: "semantics::a_snapshot_sees_what_was_committed_before_it",
        wrap: behind,
    },
    Broken {
        name: "snapshots_say_revision_zero",
        wrong: "A snapshot does not say which revision it is of.",
        caught_by: "semantics::a_snapshot_gives_one_revision_to_all_its_reads",
        wrap: |inner| viewing(inner, |_, snapshot| View::of(Revision::ZERO, shared(snapshot))),
    },
    Broken {
        name: "snapshots_say_the_revision_to_come",
        wrong: "A snapshot says that it is of the revision that the next batch will have.",
        caught_by: "semantics::a_snapshot_gives_one_revision_to_all_its_reads",
        wrap: |inner| viewing(inner, |_, snapshot| View::of(snapshot.revision().next(), shared(snapshot))),
    },
    Broken {
        name: "snapshots_read_on_when_they_have_expired",
        wrong: "A snapshot past its age reads the store as it is instead of saying so.",
        caught_by: "semantics::an_expired_snapshot_answers_expired_to_every_read",
        wrap: |inner| {
            viewing(inner, |inner, snapshot| {
                let revision = snapshot.revision();
                View::of(revision, Arc::new(ExpiredReads { snapshot: Arc::from(snapshot), inner }))
            })
        },
    },
    Broken {
        name: "snapshots_end_with_the_next_commit",
        wrong: "A snapshot has expired as soon as anything is committed.",
        caught_by: "semantics::a_snapshot_lives_until_its_age",
        wrap: |inner| {
            viewing(inner, |inner, snapshot| {
                let revision = snapshot.revision();
                View::of(revision, Arc::new(UntilCommit { snapshot: Arc::from(snapshot), inner }))
            })
        },
    },
    Broken {
        name: "snapshots_past_the_limit_are_given",
        wrong: "A snapshot past their number is given, and shares the last one's view.",
        caught_by: "semantics::the_number_of_snapshots_is_limited",
        wrap: unlimited,
    },
    Broken {
        name: "dropped_snapshots_count",
        wrong: "A snapshot that is dropped is not released, and counts until it has expired.",
        caught_by: "semantics::a_dropped_snapshot_counts_no_longer",
        wrap: leaking,
    },
];

type Viewed = fn(Arc<dyn Store>, Box<dyn Snapshot>) -> Box<dyn Snapshot>;

/// Each snapshot becomes what `view` makes of the store and of it.
fn viewing(inner: Arc<dyn Store>, view: Viewed) -> Arc<dyn Store> {
    let call = move |inner: Arc<dyn Store>, ()| async move {
        let snapshot = inner.snapshot().await?;
        Ok(view(inner, snapshot))
    };
    Changes::default().snapshot(call).on(inner)
}

fn shared(snapshot: Box<dyn Snapshot>) -> Arc<dyn Snapshot> {
    Arc::from(snapshot)
}

fn behind(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let last = Arc::new(Mutex::new(None::<Arc<dyn Snapshot>>));
    let given = last.clone();
    Changes::default()
        .commit(move |inner, batches| {
            let last = last.clone();
            async move {
                let before = inner.snapshot().await.ok().map(Arc::from);
                *lock(&last) = before;
                inner.commit(batches).await
            }
        })
        .snapshot(move |inner, ()| {
            let last = lock(&given).clone();
            async move {
                match last {
                    Some(last) => Ok(View::of(last.revision(), last)),
                    None => inner.snapshot().await,
                }
            }
        })
        .on(inner)
}

fn unlimited(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let last = Arc::new(Mutex::new(None::<Arc<dyn Snapshot>>));
    let call = move |inner: Arc<dyn Store>, ()| {
        let last = last.clone();
        async move {
            let given = match inner.snapshot().await {
                Ok(snapshot) => Arc::from(snapshot),
                Err(error) => lock(&last).clone().ok_or(error)?,
            };
            *lock(&last) = Some(given.clone());
            Ok(View::of(given.revision(), given))
        }
    };
    Changes::default().snapshot(call).on(inner)
}

fn leaking(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let all = Arc::new(Mutex::new(Vec::<Arc<dyn Snapshot>>::new()));
    let call = move |inner: Arc<dyn Store>, ()| {
        let all = all.clone();
        async move {
            let snapshot: Arc<dyn Snapshot> = Arc::from(inner.snapshot().await?);
            lock(&all).push(snapshot.clone());
            Ok(View::of(snapshot.revision(), snapshot))
        }
    };
    Changes::default().snapshot(call).on(inner)
}

/// What a snapshot reads in the store as it is now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Scan,
    Summarize,
}

fn partly(inner: Arc<dyn Store>, snapshot: Box<dyn Snapshot>, live: Part) -> Box<dyn Snapshot> {
    View::of(snapshot.revision(), Arc::new(Partly { snapshot: Arc::from(snapshot), inner, live }))
}

struct Partly {
    snapshot: Arc<dyn Snapshot>,
    inner: Arc<dyn Store>,
    live: Part,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for Partly {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.snapshot.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        if self.live == Part::Scan { self.inner.scan(scan).await } else { self.snapshot.scan(scan).await }
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        if self.live == Part::Summarize {
            self.inner.summarize(range).await
        } else {
            self.snapshot.summarize(range).await
        }
    }
}

struct ExpiredReads {
    snapshot: Arc<dyn Snapshot>,
    inner: Arc<dyn Store>,
}

fn has_expired<T>(result: &Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::SnapshotExpired)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for ExpiredReads {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let result = self.snapshot.get(keys).await;
        if has_expired(&result) { self.inner.get(keys).await } else { result }
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let result = self.snapshot.scan(scan).await;
        if has_expired(&result) { self.inner.scan(scan).await } else { result }
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let result = self.snapshot.summarize(range).await;
        if has_expired(&result) { self.inner.summarize(range).await } else { result }
    }
}

struct UntilCommit {
    snapshot: Arc<dyn Snapshot>,
    inner: Arc<dyn Store>,
}

impl UntilCommit {
    async fn check(&self) -> Result<()> {
        if newest(&*self.inner).await? > self.snapshot.revision() {
            return Err(Error::new(ErrorKind::SnapshotExpired, "something was committed"));
        }
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for UntilCommit {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.check().await?;
        self.snapshot.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.check().await?;
        self.snapshot.scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.check().await?;
        self.snapshot.summarize(range).await
    }
}
