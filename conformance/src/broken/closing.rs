//! Stores that go on when they are closed, or forget what they did not hold in their hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use strongroom_core::store::{
    Batch, Compaction, Guard, KeyRange, Limits, Outcome, Revision, Snapshot, Store, StoredKey, Usage, Write,
};
use strongroom_core::{Error, ErrorKind, Result};

use super::Broken;
use super::changes::{Changes, twisted};
use super::views::all_of;
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "reads_go_on_after_close",
        wrong: "A closed store refuses to write, and can be read.",
        caught_by: "semantics::a_closed_store_answers_closed_to_every_call",
        wrap: |inner| twisted(inner, Ajar { closed: AtomicBool::new(false), commits: false }),
    },
    Broken {
        name: "close_does_nothing",
        wrong: "A closed store goes on as before.",
        caught_by: "semantics::snapshots_end_with_their_store",
        wrap: |inner| Changes::default().close(|_, ()| async { Ok(()) }).on(inner),
    },
    Broken {
        name: "commits_go_on_after_close",
        wrong: "A closed store refuses everything but commits and reads.",
        caught_by: "semantics::a_commit_after_close_does_nothing",
        wrap: |inner| twisted(inner, Ajar { closed: AtomicBool::new(false), commits: true }),
    },
    Broken {
        name: "closing_twice_is_an_error",
        wrong: "The second close of a store answers that it is closed.",
        caught_by: "semantics::closing_twice_is_no_error",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                inner.usage().await?;
                inner.close().await
            };
            Changes::default().close(call).on(inner)
        },
    },
    Broken {
        name: "close_leaves_who_waits",
        wrong: "Whoever waits for a change when the store is closed waits for ever.",
        caught_by: "semantics::close_ends_those_who_wait_for_a_change",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, after| async move {
                match inner.changed(after).await {
                    Err(error) if error.is_closed() => std::future::pending().await,
                    other => other,
                }
            };
            Changes::default().changed(call).on(inner)
        },
    },
    Broken {
        name: "info_says_other_limits",
        wrong: "What a store says of its limits is the default, whatever was asked for.",
        caught_by: "semantics::the_limits_are_those_that_were_asked_for",
        wrap: |inner| Changes::default().info(&*inner, |info| info.limits = Limits::default()).on(inner.clone()),
    },
    Broken {
        name: "info_names_the_program",
        wrong: "The name that a store has is not that of its URL, but one for people.",
        caught_by: "semantics::the_name_is_one_of_a_url",
        wrap: |inner| Changes::default().info(&*inner, |info| info.name = "Database").on(inner.clone()),
    },
    Broken {
        name: "usage_is_constant",
        wrong: "A store always says that it holds 4 KiB.",
        caught_by: "semantics::usage_grows_with_what_is_written",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                inner.usage().await?;
                Ok(Usage { bytes: 4_096 })
            };
            Changes::default().usage(call).on(inner)
        },
    },
    Broken {
        name: "compact_loses_the_last_row",
        wrong: "A compaction copies every row but the last.",
        caught_by: "semantics::compact_keeps_every_row_and_revision",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                if let Some(last) = all_of(&*inner, &KeyRange::ALL).await?.entries.pop() {
                    inner.commit(vec![write(last.key, Write::Delete)]).await?;
                }
                inner.compact().await
            };
            Changes::default().compact(call).on(inner)
        },
    },
    Broken {
        name: "compact_writes_rows_anew",
        wrong: "A compaction copies rows without their revisions: each becomes that of the compaction.",
        caught_by: "semantics::compact_takes_no_revision",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                for entry in all_of(&*inner, &KeyRange::ALL).await?.entries {
                    if let Some(strongroom_core::store::Content::Value(value)) = entry.content {
                        inner.commit(vec![write(entry.key, Write::Put(value))]).await?;
                    }
                }
                inner.compact().await
            };
            Changes::default().compact(call).on(inner)
        },
    },
    Broken {
        name: "compact_turns_the_bytes_around",
        wrong: "A compaction says that the store grew by what it gave back.",
        caught_by: "semantics::compact_says_what_it_freed",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                let done = inner.compact().await?;
                Ok(Compaction { bytes_before: done.bytes_after, bytes_after: done.bytes_before + 1 })
            };
            Changes::default().compact(call).on(inner)
        },
    },
];

fn write(key: StoredKey, write: Write) -> Batch {
    Batch { writes: [(key, write)].into(), ..Batch::default() }
}

/// Closed in part: what it refuses is refused here, and the inner store stays open.
#[derive(Debug)]
struct Ajar {
    closed: AtomicBool,
    commits: bool,
}

impl Ajar {
    fn check(&self, inner: &Arc<dyn Store>, operation: &'static str) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            let closed = Error::new(ErrorKind::Closed, "the store was closed");
            return Err(closed.on(inner.info().name).during(operation));
        }
        Ok(())
    }
}

#[async_trait]
impl Twist for Ajar {
    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        self.check(inner, "snapshot")?;
        inner.snapshot().await
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        if !self.commits {
            self.check(inner, "commit")?;
        }
        inner.commit(batches).await
    }

    async fn changed(&self, inner: &Arc<dyn Store>, after: Revision) -> Result<Revision> {
        self.check(inner, "changed")?;
        inner.changed(after).await
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.check(inner, "drop_range")?;
        inner.drop_range(range, guards).await
    }

    async fn compact(&self, inner: &Arc<dyn Store>) -> Result<Compaction> {
        self.check(inner, "compact")?;
        inner.compact().await
    }

    async fn usage(&self, inner: &Arc<dyn Store>) -> Result<Usage> {
        self.check(inner, "usage")?;
        inner.usage().await
    }

    async fn close(&self, _: &Arc<dyn Store>) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}
