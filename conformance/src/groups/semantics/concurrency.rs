//! Many tasks at once.

use std::collections::BTreeSet;
use std::pin::pin;

use strongroom_core::store::{Batch, Content, KeyRange, Revision, Scan, Store, Write};

use super::support::{
    batch, commit, commit_all, current, everything, fill, finish, join, key, key_guard, log, pages, poll_once, put,
    range_guard, read, row, value, within,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    concurrent_commits_all_happen,
    concurrent_commits_are_in_one_order,
    each_task_sees_its_own_commit,
    readers_never_see_half_a_batch,
    readers_see_batches_in_their_order,
    a_counter_under_key_guards_loses_no_step,
    a_sum_under_range_guards_never_passes_its_limit,
    commits_and_drops_at_once_leave_all_or_nothing,
    a_read_that_was_begun_before_a_commit_sees_one_revision,
    a_scan_that_lasts_sees_one_revision,
    a_get_that_lasts_sees_one_revision,
    a_summary_that_lasts_sees_one_revision,
}

async fn concurrent_commits_all_happen(context: Context) -> Checked {
    let site = context.open().await?;
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let store = site.store.clone();
            tokio::spawn(async move { commit(&*store, batch([(format!("{task:02}"), put([task]))])).await })
        })
        .collect();
    let mut written = Vec::new();
    for task in tasks {
        written.push(join(task).await?);
    }
    for (task, revision) in (0_u8..).zip(&written) {
        ensure_eq!(read(&*site.store, format!("{task:02}")).await?, row(*revision, value([task])));
    }
    let distinct: BTreeSet<_> = written.into_iter().collect();
    ensure_eq!(distinct.len(), 64, "revisions of 64 commits");
    ensure_eq!(distinct.last().copied(), Some(site.store.summarize(&KeyRange::ALL).await?.as_of));
    Ok(())
}

async fn concurrent_commits_are_in_one_order(context: Context) -> Checked {
    let site = context.open().await?;
    let tasks: Vec<_> = (0..32_u8)
        .map(|task| {
            let store = site.store.clone();
            tokio::spawn(async move {
                let mut written = Vec::new();
                for _ in 0..4 {
                    let mut both = batch([("last", put([task]))]);
                    both.stamped = log([("log", [task])]).stamped;
                    written.push((commit(&*store, both).await?, task));
                }
                ensure!(written.is_sorted(), "the commits of one task are out of order");
                Ok(written)
            })
        })
        .collect();
    let mut written: Vec<(Revision, u8)> = Vec::new();
    for task in tasks {
        written.extend(join(task).await?);
    }
    written.sort_unstable();
    let scan = within(&*site.store, KeyRange::prefix(b"log"));
    let logged = pages(&*site.store, &scan).await?.into_iter().flat_map(|page| page.entries);
    let logged: Vec<_> = logged.map(|entry| (entry.revision, entry.content)).collect();
    ensure_eq!(logged, written.iter().map(|(revision, task)| (*revision, Some(value([*task])))).collect::<Vec<_>>());
    let (revision, task) = *written.last().ok_or_else(|| Failure::new("no task wrote"))?;
    ensure_eq!(read(&*site.store, "last").await?, row(revision, value([task])), "who came last");
    Ok(())
}

async fn each_task_sees_its_own_commit(context: Context) -> Checked {
    let site = context.open().await?;
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let store = site.store.clone();
            tokio::spawn(async move {
                let name = format!("{task:02}");
                for round in 0..3 {
                    let written = commit(&*store, batch([(&name, put([round]))])).await?;
                    let found = store.get(&[key(&name)]).await?;
                    ensure!(found.as_of >= written, "{} after {written}", found.as_of);
                    ensure_eq!(found.rows, [row(written, value([round]))]);
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        join(task).await?;
    }
    Ok(())
}

/// Reads, four at a time, while a task commits `rounds` batches, each of which writes every one of `names`.
async fn read_while_writing(
    context: &Context,
    rounds: u32,
    names: Vec<String>,
    check: impl AsyncFn(&dyn Store) -> Checked,
) -> Checked {
    let site = context.open().await?;
    let all = move |round: u32| batch(names.iter().map(|name| (name, put(round.to_be_bytes()))));
    commit(&*site.store, all(0)).await?;
    let store = site.store.clone();
    let writer = tokio::spawn(async move {
        for round in 1..=rounds {
            commit(&*store, all(round)).await?;
        }
        Ok(())
    });
    loop {
        let last = writer.is_finished();
        let reader = async || check(&*site.store).await;
        let (one, two, three, four) = tokio::join!(reader(), reader(), reader(), reader());
        one.and(two).and(three).and(four)?;
        if last {
            return join(writer).await;
        }
    }
}

async fn readers_never_see_half_a_batch(context: Context) -> Checked {
    let names: Vec<_> = (0..20).map(|number| format!("{number:02}")).collect();
    let asked: Vec<_> = names.iter().map(key).collect();
    read_while_writing(&context, 100, names, async |store| {
        let found = store.get(&asked).await?;
        let first = found.rows[0].clone();
        ensure!(first.is_some() && found.rows.iter().all(|row| *row == first), "get saw half a batch");
        let page = store.scan(&everything(store)).await?;
        let first = page.entries[0].content.clone();
        ensure!(page.entries.len() == 20 && page.entries.iter().all(|entry| entry.content == first), "half a batch");
        Ok(())
    })
    .await
}

async fn readers_see_batches_in_their_order(context: Context) -> Checked {
    let site = context.open().await?;
    let store = site.store.clone();
    let writer = tokio::spawn(async move {
        for number in 0..60_u8 {
            let group = [batch([("first", put([number]))]), batch([("second", put([number]))])];
            commit_all(&*store, group).await?;
        }
        Ok(())
    });
    loop {
        let last = writer.is_finished();
        let rows = site.store.get(&["first", "second"].map(key)).await?.rows;
        let contents = rows.into_iter().map(|row| row.map(|row| row.content)).collect::<Vec<_>>();
        match contents.as_slice() {
            [None, None] | [Some(_), None] => {}
            [Some(first), Some(second)] => {
                let number = |content: &Content| match content {
                    Content::Value(bytes) => bytes.first().copied().unwrap_or_default(),
                    Content::Link(_) | Content::Damaged(_) => u8::MAX,
                };
                let (first, second) = (number(first), number(second));
                ensure!(first == second || first == second + 1, "{first} was read together with {second}");
            }
            _ => return Err(Failure::new("the second batch without the first")),
        }
        if last {
            return join(writer).await;
        }
    }
}

async fn a_counter_under_key_guards_loses_no_step(context: Context) -> Checked {
    let site = context.open().await?;
    commit(&*site.store, batch([("count", put(0_u32.to_be_bytes()))])).await?;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = site.store.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    step(&*store).await?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        join(task).await?;
    }
    ensure_eq!(count(&*site.store).await?.1, 40);
    Ok(())
}

/// The counter's revision and number.
async fn count(store: &dyn Store) -> Checked<(Revision, u32)> {
    let row = read(store, "count").await?.ok_or_else(|| Failure::new("the counter is gone"))?;
    match row.content {
        Content::Value(bytes) => {
            let bytes = bytes.as_ref().try_into().map_err(|_| Failure::new("the counter is no number"))?;
            Ok((row.revision, u32::from_be_bytes(bytes)))
        }
        content => Err(Failure::new(format!("the counter is {content:?}"))),
    }
}

/// Counts one up, as often as it takes.
async fn step(store: &dyn Store) -> Checked {
    for _ in 0..10_000 {
        let (revision, number) = count(store).await?;
        let guards = vec![key_guard("count", Some(revision))];
        let next = Batch { guards, ..batch([("count", put((number + 1).to_be_bytes()))]) };
        let [outcome] = commit_all(store, [next]).await?;
        if outcome.revision().is_some() {
            return Ok(());
        }
    }
    Err(Failure::new("10,000 conflicts, one after another"))
}

async fn a_sum_under_range_guards_never_passes_its_limit(context: Context) -> Checked {
    let site = context.open().await?;
    // Each task adds a row as long as it sees fewer than ten.
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = site.store.clone();
            tokio::spawn(async move {
                for attempt in 0..10_000 {
                    let seen = store.summarize(&KeyRange::prefix(b"seat")).await?;
                    ensure!(seen.rows <= 10, "{} rows where ten are the most", seen.rows);
                    if seen.rows == 10 {
                        return Ok(());
                    }
                    let guards = vec![range_guard(KeyRange::prefix(b"seat"), seen.as_of, seen.rows)];
                    let name = format!("seat{task}-{attempt}");
                    commit_all(&*store, [Batch { guards, ..batch([(name, put(""))]) }]).await?;
                }
                Err(Failure::new("10,000 attempts, and a seat is free still"))
            })
        })
        .collect();
    for task in tasks {
        join(task).await?;
    }
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 10);
    Ok(())
}

async fn commits_and_drops_at_once_leave_all_or_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "c"]).await?;
    let store = site.store.clone();
    let dropper = tokio::spawn(async move {
        for _ in 0..20 {
            store.drop_range(&KeyRange::prefix(b"b"), &[]).await?;
        }
        Ok(())
    });
    let mut last = Revision::ZERO;
    while !dropper.is_finished() || last == Revision::ZERO {
        last = commit(&*site.store, batch(["b1", "b2", "b3"].map(|name| (name, put(name))))).await?;
    }
    join(dropper).await?;
    let left = site.store.summarize(&KeyRange::prefix(b"b")).await?;
    ensure!([0, 3].contains(&left.rows), "{} of the three rows of a batch are left", left.rows);
    ensure!(left.rows == 0 || left.newest == last);
    commit(&*site.store, batch([("b1", put(""))])).await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, if left.rows == 0 { 3 } else { 5 });
    Ok(())
}

/// Names of as many rows as one batch may write, up to thousands.
fn thousands(context: &Context) -> Vec<String> {
    (0..context.limits().batch_writes_max.min(2_000)).map(|number| format!("{number:04}")).collect()
}

async fn a_read_that_was_begun_before_a_commit_sees_one_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let names = thousands(&context);
    let delete = batch(names.iter().map(|name| (name, Write::Delete)));
    fill(store, &names).await?;
    let count = names.len().min(site.settings.limits.page_entries_max).min(site.settings.limits.get_keys_max);
    let written = current(store).await?;
    let asked: Vec<_> = names.iter().take(count).map(key).collect();
    let whole = Scan { limit: count, ..everything(store) };
    let (mut get, mut scan) = (pin!(store.get(&asked)), pin!(store.scan(&whole)));
    let mut summarize = pin!(store.summarize(&KeyRange::ALL));
    // What has ended by now has seen the rows; what has not sees either all of them or none.
    let begun = (poll_once(&mut get), poll_once(&mut scan), poll_once(&mut summarize));
    let deleted = commit(store, delete).await?;
    let rows = finish(begun.0, get).await?;
    let page = finish(begun.1, scan).await?;
    let summary = finish(begun.2, summarize).await?;
    for (what, as_of, found, all) in [
        ("get", rows.as_of, rows.rows.iter().flatten().count(), count),
        ("scan", page.as_of, page.entries.len(), count),
        ("summarize", summary.as_of, summary.rows as usize, names.len()),
    ] {
        ensure!([written, deleted].contains(&as_of), "{what} saw revision {as_of}, which never was");
        ensure_eq!(found, if as_of == written { all } else { 0 }, "rows that {what} saw at revision {as_of}");
    }
    Ok(())
}

async fn a_scan_that_lasts_sees_one_revision(context: Context) -> Checked {
    let names = thousands(&context);
    let count = context.limits().page_entries_max.min(names.len());
    read_while_writing(&context, 10, names, async |store| {
        let page = store.scan(&everything(store)).await?;
        ensure!(page.entries.len() >= count, "{} rows of {count}", page.entries.len());
        ensure!(page.entries.iter().all(|entry| entry.revision == page.as_of), "rows of several revisions");
        Ok(())
    })
    .await
}

async fn a_get_that_lasts_sees_one_revision(context: Context) -> Checked {
    let asked: Vec<_> = thousands(&context).iter().map(key).take(context.limits().get_keys_max).collect();
    read_while_writing(&context, 10, thousands(&context), async |store| {
        let found = store.get(&asked).await?;
        let all = found.rows.iter().all(|row| row.as_ref().map(|row| row.revision) == Some(found.as_of));
        ensure!(all, "rows of several revisions");
        Ok(())
    })
    .await
}

async fn a_summary_that_lasts_sees_one_revision(context: Context) -> Checked {
    let names = thousands(&context);
    let count = names.len() as u64;
    read_while_writing(&context, 10, names, async |store| {
        let summary = store.summarize(&KeyRange::ALL).await?;
        ensure!(summary.rows == count && summary.newest == summary.as_of, "{summary:?}");
        Ok(())
    })
    .await
}
