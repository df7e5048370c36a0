//! What a transaction, or anybody else, may read of another: dirty, intermediate, aborted and non-repeatable reads, read
//! skew, circular information flow, observed transactions that vanish, and the read-only anomaly.

use strongroom_core::{Committed, Database, Error, ErrorKind, Result};

use super::support::{Counter, Pause, counters, over, put_all, race, value, value_in};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Isolation;
    what_is_not_committed_is_not_read,
    what_was_aborted_is_never_read,
    a_value_in_between_is_never_read,
    own_writes_are_read_by_the_writer_alone,
    two_transactions_do_not_both_read_each_other,
    a_transaction_reads_the_same_again,
    a_transaction_reads_all_of_another_or_nothing,
    what_was_observed_stays_observed,
    a_read_only_transaction_is_part_of_the_order,
    a_read_only_transaction_needs_no_second_run,
}

/// All ways to read: one record, an index, a count, a snapshot, another transaction. They agree.
async fn seen(db: &Database) -> Checked<(i64, u64)> {
    let one = value(db, "x").await?;
    let count = db.query(Counter::GROUP).equal("all").count().await?;
    let page = db.query(Counter::GROUP).equal("all").page().await?.records;
    let through_page = page.iter().find(|counter| counter.name == "x").map_or(0, |counter| counter.value);
    ensure_eq!((through_page, page.len() as u64), (one, count), "an index beside the record");
    let snapshot = db.snapshot().await?;
    let through_snapshot = snapshot.get(&Counter::key("x")).await?.map_or(0, |counter| counter.value);
    ensure_eq!((through_snapshot, snapshot.count::<Counter>().await?), (one, count), "a snapshot beside the record");
    let within = db.write(|tx| async move { Ok((value_in(&tx, "x").await?, tx.count::<Counter>().await?)) }).await?;
    ensure_eq!(within, (one, count), "a transaction beside the record");
    Ok((one, count))
}

async fn what_is_not_committed_is_not_read(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1)]).await?;
    let pause = &Pause::default();
    let writer = db.write(|tx| async move {
        tx.put(&Counter::new("x", 2)).await?;
        tx.put(&Counter::new("y", 2)).await?;
        pause.here().await;
        Ok(())
    });
    let ((), meanwhile) = pause.meanwhile(writer, seen(db)).await?;
    ensure_eq!(meanwhile, (1, 1), "seen before the commit");
    ensure_eq!(seen(db).await?, (2, 2), "seen after it");
    Ok(())
}

/// G1a.
async fn what_was_aborted_is_never_read(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1)]).await?;
    let pause = &Pause::default();
    let writer = async {
        let aborted = db.write(|tx| async move {
            tx.put(&Counter::new("x", 2)).await?;
            tx.put(&Counter::new("y", 2)).await?;
            pause.here().await;
            Err::<(), _>(Error::application(std::fmt::Error))
        });
        Ok::<_, Error>(aborted.await)
    };
    let (aborted, meanwhile) = pause.meanwhile(writer, seen(db)).await?;
    ensure_kind!(aborted, ErrorKind::Application);
    ensure_eq!((meanwhile, seen(db).await?), ((1, 1), (1, 1)), "seen before and after the abort");
    Ok(())
}

/// G1b.
async fn a_value_in_between_is_never_read(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1)]).await?;
    let (first, second) = (&Pause::default(), &Pause::default());
    let writer = db.write(|tx| async move {
        tx.put(&Counter::new("x", 2)).await?;
        first.here().await;
        tx.put(&Counter::new("x", 3)).await?;
        second.here().await;
        Ok(())
    });
    let paused_once = first.meanwhile(writer, seen(db));
    let (((), between), later) = second.meanwhile(paused_once, seen(db)).await?;
    ensure_eq!((between, later, seen(db).await?), ((1, 1), (1, 1), (3, 1)), "seen at both pauses and after the commit");
    Ok(())
}

async fn own_writes_are_read_by_the_writer_alone(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1)]).await?;
    let pause = &Pause::default();
    let writer = db.write(|tx| async move {
        tx.put(&Counter::new("x", 2)).await?;
        tx.insert(&Counter::new("y", 3)).await?;
        pause.here().await;
        let page = tx.query(Counter::GROUP).equal("all").descending().page().await?.records;
        let values: Vec<i64> = page.iter().map(|counter| counter.value).collect();
        Ok((value_in(&tx, "x").await?, values, tx.count::<Counter>().await?))
    });
    let (own, others) = pause.meanwhile(writer, seen(db)).await?;
    ensure_eq!(own, (2, vec![3, 2], 2), "what the writer sees");
    ensure_eq!(others, (1, 1), "what others see");
    Ok(())
}

/// G1c: each writes one record and reads that of the other.
async fn two_transactions_do_not_both_read_each_other(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    let (read, _) = race(&db, |tx, who, meeting| async move {
        tx.put(&Counter::new(["x", "y"][who], 1)).await?;
        meeting.here().await;
        value_in(&tx, ["y", "x"][who]).await
    })
    .await?;
    ensure_eq!(read.iter().sum::<i64>(), 1, "one of two comes first: it reads nothing, the other what it wrote");
    Ok(())
}

async fn a_transaction_reads_the_same_again(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1)]).await?;
    let pause = &Pause::default();
    let reader = db.write(|tx| async move {
        let first = value_in(&tx, "x").await?;
        pause.here().await;
        // The first asks for what is known by now, the others ask the store.
        let page = tx.query(Counter::GROUP).equal("all").page().await?.records;
        let again = [value_in(&tx, "x").await?, page.iter().map(|counter| counter.value).sum()];
        Ok((first, again, tx.query(Counter::GROUP).equal("all").count().await?))
    });
    let change = async {
        db.put(&Counter::new("x", 2)).await?;
        db.put(&Counter::new("y", 2)).await?;
        seen(db).await
    };
    let (read, changed) = pause.meanwhile(reader, change).await?;
    ensure_eq!(read, (1, [1, 1], 1), "one view");
    ensure_eq!(changed, (2, 2), "what others see meanwhile");
    Ok(())
}

/// G-single.
async fn a_transaction_reads_all_of_another_or_nothing(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1), Counter::new("y", 1)]).await?;
    let pause = &Pause::default();
    let reader = db.write(|tx| async move {
        let x = value_in(&tx, "x").await?;
        pause.here().await;
        Ok((x, value_in(&tx, "y").await?))
    });
    let both = [Counter::new("x", 2), Counter::new("y", 2)];
    let (read, ()) = pause.meanwhile(reader, put_all(db, &both)).await?;
    ensure_eq!(read, (1, 1));
    Ok(())
}

/// OTV: what was seen of one transaction is later seen of all its records, or of who came after it.
async fn what_was_observed_stays_observed(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 0), Counter::new("y", 0)]).await?;
    let both = |value: i64| async move { put_all(db, &[Counter::new("x", value), Counter::new("y", value)]).await };
    both(1).await?;
    let pause = &Pause::default();
    let reader = db.write(|tx| async move {
        let y = value_in(&tx, "y").await?;
        pause.here().await;
        let page = tx.query(Counter::GROUP).equal("all").page().await?.records;
        Ok((y, page.iter().map(|counter| counter.value).collect::<Vec<_>>()))
    });
    let (read, ()) = pause.meanwhile(reader, both(2)).await?;
    ensure_eq!(read, (1, vec![1, 1]));
    // And later readers see the later one, whole.
    let later = db.snapshot().await?.query(Counter::GROUP).equal("all").page().await?.records;
    ensure!(later.iter().all(|counter| counter.value == 2), "{later:?}");
    Ok(())
}

/// Fekete, O'Neil, O'Neil 2004: a withdrawal that pays a fee for an overdraft, a deposit that would have prevented it, and a
/// reader between them that has seen the deposit, but not the withdrawal. Then there was no overdraft.
async fn a_read_only_transaction_is_part_of_the_order(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("checking", 0), Counter::new("savings", 0)]).await?;
    let pause = &Pause::default();
    let withdrawal = db.write(|tx| async move {
        let (checking, savings) = (value_in(&tx, "checking").await?, value_in(&tx, "savings").await?);
        pause.here().await;
        let fee = i64::from(checking + savings < 10);
        tx.put(&Counter::new("checking", checking - 10 - fee)).await
    });
    let meanwhile = async {
        db.put(&Counter::new("savings", 20)).await?;
        let read =
            db.write(|tx| async move { Ok((value_in(&tx, "checking").await?, value_in(&tx, "savings").await?)) });
        Ok(read.await?)
    };
    let ((), read) = pause.meanwhile(withdrawal, meanwhile).await?;
    ensure_eq!(read, (0, 20), "what the reader saw");
    ensure_eq!(value(db, "checking").await?, -10, "the deposit came first, as the reader knows");
    Ok(())
}

async fn a_read_only_transaction_needs_no_second_run(context: Context) -> Checked {
    let site = context.open().await?;
    let db = &over(&site.store).await?;
    db.put(&Counter::new("x", 1)).await?;
    let pause = &Pause::default();
    let reader = db.write_at(|tx| async move {
        let x = value_in(&tx, "x").await?;
        pause.here().await;
        Ok::<_, Error>(x)
    });
    let change = async {
        let before = db.snapshot().await?.revision();
        db.put(&Counter::new("x", 2)).await?;
        Ok(before)
    };
    let (read, before): (Committed<i64>, _) = pause.meanwhile(reader, change).await?;
    let nothing: Result<()> = db.write(|_| async { Ok(()) }).await;
    nothing?;
    ensure_eq!((read.value, read.revision, pause.runs()), (1, before, 1), "value, revision and runs");
    Ok(())
}
