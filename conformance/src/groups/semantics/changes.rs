//! `changed`.

use std::pin::pin;

use strongroom_core::store::{Batch, Revision};

use super::support::{batch, commit, conflict, guarded, key_guard, poll_once, put};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    changed_resolves_at_once_if_there_is_a_newer_revision,
    changed_gives_the_newest_revision,
    changed_waits_for_a_newer_revision,
    changed_does_not_wake_for_what_changes_nothing,
    changed_wakes_everybody_who_waits,
    changed_can_be_dropped_while_waiting,
    what_changed_announces_can_be_read,
}

async fn changed_resolves_at_once_if_there_is_a_newer_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", put(""))])).await?;
    ensure_eq!(store.changed(Revision::ZERO).await?, revision);
    Ok(())
}

async fn changed_gives_the_newest_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a", put(""))])).await?;
    let mut last = first;
    for _ in 0..5 {
        last = commit(&*store, batch([("a", put(""))])).await?;
    }
    ensure_eq!(store.changed(Revision::ZERO).await?, last);
    ensure_eq!(store.changed(first).await?, last);
    Ok(())
}

async fn changed_waits_for_a_newer_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut last = Revision::ZERO;
    for _ in 0..5 {
        let mut waiting = pin!(store.changed(last));
        ensure!(poll_once(&mut waiting).is_pending());
        let next = commit(&*store, batch([("a", put(""))])).await?;
        ensure_eq!(waiting.await?, next);
        last = next;
    }
    ensure!(poll_once(&mut pin!(store.changed(last))).is_pending());
    Ok(())
}

async fn changed_does_not_wake_for_what_changes_nothing(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a", put(""))])).await?;
    let mut waiting = pin!(store.changed(first));
    ensure!(poll_once(&mut waiting).is_pending());
    commit(&*store, Batch::default()).await?;
    ensure_eq!(conflict(&*store, guarded([key_guard("a", None)], batch([("b", put(""))]))).await?, Some(0));
    ensure!(poll_once(&mut waiting).is_pending());
    let next = commit(&*store, batch([("b", put(""))])).await?;
    ensure_eq!(waiting.await?, next);
    Ok(())
}

async fn changed_wakes_everybody_who_waits(context: Context) -> Checked {
    let store = context.open().await?.store;
    let waiting: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.changed(Revision::ZERO).await })
        })
        .collect();
    let revision = commit(&*store, batch([("a", put(""))])).await?;
    for waiting in waiting {
        ensure_eq!(waiting.await.map_err(|error| Failure::new(error.to_string()))??, revision);
    }
    Ok(())
}

async fn changed_can_be_dropped_while_waiting(context: Context) -> Checked {
    let store = context.open().await?.store;
    for _ in 0..100 {
        ensure!(poll_once(&mut pin!(store.changed(Revision::ZERO))).is_pending());
    }
    let revision = commit(&*store, batch([("a", put(""))])).await?;
    ensure_eq!(store.changed(Revision::ZERO).await?, revision);
    Ok(())
}

async fn what_changed_announces_can_be_read(context: Context) -> Checked {
    let store = context.open().await?.store;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                commit(&*store, batch([("a", put(""))])).await?;
            }
            Checked::Ok(())
        })
    };
    let mut last = Revision::ZERO;
    while last < Revision(50) && !writer.is_finished() {
        last = store.changed(last).await?;
        ensure!(store.get(&[]).await?.as_of >= last, "announced before it can be read");
        ensure!(store.snapshot().await?.revision() >= last, "announced before a snapshot sees it");
        if store.get(&[]).await?.as_of == last && writer.is_finished() {
            break;
        }
    }
    writer.await.map_err(|error| Failure::new(error.to_string()))?
}
