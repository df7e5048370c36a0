//! Two processes that write to one store at the same time.

use std::collections::BTreeSet;

use strongroom_core::store::{Batch, Content, Guard, KeyPrefix, KeyRange, Outcome, Revision, Store, StoredKey};

use crate::case::cases;
use crate::child::Work;
use crate::groups::semantics::support::{batch, commit, keys, pages, put, read, within};
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq};

cases! { Isolation;
    increments_of_two_processes_are_all_there [Reopen, Processes, Share],
}

/// Processes at one time.
const PROCESSES: usize = 2;
/// Operations of the effort that one increment is worth.
const OPERATIONS_EACH: usize = 10;
/// What a child says when it has the store open, and the row that it waits for then.
const READY: &str = "ready";
const GO: &str = "go";
const COUNTER: &str = "counter";
/// Before the rows that say which revisions increments had.
const LOG: &[u8] = b"log/";

/// A child that adds to the counter so many times, each guarded by what it read.
pub(super) async fn increment(work: Work) -> Checked {
    let store = work.reopen().await?;
    work.say(READY)?;
    let mut as_of = Revision::ZERO;
    while read(&*store, GO).await?.is_none() {
        as_of = store.changed(as_of).await?;
    }
    let mut left = work.argument;
    while left > 0 {
        if let Some(revision) = attempt(&*store).await? {
            left -= 1;
            work.say(revision)?;
        }
    }
    Ok(store.close().await?)
}

/// None if somebody else was faster.
async fn attempt(store: &dyn Store) -> Checked<Option<Revision>> {
    let counter = read(store, COUNTER).await?;
    let (number, revision) = match &counter {
        Some(row) => (number(&row.content)?, Some(row.revision)),
        None => (0, None),
    };
    let guards = vec![Guard::Key { key: StoredKey::from(COUNTER.as_bytes().to_vec()), revision }];
    let stamped = vec![(KeyPrefix(StoredKey::from(LOG.to_vec())), number.to_string().into_bytes().into())];
    let next: Batch = Batch { guards, stamped, ..batch([(COUNTER, put((number + 1).to_string()))]) };
    match store.commit(vec![next]).await?.as_slice() {
        [Outcome::Committed(revision)] => Ok(Some(*revision)),
        [Outcome::Conflict { guard: 0 }] => Ok(None),
        other => Err(Failure::new(format!("{other:?}"))),
    }
}

fn number(content: &Content) -> Checked<u64> {
    let text = match content {
        Content::Value(value) => std::str::from_utf8(value).ok(),
        Content::Link(_) | Content::Damaged(_) => None,
    };
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| Failure::new(format!("the counter is {content:?}")))
}

async fn increments_of_two_processes_are_all_there(context: Context) -> Checked {
    let site = context.open().await?;
    // No more lines than a pipe holds: nobody listens to the second process while the first is heard.
    let each = (context.effort().operations / OPERATIONS_EACH).clamp(20, 1_000) as u64;
    let start = |_| Child::start(&context, "increment", &site.place, each);
    let mut children: Vec<Child> = (0..PROCESSES).map(start).collect::<Checked<_>>()?;
    for child in &mut children {
        ensure_eq!(child.next_line()?.as_deref(), Some(READY), "a process that opens it as well");
    }
    commit(&*site.store, batch([(GO, put("1"))])).await?;
    let (mut revisions, mut acknowledged) = (BTreeSet::new(), 0);
    for child in &mut children {
        let mut last = 0;
        while let Some(line) = child.next_line()? {
            let revision: u64 = line.parse().map_err(|_| Failure::new(line.clone()))?;
            ensure!(revision > last, "one process was given revision {revision} after {last}");
            ensure!(revisions.insert(revision), "two increments were given revision {revision}");
            (last, acknowledged) = (revision, acknowledged + 1);
        }
        child.wait()?;
    }
    let expected = PROCESSES as u64 * each;
    ensure_eq!(acknowledged, expected, "increments that were acknowledged");
    let counter = read(&*site.store, COUNTER).await?.ok_or_else(|| Failure::new("there is no counter"))?;
    ensure_eq!(number(&counter.content)?, expected, "the sum");
    let log = pages(&*site.store, &within(&*site.store, KeyRange::prefix(LOG))).await?;
    let logged: Vec<Vec<u8>> = log.iter().flat_map(keys).map(|key| key[LOG.len()..].to_vec()).collect();
    let acknowledged: Vec<Vec<u8>> = revisions.iter().map(|revision| revision.to_be_bytes().to_vec()).collect();
    ensure!(logged == acknowledged, "the revisions in the store are not those that were acknowledged");
    context.count("increments of two processes", expected);
    Ok(())
}
