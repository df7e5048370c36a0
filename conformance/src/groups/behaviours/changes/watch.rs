//! A stream that continues the feed without a gap.

use std::pin::pin;

use futures_util::{FutureExt, StreamExt};
use strongroom_core::store::{Limits, Revision};
use strongroom_core::{Change, ChangeCursor, Database, ErrorKind, Result, Trim};

use super::super::support::open_again;
use super::support::{Cover, Delete, Draft, Put, Track, open, schema, told};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_watch_brings_what_was_written_before_and_after,
    a_watch_that_begins_among_writers_has_no_gap,
    a_watch_is_not_given_what_it_did_not_ask_for,
    a_dropped_wait_of_a_watch_loses_nothing,
    a_slow_watch_hinders_nobody,
    a_watch_ends_when_the_database_is_closed,
    a_watch_needs_no_view,
}

fn some(change: Option<Result<Change>>) -> Checked<Change> {
    Ok(change.ok_or_else(|| Failure::new("the stream has ended"))??)
}

async fn a_watch_brings_what_was_written_before_and_after(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Track::new(1)).await?;
    let mut watch = pin!(db.watch(ChangeCursor::START));
    ensure_eq!(told(&some(watch.next().await)?), (Put, 1));
    // It waits, and then there are several at once.
    ensure!(watch.next().now_or_never().is_none(), "there is nothing yet");
    for id in 2..5 {
        db.put(&Track::new(id)).await?;
    }
    for id in 2..5 {
        ensure_eq!(told(&some(watch.next().await)?), (Put, id));
    }
    let first = Track::key("r", &1);
    let (next, written) = tokio::join!(watch.next(), db.delete(&first));
    ensure!(written?);
    let last = some(next)?;
    ensure_eq!(told(&last), (Delete, 1));
    // Another one goes on where this one was.
    db.put(&Track::new(9)).await?;
    let mut again = pin!(db.watch(last.cursor().clone()));
    ensure_eq!(told(&some(again.next().await)?), (Put, 9));
    // The newest transaction has more changes than a page.
    db.write(|tx| async move {
        for id in 20..25 {
            tx.put(&Track::new(id)).await?;
        }
        Ok(())
    })
    .await?;
    let mut short = pin!(db.changes(last.cursor().clone()).limit(2).watch());
    for id in [9, 20, 21, 22, 23, 24] {
        ensure_eq!(told(&some(short.next().await)?), (Put, id));
    }
    Ok(())
}

const WRITERS: u32 = 4;
const EACH: u32 = 12;

async fn write(db: Database, writer: u32) -> Checked<Vec<Revision>> {
    let mut revisions = Vec::new();
    for number in 0..EACH {
        let id = writer * 100 + number;
        revisions.push(db.write_at(move |tx| async move { tx.put(&Track::new(id)).await }).await?.revision);
    }
    Ok(revisions)
}

async fn a_watch_that_begins_among_writers_has_no_gap(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(db.clone(), writer))).collect();
    // Each begins where a view ends that was taken among the writes. A last record ends it.
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let watchers = (0..4_u32).map(|late| {
        let (db, begun) = (db.clone(), begun.clone());
        tokio::spawn(async move {
            for _ in 0..late * 10 {
                tokio::task::yield_now().await;
            }
            let view = db.snapshot().await?;
            let mut watch = pin!(db.watch(view.change_cursor().await?));
            begun.send(()).ok();
            let mut seen = Vec::new();
            loop {
                let change = some(watch.next().await)?;
                if change.key::<Cover>().is_some() {
                    return Checked::Ok((view.revision(), seen));
                }
                seen.push(change.revision());
            }
        })
    });
    let watchers: Vec<_> = watchers.collect();
    drop(begun);
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.map_err(|error| Failure::new(error.to_string()))??);
    }
    written.sort_unstable();
    for _ in &watchers {
        begins.recv().await;
    }
    db.put(&Cover { id: 1 }).await?;
    for watcher in watchers {
        let (since, seen) = watcher.await.map_err(|error| Failure::new(error.to_string()))??;
        let expected: Vec<_> = written.iter().copied().filter(|revision| *revision > since).collect();
        ensure_eq!(seen, expected, "what a watch from {since} saw");
    }
    Ok(())
}

async fn a_watch_is_not_given_what_it_did_not_ask_for(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let mut watch = pin!(db.changes(ChangeCursor::START).of::<Cover>().watch());
    for id in 0..10 {
        db.put(&Draft { id }).await?;
        db.put(&Track::new(id)).await?;
        ensure!(watch.next().now_or_never().is_none(), "there is nothing of what was asked for");
    }
    db.put(&Cover { id: 7 }).await?;
    ensure_eq!(some(watch.next().await)?.key::<Cover>(), Some(Cover::key(&7)));
    Ok(())
}

async fn a_dropped_wait_of_a_watch_loses_nothing(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let writer = tokio::spawn(write(db.clone(), 0));
    let mut watch = pin!(db.watch(ChangeCursor::START));
    let mut ids = Vec::new();
    while ids.len() < EACH as usize {
        // Each wait is dropped as soon as it is not answered at once.
        match watch.next().now_or_never() {
            Some(change) => ids.push(told(&some(change)?).1),
            None => tokio::task::yield_now().await,
        }
    }
    ensure_eq!(ids, (0..EACH).collect::<Vec<_>>());
    writer.await.map_err(|error| Failure::new(error.to_string()))??;
    Ok(())
}

async fn a_slow_watch_hinders_nobody(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Track::new(0)).await?;
    let mut slow = pin!(db.changes(ChangeCursor::START).limit(2).watch());
    ensure_eq!(told(&some(slow.next().await)?), (Put, 0));
    for id in 1..30 {
        db.put(&Track::new(id)).await?;
    }
    for id in 1..10 {
        ensure_eq!(told(&some(slow.next().await)?), (Put, id));
    }
    // What it has not come to may be trimmed: it is told, and what it held it still gives.
    db.trim_changes(Trim::all()).await?;
    let mut told_so = None;
    while let Some(change) = slow.next().await {
        match change {
            Ok(change) => ensure!(told(&change).1 < 12, "it holds no more than a page"),
            Err(error) => told_so = Some(error.kind()),
        }
    }
    ensure_eq!(told_so, Some(ErrorKind::ChangesTrimmed));
    Ok(())
}

async fn a_watch_ends_when_the_database_is_closed(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Track::new(1)).await?;
    let mut watch = pin!(db.watch(ChangeCursor::START));
    some(watch.next().await)?;
    let (next, closed) = tokio::join!(watch.next(), db.close());
    closed?;
    ensure_kind!(next.ok_or_else(|| Failure::new("it ended without a word"))?, ErrorKind::Closed);
    ensure!(watch.next().await.is_none(), "nothing comes after an error");
    Ok(())
}

/// Others hold all the views that there may be.
async fn a_watch_needs_no_view(context: Context) -> Checked {
    let limits = Limits { snapshots_max: 2, ..context.limits() };
    let site = context.open_with(limits).await?;
    let db = open_again(&site, schema()?).await?;
    let mut watch = pin!(db.watch(ChangeCursor::START));
    db.put(&Track::new(1)).await?;
    ensure_eq!(told(&some(watch.next().await)?), (Put, 1));
    let mut held = Vec::new();
    while let Ok(view) = db.snapshot().await {
        held.push(view);
        ensure!(held.len() < 100, "views without a limit");
    }
    for id in 2..5 {
        db.put(&Track::new(id)).await?;
        ensure_eq!(told(&some(watch.next().await)?), (Put, id));
    }
    Ok(())
}
