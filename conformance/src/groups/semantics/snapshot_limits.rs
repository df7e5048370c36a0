//! How many snapshots there may be, and for how long.

use strongroom_core::store::{KeyRange, Limits};
use strongroom_core::{ErrorKind, Limit, Timestamp};

use super::support::{batch, commit, everything, fill, key, put, read, value};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    the_number_of_snapshots_is_limited,
    a_dropped_snapshot_counts_no_longer,
    a_snapshot_too_many_harms_no_other,
    a_snapshot_ends_at_its_age,
    a_snapshot_lives_until_its_age,
    each_snapshot_ages_from_its_own_beginning,
    an_expired_snapshot_counts_no_longer,
    an_expired_snapshot_harms_no_other_when_it_is_dropped,
    an_expired_snapshot_answers_expired_to_every_read,
    a_snapshot_is_as_old_whether_or_not_the_store_changes,
}

async fn limited(context: &Context, snapshots_max: usize, snapshot_age_ms_max: u64) -> Checked<Site> {
    Ok(context.open_with(Limits { snapshots_max, snapshot_age_ms_max, ..context.limits() }).await?)
}

fn set(site: &Site, millis: i64) {
    site.clock.set(Timestamp::from_millis(millis));
}

async fn the_number_of_snapshots_is_limited(context: Context) -> Checked {
    for most in [1, 2, 10] {
        let site = limited(&context, most, 1_000).await?;
        let mut held = Vec::new();
        for _ in 0..most {
            held.push(site.store.snapshot().await?);
        }
        for _ in 0..3 {
            let error = ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
            ensure!(error.is_retryable());
        }
    }
    Ok(())
}

async fn a_dropped_snapshot_counts_no_longer(context: Context) -> Checked {
    let site = limited(&context, 2, 1_000).await?;
    let kept = site.store.snapshot().await?;
    for _ in 0..20 {
        let other = site.store.snapshot().await?;
        ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
        drop(other);
    }
    kept.get(&[]).await?;
    Ok(())
}

async fn a_snapshot_too_many_harms_no_other(context: Context) -> Checked {
    let site = limited(&context, 1, 1_000).await?;
    fill(&*site.store, &["a"]).await?;
    let snapshot = site.store.snapshot().await?;
    ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    commit(&*site.store, batch([("a", put("new"))])).await?;
    ensure_eq!(read(&*snapshot, "a").await?.map(|row| row.content), Some(value("a")));
    ensure_eq!(read(&*site.store, "a").await?.map(|row| row.content), Some(value("new")));
    Ok(())
}

async fn a_snapshot_ends_at_its_age(context: Context) -> Checked {
    let site = limited(&context, 1, 1_000).await?;
    let snapshot = site.store.snapshot().await?;
    set(&site, 999);
    snapshot.get(&[]).await?;
    ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    set(&site, 1_000);
    let error = ensure_kind!(snapshot.get(&[]).await, ErrorKind::SnapshotExpired);
    ensure!(error.is_retryable());
    set(&site, 1_000_000);
    ensure_kind!(snapshot.get(&[]).await, ErrorKind::SnapshotExpired);
    Ok(())
}

async fn a_snapshot_lives_until_its_age(context: Context) -> Checked {
    let site = limited(&context, 2, 1_000).await?;
    fill(&*site.store, &["a"]).await?;
    set(&site, 5_000);
    let snapshot = site.store.snapshot().await?;
    for millis in [5_000, 5_001, 5_500, 5_999] {
        set(&site, millis);
        commit(&*site.store, batch([("a", put(millis.to_string()))])).await?;
        drop(site.store.snapshot().await?);
        ensure_eq!(read(&*snapshot, "a").await?.map(|row| row.content), Some(value("a")), "at {millis}");
        ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.rows, 1);
    }
    Ok(())
}

async fn each_snapshot_ages_from_its_own_beginning(context: Context) -> Checked {
    let site = limited(&context, 10, 1_000).await?;
    let mut held = Vec::new();
    for begun in [0, 300, 600] {
        set(&site, begun);
        held.push((begun, site.store.snapshot().await?));
    }
    for now in [999, 1_000, 1_299, 1_300, 1_599, 1_600] {
        set(&site, now);
        for (begun, snapshot) in &held {
            let expired = now - begun >= 1_000;
            match snapshot.get(&[]).await {
                Ok(_) => ensure!(!expired, "one of {begun} lives at {now}"),
                Err(error) => {
                    ensure_eq!(error.kind(), ErrorKind::SnapshotExpired);
                    ensure!(expired, "one of {begun} has ended at {now}");
                }
            }
        }
    }
    Ok(())
}

async fn an_expired_snapshot_counts_no_longer(context: Context) -> Checked {
    let site = limited(&context, 2, 1_000).await?;
    let old = [site.store.snapshot().await?, site.store.snapshot().await?];
    set(&site, 1_000);
    let young = [site.store.snapshot().await?, site.store.snapshot().await?];
    ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    for snapshot in &old {
        ensure_kind!(snapshot.get(&[]).await, ErrorKind::SnapshotExpired);
    }
    for snapshot in &young {
        snapshot.get(&[]).await?;
    }
    Ok(())
}

async fn an_expired_snapshot_harms_no_other_when_it_is_dropped(context: Context) -> Checked {
    let site = limited(&context, 1, 1_000).await?;
    fill(&*site.store, &["a"]).await?;
    let old = site.store.snapshot().await?;
    set(&site, 1_000);
    let next = site.store.snapshot().await?;
    commit(&*site.store, batch([("a", put("new"))])).await?;
    drop(old);
    ensure_eq!(read(&*next, "a").await?.map(|row| row.content), Some(value("a")));
    ensure_kind!(site.store.snapshot().await, ErrorKind::Limit(Limit::Snapshots));
    Ok(())
}

async fn an_expired_snapshot_answers_expired_to_every_read(context: Context) -> Checked {
    let site = limited(&context, 1, 1_000).await?;
    fill(&*site.store, &["a"]).await?;
    let snapshot = site.store.snapshot().await?;
    let revision = snapshot.revision();
    set(&site, 1_000);
    ensure_kind!(snapshot.get(&[]).await, ErrorKind::SnapshotExpired);
    ensure_kind!(snapshot.get(&[key("a")]).await, ErrorKind::SnapshotExpired);
    ensure_kind!(snapshot.scan(&everything(&*site.store)).await, ErrorKind::SnapshotExpired);
    ensure_kind!(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::SnapshotExpired);
    ensure_eq!(snapshot.revision(), revision, "what it was is known still");
    // The store itself is as before.
    ensure_eq!(read(&*site.store, "a").await?.map(|row| row.content), Some(value("a")));
    Ok(())
}

async fn a_snapshot_is_as_old_whether_or_not_the_store_changes(context: Context) -> Checked {
    for changes in [0, 50] {
        let site = limited(&context, 1, 1_000).await?;
        let snapshot = site.store.snapshot().await?;
        for number in 0..changes {
            commit(&*site.store, batch([("a", put([number]))])).await?;
        }
        set(&site, 999);
        snapshot.summarize(&KeyRange::ALL).await?;
        set(&site, 1_000);
        ensure_kind!(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::SnapshotExpired);
    }
    Ok(())
}
