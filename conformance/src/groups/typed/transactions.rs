//! Transactions: own writes, all or nothing, run again on what is there now, and their limits.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

use strongroom_core::store::{KeyRange, Limits};
use strongroom_core::{Error, ErrorKind, Limit};

use super::support::{Counter, Note, at, ids, kind, open, open_with, put_all, some, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    a_transaction_gets_its_own_writes,
    a_transaction_queries_and_pages_over_its_own_writes,
    a_transaction_counts_its_own_writes,
    a_transaction_counts_more_own_writes_than_one_get_takes,
    an_aborted_transaction_leaves_nothing,
    an_ended_handle_is_refused,
    a_transaction_reads_one_revision,
    a_conflict_runs_the_closure_again_on_what_is_there_now,
    a_transaction_that_cannot_win_says_what_it_lost_to,
    what_was_not_read_is_no_conflict,
    a_transaction_without_writes_never_conflicts,
    revisions_of_transactions_are_in_commit_order,
    a_transaction_past_the_writes_of_a_batch_is_refused_early_and_whole,
    a_transaction_past_the_bytes_of_a_batch_is_refused_whole,
    a_transaction_that_guards_more_rows_than_allowed_is_refused_whole,
}

async fn a_transaction_gets_its_own_writes(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Counter::new("kept", 1), Counter::new("deleted", 1)]).await?;
    let seen = db.write(|tx| async move {
        tx.put(&Counter::new("kept", 2)).await?;
        tx.insert(&Counter::new("new", 3)).await?;
        let deleted = (tx.delete(&Counter::key("deleted")).await?, tx.delete(&Counter::key("deleted")).await?);
        let keys = ["new", "deleted", "kept", "never"].map(Counter::key);
        let values: Vec<_> = tx.get_many(&keys).await?.into_iter().map(|found| found.map(|c| c.value)).collect();
        let refused = [
            kind(tx.insert(&Counter::new("new", 4)).await),
            kind(tx.update(&Counter::new("deleted", 4)).await),
            kind(tx.insert(&Counter::new("deleted", 5)).await),
        ];
        Ok((deleted, values, refused))
    });
    let (deleted, values, refused) = seen.await?;
    ensure_eq!(deleted, (true, false));
    ensure_eq!(values, [Some(3), None, Some(2), None]);
    ensure_eq!(refused, [Some(ErrorKind::AlreadyExists), Some(ErrorKind::NotFound), None]);
    ensure_eq!(db.get(&Counter::key("deleted")).await?.map(|counter| counter.value), Some(5));
    ensure_eq!(db.count::<Counter>().await?, 3);
    sound(&db).await
}

async fn a_transaction_queries_and_pages_over_its_own_writes(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..10).map(|id| Note::new("r", id * 2, i64::from(id * 2))).collect::<Vec<_>>()).await?;
    let pages = db.write(|tx| async move {
        tx.insert(&Note::new("r", 5, 5)).await?;
        tx.delete(&Note::key("r", &8)).await?;
        tx.put(&Note::new("r", 0, 100)).await?;
        let query = || tx.query(Note::BY_TIME).equal("r");
        let first = query().limit(4).page().await?;
        let next = first.next.clone().ok_or_else(|| Error::application(fmt::Error))?;
        let rest = query().after(next).page().await?;
        let back = query().newest_first().limit(2).page().await?;
        let range = query().range(at(4)..at(8)).page().await?;
        Ok([first, rest, back, range].map(|page| ids(&page.records)))
    });
    ensure_eq!(
        pages.await?,
        [vec![2, 4, 5, 6], vec![10, 12, 14, 16, 18, 0], vec![0, 18], vec![4, 5, 6]],
        "pages in a transaction"
    );
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), [2, 4, 5, 6, 10, 12, 14, 16, 18, 0]);
    sound(&db).await
}

/// Notes expire and counters do not: these are counted in two ways.
async fn a_transaction_counts_its_own_writes(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..10).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    put_all(&db, &(0..10).map(|value| Counter::new(&value.to_string(), value)).collect::<Vec<_>>()).await?;
    let counts = db.write(|tx| async move {
        let mut counts = Vec::new();
        tx.insert(&Note::new("r", 10, 10)).await?;
        tx.put(&Note::new("r", 0, 0)).await?;
        tx.insert(&Counter::new("10", 10)).await?;
        tx.put(&Counter::new("0", 0)).await?;
        counts.push((tx.count::<Note>().await?, tx.count::<Counter>().await?));
        tx.delete(&Note::key("r", &3)).await?;
        tx.delete(&Counter::key("3")).await?;
        counts.push((tx.count::<Note>().await?, tx.count::<Counter>().await?));
        let deleted = tx.query(Note::BY_TIME).equal("r").range(at(2)..at(6)).delete().await?;
        counts.push((deleted, tx.query(Counter::GROUP).equal("all").range(2..6).delete().await?));
        counts.push((tx.count::<Note>().await?, tx.query(Counter::GROUP).equal("all").count().await?));
        Ok(counts)
    });
    ensure_eq!(counts.await?, [(11, 11), (10, 10), (3, 3), (7, 7)]);
    ensure_eq!((db.count::<Note>().await?, db.count::<Counter>().await?), (7, 7));
    sound(&db).await
}

async fn a_transaction_counts_more_own_writes_than_one_get_takes(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { get_keys_max: 20, ..context.limits() }).await?;
    let counted = db.write(|tx| async move {
        for value in 0..61 {
            tx.put(&Counter::new(&value.to_string(), value)).await?;
        }
        tx.query(Counter::GROUP).equal("all").count().await
    });
    ensure_eq!(counted.await?, 61);
    Ok(())
}

async fn an_aborted_transaction_leaves_nothing(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    db.put(&Counter::new("old", 1)).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let aborted = db.write(|tx| async move {
        tx.put(&Counter::new("new", 1)).await?;
        tx.delete(&Counter::key("old")).await?;
        tx.put(&Note::new("r", 1, 1)).await?;
        Err::<(), _>(Error::application(fmt::Error))
    });
    let error = ensure_kind!(aborted.await, ErrorKind::Application);
    ensure!(error.get_ref::<fmt::Error>().is_some(), "the closure's own error comes out");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    ensure_eq!(db.get(&Counter::key("old")).await?, Some(Counter::new("old", 1)));
    Ok(())
}

async fn an_ended_handle_is_refused(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for fails in [false, true] {
        let leaked = Mutex::new(None);
        let result = db.write(|tx| {
            *leaked.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx.clone());
            async move {
                tx.put(&Counter::new("c", 1)).await?;
                if fails { Err(Error::application(fmt::Error)) } else { Ok(()) }
            }
        });
        ensure_eq!(result.await.is_err(), fails);
        let tx = some(leaked.into_inner().unwrap_or_else(PoisonError::into_inner))?;
        ensure_kind!(tx.put(&Counter::new("c", 2)).await, ErrorKind::TransactionEnded);
        ensure_kind!(tx.insert(&Counter::new("d", 2)).await, ErrorKind::TransactionEnded);
        ensure_kind!(tx.delete(&Counter::key("c")).await, ErrorKind::TransactionEnded);
        ensure_kind!(tx.get(&Counter::key("c")).await, ErrorKind::TransactionEnded);
        ensure_kind!(tx.count::<Counter>().await, ErrorKind::TransactionEnded);
        ensure_kind!(tx.query(Counter::GROUP).equal("all").page().await, ErrorKind::TransactionEnded);
    }
    ensure_eq!(db.get(&Counter::key("c")).await?, Some(Counter::new("c", 1)));
    ensure_eq!(db.count::<Counter>().await?, 1);
    Ok(())
}

async fn a_transaction_reads_one_revision(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Counter::new("a", 0), Counter::new("b", 0)]).await?;
    let other = &db;
    let seen = db.write(|tx| async move {
        let first = tx.get(&Counter::key("a")).await?;
        put_all(other, &[Counter::new("a", 1), Counter::new("b", 1), Counter::new("c", 1)]).await?;
        let query = tx.query(Counter::GROUP).equal("all").page().await?.records;
        Ok((first, tx.get(&Counter::key("b")).await?, tx.get(&Counter::key("c")).await?, query.len()))
    });
    let expected = (Some(Counter::new("a", 0)), Some(Counter::new("b", 0)), None, 2);
    ensure_eq!(seen.await?, expected, "it wrote nothing, so it stands before the others");
    Ok(())
}

async fn a_conflict_runs_the_closure_again_on_what_is_there_now(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Counter::new("c", 10)).await?;
    let runs = AtomicU32::new(0);
    let (other, count) = (&db, &runs);
    let seen = db.write(|tx| async move {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let mut counter = tx.get(&Counter::key("c")).await?.ok_or_else(|| Error::application(fmt::Error))?;
        let seen = counter.value;
        if first {
            other.put(&Counter::new("c", 20)).await?;
        }
        counter.value += 1;
        tx.put(&counter).await?;
        Ok(seen)
    });
    ensure_eq!(seen.await?, 20);
    ensure_eq!(runs.load(Ordering::SeqCst), 2);
    ensure_eq!(db.get(&Counter::key("c")).await?, Some(Counter::new("c", 21)));
    Ok(())
}

async fn a_transaction_that_cannot_win_says_what_it_lost_to(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Counter::new("c", 0)).await?;
    let runs = AtomicU32::new(0);
    let (other, count) = (&db, &runs);
    let beaten = db.write(|tx| async move {
        count.fetch_add(1, Ordering::SeqCst);
        let counter = tx.get(&Counter::key("c")).await?.ok_or_else(|| Error::application(fmt::Error))?;
        // Somebody is faster, each time.
        other.put(&Counter::new("c", counter.value + 1)).await?;
        tx.put(&counter).await
    });
    let error = ensure_kind!(beaten.await, ErrorKind::Conflict);
    ensure!(error.is_conflict() && error.is_retryable());
    ensure!(error.to_string().contains("counters"), "{error}");
    ensure_eq!(runs.into_inner(), 64);
    ensure_eq!(db.get(&Counter::key("c")).await?, Some(Counter::new("c", 64)));
    Ok(())
}

async fn what_was_not_read_is_no_conflict(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &(0..6).map(|id| Note::new("r", id, i64::from(id))).collect::<Vec<_>>()).await?;
    let runs = AtomicU32::new(0);
    let (other, count) = (&db, &runs);
    db.write(|tx| async move {
        count.fetch_add(1, Ordering::SeqCst);
        // The page ends with note 1: what happens behind it is nobody's business here.
        tx.query(Note::BY_TIME).equal("r").limit(2).page().await?;
        put_all(other, &[Note::new("r", 4, 90), Note::new("r", 9, 9), Note::new("s", 1, 0)]).await?;
        tx.put(&Counter::new("c", 1)).await
    })
    .await?;
    ensure_eq!(runs.into_inner(), 1);
    Ok(())
}

async fn a_transaction_without_writes_never_conflicts(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Counter::new("c", 0)).await?;
    let runs = AtomicU32::new(0);
    let (other, count) = (&db, &runs);
    let read = db.write_at(|tx| async move {
        count.fetch_add(1, Ordering::SeqCst);
        let seen = tx.get(&Counter::key("c")).await?.map(|counter| counter.value);
        other.put(&Counter::new("c", 1)).await?;
        Ok(seen)
    });
    let read = read.await?;
    ensure_eq!((read.value, runs.into_inner()), (Some(0), 1));
    ensure!(read.revision < db.snapshot().await?.revision(), "it stands where it read");
    Ok(())
}

async fn revisions_of_transactions_are_in_commit_order(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let mut last = db.snapshot().await?.revision();
    for value in 0..5 {
        let put = db.write_at(|tx| async move { tx.put(&Counter::new("c", value)).await }).await?;
        ensure!(put.revision > last);
        let snapshot = db.snapshot().await?;
        ensure!(snapshot.revision() >= put.revision);
        ensure_eq!(snapshot.get(&Counter::key("c")).await?, Some(Counter::new("c", value)));
        ensure!(db.changed(last).await? >= put.revision, "who waits is told");
        last = put.revision;
    }
    Ok(())
}

async fn a_transaction_past_the_writes_of_a_batch_is_refused_early_and_whole(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { batch_writes_max: 100, ..context.limits() }).await?;
    let puts = AtomicU32::new(0);
    let count = &puts;
    let done = db.write(|tx| async move {
        for value in 0..1_000 {
            tx.put(&Counter::new(&value.to_string(), value)).await?;
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    });
    ensure_kind!(done.await, ErrorKind::Limit(Limit::BatchWrites));
    ensure!(puts.load(Ordering::SeqCst) <= 100, "it was told before it had gathered everything");
    // Also if the closure does not listen.
    let deaf = db.write(|tx| async move {
        for value in 0..200 {
            tx.put(&Counter::new(&value.to_string(), value)).await.ok();
        }
        Ok(())
    });
    ensure_kind!(deaf.await, ErrorKind::Limit(Limit::BatchWrites));
    ensure_eq!(db.count::<Counter>().await?, 0);
    put_all(&db, &(0..50).map(|value| Counter::new(&value.to_string(), value)).collect::<Vec<_>>()).await?;
    sound(&db).await
}

async fn a_transaction_past_the_bytes_of_a_batch_is_refused_whole(context: Context) -> Checked {
    let limits = Limits { batch_bytes_max: 20_000, value_bytes_max: 10_000, ..context.limits() };
    let (db, _site) = open_with(&context, limits).await?;
    let done = db.write(|tx| async move {
        for id in 0..4 {
            tx.put(&Note { text: "x".repeat(8_000), ..Note::new("r", id, 1) }).await?;
        }
        Ok(())
    });
    ensure_kind!(done.await, ErrorKind::Limit(Limit::BatchBytes));
    ensure_eq!(db.count::<Note>().await?, 0);
    Ok(())
}

async fn a_transaction_that_guards_more_rows_than_allowed_is_refused_whole(context: Context) -> Checked {
    let (db, _site) = open_with(&context, Limits { guard_rows_max: 50, ..context.limits() }).await?;
    put_all(&db, &(0..120).map(|value| Counter::new(&value.to_string(), value)).collect::<Vec<_>>()).await?;
    let done = db.write(|tx| async move {
        tx.query(Counter::GROUP).equal("all").limit(100).page().await?;
        tx.put(&Counter::new("c", 1)).await
    });
    ensure_kind!(done.await, ErrorKind::Limit(Limit::GuardRows));
    ensure_eq!(db.get(&Counter::key("c")).await?, None);
    // Reading alone guards nothing.
    let counted = db.write(|tx| async move { tx.query(Counter::GROUP).equal("all").count().await });
    ensure_eq!(counted.await?, 120);
    Ok(())
}
