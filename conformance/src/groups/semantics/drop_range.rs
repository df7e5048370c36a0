//! `drop_range`.

use std::ops::Bound;

use strongroom_core::store::{Guard, KeyRange, Limits, Outcome, Revision, Store};
use strongroom_core::{ErrorKind, Limit};

use super::support::{all_keys, batch, commit, conflict, guarded, key, key_guard, put, range_guard, row, value};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    drop_range_removes_its_range_and_nothing_else,
    drop_range_minds_its_bounds,
    drop_range_of_everything_leaves_nothing,
    drop_range_takes_a_revision_of_its_own,
    drop_range_of_nothing_takes_no_revision,
    drop_range_with_a_guard_that_fails_removes_nothing,
    drop_range_with_guards_that_hold_removes,
    drop_range_is_bound_by_the_limits_of_guards,
    drop_range_is_not_bound_by_the_limits_of_writes,
    a_guard_over_a_dropped_range_fails,
    a_key_guard_on_a_dropped_row_fails,
    a_dropped_range_can_be_filled_again,
    a_snapshot_keeps_what_was_dropped_later,
    drop_range_is_a_change,
}

async fn dropped(store: &dyn Store, range: &KeyRange, guards: &[Guard]) -> Checked<Revision> {
    match store.drop_range(range, guards).await? {
        Outcome::Committed(revision) => Ok(revision),
        other => Err(Failure::new(format!("not dropped: {other:?}"))),
    }
}

fn names(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

async fn drop_range_removes_its_range_and_nothing_else(context: Context) -> Checked {
    let store = context.open().await?.store;
    for front in ["a", "b", "c"] {
        commit(&*store, batch((0..2_500).map(|n| (format!("{front}{n}"), put("1"))))).await?;
    }
    dropped(&*store, &KeyRange::prefix(b"b"), &[]).await?;
    for (prefix, rows) in [("a", 2_500), ("b", 0), ("c", 2_500), ("", 5_000)] {
        ensure_eq!(store.summarize(&KeyRange::prefix(prefix.as_bytes())).await?.rows, rows, "{prefix}");
    }
    Ok(())
}

async fn drop_range_minds_its_bounds(context: Context) -> Checked {
    let at = |name: &str, included| if included { Bound::Included(key(name)) } else { Bound::Excluded(key(name)) };
    for (first, last) in [(true, true), (true, false), (false, true), (false, false)] {
        let store = context.open().await?.store;
        commit(&*store, batch(["a", "b", "c", "d", "e"].map(|name| (name, put(""))))).await?;
        dropped(&*store, &KeyRange { start: at("b", first), end: at("d", last) }, &[]).await?;
        let kept = ["a", "b", "c", "d", "e"].into_iter().filter(|name| match *name {
            "b" => !first,
            "c" => false,
            "d" => !last,
            _ => true,
        });
        ensure_eq!(all_keys(&*store).await?, names(&kept.collect::<Vec<_>>()));
    }
    Ok(())
}

async fn drop_range_of_everything_leaves_nothing(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch(["", "\0", "a", "\u{7f}"].map(|name| (name, put(""))))).await?;
    commit(&*store, batch([([0xFF; 4], put(""))])).await?;
    dropped(&*store, &KeyRange::ALL, &[]).await?;
    ensure!(all_keys(&*store).await?.is_empty());
    Ok(())
}

async fn drop_range_takes_a_revision_of_its_own(context: Context) -> Checked {
    let store = context.open().await?.store;
    let before = commit(&*store, batch([("a", put("")), ("b", put(""))])).await?;
    let dropped = dropped(&*store, &KeyRange::prefix(b"a"), &[]).await?;
    ensure!(dropped > before);
    ensure_eq!(store.get(&[]).await?.as_of, dropped);
    ensure!(commit(&*store, batch([("a", put(""))])).await? > dropped);
    Ok(())
}

async fn drop_range_of_nothing_takes_no_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let before = commit(&*store, batch([("a", put(""))])).await?;
    let inverted = KeyRange { start: Bound::Included(key("b")), end: Bound::Excluded(key("a")) };
    for range in [KeyRange::prefix(b"none"), inverted] {
        ensure_eq!(dropped(&*store, &range, &[]).await?, before);
    }
    ensure_eq!(store.get(&[]).await?.as_of, before);
    Ok(())
}

async fn drop_range_with_a_guard_that_fails_removes_nothing(context: Context) -> Checked {
    let store = context.open().await?.store;
    let read = commit(&*store, batch([("a", put("")), ("b", put(""))])).await?;
    let now = commit(&*store, batch([("b", put("2"))])).await?;
    let good = key_guard("a", Some(read));
    for failing in [key_guard("b", Some(read)), key_guard("a", None), range_guard(KeyRange::ALL, read, 2)] {
        let outcome = store.drop_range(&KeyRange::ALL, &[good.clone(), failing]).await?;
        ensure!(matches!(outcome, Outcome::Conflict { guard: 1 }), "{outcome:?}");
    }
    ensure_eq!(all_keys(&*store).await?, names(&["a", "b"]));
    ensure_eq!(store.get(&[]).await?.as_of, now);
    Ok(())
}

async fn drop_range_with_guards_that_hold_removes(context: Context) -> Checked {
    let store = context.open().await?.store;
    let read = commit(&*store, batch([("a", put("")), ("b", put(""))])).await?;
    let guards = [key_guard("a", Some(read)), key_guard("c", None), range_guard(KeyRange::ALL, read, 2)];
    dropped(&*store, &KeyRange::prefix(b"a"), &guards).await?;
    ensure_eq!(all_keys(&*store).await?, names(&["b"]));
    Ok(())
}

async fn drop_range_is_bound_by_the_limits_of_guards(context: Context) -> Checked {
    let limits = Limits { batch_guards_max: 3, guard_rows_max: 10, ..context.limits() };
    let store = context.open_with(limits).await?.store;
    let read = commit(&*store, batch([("a", put(""))])).await?;
    let many = vec![key_guard("a", Some(read)); 4];
    let outcome = store.drop_range(&KeyRange::ALL, &many).await?;
    let expected = ErrorKind::Limit(Limit::BatchGuards);
    ensure!(matches!(&outcome, Outcome::Rejected(error) if error.kind() == expected), "{outcome:?}");
    let outcome = store.drop_range(&KeyRange::ALL, &[range_guard(KeyRange::ALL, read, 11)]).await?;
    let expected = ErrorKind::Limit(Limit::GuardRows);
    ensure!(matches!(&outcome, Outcome::Rejected(error) if error.kind() == expected), "{outcome:?}");
    ensure_eq!(all_keys(&*store).await?.len(), 1);
    dropped(&*store, &KeyRange::ALL, &many[..3]).await?;
    Ok(())
}

async fn drop_range_is_not_bound_by_the_limits_of_writes(context: Context) -> Checked {
    let limits = Limits { batch_writes_max: 10, batch_bytes_max: 1_000, ..context.limits() };
    let store = context.open_with(limits).await?.store;
    let tens = (0..30).map(|ten| batch((0..10).map(|n| (format!("{ten:02}{n}"), put([0; 50])))));
    store.commit(tens.collect()).await?;
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 300);
    dropped(&*store, &KeyRange::ALL, &[]).await?;
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 0);
    Ok(())
}

async fn a_guard_over_a_dropped_range_fails(context: Context) -> Checked {
    let store = context.open().await?.store;
    let read = commit(&*store, batch([("a", put("")), ("b", put(""))])).await?;
    dropped(&*store, &KeyRange::prefix(b"a"), &[]).await?;
    for (prefix, rows, failing) in [("a", 1, true), ("", 2, true), ("b", 1, false)] {
        let guard = range_guard(KeyRange::prefix(prefix.as_bytes()), read, rows);
        let met = conflict(&*store, guarded([guard], batch([("x", put(""))]))).await?;
        ensure_eq!(met.is_some(), failing, "the range {prefix}");
    }
    Ok(())
}

async fn a_key_guard_on_a_dropped_row_fails(context: Context) -> Checked {
    let store = context.open().await?.store;
    let read = commit(&*store, batch([("a", put("")), ("b", put(""))])).await?;
    dropped(&*store, &KeyRange::prefix(b"a"), &[]).await?;
    let guards = [key_guard("b", Some(read)), key_guard("a", Some(read))];
    ensure_eq!(conflict(&*store, guarded(guards, batch([("b", put("2"))]))).await?, Some(1));
    ensure_eq!(conflict(&*store, guarded([key_guard("a", None)], batch([("b", put("2"))]))).await?, None);
    Ok(())
}

async fn a_dropped_range_can_be_filled_again(context: Context) -> Checked {
    let store = context.open().await?.store;
    for round in 0..5 {
        let revision = commit(&*store, batch((0..200).map(|n| (format!("a{n}"), put(round.to_string()))))).await?;
        ensure_eq!(row(&*store, "a7").await?, value(revision, round.to_string()));
        ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 200);
        dropped(&*store, &KeyRange::prefix(b"a"), &[]).await?;
        ensure_eq!(row(&*store, "a7").await?, None);
    }
    Ok(())
}

async fn a_snapshot_keeps_what_was_dropped_later(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch((0..300).map(|n| (format!("a{n}"), put("1"))))).await?;
    let snapshot = store.snapshot().await?;
    dropped(&*store, &KeyRange::ALL, &[]).await?;
    ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.rows, 300);
    ensure_eq!(all_keys(&*snapshot).await?.len(), 300);
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 0);
    Ok(())
}

async fn drop_range_is_a_change(context: Context) -> Checked {
    let store = context.open().await?.store;
    let before = commit(&*store, batch([("a", put(""))])).await?;
    let (changed, dropped) =
        futures_util::future::join(store.changed(before), dropped(&*store, &KeyRange::ALL, &[])).await;
    ensure_eq!(changed?, dropped?);
    Ok(())
}
