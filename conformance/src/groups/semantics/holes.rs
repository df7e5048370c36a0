//! Promises that a store can break without any other case noticing: each was found by a broken store.

use std::pin::pin;
use std::task::Poll;

use strongroom_core::store::{Batch, Fetch, KeyRange, Scan, Write};

use super::support::{
    batch, broken_guard, commit, commit_all, committed, current, everything, key, key_guard, keys, link, log,
    poll_once, put, read, soon, suffix,
};
use crate::case::cases;
use crate::{Checked, Context, Site, ensure, ensure_eq};

cases! { Semantics;
    a_key_guard_fails_after_drop_range,
    what_was_read_before_is_gone_after_drop_range,
    every_kind_of_write_wakes_one_who_waits_already,
    nothing_but_a_write_wakes_one_who_waits_already,
    what_a_waiter_is_told_can_be_read_at_once,
    whatever_was_written_last_is_there_when_the_store_is_opened_again [Reopen],
}

async fn a_key_guard_fails_after_drop_range(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let written = commit(store, batch([("a", put("1")), ("b", put("1"))])).await?;
    let (a, b) = (key_guard("a", Some(written)), key_guard("b", Some(written)));
    ensure_eq!(broken_guard(store, [a.clone(), b.clone()]).await?, None);
    committed(&store.drop_range(&KeyRange::prefix(b"a"), &[]).await?)?;
    ensure_eq!(broken_guard(store, [b, a]).await?, Some(1));
    ensure_eq!(broken_guard(store, [key_guard("a", None)]).await?, None);
    Ok(())
}

async fn what_was_read_before_is_gone_after_drop_range(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    commit(store, batch([("a", put("1")), ("b", put("1")), ("l", link("a"))])).await?;
    let scans = [Fetch::Keys, Fetch::Values, Fetch::Targets].map(|fetch| Scan { fetch, ..everything(store) });
    let names = ["a", "b", "l"].map(key);
    // Whatever keeps what it read has all of it now.
    for scan in &scans {
        ensure_eq!(store.scan(scan).await?.entries.len(), 3);
    }
    ensure!(store.get(&names).await?.rows.iter().all(Option::is_some));
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 3);
    let dropped = committed(&store.drop_range(&KeyRange::prefix(b"a"), &[]).await?)?;
    for scan in &scans {
        let page = store.scan(scan).await?;
        ensure_eq!((page.as_of, keys(&page)), (dropped, vec![&b"b"[..], b"l"]));
        ensure!(page.entries.iter().all(|entry| entry.target.is_none()), "a target that was dropped");
    }
    let there: Vec<_> = store.get(&names).await?.rows.iter().map(Option::is_some).collect();
    ensure_eq!(there, [false, true, true]);
    let summary = store.summarize(&KeyRange::ALL).await?;
    ensure_eq!((summary.as_of, summary.rows), (dropped, 2));
    Ok(())
}

async fn every_kind_of_write_wakes_one_who_waits_already(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let writes = [put("1"), link("b"), Write::Delete].map(|write| batch([("a", write)]));
    for batch in writes.into_iter().chain([log([("log", "1")])]) {
        let mut waiting = pin!(store.changed(current(store).await?));
        // Whoever begins to wait after the write finds the new revision without being woken.
        ensure!(poll_once(&mut waiting).is_pending(), "a change without a commit");
        let written = commit(store, batch).await?;
        ensure_eq!(soon("a change by a commit", waiting).await??, written);
    }
    let mut waiting = pin!(store.changed(current(store).await?));
    ensure!(poll_once(&mut waiting).is_pending(), "a change without a commit");
    let dropped = committed(&store.drop_range(&KeyRange::ALL, &[]).await?)?;
    ensure_eq!(soon("a change by drop_range", waiting).await??, dropped);
    Ok(())
}

async fn nothing_but_a_write_wakes_one_who_waits_already(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let before = commit(store, batch([("a", put("1"))])).await?;
    let mut waiting = pin!(store.changed(before));
    ensure!(poll_once(&mut waiting).is_pending(), "a change without a commit");
    let conflicting = Batch { guards: vec![key_guard("a", None)], ..batch([("b", put(""))]) };
    let rejected = batch([("b", suffix(2))]);
    commit_all(store, [Batch::default(), conflicting, rejected]).await?;
    committed(&store.drop_range(&KeyRange::prefix(b"none"), &[]).await?)?;
    drop(store.snapshot().await?);
    ensure!(poll_once(&mut waiting).is_pending(), "woken although nothing was written");
    let written = commit(store, batch([("a", put("2"))])).await?;
    ensure_eq!(soon("a change", waiting).await??, written);
    Ok(())
}

async fn what_a_waiter_is_told_can_be_read_at_once(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let before = current(store).await?;
    let (mut waiting, mut committing) =
        (pin!(store.changed(before)), pin!(store.commit(vec![batch([("a", put("1"))])])));
    let told = loop {
        // Between any two steps of the commit.
        if let Poll::Ready(told) = poll_once(&mut waiting) {
            break told?;
        }
        if let Poll::Ready(outcomes) = poll_once(&mut committing) {
            outcomes?;
            break soon("a change by a commit", &mut waiting).await??;
        }
        tokio::task::yield_now().await;
    };
    ensure_eq!(read(store, "a").await?.map(|row| row.revision), Some(told));
    Ok(())
}

async fn whatever_was_written_last_is_there_when_the_store_is_opened_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    let first = [("a", put("1")), ("b", put("")), ("c", put("3")), ("d", put("4")), ("l", link("a")), ("s", suffix(0))];
    commit(&*site.store, batch(first)).await?;
    let second = [("a", put("2")), ("c", Write::Delete), ("m", link("none"))];
    for last in [batch(second), log([("log", "1"), ("empty", "")]), batch([("l", Write::Delete)])] {
        commit(&*site.store, last).await?;
        reopened_alike(&mut site).await?;
    }
    committed(&site.store.drop_range(&KeyRange::prefix(b"d"), &[]).await?)?;
    reopened_alike(&mut site).await?;
    // Nothing since: what closing writes is nothing that can be seen.
    reopened_alike(&mut site).await
}

/// Closes the store, opens it again and compares all that can be read.
async fn reopened_alike(site: &mut Site) -> Checked {
    let scan = Scan { fetch: Fetch::Targets, ..everything(&*site.store) };
    let before = (site.store.scan(&scan).await?, site.store.summarize(&KeyRange::ALL).await?);
    site.reopen().await?;
    let after = (site.store.scan(&scan).await?, site.store.summarize(&KeyRange::ALL).await?);
    ensure_eq!(after, before, "what is there when the store is opened again");
    Ok(())
}
