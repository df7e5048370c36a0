//! Where a page ends, and whether it says so.

use strongroom_core::store::{Entry, Fetch, KeyRange, Page, Scan, Store};

use super::random::noise;
use super::support::{batch, commit, everything, fill, keys, link, pages, put, value};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_page_has_at_most_limit_entries,
    a_limit_of_zero_gives_no_entry_and_says_whether_there_is_one,
    more_is_exact_at_the_end_of_the_range,
    more_tells_of_the_range_and_not_of_the_store,
    a_page_ends_with_the_entry_that_passes_max_bytes,
    max_bytes_of_zero_gives_one_entry,
    max_bytes_that_are_met_exactly_do_not_end_a_page,
    an_entry_larger_than_max_bytes_is_given,
    max_bytes_count_keys_alone_where_keys_are_fetched,
    max_bytes_count_targets_where_they_are_fetched,
    more_is_exact_where_max_bytes_end_a_page,
    pages_of_every_limit_together_are_one_scan,
    pages_of_every_max_bytes_together_are_one_scan,
    a_page_of_thousands_of_rows_is_whole,
    a_page_of_megabytes_is_whole,
    a_page_may_have_as_many_entries_as_the_limit_allows,
}

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

async fn a_page_has_at_most_limit_entries(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &NAMES).await?;
    for limit in 1..=9 {
        for reverse in [false, true] {
            let page = site.store.scan(&Scan { limit, reverse, ..everything(&*site.store) }).await?;
            ensure_eq!(page.entries.len(), limit.min(NAMES.len()), "limit {limit}, reverse {reverse}");
        }
    }
    Ok(())
}

async fn a_limit_of_zero_gives_no_entry_and_says_whether_there_is_one(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &NAMES).await?;
    for reverse in [false, true] {
        let none = Scan { limit: 0, reverse, ..everything(&*site.store) };
        let page = site.store.scan(&none).await?;
        ensure!(page.entries.is_empty() && page.more, "{page:?}");
        let page = site.store.scan(&Scan { range: KeyRange::prefix(b"none"), ..none }).await?;
        ensure!(page.entries.is_empty() && !page.more, "{page:?}");
    }
    Ok(())
}

async fn more_is_exact_at_the_end_of_the_range(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &NAMES).await?;
    for limit in 0..=9 {
        for reverse in [false, true] {
            for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
                let page = site.store.scan(&Scan { limit, reverse, fetch, ..everything(&*site.store) }).await?;
                ensure_eq!(page.more, limit < NAMES.len(), "limit {limit}, reverse {reverse}, {fetch:?}");
            }
        }
    }
    Ok(())
}

async fn more_tells_of_the_range_and_not_of_the_store(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a1", "a2", "b1", "b2", "c1", "c2"]).await?;
    for reverse in [false, true] {
        let range = KeyRange::prefix(b"b");
        let page = site.store.scan(&Scan { range, limit: 2, reverse, ..everything(&*site.store) }).await?;
        ensure!(page.entries.len() == 2 && !page.more, "reverse {reverse}: {page:?}");
    }
    Ok(())
}

/// Seven rows, each with a key of 1 byte and a value of 9.
async fn tens(store: &dyn Store) -> Checked {
    commit(store, batch(NAMES.map(|name| (name, put([b'v'; 9]))))).await.map(drop)
}

/// How many entries the page has.
async fn count(store: &dyn Store, max_bytes: usize, fetch: Fetch, reverse: bool) -> Checked<usize> {
    let page = store.scan(&Scan { max_bytes, fetch, reverse, ..everything(store) }).await?;
    Ok(page.entries.len())
}

async fn a_page_ends_with_the_entry_that_passes_max_bytes(context: Context) -> Checked {
    let site = context.open().await?;
    tens(&*site.store).await?;
    for reverse in [false, true] {
        for max_bytes in 0..=80 {
            // So many entries pass it, and not one less.
            let wanted = (max_bytes / 10 + 1).min(NAMES.len());
            let count = count(&*site.store, max_bytes, Fetch::Values, reverse).await?;
            ensure_eq!(count, wanted, "entries for {max_bytes} bytes, reverse {reverse}");
        }
    }
    Ok(())
}

async fn max_bytes_of_zero_gives_one_entry(context: Context) -> Checked {
    let site = context.open().await?;
    tens(&*site.store).await?;
    for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
        for reverse in [false, true] {
            ensure_eq!(count(&*site.store, 0, fetch, reverse).await?, 1, "{fetch:?}");
        }
    }
    Ok(())
}

async fn max_bytes_that_are_met_exactly_do_not_end_a_page(context: Context) -> Checked {
    let site = context.open().await?;
    tens(&*site.store).await?;
    for (max_bytes, wanted) in [(19, 2), (20, 3), (21, 3), (69, 7), (70, 7)] {
        ensure_eq!(count(&*site.store, max_bytes, Fetch::Values, false).await?, wanted, "for {max_bytes} bytes");
    }
    Ok(())
}

async fn an_entry_larger_than_max_bytes_is_given(context: Context) -> Checked {
    let site = context.open().await?;
    let large = noise(context.seed(), 100_000);
    commit(&*site.store, batch([("a", put("1")), ("b", put(large)), ("c", put("3"))])).await?;
    let range = KeyRange::prefix(b"b");
    let page = site.store.scan(&Scan { range, max_bytes: 10, ..everything(&*site.store) }).await?;
    ensure!(keys(&page) == [b"b"] && !page.more, "{page:?}");
    ensure_eq!(count(&*site.store, 10, Fetch::Values, false).await?, 2);
    Ok(())
}

async fn max_bytes_count_keys_alone_where_keys_are_fetched(context: Context) -> Checked {
    let site = context.open().await?;
    tens(&*site.store).await?;
    for (max_bytes, wanted) in [(1, 2), (3, 4), (6, 7), (7, 7)] {
        ensure_eq!(count(&*site.store, max_bytes, Fetch::Keys, false).await?, wanted, "for {max_bytes} bytes");
    }
    Ok(())
}

async fn max_bytes_count_targets_where_they_are_fetched(context: Context) -> Checked {
    let site = context.open().await?;
    let links = ["l1", "l2", "l3", "l4"].map(|name| (name, link("target")));
    commit(&*site.store, batch([("target", put(vec![b'v'; 1_000]))])).await?;
    commit(&*site.store, batch(links)).await?;
    // An entry has a key of 2 bytes and a link of 6; its target, where it is fetched, 1,000 more.
    let scan = |max_bytes, fetch| {
        let range = KeyRange::prefix(b"l");
        Scan { range, max_bytes, fetch, ..everything(&*site.store) }
    };
    for (max_bytes, fetch, wanted) in [
        (999, Fetch::Values, 4),
        (999, Fetch::Targets, 1),
        (1_900, Fetch::Targets, 2),
        (2_900, Fetch::Targets, 3),
        (3_900, Fetch::Targets, 4),
    ] {
        let page = site.store.scan(&scan(max_bytes, fetch)).await?;
        ensure_eq!(page.entries.len(), wanted, "entries for {max_bytes} bytes, {fetch:?}");
    }
    Ok(())
}

async fn more_is_exact_where_max_bytes_end_a_page(context: Context) -> Checked {
    let site = context.open().await?;
    tens(&*site.store).await?;
    for max_bytes in 0..=80 {
        for reverse in [false, true] {
            let page = site.store.scan(&Scan { max_bytes, reverse, ..everything(&*site.store) }).await?;
            ensure_eq!(page.more, page.entries.len() < NAMES.len(), "for {max_bytes} bytes, reverse {reverse}");
        }
    }
    Ok(())
}

fn joined(pages: Vec<Page>) -> Vec<Entry> {
    pages.into_iter().flat_map(|page| page.entries).collect()
}

async fn pages_of_every_limit_together_are_one_scan(context: Context) -> Checked {
    let site = context.open().await?;
    let names: Vec<String> = (0..23).map(|number| format!("{number:02}")).collect();
    fill(&*site.store, &names).await?;
    for reverse in [false, true] {
        let whole = Scan { reverse, ..everything(&*site.store) };
        let all = site.store.scan(&whole).await?;
        ensure_eq!(all.entries.len(), names.len());
        for limit in 1..=24 {
            let pages = pages(&*site.store, &Scan { limit, ..whole.clone() }).await?;
            ensure_eq!(pages.len(), names.len().div_ceil(limit), "pages of {limit}");
            ensure_eq!(joined(pages), all.entries, "pages of {limit}, reverse {reverse}");
        }
    }
    Ok(())
}

async fn pages_of_every_max_bytes_together_are_one_scan(context: Context) -> Checked {
    let site = context.open().await?;
    // Values of all lengths, and links between them.
    let row = |number: usize| (format!("v{number:02}"), put(noise(context.seed(), number * 7 % 40)));
    let links = (0..20).map(|number| (format!("l{number:02}"), link(format!("v{:02}", number * 3 % 25))));
    commit(&*site.store, batch((0..20).map(row).chain(links))).await?;
    for reverse in [false, true] {
        for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
            let whole = Scan { reverse, fetch, ..everything(&*site.store) };
            let all = site.store.scan(&whole).await?;
            ensure_eq!(all.entries.len(), 40);
            for max_bytes in (0..200).step_by(9) {
                let pages = pages(&*site.store, &Scan { max_bytes, ..whole.clone() }).await?;
                ensure_eq!(joined(pages), all.entries, "{max_bytes} bytes, reverse {reverse}, {fetch:?}");
            }
        }
    }
    Ok(())
}

async fn a_page_of_thousands_of_rows_is_whole(context: Context) -> Checked {
    let site = context.open().await?;
    let count = site.settings.limits.page_entries_max.min(3_000);
    let names: Vec<String> = (0..count).map(|number| format!("{number:04}")).collect();
    fill(&*site.store, &names).await?;
    let mut wanted: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    for reverse in [false, true] {
        for fetch in [Fetch::Keys, Fetch::Targets] {
            let page = site.store.scan(&Scan { reverse, fetch, ..everything(&*site.store) }).await?;
            ensure!(keys(&page) == wanted && !page.more, "reverse {reverse}, {fetch:?}: {} rows", page.entries.len());
        }
        wanted.reverse();
    }
    Ok(())
}

async fn a_page_of_megabytes_is_whole(context: Context) -> Checked {
    let site = context.open().await?;
    let size = site.settings.limits.value_bytes_max.min(300_000);
    let bytes = |number: u64| noise(context.seed() + number, size);
    for number in 0..12 {
        commit(&*site.store, batch([(format!("{number:02}"), put(bytes(number)))])).await?;
    }
    for reverse in [false, true] {
        let page = site.store.scan(&Scan { reverse, ..everything(&*site.store) }).await?;
        ensure_eq!(page.entries.len(), 12);
        let mut numbers: Vec<u64> = (0..12).collect();
        if reverse {
            numbers.reverse();
        }
        for (number, entry) in numbers.into_iter().zip(page.entries) {
            ensure_eq!(entry.key.as_bytes(), format!("{number:02}").as_bytes());
            ensure!(entry.content == Some(value(bytes(number))), "the value of row {number}");
        }
    }
    Ok(())
}

async fn a_page_may_have_as_many_entries_as_the_limit_allows(context: Context) -> Checked {
    let site = context.open().await?;
    let count = site.settings.limits.page_entries_max.min(10_000);
    let names: Vec<String> = (0..=count).map(|number| format!("{number:05}")).collect();
    fill(&*site.store, &names).await?;
    let page = site.store.scan(&Scan { limit: count, fetch: Fetch::Keys, ..everything(&*site.store) }).await?;
    ensure!(page.entries.len() == count && page.more, "{} entries of {count}", page.entries.len());
    Ok(())
}
