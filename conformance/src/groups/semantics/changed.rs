//! `changed`.

use std::pin::pin;
use std::task::Poll;

use strongroom_core::Result;
use strongroom_core::store::{Batch, KeyRange, Revision, Write};
use tokio::task::JoinHandle;

use super::support::{
    batch, commit, commit_all, committed, conflict, current, join, key_guard, log, poll_once, put, read, rejection,
    row, soon, suffix, value,
};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    changed_resolves_at_once_if_there_is_a_newer_revision,
    changed_gives_the_newest_revision,
    changed_waits_for_a_newer_revision,
    changed_is_not_woken_by_what_writes_nothing,
    every_kind_of_write_ends_the_wait,
    what_changed_has_told_can_be_read,
    everyone_who_waits_is_woken,
    one_who_stops_waiting_harms_nobody,
    following_changes_misses_no_last_commit,
    changed_hears_of_another_opener [Share],
}

/// Begins to wait, in a task of its own.
fn wait(site: &Site, after: Revision) -> JoinHandle<Result<Revision>> {
    let store = site.store.clone();
    tokio::spawn(async move { store.changed(after).await })
}

async fn woken(task: JoinHandle<Result<Revision>>) -> Checked<Revision> {
    let ended = soon("a change", task).await?;
    Ok(ended.map_err(|error| Failure::new(error.to_string()))??)
}

async fn changed_resolves_at_once_if_there_is_a_newer_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    let first = commit(&*site.store, batch([("a", put("1"))])).await?;
    let second = commit(&*site.store, batch([("a", put("2"))])).await?;
    for after in [Revision::ZERO, before, first] {
        ensure_eq!(soon("changed", site.store.changed(after)).await??, second, "after {after}");
    }
    Ok(())
}

async fn changed_gives_the_newest_revision(context: Context) -> Checked {
    let site = context.open().await?;
    for round in 0..20 {
        let written = commit(&*site.store, batch([("a", put([round]))])).await?;
        ensure_eq!(soon("changed", site.store.changed(Revision::ZERO)).await??, written);
    }
    Ok(())
}

async fn changed_waits_for_a_newer_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    for _ in 0..2 {
        let after = current(store).await?;
        let mut waiting = pin!(store.changed(after));
        ensure!(poll_once(&mut waiting).is_pending(), "a change after {after} before there is one");
        let written = commit(store, batch([("a", put("2"))])).await?;
        ensure_eq!(soon("a change", waiting).await??, written);
    }
    // One that is far ahead waits for more than the next.
    let after = Revision(current(store).await?.0 + 1_000_000);
    let mut waiting = pin!(store.changed(after));
    ensure!(poll_once(&mut waiting).is_pending());
    let written = commit(store, batch([("a", put("3"))])).await?;
    match poll_once(&mut waiting) {
        Poll::Pending => {}
        Poll::Ready(early) => ensure!(early? > after, "woken by {written}, but waiting after {after}"),
    }
    Ok(())
}

async fn changed_is_not_woken_by_what_writes_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let before = commit(store, batch([("a", put("1"))])).await?;
    let waiting = wait(&site, before);
    let conflicting = Batch { guards: vec![key_guard("a", None)], ..batch([("b", put(""))]) };
    let [nothing, clash, wrong] = commit_all(store, [Batch::default(), conflicting, batch([("b", suffix(2))])]).await?;
    ensure_eq!(committed(&nothing)?, before);
    conflict(&clash)?;
    rejection(&wrong)?;
    store.drop_range(&KeyRange::prefix(b"none"), &[]).await?;
    drop(store.snapshot().await?);
    read(store, "a").await?;
    ensure!(!waiting.is_finished(), "woken although nothing was written");
    let written = commit(store, batch([("a", put("2"))])).await?;
    ensure_eq!(woken(waiting).await?, written);
    Ok(())
}

async fn every_kind_of_write_ends_the_wait(context: Context) -> Checked {
    let site = context.open().await?;
    let mut before = current(&*site.store).await?;
    let writes = [put("1"), put("1"), suffix(0), Write::Delete, Write::Delete].map(|write| batch([("a", write)]));
    for batch in writes.into_iter().chain([log([("log", "1")])]) {
        let waiting = wait(&site, before);
        before = commit(&*site.store, batch).await?;
        ensure_eq!(woken(waiting).await?, before);
    }
    Ok(())
}

async fn what_changed_has_told_can_be_read(context: Context) -> Checked {
    let site = context.open().await?;
    let store = site.store.clone();
    let first = current(&*site.store).await?;
    let writer = tokio::spawn(async move {
        let mut last = Revision::ZERO;
        for number in 0..100_u8 {
            last = commit(&*store, batch([("a", put([number]))])).await?;
        }
        Ok(last)
    });
    let mut seen = first;
    loop {
        let told = soon("a change", site.store.changed(seen)).await??;
        ensure!(told > seen, "changed gave {told} after {seen}");
        let found = read(&*site.store, "a").await?.map(|row| row.revision);
        ensure!(found >= Some(told), "revision {told} was told, and the row read is of {found:?}");
        seen = told;
        if read(&*site.store, "a").await?.map(|row| row.content) == Some(value([99])) {
            break;
        }
    }
    let last: Revision = join(writer).await?;
    ensure_eq!(soon("changed", site.store.changed(first)).await??, last);
    Ok(())
}

async fn everyone_who_waits_is_woken(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    let waiting: Vec<_> = (0..100).map(|_| wait(&site, before)).collect();
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    for task in waiting {
        ensure_eq!(woken(task).await?, written);
    }
    Ok(())
}

async fn one_who_stops_waiting_harms_nobody(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    let stays = wait(&site, before);
    for _ in 0..100 {
        let mut waiting = pin!(site.store.changed(before));
        ensure!(poll_once(&mut waiting).is_pending());
    }
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    ensure_eq!(woken(stays).await?, written);
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("1")));
    Ok(())
}

async fn following_changes_misses_no_last_commit(context: Context) -> Checked {
    let site = context.open().await?;
    let mut seen = current(&*site.store).await?;
    for number in 0..50_u8 {
        let store = site.store.clone();
        let writer = tokio::spawn(async move { commit(&*store, batch([("a", put([number]))])).await });
        seen = soon("a change", site.store.changed(seen)).await??;
        ensure_eq!(join(writer).await?, seen);
    }
    Ok(())
}

async fn changed_hears_of_another_opener(context: Context) -> Checked {
    let site = context.open().await?;
    let other = site.second().await?;
    for number in 0..5 {
        let waiting = wait(&site, current(&*site.store).await?);
        let written = commit(&*other, batch([("a", put([number]))])).await?;
        ensure_eq!(woken(waiting).await?, written);
        ensure_eq!(read(&*site.store, "a").await?, row(written, value([number])));
    }
    Ok(())
}
