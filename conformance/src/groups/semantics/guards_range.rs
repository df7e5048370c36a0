//! Guards over ranges.

use std::ops::Bound::{Excluded, Included, Unbounded};

use strongroom_core::store::{Batch, Guard, KeyRange, Revision, Store, Write};

use super::inputs::Span;
use super::model::{range, small_keys, small_ranges};
use super::support::{
    batch, broken_guard, check, commit, commit_all, committed, conflict, current, fill, join, link, log, put,
    range_guard,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_range_guard_holds_while_nothing_changes,
    a_range_guard_fails_when_a_row_came,
    a_range_guard_fails_when_a_row_changed,
    a_range_guard_fails_when_a_row_went,
    a_range_guard_fails_when_one_came_and_another_went,
    a_range_guard_fails_when_a_row_went_and_came_again,
    a_range_guard_holds_when_a_row_came_and_went_again,
    a_range_guard_fails_when_a_stamped_row_came,
    a_range_guard_fails_when_a_link_came,
    a_range_guard_holds_whatever_changes_beside_its_range,
    a_range_guard_minds_every_combination_of_bounds,
    a_range_guard_over_nothing_keeps_rows_away,
    a_range_guard_as_of_zero_holds_where_there_are_no_rows,
    a_range_guard_over_an_empty_or_inverted_range_always_holds,
    a_range_guard_newer_than_the_store_counts_its_rows,
    a_range_guard_that_is_newer_than_its_read_hides_no_other_count,
    a_range_guard_from_an_older_revision_than_its_rows_fails,
    a_range_guard_sees_the_batches_before_it,
    a_range_guard_fails_after_drop_range,
    a_range_guard_far_back_is_still_exact,
    of_two_that_guard_the_same_range_one_wins,
}

/// A store with rows `a`, `b1`, `b2`, `b3`, `c`, and a guard over those that begin with `b`.
async fn guarded(store: &dyn Store) -> Checked<Guard> {
    fill(store, &["a", "b1", "b2", "b3", "c"]).await?;
    guard_now(store, KeyRange::prefix(b"b")).await
}

/// A guard that holds now.
async fn guard_now(store: &dyn Store, range: KeyRange) -> Checked<Guard> {
    let summary = store.summarize(&range).await?;
    Ok(range_guard(range, summary.as_of, summary.rows))
}

/// Whether the guard still holds after these batches, one after another.
async fn holds_after<const N: usize>(context: &Context, batches: [Batch; N]) -> Checked<bool> {
    let site = context.open().await?;
    let guard = guarded(&*site.store).await?;
    ensure_eq!(broken_guard(&*site.store, [guard.clone()]).await?, None, "before anything happened");
    for batch in batches {
        commit(&*site.store, batch).await?;
    }
    Ok(broken_guard(&*site.store, [guard]).await?.is_none())
}

async fn a_range_guard_holds_while_nothing_changes(context: Context) -> Checked {
    ensure!(holds_after(&context, []).await?);
    ensure!(holds_after(&context, [Batch::default(), Batch::default()]).await?);
    Ok(())
}

async fn a_range_guard_fails_when_a_row_came(context: Context) -> Checked {
    for name in ["b", "b0", "b11", "b4", "b\u{7F}"] {
        ensure!(!holds_after(&context, [batch([(name, put(""))])]).await?, "{name} came");
    }
    Ok(())
}

async fn a_range_guard_fails_when_a_row_changed(context: Context) -> Checked {
    for name in ["b1", "b2", "b3"] {
        ensure!(!holds_after(&context, [batch([(name, put(name))])]).await?, "{name} was written again");
    }
    Ok(())
}

async fn a_range_guard_fails_when_a_row_went(context: Context) -> Checked {
    for name in ["b1", "b2", "b3"] {
        ensure!(!holds_after(&context, [batch([(name, Write::Delete)])]).await?, "{name} went");
    }
    Ok(())
}

async fn a_range_guard_fails_when_one_came_and_another_went(context: Context) -> Checked {
    ensure!(!holds_after(&context, [batch([("b1", Write::Delete), ("b4", put(""))])]).await?, "in one batch");
    let apart = [batch([("b1", Write::Delete)]), batch([("b4", put(""))])];
    ensure!(!holds_after(&context, apart).await?, "in two");
    Ok(())
}

async fn a_range_guard_fails_when_a_row_went_and_came_again(context: Context) -> Checked {
    let steps = [batch([("b2", Write::Delete)]), batch([("b2", put("b2"))])];
    ensure!(!holds_after(&context, steps).await?);
    Ok(())
}

async fn a_range_guard_holds_when_a_row_came_and_went_again(context: Context) -> Checked {
    let steps = [batch([("b4", put(""))]), batch([("b4", Write::Delete)])];
    ensure!(holds_after(&context, steps).await?, "it has as many rows, and none is newer");
    ensure!(holds_after(&context, [batch([("b4", Write::Delete)])]).await?, "nothing was deleted");
    Ok(())
}

async fn a_range_guard_fails_when_a_stamped_row_came(context: Context) -> Checked {
    ensure!(!holds_after(&context, [log([("b", "stamped")])]).await?);
    ensure!(holds_after(&context, [log([("c", "stamped")])]).await?);
    Ok(())
}

async fn a_range_guard_fails_when_a_link_came(context: Context) -> Checked {
    ensure!(!holds_after(&context, [batch([("b4", link("b1"))])]).await?);
    ensure!(holds_after(&context, [batch([("d", link("b1"))])]).await?, "a link into the range changes nothing there");
    Ok(())
}

async fn a_range_guard_holds_whatever_changes_beside_its_range(context: Context) -> Checked {
    let beside = [("", put("")), ("a", put("new")), ("a\u{7F}", put("")), ("c", Write::Delete), ("d", put(""))];
    ensure!(holds_after(&context, [batch(beside)]).await?);
    Ok(())
}

async fn a_range_guard_minds_every_combination_of_bounds(context: Context) -> Checked {
    let site = context.open().await?;
    let some = small_keys().into_iter().step_by(2);
    let mut as_of = commit(&*site.store, batch(some.map(|name| (name, put(""))))).await?;
    let ranges = small_ranges();
    for written in small_keys() {
        let mut guards = Vec::new();
        for range in &ranges {
            guards.push(range_guard(range.clone(), as_of, site.store.summarize(range).await?.rows));
        }
        as_of = commit(&*site.store, batch([(&written, put("new"))])).await?;
        let checks = guards.into_iter().map(|guard| check([guard])).collect();
        for (range, outcome) in ranges.iter().zip(site.store.commit(checks).await?) {
            let touched = range.holds(written.as_bytes());
            ensure_eq!(
                outcome.revision().is_none(),
                touched,
                "a conflict over {:?} after a write of {:?}",
                Span(range.clone()),
                written.as_bytes()
            );
        }
    }
    Ok(())
}

async fn a_range_guard_over_nothing_keeps_rows_away(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "c"]).await?;
    let guard = guard_now(&*site.store, KeyRange::prefix(b"b")).await?;
    let claim = |name: &str| Batch { guards: vec![guard.clone()], ..batch([(name, put(""))]) };
    let [first, second] = commit_all(&*site.store, [claim("b1"), claim("b2")]).await?;
    committed(&first)?;
    ensure_eq!(conflict(&second)?, 0);
    ensure_eq!(site.store.summarize(&KeyRange::prefix(b"b")).await?.rows, 1);
    Ok(())
}

async fn a_range_guard_as_of_zero_holds_where_there_are_no_rows(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "c"]).await?;
    let zero = |prefix: &[u8]| range_guard(KeyRange::prefix(prefix), Revision::ZERO, 0);
    ensure_eq!(broken_guard(&*site.store, [zero(b"b"), zero(b"d")]).await?, None);
    for prefix in [&b"a"[..], b"c", b""] {
        ensure_eq!(broken_guard(&*site.store, [zero(prefix)]).await?, Some(0), "{prefix:?}");
    }
    Ok(())
}

async fn a_range_guard_over_an_empty_or_inverted_range_always_holds(context: Context) -> Checked {
    let site = context.open().await?;
    let empty = [
        range(Included("b"), Excluded("b")),
        range(Excluded("a"), Excluded("a\0")),
        range(Included("c"), Included("a")),
        range(Unbounded, Excluded("")),
    ];
    let old = current(&*site.store).await?;
    for name in ["", "a", "a\0", "b", "c"] {
        commit(&*site.store, batch([(name, put(""))])).await?;
        for range in &empty {
            let guards = [range_guard(range.clone(), old, 0), range_guard(range.clone(), Revision::ZERO, 0)];
            ensure_eq!(broken_guard(&*site.store, guards).await?, None, "{:?}", Span(range.clone()));
        }
    }
    Ok(())
}

async fn a_range_guard_newer_than_the_store_counts_its_rows(context: Context) -> Checked {
    let site = context.open().await?;
    guarded(&*site.store).await?;
    for future in [Revision(current(&*site.store).await?.0 + 1_000_000), Revision(u64::MAX)] {
        let guard = |rows| range_guard(KeyRange::prefix(b"b"), future, rows);
        ensure_eq!(broken_guard(&*site.store, [guard(3)]).await?, None, "as it is");
        for wrong in [0, 2, 4, u64::from(u32::MAX)].map(|rows: u64| rows.min(site.settings.limits.guard_rows_max)) {
            ensure_eq!(broken_guard(&*site.store, [guard(wrong)]).await?, Some(0), "{wrong} rows");
        }
    }
    Ok(())
}

async fn a_range_guard_that_is_newer_than_its_read_hides_no_other_count(context: Context) -> Checked {
    let site = context.open().await?;
    guarded(&*site.store).await?;
    let between = commit(&*site.store, batch([("z", put(""))])).await?;
    commit(&*site.store, batch([("b2", Write::Delete)])).await?;
    let guard = |rows| range_guard(KeyRange::prefix(b"b"), between, rows);
    ensure_eq!(broken_guard(&*site.store, [guard(3)]).await?, Some(0), "one went since");
    commit(&*site.store, batch([("b4", put(""))])).await?;
    ensure_eq!(broken_guard(&*site.store, [guard(3)]).await?, Some(0), "as many, but one is newer");
    Ok(())
}

async fn a_range_guard_from_an_older_revision_than_its_rows_fails(context: Context) -> Checked {
    let site = context.open().await?;
    let before = commit(&*site.store, batch([("z", put(""))])).await?;
    let written = commit(&*site.store, batch([("b1", put("")), ("b2", put(""))])).await?;
    let guard = |as_of| range_guard(KeyRange::prefix(b"b"), as_of, 2);
    for older in [Revision::ZERO, before, Revision(written.0 - 1)] {
        ensure_eq!(broken_guard(&*site.store, [guard(older)]).await?, Some(0), "as of {older}, written at {written}");
    }
    ensure_eq!(broken_guard(&*site.store, [guard(written)]).await?, None);
    Ok(())
}

async fn a_range_guard_sees_the_batches_before_it(context: Context) -> Checked {
    let site = context.open().await?;
    let guard = guarded(&*site.store).await?;
    let claim = |name: &str| Batch { guards: vec![guard.clone()], ..batch([(name, put(""))]) };
    let outcomes = commit_all(&*site.store, [claim("x"), claim("b4"), claim("b5"), claim("y")]).await?;
    committed(&outcomes[0])?;
    committed(&outcomes[1])?;
    ensure_eq!((conflict(&outcomes[2])?, conflict(&outcomes[3])?), (0, 0));
    Ok(())
}

async fn a_range_guard_fails_after_drop_range(context: Context) -> Checked {
    let site = context.open().await?;
    let b = guarded(&*site.store).await?;
    let (all, c) =
        (guard_now(&*site.store, KeyRange::ALL).await?, guard_now(&*site.store, KeyRange::prefix(b"c")).await?);
    site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?;
    ensure_eq!(broken_guard(&*site.store, [b.clone()]).await?, Some(0));
    ensure_eq!(broken_guard(&*site.store, [all]).await?, Some(0));
    ensure_eq!(broken_guard(&*site.store, [c]).await?, None, "a range beside it");
    // As many rows again, but newer.
    fill(&*site.store, &["b1", "b2", "b3"]).await?;
    ensure_eq!(broken_guard(&*site.store, [b]).await?, Some(0));
    Ok(())
}

async fn a_range_guard_far_back_is_still_exact(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let as_of = commit(store, batch([("a1", put("")), ("a2", put("")), ("b", put(""))])).await?;
    let guard = |rows| [range_guard(KeyRange::prefix(b"a"), as_of, rows)];
    let others = |count| (0..count).map(|number| batch([(format!("c{number}"), put(""))])).collect::<Vec<_>>();
    store.commit(others(2_500)).await?;
    ensure_eq!(broken_guard(store, guard(2)).await?, None, "untouched since, however long ago");
    store.commit([vec![batch([("a1", Write::Delete)])], others(1_500)].concat()).await?;
    ensure_eq!(broken_guard(store, guard(2)).await?, Some(0), "one went");
    ensure_eq!(broken_guard(store, guard(1)).await?, None, "it has one row, and none is newer");
    store.commit([vec![batch([("a1", put(""))])], others(1_500)].concat()).await?;
    ensure_eq!(broken_guard(store, guard(2)).await?, Some(0), "one came back, newer");
    ensure_eq!(broken_guard(store, guard(1)).await?, Some(0));
    Ok(())
}

async fn of_two_that_guard_the_same_range_one_wins(context: Context) -> Checked {
    let site = context.open().await?;
    for round in 0..10 {
        let guard = guard_now(&*site.store, KeyRange::ALL).await?;
        let tasks = ["one", "two", "three"].map(|who| {
            let name = format!("{round}{who}");
            let claim = Batch { guards: vec![guard.clone()], ..batch([(name, put(""))]) };
            let store = site.store.clone();
            tokio::spawn(async move { commit_all(&*store, [claim]).await })
        });
        let mut winners = 0;
        for task in tasks {
            let [outcome] = join(task).await?;
            match outcome.revision() {
                Some(_) => winners += 1,
                None => ensure_eq!(conflict(&outcome)?, 0),
            }
        }
        ensure_eq!(winners, 1, "winners of round {round}");
        ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, round + 1);
    }
    Ok(())
}
