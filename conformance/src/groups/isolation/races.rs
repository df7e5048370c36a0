//! Many at once, and two for one thing.

use std::collections::BTreeSet;

use futures_util::future::{join_all, try_join_all};
use strongroom_core::{Database, ErrorKind, Result};
use tokio::task::{JoinError, yield_now};

use super::support::{Counter, counters, ensure_sound, handles, over, put_all, race, value, value_in};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Isolation;
    of_two_inserts_of_one_key_one_wins,
    of_two_records_with_one_unique_value_one_wins,
    a_unique_value_is_handed_over_and_never_shared,
    a_deletion_and_an_update_of_one_record_do_not_both_win,
    two_deletions_of_one_record_delete_it_once,
    a_queue_claimed_by_16_tasks_gives_each_item_once,
    increments_by_64_tasks_lose_none,
    transfers_by_8_tasks_keep_the_sum,
}

fn ended(error: JoinError) -> Failure {
    Failure::new(format!("a task ended: {error}"))
}

/// How each of two that race in single transactions ended.
async fn both<F, Fut>(db: &Database, body: F) -> Checked<[Option<ErrorKind>; 2]>
where
    F: Fn(strongroom_core::Transaction, usize) -> Fut + Send + Sync,
    Fut: Future<Output = Result<()>> + Send,
{
    let body = &body;
    let (ends, _) = race(db, |tx, who, meeting| async move {
        let result = body(tx, who).await;
        meeting.here().await;
        Ok(result.err().map(|error| error.kind()))
    })
    .await?;
    Ok(ends)
}

fn one_lost(ends: [Option<ErrorKind>; 2], kind: ErrorKind) -> Checked {
    ensure!(ends == [None, Some(kind)] || ends == [Some(kind), None], "one of the two has {kind:?}: {ends:?}");
    Ok(())
}

async fn of_two_inserts_of_one_key_one_wins(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    let ends = both(&db, |tx, who| async move { tx.insert(&Counter::new("x", who as i64)).await }).await?;
    one_lost(ends, ErrorKind::AlreadyExists)?;
    // And as single operations, whose inserts look at nothing before they commit.
    let inserts = (0..16).map(|who| {
        let db = db.clone();
        tokio::spawn(async move { db.insert(&Counter::new("y", who)).await })
    });
    let mut won = 0;
    for insert in join_all(inserts).await {
        match insert.map_err(ended)? {
            Ok(()) => won += 1,
            Err(error) => ensure_eq!(error.kind(), ErrorKind::AlreadyExists),
        }
    }
    ensure_eq!(won, 1, "inserts that succeeded");
    ensure_sound(&db).await
}

fn badged(name: &str, badge: Option<&str>) -> Counter {
    Counter { badge: badge.map(str::to_owned), ..Counter::new(name, 1) }
}

async fn of_two_records_with_one_unique_value_one_wins(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    let ends = both(&db, |tx, who| async move { tx.insert(&badged(["x", "y"][who], Some("only"))).await }).await?;
    one_lost(ends, ErrorKind::UniqueViolation)?;
    ensure_eq!(db.query(Counter::BADGE).equal("only").count().await?, 1);
    ensure_eq!(db.count::<Counter>().await?, 1);
    ensure_sound(&db).await
}

/// One gives the value up while the other takes it: the other has it, or is refused because it came first.
async fn a_unique_value_is_handed_over_and_never_shared(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    put_all(&db, &[badged("x", Some("only"))]).await?;
    let ends = both(&db, |tx, who| async move {
        if who == 0 { tx.put(&badged("x", None)).await } else { tx.put(&badged("y", Some("only"))).await }
    })
    .await?;
    ensure!(ends[0].is_none() && ends[1].is_none_or(|kind| kind == ErrorKind::UniqueViolation), "{ends:?}");
    let holders = db.query(Counter::BADGE).equal("only").page().await?.records;
    ensure_eq!(holders.len(), usize::from(ends[1].is_none()), "holders of the value");
    ensure_sound(&db).await
}

async fn a_deletion_and_an_update_of_one_record_do_not_both_win(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("x", 1)]).await?;
    let (ends, _) = race(&db, |tx, who, meeting| async move {
        let result = match who {
            0 => tx.delete(&Counter::key("x")).await,
            _ => tx.update(&Counter::new("x", 2)).await.map(|()| true),
        };
        meeting.here().await;
        match result {
            Err(error) if error.is_not_found() => Ok(false),
            result => result,
        }
    })
    .await?;
    // Whoever comes first: the deletion finds a record. An update that comes later finds none; one that came first is deleted.
    ensure!(ends[0], "the deletion found nothing");
    ensure!(db.get(&Counter::key("x")).await?.is_none(), "an update brought back what was deleted");
    ensure_sound(&db).await
}

async fn two_deletions_of_one_record_delete_it_once(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("x", 1)]).await?;
    let (deleted, _) = race(&db, |tx, _, meeting| async move {
        let deleted = tx.delete(&Counter::key("x")).await?;
        meeting.here().await;
        Ok(u32::from(deleted))
    })
    .await?;
    ensure_eq!(deleted.iter().sum::<u32>(), 1);
    ensure_sound(&db).await
}

/// The databases of all handles that the place may have, one a task, taken round.
async fn databases(context: &Context) -> Checked<Vec<Database>> {
    let site = context.open().await?;
    let mut databases = Vec::new();
    for store in handles(&site).await? {
        databases.push(over(&store).await?);
    }
    Ok(databases)
}

/// Takes the oldest item that is left; `None` if none is.
async fn claim(db: Database) -> Result<Option<String>> {
    db.write(|tx| async move {
        let oldest = tx.query(Counter::GROUP).equal("waiting").ascending().first().await?;
        let Some(item) = oldest else { return Ok(None) };
        yield_now().await;
        tx.update(&item.clone().within("taken")).await?;
        Ok(Some(item.name))
    })
    .await
}

async fn a_queue_claimed_by_16_tasks_gives_each_item_once(context: Context) -> Checked {
    const ITEMS: i64 = 40;
    let databases = databases(&context).await?;
    let items: Vec<Counter> = (0..ITEMS).map(|at| Counter::new(&at.to_string(), at).within("waiting")).collect();
    put_all(&databases[0], &items).await?;
    let tasks = (0..16).map(|task| {
        let db = databases[task % databases.len()].clone();
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            while let Some(item) = claim(db.clone()).await? {
                claimed.push(item);
            }
            Ok::<_, strongroom_core::Error>(claimed)
        })
    });
    let mut claimed = Vec::new();
    for task in try_join_all(tasks).await.map_err(ended)? {
        claimed.extend(task?);
    }
    let distinct: BTreeSet<&String> = claimed.iter().collect();
    ensure_eq!((claimed.len(), distinct.len()), (ITEMS as usize, ITEMS as usize), "claims, and items claimed");
    ensure_eq!(databases[0].query(Counter::GROUP).equal("taken").count().await?, ITEMS as u64);
    ensure_sound(&databases[0]).await
}

async fn increments_by_64_tasks_lose_none(context: Context) -> Checked {
    let databases = databases(&context).await?;
    let tasks = (0..64).map(|task| {
        let db = databases[task % databases.len()].clone();
        tokio::spawn(async move {
            db.write(|tx| async move {
                let x = value_in(&tx, "x").await?;
                yield_now().await;
                tx.put(&Counter::new("x", x + 1)).await
            })
            .await
        })
    });
    for task in try_join_all(tasks).await.map_err(ended)? {
        task?;
    }
    ensure_eq!(value(&databases[0], "x").await?, 64);
    ensure_sound(&databases[0]).await
}

async fn transfers_by_8_tasks_keep_the_sum(context: Context) -> Checked {
    const ACCOUNTS: usize = 5;
    let databases = databases(&context).await?;
    let accounts: Vec<Counter> = (0..ACCOUNTS).map(|at| Counter::new(&at.to_string(), 100)).collect();
    put_all(&databases[0], &accounts).await?;
    let tasks = (0..8_usize).map(|task| {
        let db = databases[task % databases.len()].clone();
        tokio::spawn(async move {
            for turn in 0..12 {
                let (from, to) = ((task + turn) % ACCOUNTS, (task * 2 + turn + 1) % ACCOUNTS);
                let (from, to) = (&from.to_string(), &to.to_string());
                db.write(|tx| async move {
                    let amount = 1 + task as i64;
                    let left = value_in(&tx, from).await? - amount;
                    yield_now().await;
                    tx.put(&Counter::new(from, left)).await?;
                    let sum = value_in(&tx, to).await? + amount;
                    tx.put(&Counter::new(to, sum)).await
                })
                .await?;
                // Whoever looks sees no money on the way.
                let view = db.snapshot().await?.query(Counter::GROUP).equal("all").page().await?.records;
                let sum: i64 = view.iter().map(|account| account.value).sum();
                ensure_eq!(sum, 100 * ACCOUNTS as i64, "the sum in a snapshot");
            }
            Ok::<(), Failure>(())
        })
    });
    for task in try_join_all(tasks).await.map_err(ended)? {
        task?;
    }
    ensure_sound(&databases[0]).await
}
