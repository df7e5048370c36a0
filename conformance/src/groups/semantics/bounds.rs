//! Which keys a range holds: `scan` and `summarize` over every kind of bound.

use std::ops::Bound;

use strongroom_core::store::{Fetch, KeyRange, Revision, Scan, Store, Summary};

use super::support::{batch, bounds, commit, everything, key, keys, put, small_keys};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    scan_of_an_empty_store_is_empty,
    every_pair_of_bounds_holds_what_a_sorted_map_holds,
    every_pair_of_bounds_in_reverse_is_the_reverse,
    every_pair_of_bounds_is_counted_right,
    every_prefix_holds_what_begins_with_it,
    bounds_need_not_be_keys_that_exist,
    bounds_may_be_longer_than_any_key,
    inverted_and_empty_ranges_have_no_rows,
    an_inverted_range_still_tells_the_revision,
    keys_come_in_the_order_of_their_bytes,
    summarize_of_nothing_is_zero,
    summarize_finds_the_newest_revision_in_the_range_alone,
    summarize_forgets_what_was_deleted,
}

/// A store with every second of the small keys.
async fn half_full(context: &Context) -> Checked<(std::sync::Arc<dyn Store>, Vec<Vec<u8>>, Revision)> {
    let store = context.open().await?.store;
    let present: Vec<Vec<u8>> = small_keys().into_iter().step_by(2).collect();
    let revision = commit(&*store, batch(present.iter().map(|name| (name, put(name))))).await?;
    Ok((store, present, revision))
}

fn every_range() -> impl Iterator<Item = KeyRange> {
    let names: Vec<_> = small_keys().into_iter().filter(|name| name.len() < 2 || name[0] != 1).collect();
    let ends = bounds(&names);
    bounds(&names)
        .into_iter()
        .flat_map(move |start| ends.clone().into_iter().map(move |end| KeyRange { start: start.clone(), end }))
}

async fn scan_of_an_empty_store_is_empty(context: Context) -> Checked {
    let store = context.open().await?.store;
    for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
        let page = store.scan(&Scan { fetch, ..everything() }).await?;
        ensure!(page.entries.is_empty() && !page.more && page.as_of == Revision::ZERO, "{page:?}");
    }
    Ok(())
}

async fn every_pair_of_bounds_holds_what_a_sorted_map_holds(context: Context) -> Checked {
    let (store, present, revision) = half_full(&context).await?;
    for range in every_range() {
        let expected: Vec<_> = present.iter().filter(|name| range.holds(name)).cloned().collect();
        let page = store.scan(&Scan { range: range.clone(), fetch: Fetch::Keys, ..everything() }).await?;
        ensure_eq!(keys(&page), expected, "{}", shown(&range));
        ensure!(!page.more && page.as_of == revision);
    }
    Ok(())
}

async fn every_pair_of_bounds_in_reverse_is_the_reverse(context: Context) -> Checked {
    let (store, present, _) = half_full(&context).await?;
    for range in every_range() {
        let expected: Vec<_> = present.iter().rev().filter(|name| range.holds(name)).cloned().collect();
        let scan = Scan { range: range.clone(), reverse: true, fetch: Fetch::Keys, ..everything() };
        ensure_eq!(keys(&store.scan(&scan).await?), expected, "{}", shown(&range));
    }
    Ok(())
}

async fn every_pair_of_bounds_is_counted_right(context: Context) -> Checked {
    let (store, present, revision) = half_full(&context).await?;
    for range in every_range() {
        let rows = present.iter().filter(|name| range.holds(name)).count() as u64;
        let newest = if rows > 0 { revision } else { Revision::ZERO };
        ensure_eq!(store.summarize(&range).await?, Summary { as_of: revision, rows, newest }, "{}", shown(&range));
    }
    Ok(())
}

async fn every_prefix_holds_what_begins_with_it(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut present = small_keys();
    present.extend([vec![0xFF; 3], vec![0xFF; 9], vec![0xFF, 0xFF, 0], vec![1, 0xFF, 0xFF], vec![2]]);
    present.sort();
    commit(&*store, batch(present.iter().map(|name| (name, put(""))))).await?;
    for prefix in present.iter().chain([&vec![9], &vec![0xFF, 0xFE, 0xFF], &vec![0xFF; 20]]) {
        let expected: Vec<_> = present.iter().filter(|name| name.starts_with(prefix)).cloned().collect();
        let range = KeyRange::prefix(prefix);
        ensure_eq!(keys(&store.scan(&Scan { range: range.clone(), ..everything() }).await?), expected, "{prefix:?}");
        ensure_eq!(store.summarize(&range).await?.rows, expected.len() as u64, "{prefix:?}");
    }
    Ok(())
}

async fn bounds_need_not_be_keys_that_exist(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch(["b", "d", "f"].map(|name| (name, put(""))))).await?;
    let between = |start, end| Scan { range: KeyRange { start, end }, ..everything() };
    let page = store.scan(&between(Bound::Excluded(key("a")), Bound::Included(key("e")))).await?;
    ensure_eq!(keys(&page), vec![b"b".to_vec(), b"d".to_vec()]);
    let page = store.scan(&between(Bound::Included(key("g")), Bound::Unbounded)).await?;
    ensure!(page.entries.is_empty());
    Ok(())
}

async fn bounds_may_be_longer_than_any_key(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("")), ("b", put("")), ("c", put(""))])).await?;
    let long = key([b"b".as_slice(), &vec![0; 50_000]].concat());
    let from = KeyRange { start: Bound::Included(long.clone()), end: Bound::Unbounded };
    let to = KeyRange { start: Bound::Unbounded, end: Bound::Excluded(long) };
    ensure_eq!(keys(&store.scan(&Scan { range: from, ..everything() }).await?), vec![b"c".to_vec()]);
    ensure_eq!(store.summarize(&to).await?.rows, 2);
    Ok(())
}

fn nothing() -> [KeyRange; 5] {
    [
        KeyRange { start: Bound::Included(key("c")), end: Bound::Included(key("a")) },
        KeyRange { start: Bound::Excluded(key("b")), end: Bound::Excluded(key("b")) },
        KeyRange { start: Bound::Included(key("b")), end: Bound::Excluded(key("b")) },
        KeyRange { start: Bound::Excluded(key("b")), end: Bound::Excluded(key("b\0")) },
        KeyRange { start: Bound::Unbounded, end: Bound::Excluded(key("")) },
    ]
}

async fn inverted_and_empty_ranges_have_no_rows(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch(["", "a", "b", "b\0", "c"].map(|name| (name, put(""))))).await?;
    for range in nothing() {
        for reverse in [false, true] {
            let page = store.scan(&Scan { range: range.clone(), reverse, ..everything() }).await?;
            ensure!(page.entries.is_empty() && !page.more, "{}", shown(&range));
        }
        ensure_eq!(store.summarize(&range).await?.rows, 0);
    }
    Ok(())
}

async fn an_inverted_range_still_tells_the_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let as_of = commit(&*store, batch([("a", put(""))])).await?;
    for range in nothing() {
        ensure_eq!(store.scan(&Scan { range: range.clone(), ..everything() }).await?.as_of, as_of);
        ensure_eq!(store.summarize(&range).await?, Summary { as_of, rows: 0, newest: Revision::ZERO });
    }
    Ok(())
}

async fn keys_come_in_the_order_of_their_bytes(context: Context) -> Checked {
    let store = context.open().await?.store;
    let names: Vec<&[u8]> =
        vec![b"", b"\0", b"\0\0", b"\0a", b"A", b"Z", b"a", b"a\0", b"a\x7F", b"a\x80", b"\x80", b"\xFF"];
    // Written in another order, and one by one: neither may matter.
    for name in names.iter().rev().step_by(2).chain(names.iter().rev().skip(1).step_by(2)) {
        commit(&*store, batch([(name, put(""))])).await?;
    }
    ensure_eq!(keys(&store.scan(&everything()).await?), names);
    Ok(())
}

async fn summarize_of_nothing_is_zero(context: Context) -> Checked {
    let store = context.open().await?.store;
    let nothing = Summary { as_of: Revision::ZERO, rows: 0, newest: Revision::ZERO };
    ensure_eq!(store.summarize(&KeyRange::ALL).await?, nothing);
    let as_of = commit(&*store, batch([("a", put(""))])).await?;
    let nothing = Summary { as_of, rows: 0, newest: Revision::ZERO };
    ensure_eq!(store.summarize(&KeyRange::prefix(b"b")).await?, nothing);
    Ok(())
}

async fn summarize_finds_the_newest_revision_in_the_range_alone(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a1", put("")), ("a2", put("")), ("b", put(""))])).await?;
    let second = commit(&*store, batch([("a1", put(""))])).await?;
    let as_of = commit(&*store, batch([("b", put(""))])).await?;
    let summary = store.summarize(&KeyRange::prefix(b"a")).await?;
    ensure_eq!(summary, Summary { as_of, rows: 2, newest: second });
    let summary = store.summarize(&KeyRange::prefix(b"a2")).await?;
    ensure_eq!(summary, Summary { as_of, rows: 1, newest: first });
    Ok(())
}

async fn summarize_forgets_what_was_deleted(context: Context) -> Checked {
    use strongroom_core::store::Write;
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a1", put(""))])).await?;
    commit(&*store, batch([("a2", put(""))])).await?;
    let as_of = commit(&*store, batch([("a2", Write::Delete)])).await?;
    let summary = store.summarize(&KeyRange::prefix(b"a")).await?;
    ensure_eq!(summary, Summary { as_of, rows: 1, newest: first });
    Ok(())
}

fn shown(range: &KeyRange) -> String {
    let bound = |bound: &Bound<_>| match bound {
        Bound::Unbounded => "none".to_owned(),
        Bound::Included(key) => format!("with {:?}", strongroom_core::store::StoredKey::as_bytes(key)),
        Bound::Excluded(key) => format!("without {:?}", strongroom_core::store::StoredKey::as_bytes(key)),
    };
    format!("from {} to {}", bound(&range.start), bound(&range.end))
}
