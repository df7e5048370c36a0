//! `close`, and opening again.

use std::pin::pin;

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, KeyRange, Revision, Sharing, Store, Write};

use super::support::{
    batch, broken_guard, commit, everything, fill, join, key, key_guard, keys, link, log, poll_once, put, range_guard,
    read, row, soon, suffix, value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    closing_twice_is_no_error,
    closing_from_many_tasks_is_no_error,
    a_closed_store_answers_closed_to_every_call,
    snapshots_end_with_their_store,
    close_ends_those_who_wait_for_a_change,
    close_beside_other_calls_lets_each_end,
    a_closed_store_still_says_what_it_is,
    a_commit_after_close_does_nothing [Reopen],
    what_was_committed_is_there_when_opened_again [Reopen],
    what_was_deleted_stays_away_when_opened_again [Reopen],
    revisions_go_on_when_opened_again [Reopen],
    guards_are_exact_when_opened_again [Reopen],
    an_empty_store_opens_again [Reopen],
    a_store_opens_again_many_times [Reopen],
    a_snapshot_of_a_closed_store_does_not_keep_it_open [Reopen],
    a_store_says_whether_it_is_shared [Reopen],
    a_second_opener_sees_every_commit [Share],
    a_second_opener_that_closes_harms_not_the_first [Share],
}

async fn closing_twice_is_no_error(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    for _ in 0..3 {
        soon("close", site.store.close()).await??;
    }
    ensure_kind!(site.store.get(&[]).await, ErrorKind::Closed);
    Ok(())
}

async fn closing_from_many_tasks_is_no_error(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = site.store.clone();
            tokio::spawn(async move { store.close().await })
        })
        .collect();
    for task in tasks {
        soon("close", task).await?.map_err(|error| Failure::new(error.to_string()))??;
    }
    ensure_kind!(site.store.get(&[]).await, ErrorKind::Closed);
    Ok(())
}

async fn a_closed_store_answers_closed_to_every_call(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    fill(store, &["a"]).await?;
    store.close().await?;
    let guards = [key_guard("a", None)];
    ensure_kind!(store.get(&[]).await, ErrorKind::Closed);
    ensure_kind!(store.get(&[key("a")]).await, ErrorKind::Closed);
    ensure_kind!(store.scan(&everything(store)).await, ErrorKind::Closed);
    ensure_kind!(store.summarize(&KeyRange::ALL).await, ErrorKind::Closed);
    ensure_kind!(store.snapshot().await, ErrorKind::Closed);
    ensure_kind!(store.commit(Vec::new()).await, ErrorKind::Closed);
    ensure_kind!(store.commit(vec![Batch::default()]).await, ErrorKind::Closed);
    ensure_kind!(store.commit(vec![batch([("a", put("2"))])]).await, ErrorKind::Closed);
    ensure_kind!(soon("changed", store.changed(Revision::ZERO)).await?, ErrorKind::Closed);
    ensure_kind!(soon("changed", store.changed(Revision(u64::MAX))).await?, ErrorKind::Closed);
    ensure_kind!(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Closed);
    ensure_kind!(store.drop_range(&KeyRange::prefix(b"none"), &guards).await, ErrorKind::Closed);
    ensure_kind!(store.compact().await, ErrorKind::Closed);
    ensure_kind!(store.usage().await, ErrorKind::Closed);
    Ok(())
}

async fn snapshots_end_with_their_store(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let snapshots = [site.store.snapshot().await?, site.store.snapshot().await?];
    site.store.close().await?;
    for snapshot in &snapshots {
        ensure_kind!(snapshot.get(&[]).await, ErrorKind::Closed);
        ensure_kind!(snapshot.get(&[key("a")]).await, ErrorKind::Closed);
        ensure_kind!(snapshot.scan(&everything(&*site.store)).await, ErrorKind::Closed);
        ensure_kind!(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::Closed);
    }
    drop(snapshots);
    site.store.close().await?;
    Ok(())
}

async fn close_ends_those_who_wait_for_a_change(context: Context) -> Checked {
    let site = context.open().await?;
    let after = commit(&*site.store, batch([("a", put("1"))])).await?;
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let store = site.store.clone();
            tokio::spawn(async move { store.changed(after).await })
        })
        .collect();
    let mut polled = pin!(site.store.changed(after));
    ensure!(poll_once(&mut polled).is_pending());
    site.store.close().await?;
    ensure_kind!(soon("the end of a wait", polled).await?, ErrorKind::Closed);
    for task in tasks {
        let ended = soon("the end of a wait", task).await?.map_err(|error| Failure::new(error.to_string()))?;
        ensure_kind!(ended, ErrorKind::Closed);
    }
    Ok(())
}

async fn close_beside_other_calls_lets_each_end(context: Context) -> Checked {
    for _ in 0..5 {
        let site = context.open().await?;
        let tasks: Vec<_> = (0..16_u8)
            .map(|task| {
                let store = site.store.clone();
                tokio::spawn(async move {
                    for round in 0..u8::MAX {
                        let name = format!("{task}-{round}");
                        match (store.commit(vec![batch([(&name, put(""))])]).await, store.get(&[key(&name)]).await) {
                            (Err(error), _) | (_, Err(error)) => {
                                ensure_eq!(error.kind(), ErrorKind::Closed, "{error}");
                                return Ok(());
                            }
                            (Ok(_), Ok(found)) => ensure!(found.rows[0].is_some()),
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        tokio::task::yield_now().await;
        soon("close", site.store.close()).await??;
        for task in tasks {
            soon("a call beside close", join(task)).await??;
        }
    }
    Ok(())
}

async fn a_closed_store_still_says_what_it_is(context: Context) -> Checked {
    let site = context.open().await?;
    let before = format!("{:?}", site.store.info());
    site.store.close().await?;
    ensure_eq!(format!("{:?}", site.store.info()), before);
    Ok(())
}

async fn a_commit_after_close_does_nothing(context: Context) -> Checked {
    let mut site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    site.store.close().await?;
    ensure_kind!(site.store.commit(vec![batch([("b", put(""))])]).await, ErrorKind::Closed);
    ensure_kind!(site.store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Closed);
    site.reopen().await?;
    let rows = site.store.get(&["a", "b"].map(key)).await?.rows;
    ensure_eq!(rows.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    Ok(())
}

async fn what_was_committed_is_there_when_opened_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    let names: Vec<_> = (0..300).map(|number| format!("{number:03}")).collect();
    fill(&*site.store, &names).await?;
    commit(&*site.store, batch([("", put("empty key")), ("e", put("")), ("l", link("e")), ("s", suffix(0))])).await?;
    commit(&*site.store, log([("log", "1")])).await?;
    commit(&*site.store, batch([("last", put("last"))])).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    site.reopen().await?;
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    ensure_eq!(read(&*site.store, "last").await?.map(|row| row.content), Some(value("last")));
    Ok(())
}

async fn what_was_deleted_stays_away_when_opened_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    fill(&*site.store, &["a", "b", "c1", "c2", "d"]).await?;
    commit(&*site.store, batch([("a", Write::Delete)])).await?;
    site.reopen().await?;
    ensure_eq!(read(&*site.store, "a").await?, None);
    site.store.drop_range(&KeyRange::prefix(b"c"), &[]).await?;
    site.reopen().await?;
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), [b"b", b"d"]);
    Ok(())
}

async fn revisions_go_on_when_opened_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    let mut before = Revision::ZERO;
    let writes = [put("1"), put("2"), Write::Delete, Write::Delete, put("3")];
    for write in writes {
        let written = commit(&*site.store, batch([("a", write)])).await?;
        ensure!(written > before, "{written} after {before}");
        let newest = site.store.get(&[]).await?.as_of;
        site.reopen().await?;
        ensure_eq!(site.store.get(&[]).await?.as_of, newest);
        before = written;
    }
    // The newest may be that of what left no row.
    site.store.drop_range(&KeyRange::ALL, &[]).await?;
    let newest = site.store.get(&[]).await?.as_of;
    ensure!(newest > before);
    site.reopen().await?;
    ensure_eq!(site.store.get(&[]).await?.as_of, newest);
    ensure_eq!(commit(&*site.store, Batch::default()).await?, newest);
    ensure_eq!(soon("changed", site.store.changed(before)).await??, newest);
    Ok(())
}

async fn guards_are_exact_when_opened_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    let first = commit(&*site.store, batch([("a", put("")), ("b", put("")), ("c", put(""))])).await?;
    commit(&*site.store, batch([("b", put("new"))])).await?;
    site.reopen().await?;
    let range = |prefix: &[u8]| range_guard(KeyRange::prefix(prefix), first, 1);
    let held = [key_guard("a", Some(first)), key_guard("d", None), range(b"a"), range(b"c")];
    ensure_eq!(broken_guard(&*site.store, held.clone()).await?, None);
    for guard in [key_guard("b", Some(first)), range(b"b"), range_guard(KeyRange::ALL, first, 3)] {
        ensure_eq!(broken_guard(&*site.store, [guard]).await?, Some(0));
    }
    commit(&*site.store, batch([("c", Write::Delete)])).await?;
    ensure_eq!(broken_guard(&*site.store, held).await?, Some(3));
    Ok(())
}

async fn an_empty_store_opens_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    site.reopen().await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("1")));
    Ok(())
}

async fn a_store_opens_again_many_times(context: Context) -> Checked {
    let mut site = context.open().await?;
    for round in 0..10 {
        commit(&*site.store, batch([(format!("{round}"), put([round]))])).await?;
        site.reopen().await?;
        ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, u64::from(round) + 1);
    }
    Ok(())
}

async fn a_snapshot_of_a_closed_store_does_not_keep_it_open(context: Context) -> Checked {
    let mut site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let snapshot = site.store.snapshot().await?;
    site.reopen().await?;
    ensure_kind!(snapshot.get(&[]).await, ErrorKind::Closed);
    commit(&*site.store, batch([("a", put("new"))])).await?;
    drop(snapshot);
    let next = site.store.snapshot().await?;
    ensure_eq!(read(&*next, "a").await?.map(|row| row.content), Some(value("new")));
    Ok(())
}

async fn a_store_says_whether_it_is_shared(context: Context) -> Checked {
    let site = context.open().await?;
    match site.store.info().sharing {
        Sharing::Exclusive => drop(ensure_kind!(site.second().await, ErrorKind::Busy)),
        Sharing::Shared => site.second().await?.close().await?,
    }
    let written = commit(&*site.store, batch([("a", put("still"))])).await?;
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("still")));
    Ok(())
}

async fn a_second_opener_sees_every_commit(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let other = site.second().await?;
    share(&*site.store, &*other).await?;
    share(&*other, &*site.store).await
}

/// What one commits, the other sees, minds in its guards and counts on with.
async fn share(one: &dyn Store, other: &dyn Store) -> Checked {
    for number in 0..10 {
        let snapshot = other.snapshot().await?;
        let before = snapshot.scan(&everything(other)).await?;
        let first = commit(one, batch([("a", put([number]))])).await?;
        ensure_eq!(read(other, "a").await?, row(first, value([number])), "what the other committed");
        ensure_eq!(snapshot.scan(&everything(other)).await?, before, "a snapshot beside another opener");
        ensure_eq!(broken_guard(other, [key_guard("a", Some(first))]).await?, None);
        ensure_eq!(
            broken_guard(other, [range_guard(KeyRange::ALL, snapshot.revision(), before.entries.len() as u64)]).await?,
            Some(0)
        );
        let second = commit(other, batch([("b", put([number]))])).await?;
        ensure!(second > first, "{second} after {first}");
        ensure_eq!(read(one, "b").await?, row(second, value([number])));
    }
    Ok(())
}

async fn a_second_opener_that_closes_harms_not_the_first(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let snapshot = site.store.snapshot().await?;
    for round in 0..3 {
        let other = site.second().await?;
        commit(&*other, batch([("b", put([round]))])).await?;
        other.close().await?;
        ensure_kind!(other.get(&[]).await, ErrorKind::Closed);
        let written = commit(&*site.store, batch([("a", put([round]))])).await?;
        ensure_eq!(read(&*site.store, "a").await?, row(written, value([round])));
        ensure_eq!(read(&*snapshot, "a").await?.map(|row| row.content), Some(value("a")));
    }
    Ok(())
}
