//! Writes that must not meet: dirty writes, lost updates, write skew.

use super::support::{Counter, Pause, counters, put_all, race, value, value_in};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Isolation;
    writes_of_two_transactions_do_not_mix,
    an_update_is_not_lost,
    an_update_is_not_lost_to_a_single_operation,
    write_skew_over_two_records_is_refused,
    write_skew_over_an_index_is_refused,
    write_skew_through_a_count_is_refused,
    write_skew_through_an_absent_record_is_refused,
    blind_writes_of_different_records_do_not_conflict,
}

/// G0: both write both records, in opposite orders.
async fn writes_of_two_transactions_do_not_mix(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    race(&db, |tx, who, meeting| async move {
        let (first, second) = if who == 0 { ("x", "y") } else { ("y", "x") };
        tx.put(&Counter::new(first, who as i64 + 1)).await?;
        meeting.here().await;
        tx.put(&Counter::new(second, who as i64 + 1)).await
    })
    .await?;
    let (x, y) = (value(&db, "x").await?, value(&db, "y").await?);
    ensure!(x == y && (1..=2).contains(&x), "x = {x}, y = {y}");
    Ok(())
}

/// P4.
async fn an_update_is_not_lost(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("x", 0)]).await?;
    let (_, runs) = race(&db, |tx, _, meeting| async move {
        let x = value_in(&tx, "x").await?;
        meeting.here().await;
        tx.put(&Counter::new("x", x + 1)).await
    })
    .await?;
    ensure_eq!((value(&db, "x").await?, runs), (2, 3), "the sum, and the runs: one of the two ran again");
    Ok(())
}

async fn an_update_is_not_lost_to_a_single_operation(context: Context) -> Checked {
    let db = &counters(&context, &[Counter::new("x", 1)]).await?;
    let pause = &Pause::default();
    let transaction = db.write(|tx| async move {
        let x = value_in(&tx, "x").await?;
        pause.here().await;
        tx.put(&Counter::new("x", x * 10)).await
    });
    let other = async { Ok(db.put(&Counter::new("x", 7)).await?) };
    pause.meanwhile(transaction, other).await?;
    ensure_eq!((value(db, "x").await?, pause.runs()), (70, 2));
    Ok(())
}

/// A5B: each may go to zero only while the other has not.
async fn write_skew_over_two_records_is_refused(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("0", 1), Counter::new("1", 1)]).await?;
    let (_, runs) = race(&db, |tx, who, meeting| async move {
        let sum = value_in(&tx, "0").await? + value_in(&tx, "1").await?;
        meeting.here().await;
        if sum == 2 { tx.put(&Counter::new(["0", "1"][who], 0)).await } else { Ok(()) }
    })
    .await?;
    let left = value(&db, "0").await? + value(&db, "1").await?;
    ensure_eq!((left, runs), (1, 3), "what is left, and the runs");
    Ok(())
}

async fn write_skew_over_an_index_is_refused(context: Context) -> Checked {
    let on_call = ["0", "1", "2"].map(|name| Counter::new(name, 1).within("on call"));
    let db = counters(&context, &on_call[..2]).await?;
    let (_, runs) = race(&db, |tx, who, meeting| async move {
        let others = tx.query(Counter::GROUP).equal("on call").page().await?.records.len();
        meeting.here().await;
        // Leaves only while somebody else stays.
        if others > 1 { tx.put(&Counter::new(["0", "1"][who], 1).within("at home")).await } else { Ok(()) }
    })
    .await?;
    ensure_eq!((db.query(Counter::GROUP).equal("on call").count().await?, runs), (1, 3));
    Ok(())
}

/// Each joins only a group that is not full, and is alone in what it writes.
async fn write_skew_through_a_count_is_refused(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("a", 1).within("full at two")]).await?;
    let (_, runs) = race(&db, |tx, who, meeting| async move {
        let count = tx.query(Counter::GROUP).equal("full at two").count().await?;
        meeting.here().await;
        let mine = Counter::new(["0", "1"][who], 2 + who as i64).within("full at two");
        if count < 2 { tx.insert(&mine).await } else { Ok(()) }
    })
    .await?;
    ensure_eq!((db.query(Counter::GROUP).equal("full at two").count().await?, runs), (2, 3));
    Ok(())
}

async fn write_skew_through_an_absent_record_is_refused(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    let (_, runs) = race(&db, |tx, who, meeting| async move {
        let other = tx.get(&Counter::key(["1", "0"][who])).await?;
        meeting.here().await;
        if other.is_none() { tx.insert(&Counter::new(["0", "1"][who], 1)).await } else { Ok(()) }
    })
    .await?;
    ensure_eq!((db.count::<Counter>().await?, runs), (1, 3));
    Ok(())
}

async fn blind_writes_of_different_records_do_not_conflict(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("x", 1), Counter::new("y", 1)]).await?;
    let (_, runs) = race(&db, |tx, who, meeting| async move {
        let name = ["x", "y"][who];
        let value = value_in(&tx, name).await?;
        meeting.here().await;
        tx.put(&Counter::new(name, value + 1).within(name)).await
    })
    .await?;
    ensure_eq!((value(&db, "x").await?, value(&db, "y").await?, runs), (2, 2, 2), "nobody ran again");
    put_all(&db, &[Counter::new("z", 1)]).await
}
