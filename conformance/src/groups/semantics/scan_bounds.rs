//! Which rows a scan gives, and in which order.

use std::ops::Bound::{Excluded, Included, Unbounded};

use proptest::collection::vec;
use strongroom_core::store::{Fetch, KeyRange, Scan};

use super::inputs::{Span, batch_of, names, rows, scans};
use super::model::{Model, range, small_keys, small_ranges};
use super::random::on_random;
use super::support::{batch, current, everything, fill, key, keys, pages, put};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    an_empty_store_has_no_rows,
    every_combination_of_bounds_reads_like_a_btreemap,
    every_combination_of_bounds_reads_backwards_like_a_btreemap,
    an_open_bound_leaves_its_key_out_and_a_closed_one_does_not,
    an_empty_or_inverted_range_has_no_rows,
    a_prefix_gives_exactly_the_keys_that_begin_with_it,
    keys_are_in_the_order_of_their_unsigned_bytes,
    a_key_comes_before_all_that_continue_it,
    the_reverse_is_exactly_reversed,
    bounds_longer_than_any_key_are_bounds_like_others,
    a_scan_sees_one_revision,
    random_ranges_read_like_a_btreemap random true,
}

async fn an_empty_store_has_no_rows(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let as_of = current(store).await?;
    for reverse in [false, true] {
        for limit in [0, 1, 10] {
            let page = store.scan(&Scan { reverse, limit, ..everything(store) }).await?;
            ensure!(page.entries.is_empty() && !page.more && page.as_of == as_of, "{page:?}");
        }
    }
    Ok(())
}

/// Every second of the small keys, so that each kind of bound meets a row, a gap and both ends.
async fn small_store(context: &Context) -> Checked<(Site, Model)> {
    let site = context.open().await?;
    let mut model = Model::default();
    let some = small_keys().into_iter().step_by(2);
    model.commit(&*site.store, batch(some.map(|name| (name.clone(), put(name))))).await?;
    Ok((site, model))
}

async fn check_every_range(context: &Context, reverse: bool) -> Checked {
    let (site, model) = small_store(context).await?;
    for range in small_ranges() {
        let scan = Scan { range, reverse, ..everything(&*site.store) };
        model.check(&*site.store, &scan).await?;
    }
    Ok(())
}

async fn every_combination_of_bounds_reads_like_a_btreemap(context: Context) -> Checked {
    check_every_range(&context, false).await
}

async fn every_combination_of_bounds_reads_backwards_like_a_btreemap(context: Context) -> Checked {
    check_every_range(&context, true).await
}

async fn an_open_bound_leaves_its_key_out_and_a_closed_one_does_not(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b", "c", "d"]).await?;
    let wanted = [
        (range(Included("b"), Included("c")), vec!["b", "c"]),
        (range(Included("b"), Excluded("c")), vec!["b"]),
        (range(Excluded("b"), Included("c")), vec!["c"]),
        (range(Excluded("b"), Excluded("c")), vec![]),
        (range(Unbounded, Excluded("b")), vec!["a"]),
        (range(Unbounded, Included("b")), vec!["a", "b"]),
        (range(Excluded("c"), Unbounded), vec!["d"]),
        (range(Included("c"), Unbounded), vec!["c", "d"]),
    ];
    for (range, wanted) in wanted {
        let page = site.store.scan(&Scan { range: range.clone(), ..everything(&*site.store) }).await?;
        let wanted: Vec<_> = wanted.into_iter().map(str::as_bytes).collect();
        ensure_eq!(keys(&page), wanted, "{:?}", Span(range));
    }
    Ok(())
}

async fn an_empty_or_inverted_range_has_no_rows(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["", "a", "a\0", "b", "c"]).await?;
    let empty = [
        range(Included("b"), Excluded("b")),
        range(Excluded("b"), Included("b")),
        range(Excluded("b"), Excluded("b")),
        range(Excluded("a"), Excluded("a\0")),
        range(Included("c"), Included("b")),
        range(Excluded("c"), Excluded("a")),
        range(Included("c"), Excluded("")),
        range(Unbounded, Excluded("")),
    ];
    for range in empty {
        for reverse in [false, true] {
            let page = site.store.scan(&Scan { range: range.clone(), reverse, ..everything(&*site.store) }).await?;
            ensure!(page.entries.is_empty() && !page.more, "{:?}: {page:?}", Span(range));
        }
    }
    Ok(())
}

async fn a_prefix_gives_exactly_the_keys_that_begin_with_it(context: Context) -> Checked {
    let site = context.open().await?;
    let names: [&[u8]; 13] = [
        b"",
        b"\0",
        b"a",
        b"a\0",
        b"a\xFE",
        b"a\xFF",
        b"a\xFF\0",
        b"a\xFF\xFF",
        b"b",
        b"\xFE\xFF",
        b"\xFF",
        b"\xFF\xFF",
        b"\xFF\xFF\xFF",
    ];
    fill(&*site.store, &names).await?;
    for prefix in names {
        let wanted: Vec<_> = names.into_iter().filter(|name| name.starts_with(prefix)).collect();
        let scan = Scan { range: KeyRange::prefix(prefix), ..everything(&*site.store) };
        ensure_eq!(keys(&site.store.scan(&scan).await?), wanted, "the prefix {prefix:?}");
        let page = site.store.scan(&Scan { reverse: true, ..scan }).await?;
        ensure_eq!(keys(&page), wanted.into_iter().rev().collect::<Vec<_>>(), "the prefix {prefix:?}, backwards");
    }
    Ok(())
}

async fn keys_are_in_the_order_of_their_unsigned_bytes(context: Context) -> Checked {
    let site = context.open().await?;
    // Not written in their order.
    let mut names: Vec<[u8; 1]> = (0..=255).map(|byte: u8| [byte.wrapping_mul(101)]).collect();
    fill(&*site.store, &names).await?;
    names.sort_unstable();
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure_eq!(keys(&page), names.iter().map(<[u8; 1]>::as_slice).collect::<Vec<_>>());
    Ok(())
}

async fn a_key_comes_before_all_that_continue_it(context: Context) -> Checked {
    let site = context.open().await?;
    let names: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"\0\xFF", b"m", b"m\0", b"m\0\0", b"m\x01"];
    fill(&*site.store, &names).await?;
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), names);
    Ok(())
}

async fn the_reverse_is_exactly_reversed(context: Context) -> Checked {
    let (site, _) = small_store(&context).await?;
    for range in small_ranges() {
        let scan = Scan { range, ..everything(&*site.store) };
        let forward = site.store.scan(&scan).await?;
        let mut backward = site.store.scan(&Scan { reverse: true, ..scan.clone() }).await?;
        backward.entries.reverse();
        ensure_eq!(backward, forward, "{:?}", Span(scan.range));
    }
    Ok(())
}

async fn bounds_longer_than_any_key_are_bounds_like_others(context: Context) -> Checked {
    let site = context.open().await?;
    let longest = site.settings.limits.key_bytes_max;
    let names: Vec<_> = [b'a', b'b', b'c'].map(|byte| vec![byte; longest]).into();
    fill(&*site.store, &names).await?;
    // What comes after the longest keys is as long, and one zero byte more.
    let after = |name: &[u8]| key([name, &[0]].concat());
    for (number, name) in names.iter().enumerate() {
        let rest = KeyRange { start: Included(after(name)), end: Unbounded };
        ensure!(
            keys(&site.store.scan(&Scan { range: rest, ..everything(&*site.store) }).await?) == names[number + 1..]
        );
        let front = KeyRange { start: Unbounded, end: Excluded(after(name)) };
        ensure!(keys(&site.store.scan(&Scan { range: front, ..everything(&*site.store) }).await?) == names[..=number]);
    }
    Ok(())
}

async fn a_scan_sees_one_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let (first, second) = (["a", "b", "c"], ["b", "c", "d"]);
    let mut model = Model::default();
    for names in [first, second] {
        model.commit(&*site.store, batch(names.map(|name| (name, put(name))))).await?;
        for reverse in [false, true] {
            for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
                model.check(&*site.store, &Scan { reverse, fetch, ..everything(&*site.store) }).await?;
            }
        }
    }
    Ok(())
}

async fn random_ranges_read_like_a_btreemap(context: Context) -> Checked {
    let inputs = (rows(), rows(), vec(scans(), 40), vec(names(), 20));
    on_random(&context, context.effort().operations / 125, &inputs, async |site, (first, second, scans, asked)| {
        let store = &*site.store;
        let mut model = Model::default();
        for part in [first, second] {
            model.commit(store, batch_of(&part)).await?;
        }
        for asked in scans {
            let scan = asked.scan();
            model.check(store, &scan).await?;
            let whole = Scan { limit: everything(store).limit, max_bytes: usize::MAX, ..scan.clone() };
            let all = store.scan(&whole).await?;
            ensure!(!all.more, "more than everything of {asked:?}");
            let paged = pages(store, &Scan { limit: scan.limit.max(1), ..scan }).await?;
            let paged: Vec<_> = paged.into_iter().flat_map(|page| page.entries).collect();
            ensure_eq!(paged, all.entries, "the pages of {asked:?}, and one scan");
        }
        let asked: Vec<_> = asked.iter().map(key).collect();
        let found = store.get(&asked).await?;
        ensure_eq!(found.rows, asked.iter().map(|key| model.row(key)).collect::<Vec<_>>());
        Ok(())
    })
}
