//! `summarize`.

use std::ops::Bound::{Excluded, Included, Unbounded};

use strongroom_core::store::{KeyRange, Limits, Revision, Scan, Summary, Write};

use super::inputs::Span;
use super::model::{Model, range, small_keys, small_ranges};
use super::support::{batch, commit, current, everything, fill, key, link, put, suffix};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    an_empty_store_summarizes_to_nothing,
    an_empty_or_inverted_range_summarizes_to_nothing,
    summarize_counts_what_a_scan_gives_over_every_range,
    newest_is_the_newest_of_the_range_alone,
    newest_goes_back_when_the_newest_row_is_deleted,
    overwriting_a_row_moves_newest_and_not_the_count,
    a_deleted_row_is_not_counted,
    links_are_counted_as_rows,
    summarize_is_not_bound_by_the_limits_of_a_page,
}

async fn an_empty_store_summarizes_to_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let as_of = current(&*site.store).await?;
    let nothing = Summary { as_of, rows: 0, newest: Revision::ZERO };
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, nothing);
    Ok(())
}

async fn an_empty_or_inverted_range_summarizes_to_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let as_of = commit(&*site.store, batch([("", put("")), ("a", put("")), ("a\0", put("")), ("c", put(""))])).await?;
    let empty = [
        range(Included("b"), Excluded("c")),
        range(Included("c"), Included("a")),
        range(Excluded("a"), Excluded("a\0")),
        range(Excluded("a"), Excluded("a")),
        range(Unbounded, Excluded("")),
        range(Excluded("c"), Unbounded),
        KeyRange::prefix(b"d"),
    ];
    for range in empty {
        let nothing = Summary { as_of, rows: 0, newest: Revision::ZERO };
        ensure_eq!(site.store.summarize(&range).await?, nothing, "{:?}", Span(range));
    }
    Ok(())
}

async fn summarize_counts_what_a_scan_gives_over_every_range(context: Context) -> Checked {
    let site = context.open().await?;
    let mut model = Model::default();
    // Rows of three revisions.
    for step in [2, 3, 4] {
        let some = small_keys().into_iter().step_by(step);
        model.commit(&*site.store, batch(some.map(|name| (name, put(""))))).await?;
    }
    for range in small_ranges() {
        let summary = site.store.summarize(&range).await?;
        ensure_eq!(summary, model.summary(&range), "{:?}", Span(range));
        let page = site.store.scan(&Scan { range: range.clone(), ..everything(&*site.store) }).await?;
        let newest = page.entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
        let scanned = Summary { as_of: page.as_of, rows: page.entries.len() as u64, newest };
        ensure_eq!(summary, scanned, "{:?}", Span(range));
    }
    Ok(())
}

async fn newest_is_the_newest_of_the_range_alone(context: Context) -> Checked {
    let site = context.open().await?;
    let a = commit(&*site.store, batch([("a1", put("")), ("a2", put(""))])).await?;
    let b = commit(&*site.store, batch([("b1", put(""))])).await?;
    let as_of = commit(&*site.store, batch([("c1", put(""))])).await?;
    for (prefix, rows, newest) in [("a", 2, a), ("b", 1, b), ("c", 1, as_of), ("", 4, as_of)] {
        let summary = site.store.summarize(&KeyRange::prefix(prefix.as_bytes())).await?;
        ensure_eq!(summary, Summary { as_of, rows, newest }, "the prefix '{prefix}'");
    }
    Ok(())
}

async fn newest_goes_back_when_the_newest_row_is_deleted(context: Context) -> Checked {
    let site = context.open().await?;
    let first = commit(&*site.store, batch([("a", put(""))])).await?;
    let second = commit(&*site.store, batch([("b", put(""))])).await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, Summary { as_of: second, rows: 2, newest: second });
    let third = commit(&*site.store, batch([("b", Write::Delete)])).await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, Summary { as_of: third, rows: 1, newest: first });
    let last = commit(&*site.store, batch([("a", Write::Delete)])).await?;
    let nothing = Summary { as_of: last, rows: 0, newest: Revision::ZERO };
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, nothing);
    Ok(())
}

async fn overwriting_a_row_moves_newest_and_not_the_count(context: Context) -> Checked {
    let site = context.open().await?;
    commit(&*site.store, batch([("a", put("1")), ("b", put("1"))])).await?;
    for text in ["1", "2", ""] {
        let newest = commit(&*site.store, batch([("a", put(text))])).await?;
        ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, Summary { as_of: newest, rows: 2, newest });
    }
    Ok(())
}

async fn a_deleted_row_is_not_counted(context: Context) -> Checked {
    let site = context.open().await?;
    let names = ["a", "b", "c", "d"];
    let newest = commit(&*site.store, batch(names.map(|name| (name, put(""))))).await?;
    for (rows, name) in [(3, "b"), (2, "a"), (1, "d")] {
        let as_of = commit(&*site.store, batch([(name, Write::Delete)])).await?;
        ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, Summary { as_of, rows, newest });
    }
    Ok(())
}

async fn links_are_counted_as_rows(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("a", link("none")), ("b", suffix(0)), ("c", link("a")), ("d", put(""))];
    let newest = commit(&*site.store, batch(rows)).await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, Summary { as_of: newest, rows: 4, newest });
    Ok(())
}

async fn summarize_is_not_bound_by_the_limits_of_a_page(context: Context) -> Checked {
    let limits = Limits { page_entries_max: 10, get_keys_max: 10, ..context.limits() };
    let site = context.open_with(limits).await?;
    let names: Vec<String> = (0..2_500).map(|number| format!("{number:04}")).collect();
    fill(&*site.store, &names).await?;
    let summary = site.store.summarize(&KeyRange::ALL).await?;
    ensure!(summary.rows == 2_500 && summary.newest == summary.as_of, "{summary:?}");
    let half = KeyRange { start: Included(key("1250")), end: Unbounded };
    ensure_eq!(site.store.summarize(&half).await?.rows, 1_250);
    Ok(())
}
