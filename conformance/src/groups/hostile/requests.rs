//! Requests with numbers that nobody means.

use std::ops::Bound;
use std::pin::pin;

use strongroom_core::store::{Batch, Guard, KeyRange, Revision, Scan};
use strongroom_core::{ErrorKind, Limit};

use crate::case::cases;
use crate::groups::semantics::support::{
    batch, broken_guard, commit, commit_all, everything, key, key_guard, poll_once, put, range_guard, rejected,
};
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Hostile;
    the_greatest_numbers_in_a_scan_are_taken,
    a_range_guard_of_the_future_goes_by_its_rows,
    a_key_guard_of_the_future_fails,
    guards_over_more_rows_than_there_can_be_are_rejected,
    changed_after_the_last_revision_never_resolves,
    ranges_of_enormous_keys_are_answered,
    ten_thousand_batches_in_one_call_are_answered,
    a_guard_on_every_kind_of_range_never_panics,
}

async fn the_greatest_numbers_in_a_scan_are_taken(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1")), ("b", put("2"))])).await?;
    for reverse in [false, true] {
        let limit = context.limits().page_entries_max;
        let scan = Scan { limit, max_bytes: usize::MAX, reverse, ..everything(&*store) };
        ensure_eq!(store.scan(&scan).await?.entries.len(), 2);
    }
    Ok(())
}

async fn a_range_guard_of_the_future_goes_by_its_rows(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1")), ("b", put("2"))])).await?;
    for as_of in [Revision(u64::MAX), Revision(i64::MAX as u64), Revision(i64::MAX as u64 + 1), Revision(1_000_000)] {
        for (rows, expected) in [(2, None), (1, Some(0)), (3, Some(0))] {
            let guard = range_guard(KeyRange::ALL, as_of, rows);
            ensure_eq!(broken_guard(&*store, [guard]).await?, expected, "{as_of}, {rows} rows");
        }
    }
    Ok(())
}

async fn a_key_guard_of_the_future_fails(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1"))])).await?;
    for revision in [u64::MAX, i64::MAX as u64, i64::MAX as u64 + 1, 1_000_000] {
        for name in ["a", "none"] {
            let guard = key_guard(name, Some(Revision(revision)));
            ensure_eq!(broken_guard(&*store, [guard]).await?, Some(0), "{revision}");
        }
    }
    Ok(())
}

async fn guards_over_more_rows_than_there_can_be_are_rejected(context: Context) -> Checked {
    let store = context.open().await?.store;
    let guards = vec![range_guard(KeyRange::ALL, Revision::ZERO, u64::MAX); 3];
    let [outcome] = commit_all(&*store, [Batch { guards: guards.clone(), ..batch([("a", put(""))]) }]).await?;
    rejected(&outcome, ErrorKind::Limit(Limit::GuardRows))?;
    let outcome = store.drop_range(&KeyRange::ALL, &guards).await?;
    rejected(&outcome, ErrorKind::Limit(Limit::GuardRows))
}

async fn changed_after_the_last_revision_never_resolves(context: Context) -> Checked {
    let store = context.open().await?.store;
    for after in [u64::MAX, i64::MAX as u64, i64::MAX as u64 + 1] {
        let mut waiting = pin!(store.changed(Revision(after)));
        ensure!(poll_once(&mut waiting).is_pending());
        commit(&*store, batch([("a", put(""))])).await?;
        ensure!(poll_once(&mut waiting).is_pending());
    }
    Ok(())
}

async fn ranges_of_enormous_keys_are_answered(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1")), ("b", put("2"))])).await?;
    let enormous = || key(vec![b'a'; 8 << 20]);
    let range = KeyRange { start: Bound::Included(enormous()), end: Bound::Unbounded };
    ensure_eq!(store.scan(&Scan { range: range.clone(), ..everything(&*store) }).await?.entries.len(), 1);
    ensure_eq!(store.summarize(&range).await?.rows, 1);
    ensure_eq!(store.get(&[enormous()]).await?.rows, vec![None]);
    ensure_eq!(broken_guard(&*store, [key_guard(vec![b'a'; 8 << 20], None)]).await?, None);
    Ok(())
}

async fn ten_thousand_batches_in_one_call_are_answered(context: Context) -> Checked {
    let store = context.open().await?.store;
    let batches = (0..10_000).map(|n| match n % 3 {
        0 => batch([(format!("{:03}", n % 500), put(n.to_string()))]),
        1 => Batch { guards: vec![key_guard("none", Some(Revision(1)))], ..batch([("x", put(""))]) },
        _ => Batch::default(),
    });
    let outcomes = store.commit(batches.collect()).await?;
    ensure_eq!(outcomes.len(), 10_000);
    for (n, outcome) in outcomes.iter().enumerate() {
        ensure_eq!(outcome.revision().is_some(), n % 3 != 1, "batch {n}: {outcome:?}");
    }
    Ok(())
}

async fn a_guard_on_every_kind_of_range_never_panics(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1"))])).await?;
    commit(&*store, batch([("b", put("2"))])).await?;
    let at = |name: &str| [Bound::Unbounded, Bound::Included(key(name)), Bound::Excluded(key(name))];
    for (start, end) in [("a", "b"), ("b", "a"), ("a", "a"), ("", ""), ("a", "a\0"), ("zz", "zz")] {
        for start in at(start) {
            for end in at(end) {
                let range = KeyRange { start: start.clone(), end: end.clone() };
                let rows = store.summarize(&range).await?.rows;
                let guards = [Revision(1), Revision(2), Revision(9)].map(|as_of| Guard::Range {
                    range: range.clone(),
                    as_of,
                    rows,
                });
                // Of the last it is known what it says: nothing is that new.
                ensure_eq!(broken_guard(&*store, guards[2..].to_vec()).await?, None);
                broken_guard(&*store, guards).await?;
            }
        }
    }
    Ok(())
}
