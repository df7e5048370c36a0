//! Snapshots: one view, and their limits.

use strongroom_core::store::{Fetch, KeyRange, Limits, Revision, Scan, Summary, Write};
use strongroom_core::{ErrorKind, Limit, Timestamp};

use super::support::{all_keys, batch, commit, everything, key, link, put, value};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    a_snapshot_sees_what_was_committed_before,
    a_snapshot_never_changes,
    a_snapshot_of_an_empty_store_stays_empty,
    snapshots_of_different_times_differ,
    a_snapshot_follows_links_in_its_own_view,
    every_read_of_a_snapshot_is_at_its_revision,
    a_snapshot_outlives_many_commits,
    the_number_of_snapshots_is_limited,
    a_dropped_snapshot_no_longer_counts,
    a_snapshot_ends_at_its_age,
    an_expired_snapshot_no_longer_counts,
    limits_of_reads_hold_on_snapshots,
    snapshots_can_be_read_by_many_at_once,
}

async fn a_snapshot_sees_what_was_committed_before(context: Context) -> Checked {
    let store = context.open().await?.store;
    for n in 0..20 {
        let revision = commit(&*store, batch([("a", put(n.to_string()))])).await?;
        let snapshot = store.snapshot().await?;
        ensure_eq!(snapshot.revision(), revision);
        ensure_eq!(snapshot.get(&[key("a")]).await?.rows, vec![value(revision, n.to_string())]);
    }
    Ok(())
}

async fn a_snapshot_never_changes(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a", put("1")), ("b", put("1"))])).await?;
    let snapshot = store.snapshot().await?;
    commit(&*store, batch([("a", put("2")), ("b", Write::Delete), ("c", put("2"))])).await?;
    store.drop_range(&KeyRange::prefix(b"a"), &[]).await?;
    let one = value(first, "1");
    let rows = snapshot.get(&["a", "b", "c"].map(key)).await?;
    ensure_eq!((rows.as_of, rows.rows), (first, vec![one.clone(), one, None]));
    let page = snapshot.scan(&Scan { reverse: true, ..everything() }).await?;
    ensure_eq!(page.entries.iter().map(|entry| entry.key.as_bytes()).collect::<Vec<_>>(), vec![b"b", b"a"]);
    let summary = Summary { as_of: first, rows: 2, newest: first };
    ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?, summary);
    ensure_eq!(snapshot.revision(), first);
    Ok(())
}

async fn a_snapshot_of_an_empty_store_stays_empty(context: Context) -> Checked {
    let store = context.open().await?.store;
    let snapshot = store.snapshot().await?;
    commit(&*store, batch([("a", put("1"))])).await?;
    ensure_eq!(snapshot.revision(), Revision::ZERO);
    ensure!(all_keys(&*snapshot).await?.is_empty());
    ensure_eq!(snapshot.get(&[key("a")]).await?.rows, vec![None]);
    Ok(())
}

async fn snapshots_of_different_times_differ(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut held = Vec::new();
    for n in 0..10 {
        let revision = commit(&*store, batch([("a", put(n.to_string())), (&*format!("n{n}"), put(""))])).await?;
        held.push((revision, store.snapshot().await?));
    }
    for (n, (revision, snapshot)) in held.iter().enumerate().rev() {
        ensure_eq!(snapshot.get(&[key("a")]).await?.rows, vec![value(*revision, n.to_string())]);
        ensure_eq!(snapshot.summarize(&KeyRange::prefix(b"n")).await?.rows, n as u64 + 1);
    }
    Ok(())
}

async fn a_snapshot_follows_links_in_its_own_view(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a", link("t")), ("b", link("u")), ("t", put("1"))])).await?;
    let snapshot = store.snapshot().await?;
    commit(&*store, batch([("t", put("2")), ("u", put("came later"))])).await?;
    let scan = Scan { fetch: Fetch::Targets, limit: 2, ..everything() };
    let targets: Vec<_> = snapshot.scan(&scan).await?.entries.into_iter().map(|entry| entry.target).collect();
    ensure_eq!(targets, vec![value(first, "1"), None]);
    Ok(())
}

async fn every_read_of_a_snapshot_is_at_its_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", put("1"))])).await?;
    let snapshot = store.snapshot().await?;
    commit(&*store, batch([("a", put("2"))])).await?;
    ensure_eq!(snapshot.get(&[]).await?.as_of, revision);
    ensure_eq!(snapshot.scan(&everything()).await?.as_of, revision);
    ensure_eq!(snapshot.scan(&Scan { range: KeyRange::prefix(b"none"), ..everything() }).await?.as_of, revision);
    ensure_eq!(snapshot.summarize(&KeyRange::prefix(b"none")).await?.as_of, revision);
    Ok(())
}

async fn a_snapshot_outlives_many_commits(context: Context) -> Checked {
    let store = context.open().await?.store;
    let rows =
        |round: usize| batch((0..50).map(move |n| (format!("{n:02}"), put(format!("{round}{}", "x".repeat(100))))));
    commit(&*store, rows(0)).await?;
    let snapshot = store.snapshot().await?;
    let before = snapshot.scan(&everything()).await?;
    for hundred in 0..3 {
        store.commit((1..=100).map(|round| rows(hundred * 100 + round)).collect()).await?;
        ensure_eq!(snapshot.scan(&everything()).await? == before, true);
    }
    Ok(())
}

async fn the_number_of_snapshots_is_limited(context: Context) -> Checked {
    let store = context.open_with(Limits { snapshots_max: 3, ..context.limits() }).await?.store;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(store.snapshot().await?);
    }
    let error = ensure_kind!(store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    ensure!(error.is_retryable());
    // Whoever holds none still reads and writes.
    let revision = commit(&*store, batch([("a", put(""))])).await?;
    ensure_eq!(store.get(&[key("a")]).await?.rows, vec![value(revision, "")]);
    Ok(())
}

async fn a_dropped_snapshot_no_longer_counts(context: Context) -> Checked {
    let store = context.open_with(Limits { snapshots_max: 2, ..context.limits() }).await?.store;
    let first = store.snapshot().await?;
    let _second = store.snapshot().await?;
    drop(first);
    for _ in 0..20 {
        let third = store.snapshot().await?;
        ensure!(all_keys(&*third).await?.is_empty());
    }
    Ok(())
}

async fn a_snapshot_ends_at_its_age(context: Context) -> Checked {
    let limits = Limits { snapshot_age_ms_max: 1_000, ..context.limits() };
    let site = context.open_with(limits).await?;
    commit(&*site.store, batch([("a", put("1"))])).await?;
    let snapshot = site.store.snapshot().await?;
    site.clock.set(Timestamp::from_millis(999));
    ensure_eq!(all_keys(&*snapshot).await?.len(), 1);
    site.clock.set(Timestamp::from_millis(1_000));
    let expired = [
        snapshot.get(&[]).await.map(drop),
        snapshot.scan(&everything()).await.map(drop),
        snapshot.summarize(&KeyRange::ALL).await.map(drop),
    ];
    for answer in expired {
        let error = ensure_kind!(answer, ErrorKind::SnapshotExpired);
        ensure!(error.is_retryable());
    }
    ensure_eq!(all_keys(&*site.store.snapshot().await?).await?.len(), 1);
    Ok(())
}

async fn an_expired_snapshot_no_longer_counts(context: Context) -> Checked {
    let limits = Limits { snapshots_max: 1, snapshot_age_ms_max: 1_000, ..context.limits() };
    let site = context.open_with(limits).await?;
    let first = site.store.snapshot().await?;
    site.clock.set(Timestamp::from_millis(999));
    ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    site.clock.set(Timestamp::from_millis(1_000));
    let second = site.store.snapshot().await?;
    // Its end is not the end of its successor.
    drop(first);
    ensure!(all_keys(&*second).await?.is_empty());
    ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    Ok(())
}

async fn limits_of_reads_hold_on_snapshots(context: Context) -> Checked {
    let limits = Limits { page_entries_max: 5, get_keys_max: 5, ..context.limits() };
    let store = context.open_with(limits).await?.store;
    let snapshot = store.snapshot().await?;
    let names: Vec<_> = (0..6).map(|n| key(n.to_string())).collect();
    ensure_eq!(snapshot.get(&names[..5]).await?.rows.len(), 5);
    ensure_kind!(snapshot.get(&names).await, ErrorKind::Limit(Limit::GetKeys));
    snapshot.scan(&Scan { limit: 5, ..everything() }).await?;
    ensure_kind!(snapshot.scan(&Scan { limit: 6, ..everything() }).await, ErrorKind::Limit(Limit::PageEntries));
    Ok(())
}

async fn snapshots_can_be_read_by_many_at_once(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch((0..500).map(|n| (format!("{n:03}"), put("1"))))).await?;
    let snapshot: std::sync::Arc<dyn strongroom_core::store::Snapshot> = store.snapshot().await?.into();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let snapshot = snapshot.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    ensure_eq!(all_keys(&*snapshot).await?.len(), 500);
                }
                Checked::Ok(())
            })
        })
        .collect();
    commit(&*store, batch((0..500).map(|n| (format!("{n:03}"), Write::Delete)))).await?;
    for task in tasks {
        task.await.map_err(|error| crate::Failure::new(error.to_string()))??;
    }
    Ok(())
}
