//! Promises that a store can break without any other case noticing: each was found by a broken store.

use std::pin::pin;

use strongroom_core::store::{Batch, Fetch, KeyRange, Scan, Write};

use super::support::{
    batch, broken_guard, commit, commit_all, committed, current, everything, key, key_guard, keys, link, log,
    poll_once, put, soon, suffix,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_key_guard_fails_after_drop_range,
    what_was_read_before_is_gone_after_drop_range,
    every_kind_of_write_wakes_one_who_waits_already,
    nothing_but_a_write_wakes_one_who_waits_already,
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
