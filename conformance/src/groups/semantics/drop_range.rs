//! `drop_range`.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};

use proptest::collection::vec;
use strongroom_core::store::{Content, Guard, KeyRange, Limits, Revision};
use strongroom_core::{ErrorKind, Limit};

use super::inputs::{Span, names, spans};
use super::model::range;
use super::random::on_random;
use super::support::{
    batch, broken_guard, commit, committed, conflict, current, everything, fill, key, key_guard, keys, link, log, put,
    range_guard, read, rejected, row, soon, value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    drop_range_removes_every_row_of_the_range,
    drop_range_leaves_the_neighbours_at_every_kind_of_bound,
    drop_range_of_everything_leaves_nothing,
    drop_range_of_a_prefix_of_the_greatest_bytes_removes_its_rows_alone,
    drop_range_of_many_rows_is_not_bound_by_the_limits_of_a_batch,
    drop_range_removes_links_and_not_their_targets,
    drop_range_has_a_revision_of_its_own,
    drop_range_of_nothing_has_the_current_revision,
    drop_range_of_an_empty_or_inverted_range_does_nothing,
    drop_range_happens_where_its_guards_hold,
    drop_range_does_nothing_where_a_guard_fails,
    drop_range_names_the_first_guard_that_fails,
    drop_range_checks_its_guards_also_over_nothing,
    drop_range_past_the_limits_of_guards_is_rejected,
    a_dropped_range_can_be_filled_again,
    a_dropped_range_stays_in_older_snapshots,
    rows_beside_a_dropped_range_keep_their_revision,
    drop_range_wakes_those_who_wait_for_a_change,
    random_ranges_are_dropped_like_from_a_btreemap random true,
}

async fn drop_range_removes_every_row_of_the_range(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b", "b1", "b2", "b9", "c"]).await?;
    committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?)?;
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), [b"a", b"c"]);
    ensure_eq!(read(&*site.store, "b1").await?, None);
    ensure_eq!(site.store.summarize(&KeyRange::prefix(b"b")).await?.rows, 0);
    ensure_eq!(broken_guard(&*site.store, [key_guard("b9", None)]).await?, None);
    Ok(())
}

async fn drop_range_leaves_the_neighbours_at_every_kind_of_bound(context: Context) -> Checked {
    let site = context.open().await?;
    let all = ["", "a", "a\0", "b", "c", "d", "d\0"];
    let tried = [
        (range(Included("a"), Included("d")), vec!["", "d\0"]),
        (range(Included("a"), Excluded("d")), vec!["", "d", "d\0"]),
        (range(Excluded("a"), Included("d")), vec!["", "a", "d\0"]),
        (range(Excluded("a"), Excluded("d")), vec!["", "a", "d", "d\0"]),
        (range(Unbounded, Excluded("b")), vec!["b", "c", "d", "d\0"]),
        (range(Unbounded, Included("b")), vec!["c", "d", "d\0"]),
        (range(Excluded("b"), Unbounded), vec!["", "a", "a\0", "b"]),
        (range(Included("b"), Unbounded), vec!["", "a", "a\0"]),
        (range(Included("b"), Included("b")), vec!["", "a", "a\0", "c", "d", "d\0"]),
    ];
    for (range, wanted) in tried {
        fill(&*site.store, &all).await?;
        committed(&site.store.drop_range(&range, &[]).await?)?;
        let left = site.store.scan(&everything(&*site.store)).await?;
        let wanted: Vec<_> = wanted.into_iter().map(str::as_bytes).collect();
        ensure_eq!(keys(&left), wanted, "left after {:?}", Span(range));
    }
    Ok(())
}

async fn drop_range_of_everything_leaves_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let names: [&[u8]; 5] = [b"", b"\0", b"a", b"\xFF", b"\xFF\xFF"];
    fill(&*site.store, &names).await?;
    commit(&*site.store, log([("log", "1")])).await?;
    let dropped = committed(&site.store.drop_range(&KeyRange::ALL, &[]).await?)?;
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure!(page.entries.is_empty() && page.as_of == dropped, "{page:?}");
    ensure_eq!(site.store.get(&names.map(key)).await?.rows, [const { None }; 5]);
    Ok(())
}

async fn drop_range_of_a_prefix_of_the_greatest_bytes_removes_its_rows_alone(context: Context) -> Checked {
    let site = context.open().await?;
    let names: [&[u8]; 7] = [b"a", b"a\xFF", b"a\xFF\xFF", b"b", b"\xFE", b"\xFF", b"\xFF\xFFz"];
    for prefix in [&b"a\xFF"[..], b"\xFF", b"\xFF\xFF"] {
        fill(&*site.store, &names).await?;
        committed(&site.store.drop_range(&KeyRange::prefix(prefix), &[]).await?)?;
        let left: Vec<_> = names.into_iter().filter(|name| !name.starts_with(prefix)).collect();
        ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), left, "without {prefix:?}");
    }
    Ok(())
}

async fn drop_range_of_many_rows_is_not_bound_by_the_limits_of_a_batch(context: Context) -> Checked {
    let limits = context.limits();
    let small = Limits {
        batch_writes_max: limits.batch_writes_max.min(500),
        batch_bytes_max: limits.batch_bytes_max.min(16 << 10),
        page_entries_max: limits.page_entries_max.min(100),
        guard_rows_max: 10,
        ..limits
    };
    let site = context.open_with(small).await?;
    for front in ["a", "b", "c"] {
        let names: Vec<_> = (0..2_500).map(|number| format!("{front}{number}")).collect();
        fill(&*site.store, &names).await?;
    }
    let before = current(&*site.store).await?;
    let dropped = committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?)?;
    ensure!(dropped > before);
    ensure_eq!(site.store.summarize(&KeyRange::prefix(b"b")).await?.rows, 0);
    let rest = site.store.summarize(&KeyRange::ALL).await?;
    ensure_eq!((rest.rows, rest.newest, rest.as_of), (5_000, before, dropped));
    Ok(())
}

async fn drop_range_removes_links_and_not_their_targets(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("l1", link("a")), ("l2", link("z")), ("a", put("1")), ("m", link("l1")), ("z", put("2"))];
    let written = commit(&*site.store, batch(rows)).await?;
    committed(&site.store.drop_range(&KeyRange::prefix(b"l"), &[]).await?)?;
    let rows = site.store.get(&["l1", "l2", "a", "m", "z"].map(key)).await?.rows;
    let left = [value("1"), Content::Link(key("l1")), value("2")].map(|content| row(written, content));
    ensure_eq!(rows, [vec![None, None], left.to_vec()].concat());
    Ok(())
}

async fn drop_range_has_a_revision_of_its_own(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b"]).await?;
    let before = current(&*site.store).await?;
    let dropped = committed(&site.store.drop_range(&KeyRange::prefix(b"a"), &[]).await?)?;
    ensure!(dropped > before, "{dropped} after {before}");
    ensure_eq!(current(&*site.store).await?, dropped);
    let after = commit(&*site.store, batch([("a", put(""))])).await?;
    ensure!(after > dropped, "{after} after {dropped}");
    Ok(())
}

async fn drop_range_of_nothing_has_the_current_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let empty = current(&*site.store).await?;
    ensure_eq!(committed(&site.store.drop_range(&KeyRange::ALL, &[]).await?)?, empty);
    let written = commit(&*site.store, batch([("a", put("")), ("c", put(""))])).await?;
    ensure_eq!(committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?)?, written);
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.as_of, written);
    // Nothing happened that a guard would mind.
    ensure_eq!(broken_guard(&*site.store, [range_guard(KeyRange::ALL, written, 2)]).await?, None);
    Ok(())
}

async fn drop_range_of_an_empty_or_inverted_range_does_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["", "a", "a\0", "b", "c"]).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    let empty = [
        range(Included("b"), Excluded("b")),
        range(Excluded("a"), Excluded("a\0")),
        range(Included("c"), Included("a")),
        range(Excluded("c"), Excluded("a")),
        range(Unbounded, Excluded("")),
    ];
    for range in empty {
        let outcome = site.store.drop_range(&range, &[]).await?;
        ensure_eq!(committed(&outcome)?, before.as_of, "{:?}", Span(range));
        ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    }
    Ok(())
}

async fn drop_range_happens_where_its_guards_hold(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("")), ("b1", put("")), ("b2", put(""))])).await?;
    let guards = [key_guard("a", Some(written)), key_guard("c", None), range_guard(KeyRange::prefix(b"b"), written, 2)];
    committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &guards).await?)?;
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), [b"a"]);
    Ok(())
}

async fn drop_range_does_nothing_where_a_guard_fails(context: Context) -> Checked {
    let site = context.open().await?;
    let old = commit(&*site.store, batch([("a", put("")), ("b1", put("")), ("b2", put(""))])).await?;
    commit(&*site.store, batch([("a", put("")), ("b2", put(""))])).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    for guard in [
        key_guard("a", Some(old)),
        key_guard("a", None),
        key_guard("c", Some(old)),
        range_guard(KeyRange::prefix(b"b"), old, 2),
    ] {
        let outcome = site.store.drop_range(&KeyRange::prefix(b"b"), &[guard]).await?;
        ensure_eq!(conflict(&outcome)?, 0);
        ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    }
    Ok(())
}

async fn drop_range_names_the_first_guard_that_fails(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("")), ("b", put(""))])).await?;
    let (holds, fails) = (|| key_guard("a", Some(written)), || key_guard("a", None));
    let range = KeyRange::prefix(b"b");
    for (guards, wanted) in [
        (vec![fails(), holds(), fails()], 0),
        (vec![holds(), fails(), fails()], 1),
        (vec![holds(), range_guard(range.clone(), Revision::ZERO, 1), fails()], 1),
        (vec![holds(), holds(), holds(), fails()], 3),
    ] {
        ensure_eq!(conflict(&site.store.drop_range(&range, &guards).await?)?, wanted);
    }
    ensure!(read(&*site.store, "b").await?.is_some());
    Ok(())
}

async fn drop_range_checks_its_guards_also_over_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put(""))])).await?;
    for range in [KeyRange::prefix(b"b"), range(Included("c"), Excluded("b"))] {
        let outcome = site.store.drop_range(&range, &[key_guard("a", None)]).await?;
        ensure_eq!(conflict(&outcome)?, 0);
        let outcome = site.store.drop_range(&range, &[key_guard("a", Some(written))]).await?;
        ensure_eq!(committed(&outcome)?, written);
    }
    Ok(())
}

async fn drop_range_past_the_limits_of_guards_is_rejected(context: Context) -> Checked {
    let site = context.open_with(Limits { batch_guards_max: 5, guard_rows_max: 5, ..context.limits() }).await?;
    let as_of = commit(&*site.store, batch((0..6).map(|number| (format!("b{number}"), put(""))))).await?;
    let range = KeyRange::prefix(b"b");
    let drop = async |guards: Vec<Guard>| site.store.drop_range(&range, &guards).await;
    let many = |count| vec![key_guard("none", None); count];
    rejected(&drop(many(6)).await?, ErrorKind::Limit(Limit::BatchGuards))?;
    let rows = vec![range_guard(range.clone(), as_of, 6)];
    rejected(&drop(rows).await?, ErrorKind::Limit(Limit::GuardRows))?;
    ensure_eq!(site.store.summarize(&range).await?.rows, 6);
    committed(&drop(many(5)).await?)?;
    ensure_eq!(site.store.summarize(&range).await?.rows, 0);
    Ok(())
}

async fn a_dropped_range_can_be_filled_again(context: Context) -> Checked {
    let site = context.open().await?;
    for round in 0..4_u8 {
        let rows = (0..20).map(|number| (format!("b{number:02}"), put([round])));
        let written = commit(&*site.store, batch(rows)).await?;
        ensure_eq!(read(&*site.store, "b07").await?, row(written, value([round])));
        ensure_eq!(site.store.summarize(&KeyRange::prefix(b"b")).await?.rows, 20);
        committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?)?;
        ensure_eq!(read(&*site.store, "b07").await?, None);
    }
    Ok(())
}

async fn a_dropped_range_stays_in_older_snapshots(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b1", "b2", "c"]).await?;
    let snapshot = site.store.snapshot().await?;
    let before = snapshot.scan(&everything(&*site.store)).await?;
    committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?)?;
    commit(&*site.store, batch([("b1", put("again"))])).await?;
    ensure_eq!(snapshot.scan(&everything(&*site.store)).await?, before);
    ensure_eq!(snapshot.summarize(&KeyRange::prefix(b"b")).await?.rows, 2);
    ensure_eq!(read(&*snapshot, "b1").await?.map(|row| row.content), Some(value("b1")));
    ensure_eq!(site.store.summarize(&KeyRange::prefix(b"b")).await?.rows, 1);
    Ok(())
}

async fn rows_beside_a_dropped_range_keep_their_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1")), ("b", put("2")), ("c", put("3"))])).await?;
    committed(&site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?)?;
    let rows = site.store.get(&["a", "b", "c"].map(key)).await?.rows;
    ensure_eq!(rows, [row(written, value("1")), None, row(written, value("3"))]);
    Ok(())
}

async fn drop_range_wakes_those_who_wait_for_a_change(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let before = current(&*site.store).await?;
    let store = site.store.clone();
    let waiting = tokio::spawn(async move { store.changed(before).await });
    let dropped = committed(&site.store.drop_range(&KeyRange::ALL, &[]).await?)?;
    let woken = soon("a change by drop_range", waiting).await?;
    let woken = woken.map_err(|error| Failure::new(error.to_string()))??;
    ensure_eq!(woken, dropped);
    Ok(())
}

async fn random_ranges_are_dropped_like_from_a_btreemap(context: Context) -> Checked {
    let inputs = (vec(names(), 1..30), vec(spans(), 1..6));
    on_random(&context, context.effort().operations / 60, &inputs, async |site, (names, spans)| {
        let store = &*site.store;
        fill(store, &names).await?;
        let mut left: BTreeSet<_> = names.into_iter().collect();
        for span in spans {
            committed(&store.drop_range(&span.0, &[]).await?)?;
            left.retain(|name| !span.0.holds(name));
            let page = store.scan(&everything(store)).await?;
            ensure_eq!(keys(&page), left.iter().map(Vec::as_slice).collect::<Vec<_>>(), "left after {span:?}");
        }
        Ok(())
    })
}
