//! What is read while a commit is under way, and beside many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use strongroom_core::store::{Batch, Content, KeyPrefix, KeyRange, Revision, Row, Rows, Store, StoredKey, Write};
use tokio::task::JoinHandle;

use super::support::{
    batch, commit, committed, current, finish, join, key, link, log, put, read, row, scanned, steps, suffix, value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    a_read_that_ends_while_a_commit_is_under_way_is_not_what_is_read_later,
    a_read_that_begins_while_a_commit_is_under_way_is_not_what_is_read_later,
    what_is_read_while_a_commit_is_under_way_is_of_the_revision_it_says,
    what_is_read_while_a_range_is_dropped_is_of_the_revision_it_says,
    readers_beside_a_writer_miss_nothing_that_was_acknowledged,
    two_keys_that_change_together_are_never_read_torn,
}

/// Steps of a read or of a commit between which the other is at work. What takes more of them is not met any later.
const STEPS_MAX: usize = 6;

/// A read and a commit, each of which stands still after so many steps.
#[derive(Clone, Copy, Debug)]
struct Meeting {
    /// Which is begun, and ended, first.
    read_first: bool,
    /// Whether the keys were read before.
    known: bool,
    read_steps: usize,
    commit_steps: usize,
}

/// Which of the two had ended before it was to stand still.
struct Ended {
    read: bool,
    commit: bool,
}

async fn meet(store: &dyn Store, meeting: Meeting) -> Checked<Ended> {
    let Meeting { read_first, known, read_steps, commit_steps } = meeting;
    let names = ["put", "gone", "new"].map(|name| format!("{known}-{read_steps}-{commit_steps}{name}"));
    let asked = names.each_ref().map(key);
    let first = commit(store, batch(names.iter().zip([put("old"), put("old"), Write::Delete]))).await?;
    if known {
        store.get(&asked).await?;
    }
    let writes = vec![batch(names.iter().zip([put("new"), Write::Delete, put("new")]))];
    let (mut reading, mut committing) = (store.get(&asked), store.commit(writes));
    let (seen, outcomes, ended);
    if read_first {
        let read = steps(&mut reading, read_steps).await;
        let commit = steps(&mut committing, commit_steps).await;
        ended = Ended { read: read.is_ready(), commit: commit.is_ready() };
        seen = finish(read, reading).await?;
        outcomes = finish(commit, committing).await?;
    } else {
        let commit = steps(&mut committing, commit_steps).await;
        let read = steps(&mut reading, read_steps).await;
        ended = Ended { read: read.is_ready(), commit: commit.is_ready() };
        outcomes = finish(commit, committing).await?;
        seen = finish(read, reading).await?;
    }
    let second = committed(outcomes.first().ok_or_else(|| Failure::new("no outcome"))?)?;
    let old = || row(first, value("old"));
    let new = || row(second, value("new"));
    let (before, after) = ([old(), old(), None], [new(), None, new()]);
    ensure_eq!(seen.rows, if seen.as_of < second { before } else { after.clone() }, "as of {}", seen.as_of);
    for _ in 0..2 {
        ensure_eq!(store.get(&asked).await?.rows, after, "what is read after {second}");
    }
    for (name, wanted) in names.iter().zip(&after) {
        ensure_eq!(&scanned(store, name).await?, wanted, "what is scanned after {second}");
    }
    Ok(ended)
}

async fn meet_everywhere(context: Context, read_first: bool) -> Checked {
    let site = context.open().await?;
    for known in [false, true] {
        for read_steps in 0..STEPS_MAX {
            let mut ended = Ended { read: false, commit: false };
            for commit_steps in 1..STEPS_MAX {
                if !ended.commit {
                    let meeting = Meeting { read_first, known, read_steps, commit_steps };
                    let met = meet(&*site.store, meeting).await;
                    ended = met.map_err(|failure| Failure::new(format!("{meeting:?}: {failure}")))?;
                }
            }
            if ended.read {
                break;
            }
        }
    }
    Ok(())
}

async fn a_read_that_ends_while_a_commit_is_under_way_is_not_what_is_read_later(context: Context) -> Checked {
    meet_everywhere(context, true).await
}

async fn a_read_that_begins_while_a_commit_is_under_way_is_not_what_is_read_later(context: Context) -> Checked {
    meet_everywhere(context, false).await
}

/// Reads all keys, and each alone, between any two steps of `writing`; gives what it ended with, and what was read.
async fn read_during<T>(
    store: &dyn Store,
    asked: &[StoredKey],
    mut writing: impl Future<Output = T> + Unpin,
) -> Checked<(T, Vec<(usize, Rows)>)> {
    let mut seen = Vec::new();
    loop {
        if let Poll::Ready(written) = steps(&mut writing, 1).await {
            return Ok((written, seen));
        }
        seen.push((0, store.get(asked).await?));
        for (at, key) in asked.iter().enumerate() {
            seen.push((at, store.get(std::slice::from_ref(key)).await?));
        }
    }
}

/// Each answer was the rows of the revision that it said.
fn each_was_of_its_revision(
    seen: &[(usize, Rows)],
    written: Revision,
    before: &[Option<Row>],
    after: &[Option<Row>],
) -> Checked {
    for (at, seen) in seen {
        let of_its_revision = if seen.as_of < written { before } else { after };
        let wanted = &of_its_revision[*at..*at + seen.rows.len()];
        ensure_eq!(&seen.rows[..], wanted, "what was read as of {} on the way to {written}", seen.as_of);
    }
    Ok(())
}

async fn what_is_read_while_a_commit_is_under_way_is_of_the_revision_it_says(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    for known in [false, true] {
        let first = [("put", put("old")), ("gone", put("old")), ("link", suffix(1)), ("new", Write::Delete)];
        commit(store, batch(first)).await?;
        let newest = current(store).await?;
        let prefix = KeyPrefix(key("log"));
        let stamped = (1..=4).map(|more| prefix.stamp(Revision(newest.0 + more)));
        let asked: Vec<_> = ["put", "gone", "link", "new"].map(key).into_iter().chain(stamped).collect();
        let before = if known {
            store.get(&asked).await?.rows
        } else {
            let mut before = Vec::new();
            for key in &asked {
                before.push(scanned(store, key).await?);
            }
            before
        };
        let second = [("put", put("new")), ("gone", Write::Delete), ("link", link("target")), ("new", put("new"))];
        let second = Batch { stamped: log([("log", "1")]).stamped, ..batch(second) };
        let (outcomes, seen) = read_during(store, &asked, store.commit(vec![second])).await?;
        let written = committed(outcomes?.first().ok_or_else(|| Failure::new("no outcome"))?)?;
        let after = store.get(&asked).await?.rows;
        for (key, row) in asked.iter().zip(&after) {
            ensure_eq!(row, &scanned(store, key).await?, "a row that was read after {written}");
        }
        let there: Vec<_> = after[..4].iter().map(Option::is_some).collect();
        ensure_eq!(there, [true, false, true, true], "what is there after {written}");
        each_was_of_its_revision(&seen, written, &before, &after)?;
    }
    Ok(())
}

async fn what_is_read_while_a_range_is_dropped_is_of_the_revision_it_says(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    for known in [false, true] {
        let rows = [("r1", put("1")), ("r2", link("r1")), ("s", put("s"))];
        let first = commit(store, batch(rows)).await?;
        let asked = ["r1", "r2", "r3", "s"].map(key);
        if known {
            store.get(&asked).await?;
        }
        let old = |content| row(first, content);
        let target = Content::Link(key("r1"));
        let before = [old(value("1")), old(target), None, old(value("s"))];
        let after = [None, None, None, old(value("s"))];
        let range = KeyRange::prefix(b"r");
        let (outcome, seen) = read_during(store, &asked, store.drop_range(&range, &[])).await?;
        let dropped = committed(&outcome?)?;
        each_was_of_its_revision(&seen, dropped, &before, &after)?;
        ensure_eq!(store.get(&asked).await?.rows, after, "what is left after {dropped}");
    }
    Ok(())
}

/// Commits that the threads of one case make: hundreds.
fn rounds(context: &Context) -> u64 {
    (context.effort().operations as u64 / 10).clamp(1, 1_000)
}

/// A task that commits a batch a round, reads after each what it wrote, and tells the revision.
fn writer(store: &Arc<dyn Store>, rounds: u64, told: &Arc<AtomicU64>) -> JoinHandle<Checked> {
    let (store, told) = (store.clone(), told.clone());
    tokio::spawn(async move {
        for round in 0..rounds {
            let even = if round.is_multiple_of(2) { put("even") } else { Write::Delete };
            let written = commit(&*store, batch([("a", put(round.to_be_bytes())), ("b", even)])).await?;
            told.store(written.0, Ordering::SeqCst);
            ensure_eq!(read(&*store, "a").await?, row(written, value(round.to_be_bytes())), "what was just written");
            let wanted = if round.is_multiple_of(2) { row(written, value("even")) } else { None };
            ensure_eq!(read(&*store, "b").await?, wanted, "what was just written or deleted");
        }
        Ok(())
    })
}

async fn readers_beside_a_writer_miss_nothing_that_was_acknowledged(context: Context) -> Checked {
    let site = context.open().await?;
    let told = Arc::new(AtomicU64::new(0));
    let writer = writer(&site.store, rounds(&context), &told);
    let reader = async |asked: [StoredKey; 1]| {
        let mut last = Revision::ZERO;
        loop {
            let (ended, acknowledged) = (writer.is_finished(), Revision(told.load(Ordering::SeqCst)));
            let Rows { as_of, rows } = site.store.get(&asked).await?;
            ensure!(as_of >= last.max(acknowledged), "as of {as_of} after {last}, {acknowledged} being acknowledged");
            let revision = rows[0].as_ref().map(|row| row.revision);
            ensure!(revision.is_none_or(|revision| revision <= as_of), "a row of {revision:?} as of {as_of}");
            // Every commit writes this one.
            let written = asked[0] == key("a");
            let missed = written && revision.unwrap_or_default() < acknowledged;
            ensure!(!missed, "a row of {revision:?} when {acknowledged} was acknowledged");
            last = as_of;
            if ended {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    let (a, b, c) = tokio::join!(reader([key("a")]), reader([key("b")]), reader([key("a")]));
    // What the writer has met comes first: the readers only see that it has ended.
    join(writer).await?;
    a.and(b).and(c)
}

async fn two_keys_that_change_together_are_never_read_torn(context: Context) -> Checked {
    let site = context.open().await?;
    let told = Arc::new(AtomicU64::new(0));
    let writer = writer(&site.store, rounds(&context), &told);
    let reader = async |asked: [StoredKey; 2], before: &[StoredKey]| {
        loop {
            let ended = writer.is_finished();
            // Whatever keeps what it read has one of the two now.
            site.store.get(before).await?;
            let Rows { as_of, rows } = site.store.get(&asked).await?;
            let [a, b] = [key("a"), key("b")].map(|key| {
                let at = asked.iter().position(|asked| *asked == key);
                at.and_then(|at| rows.get(at).cloned().flatten())
            });
            let round = match &a {
                Some(Row { content: Content::Value(bytes), .. }) => bytes.last().copied(),
                _ => None,
            };
            let (of_a, of_b) = (a.map(|row| row.revision), b.map(|row| row.revision));
            let even = round.is_some_and(|round| round.is_multiple_of(2));
            ensure!(of_b == of_a.filter(|_| even), "as of {as_of}: one of {of_a:?}, round {round:?}, one of {of_b:?}");
            if ended {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    let [a, b] = ["a", "b"].map(key);
    let (one, two, three) = tokio::join!(
        reader([a.clone(), b.clone()], std::slice::from_ref(&a)),
        reader([b.clone(), a.clone()], std::slice::from_ref(&b)),
        reader([a.clone(), b.clone()], &[]),
    );
    join(writer).await?;
    one.and(two).and(three)
}
