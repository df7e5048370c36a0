//! Views that do not move.

use strongroom_core::store::{Batch, Revision, Store, StoredKey, Write};

use super::support::{Counter, Note, counters, ensure_sound, over, put_all, value};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Isolation;
    a_snapshot_sees_what_was_before_it_and_nothing_after,
    a_snapshot_is_stable_under_a_thousand_commits,
    snapshots_of_different_times_see_each_their_own,
    a_dropped_range_stays_in_older_snapshots,
    a_stream_is_of_one_view,
}

async fn a_snapshot_sees_what_was_before_it_and_nothing_after(context: Context) -> Checked {
    let db = counters(&context, &[Counter::new("x", 1)]).await?;
    let before = db.snapshot().await?;
    put_all(&db, &[Counter::new("x", 2), Counter::new("y", 2)]).await?;
    let after = db.snapshot().await?;
    ensure!(before.revision() < after.revision(), "{} and then {}", before.revision(), after.revision());
    let x = |counter: Option<Counter>| counter.map(|counter| counter.value);
    ensure_eq!(x(before.get(&Counter::key("x")).await?), Some(1));
    ensure_eq!(x(before.get(&Counter::key("y")).await?), None);
    ensure_eq!(before.query(Counter::GROUP).equal("all").count().await?, 1);
    ensure_eq!(x(after.get(&Counter::key("x")).await?), Some(2));
    ensure_eq!(after.query(Counter::GROUP).equal("all").count().await?, 2);
    Ok(())
}

async fn a_snapshot_is_stable_under_a_thousand_commits(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &site.store;
    let key = |at: u32| StoredKey::from(format!("key {:02}", at % 50).into_bytes());
    // One batch a revision, a hundred at a time.
    let hundred = |round: u32| {
        let batch = |at: u32| {
            let write = if at.is_multiple_of(7) {
                Write::Delete
            } else {
                Write::Put(format!("{round} {at}").into_bytes().into())
            };
            Batch { writes: [(key(at * 13), write)].into(), ..Batch::default() }
        };
        (0..100).map(batch).collect::<Vec<_>>()
    };
    store.commit(hundred(0)).await?;
    let snapshot = store.snapshot().await?;
    let keys: Vec<StoredKey> = (0..50).map(key).collect();
    let before = snapshot.get(&keys).await?;
    for round in 1..=10 {
        let outcomes = store.commit(hundred(round)).await?;
        ensure!(outcomes.iter().all(|outcome| outcome.revision() > Some(snapshot.revision())), "{outcomes:?}");
        ensure_eq!(snapshot.get(&keys).await?, before, "the snapshot after {round} hundred commits");
    }
    ensure!(store.get(&keys).await? != before, "the store itself has moved");
    Ok(())
}

async fn snapshots_of_different_times_see_each_their_own(context: Context) -> Checked {
    let db = counters(&context, &[]).await?;
    let mut snapshots = Vec::new();
    for round in 0..12_i64 {
        put_all(&db, &[Counter::new("x", round), Counter::new(&format!("of {round}"), round)]).await?;
        snapshots.push(db.snapshot().await?);
    }
    let revisions: Vec<Revision> = snapshots.iter().map(|snapshot| snapshot.revision()).collect();
    ensure!(revisions.windows(2).all(|pair| pair[0] < pair[1]), "{revisions:?}");
    // The newest first, and some of them gone before the others are read.
    for (round, snapshot) in snapshots.into_iter().enumerate().rev().step_by(2) {
        let x = snapshot.get(&Counter::key("x")).await?.map(|counter| counter.value);
        ensure_eq!((x, snapshot.count::<Counter>().await?), (Some(round as i64), round as u64 + 2));
    }
    Ok(())
}

async fn a_dropped_range_stays_in_older_snapshots(context: Context) -> Checked {
    let site = context.open().await?;
    let (store, range) = (&site.store, strongroom_core::store::KeyRange::prefix(b"a"));
    let write = |key: &str| (StoredKey::from(key.as_bytes().to_vec()), Write::Put("value".into()));
    let writes = ["a1", "a2", "b"].map(write).into();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
    let snapshot = store.snapshot().await?;
    let before = snapshot.summarize(&range).await?;
    store.drop_range(&range, &[]).await?;
    ensure_eq!(snapshot.summarize(&range).await?, before, "in the snapshot");
    ensure_eq!((before.rows, store.summarize(&range).await?.rows), (2, 0), "before and after");
    Ok(())
}

/// What is written while a stream is consumed is neither missed nor met twice.
async fn a_stream_is_of_one_view(context: Context) -> Checked {
    use futures_util::{StreamExt, pin_mut};

    let site = context.open().await?;
    let db = over(&site.store).await?;
    db.write(|tx| async move {
        for at in 0..600 {
            tx.insert(&Counter::new(&format!("{at:04}"), at)).await?;
        }
        Ok(())
    })
    .await?;
    let stream = db.query(Counter::GROUP).equal("all").stream();
    pin_mut!(stream);
    let mut met = Vec::new();
    while let Some(counter) = stream.next().await {
        met.push(counter?.value);
        if met.len() == 10 {
            // Behind what was met, before it, and gone.
            put_all(&db, &[Counter::new("0000", 599), Counter::new("0599", 0), Counter::new("new", 300)]).await?;
            db.delete(&Counter::key("0400")).await?;
        }
    }
    ensure_eq!(met, (0..600).collect::<Vec<i64>>());
    ensure_eq!((value(&db, "0000").await?, db.count::<Note>().await?), (599, 0));
    ensure_sound(&db).await
}
