//! The same at the waist: what guards refuse, and what they let pass.

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Revision, Store, StoredKey, Write};

use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Isolation;
    of_two_batches_that_read_one_row_one_wins,
    of_two_batches_that_each_read_what_the_other_writes_one_wins,
    of_two_batches_that_read_one_range_one_wins,
    of_two_batches_that_found_a_key_absent_one_wins,
    a_row_that_came_back_with_the_same_value_is_another,
    members_of_a_group_get_each_their_own_outcome,
    a_write_after_a_concurrent_drop_range_is_refused,
    a_drop_range_after_a_concurrent_write_is_refused,
    a_batch_on_an_old_snapshot_is_refused_where_it_read_what_changed,
}

fn key(name: &str) -> StoredKey {
    StoredKey::from(name.as_bytes().to_vec())
}

fn batch(guards: Vec<Guard>, writes: &[(&str, &str)]) -> Batch {
    let put = |(name, value): &(&str, &str)| (key(name), Write::Put(value.as_bytes().to_vec().into()));
    Batch { guards, writes: writes.iter().map(put).collect(), ..Batch::default() }
}

async fn commit(store: &dyn Store, batch: Batch) -> Checked<Outcome> {
    let mut outcomes = store.commit(vec![batch]).await?;
    ensure_eq!(outcomes.len(), 1, "outcomes of one batch");
    outcomes.pop().ok_or_else(|| Failure::new("no outcome"))
}

async fn committed(store: &dyn Store, batch: Batch) -> Checked<Revision> {
    let outcome = commit(store, batch).await?;
    outcome.revision().ok_or_else(|| Failure::new(format!("{outcome:?} instead of a commit")))
}

/// The row as it is now, to be guarded.
async fn read(store: &dyn Store, name: &str) -> Checked<Guard> {
    let key = key(name);
    let row = store.get(std::slice::from_ref(&key)).await?.rows.pop().flatten();
    Ok(Guard::Key { key, revision: row.map(|row| row.revision) })
}

/// The range as it is now, to be guarded.
async fn read_all(store: &dyn Store, prefix: &str) -> Checked<Guard> {
    let range = KeyRange::prefix(prefix.as_bytes());
    let found = store.summarize(&range).await?;
    Ok(Guard::Range { range, as_of: found.as_of, rows: found.rows })
}

/// Of two batches that were decided on the same state the first is committed and the second refused, one after the other,
/// in one group, and in the other order.
async fn one_wins(context: &Context, decide: impl AsyncFn(&dyn Store, usize) -> Checked<Batch>) -> Checked {
    for (together, first) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let store = context.open().await?.store;
        committed(&*store, batch(vec![], &[("x", "1"), ("y", "1"), ("r1", "1")])).await?;
        let batches = [decide(&*store, 0).await?, decide(&*store, 1).await?];
        let batches = [batches[first].clone(), batches[1 - first].clone()];
        let outcomes = if together {
            store.commit(batches.to_vec()).await?
        } else {
            let [first, second] = batches;
            vec![commit(&*store, first).await?, commit(&*store, second).await?]
        };
        ensure!(
            matches!(outcomes[..], [Outcome::Committed(_), Outcome::Conflict { guard: 0 }]),
            "{outcomes:?}, together: {together}"
        );
        store.close().await?;
    }
    Ok(())
}

async fn of_two_batches_that_read_one_row_one_wins(context: Context) -> Checked {
    one_wins(&context, async |store, who| Ok(batch(vec![read(store, "x").await?], &[("x", ["a", "b"][who])]))).await
}

async fn of_two_batches_that_each_read_what_the_other_writes_one_wins(context: Context) -> Checked {
    one_wins(&context, async |store, who| {
        Ok(batch(vec![read(store, ["y", "x"][who]).await?], &[(["x", "y"][who], "2")]))
    })
    .await
}

async fn of_two_batches_that_read_one_range_one_wins(context: Context) -> Checked {
    one_wins(&context, async |store, who| Ok(batch(vec![read_all(store, "r").await?], &[(["r2", "r3"][who], "2")])))
        .await
}

async fn of_two_batches_that_found_a_key_absent_one_wins(context: Context) -> Checked {
    one_wins(&context, async |store, who| Ok(batch(vec![read(store, "new").await?], &[("new", ["a", "b"][who])]))).await
}

async fn a_row_that_came_back_with_the_same_value_is_another(context: Context) -> Checked {
    let store = context.open().await?.store;
    committed(&*store, batch(vec![], &[("x", "1")])).await?;
    let (row, range) = (read(&*store, "x").await?, read_all(&*store, "x").await?);
    let gone = Batch { writes: [(key("x"), Write::Delete)].into(), ..Batch::default() };
    committed(&*store, gone).await?;
    committed(&*store, batch(vec![], &[("x", "1")])).await?;
    for guard in [row, range] {
        let outcome = commit(&*store, batch(vec![guard.clone()], &[("y", "1")])).await?;
        ensure!(matches!(outcome, Outcome::Conflict { guard: 0 }), "{outcome:?} under {guard:?}");
    }
    Ok(())
}

async fn members_of_a_group_get_each_their_own_outcome(context: Context) -> Checked {
    let store = context.open().await?.store;
    committed(&*store, batch(vec![], &[("x", "1")])).await?;
    let (x, absent) = (read(&*store, "x").await?, read(&*store, "new").await?);
    let limits = store.info().limits;
    let mut too_many = batch(vec![absent.clone(); limits.batch_guards_max + 1], &[("bad", "1")]);
    too_many.writes.insert(key("worse"), Write::Delete);
    let outcomes = store
        .commit(vec![
            batch(vec![x.clone()], &[("x", "2")]),
            batch(vec![absent.clone(), x], &[("lost", "1")]),
            too_many,
            batch(vec![absent], &[("new", "1")]),
            batch(vec![], &[("last", "1")]),
        ])
        .await?;
    match &outcomes[..] {
        [
            Outcome::Committed(first),
            Outcome::Conflict { guard: 1 },
            Outcome::Rejected(error),
            Outcome::Committed(second),
            Outcome::Committed(third),
        ] => {
            ensure!(first < second && second < third, "{outcomes:?}");
            ensure!(matches!(error.kind(), ErrorKind::Limit(_)), "{error:?}");
        }
        _ => return Err(Failure::new(format!("{outcomes:?}"))),
    }
    let rows = store.get(&["x", "lost", "bad", "new", "last"].map(key)).await?.rows;
    let there: Vec<bool> = rows.iter().map(Option::is_some).collect();
    ensure_eq!(there, [true, false, false, true, true], "rows");
    Ok(())
}

async fn a_write_after_a_concurrent_drop_range_is_refused(context: Context) -> Checked {
    let store = context.open().await?.store;
    committed(&*store, batch(vec![], &[("r1", "1"), ("r2", "1"), ("x", "1")])).await?;
    let (row, range) = (read(&*store, "r1").await?, read_all(&*store, "r").await?);
    let dropped = store.drop_range(&KeyRange::prefix(b"r"), &[]).await?;
    ensure!(dropped.revision().is_some(), "{dropped:?}");
    for guard in [row, range] {
        let outcome = commit(&*store, batch(vec![guard.clone()], &[("r1", "2")])).await?;
        ensure!(matches!(outcome, Outcome::Conflict { guard: 0 }), "{outcome:?} under {guard:?}");
    }
    // Who has read what is there now may write.
    let now = vec![read(&*store, "r1").await?, read_all(&*store, "r").await?];
    let revision = committed(&*store, batch(now, &[("r1", "3")])).await?;
    ensure!(Some(revision) > dropped.revision(), "{revision} after {dropped:?}");
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 2);
    Ok(())
}

async fn a_drop_range_after_a_concurrent_write_is_refused(context: Context) -> Checked {
    let store = context.open().await?.store;
    committed(&*store, batch(vec![], &[("r1", "1"), ("x", "1")])).await?;
    let guards = [read(&*store, "r1").await?, read(&*store, "x").await?];
    committed(&*store, batch(vec![], &[("x", "2")])).await?;
    let outcome = store.drop_range(&KeyRange::prefix(b"r"), &guards).await?;
    ensure!(matches!(outcome, Outcome::Conflict { guard: 1 }), "{outcome:?}");
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 2, "rows, none of which went");
    Ok(())
}

async fn a_batch_on_an_old_snapshot_is_refused_where_it_read_what_changed(context: Context) -> Checked {
    let store = context.open().await?.store;
    committed(&*store, batch(vec![], &[("a", "1"), ("b", "1")])).await?;
    let snapshot = store.snapshot().await?;
    // Far more commits than anybody would remember one by one.
    for _ in 0..30 {
        let outcomes = store.commit(vec![batch(vec![], &[("b", "2")]); 50]).await?;
        ensure!(outcomes.iter().all(|outcome| outcome.revision().is_some()), "{outcomes:?}");
    }
    for (name, expected) in [("a", true), ("b", false), ("c", true)] {
        let row = snapshot.get(&[key(name)]).await?.rows.pop().flatten();
        let range = KeyRange::prefix(name.as_bytes());
        let found = snapshot.summarize(&range).await?;
        let guards = [
            Guard::Key { key: key(name), revision: row.map(|row| row.revision) },
            Guard::Range { range, as_of: found.as_of, rows: found.rows },
        ];
        for guard in guards {
            let outcome = commit(&*store, batch(vec![guard.clone()], &[])).await?;
            ensure_eq!(outcome.revision().is_some(), expected, "{outcome:?} under {guard:?} of '{name}'");
        }
    }
    Ok(())
}
