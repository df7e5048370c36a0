//! Pages: limits, bytes, and going on where one ended.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use strongroom_core::store::{
    Content, Entry, Fetch, KeyRange, LinkTo, Page, Read, Revision, Row, Scan, Store, StoredKey, Summary, Write,
};

use super::support::{batch, commit, everything, key, keys, link, put, some_key, some_range, suffix};
use crate::case::cases;
use crate::random::search;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    every_page_size_gives_the_same_rows,
    every_number_of_bytes_gives_the_same_rows,
    more_is_exact_at_the_end_of_the_range,
    a_limit_of_zero_gives_nothing_and_tells_whether_there_is_more,
    max_bytes_of_zero_gives_one_entry_a_page,
    a_page_ends_with_the_entry_that_passes_max_bytes,
    max_bytes_counts_keys_values_and_targets,
    a_page_goes_on_behind_its_last_key,
    the_reverse_of_a_scan_is_the_scan_reversed,
    a_page_of_large_values_ends_in_time,
    every_scan_is_as_the_documentation_says random true,
}

async fn hundred(context: &Context) -> Checked<std::sync::Arc<dyn Store>> {
    let store = context.open().await?.store;
    commit(&*store, batch((0..100).map(|n| (format!("{n:03}"), put(vec![b'v'; n % 7]))))).await?;
    Ok(store)
}

/// Every page of a scan, one behind the other.
async fn page_by_page(store: &dyn Read, scan: &Scan) -> Checked<(Vec<Entry>, usize)> {
    let mut scan = scan.clone();
    let (mut entries, mut pages) = (Vec::new(), 0);
    loop {
        let page = store.scan(&scan).await?;
        pages += 1;
        ensure!(page.entries.len() <= scan.limit, "{} entries, the limit is {}", page.entries.len(), scan.limit);
        let Some(last) = page.entries.last() else {
            ensure!(!page.more, "an empty page says that there is more");
            return Ok((entries, pages));
        };
        scan.range = scan.range.beyond(&last.key, scan.reverse);
        let more = page.more;
        entries.extend(page.entries);
        if !more {
            return Ok((entries, pages));
        }
        ensure!(pages < 10_000, "the pages do not end");
    }
}

async fn every_page_size_gives_the_same_rows(context: Context) -> Checked {
    let store = hundred(&context).await?;
    for reverse in [false, true] {
        let whole = store.scan(&Scan { reverse, ..everything() }).await?.entries;
        for limit in [1, 2, 3, 7, 10, 33, 49, 50, 51, 99, 100, 101] {
            let (entries, pages) = page_by_page(&*store, &Scan { reverse, limit, ..everything() }).await?;
            ensure_eq!(entries == whole, true, "pages of {limit}");
            ensure_eq!(pages, 100_usize.div_ceil(limit), "pages of {limit}");
        }
    }
    Ok(())
}

async fn every_number_of_bytes_gives_the_same_rows(context: Context) -> Checked {
    let store = hundred(&context).await?;
    for reverse in [false, true] {
        let whole = store.scan(&Scan { reverse, ..everything() }).await?.entries;
        for max_bytes in [0, 1, 2, 3, 4, 9, 10, 57, 100, 500, 599, 600, 601, 10_000] {
            let (entries, _) = page_by_page(&*store, &Scan { reverse, max_bytes, ..everything() }).await?;
            ensure_eq!(entries == whole, true, "pages of {max_bytes} bytes");
        }
    }
    Ok(())
}

async fn more_is_exact_at_the_end_of_the_range(context: Context) -> Checked {
    let store = hundred(&context).await?;
    let range = KeyRange::prefix(b"01");
    for reverse in [false, true] {
        for (limit, more) in [(9, true), (10, false), (11, false)] {
            let page = store.scan(&Scan { range: range.clone(), reverse, limit, ..everything() }).await?;
            ensure_eq!((page.entries.len(), page.more), (limit.min(10), more), "limit {limit}");
        }
    }
    Ok(())
}

async fn a_limit_of_zero_gives_nothing_and_tells_whether_there_is_more(context: Context) -> Checked {
    let store = hundred(&context).await?;
    for (prefix, more) in [("", true), ("05", true), ("099", true), ("1", false)] {
        for reverse in [false, true] {
            let range = KeyRange::prefix(prefix.as_bytes());
            let page = store.scan(&Scan { range, reverse, limit: 0, ..everything() }).await?;
            ensure_eq!((page.entries.len(), page.more), (0, more), "{prefix}");
        }
    }
    Ok(())
}

async fn max_bytes_of_zero_gives_one_entry_a_page(context: Context) -> Checked {
    let store = hundred(&context).await?;
    let page = store.scan(&Scan { max_bytes: 0, ..everything() }).await?;
    ensure_eq!((keys(&page), page.more), (vec![b"000".to_vec()], true));
    // The empty key without a value has no bytes at all, so it does not pass even zero.
    commit(&*store, batch([("", put(""))])).await?;
    let page = store.scan(&Scan { max_bytes: 0, ..everything() }).await?;
    ensure_eq!((keys(&page), page.more), (vec![vec![], b"000".to_vec()], true));
    Ok(())
}

async fn a_page_ends_with_the_entry_that_passes_max_bytes(context: Context) -> Checked {
    let store = context.open().await?.store;
    // Ten bytes each.
    commit(&*store, batch((0..9).map(|n| (format!("{n}"), put([b'v'; 9]))))).await?;
    for (max_bytes, entries) in [(9, 1), (10, 2), (19, 2), (20, 3), (29, 3), (79, 8), (80, 9), (89, 9), (90, 9)] {
        let page = store.scan(&Scan { max_bytes, ..everything() }).await?;
        ensure_eq!((page.entries.len(), page.more), (entries, entries < 9), "{max_bytes} bytes");
    }
    Ok(())
}

async fn max_bytes_counts_keys_values_and_targets(context: Context) -> Checked {
    let store = context.open().await?.store;
    let targets = (0..4).map(|n| (format!("t{n}"), put([b'v'; 98])));
    let links = (0..4).map(|n| (format!("a{n}"), link(format!("t{n}"))));
    commit(&*store, batch(targets.chain(links))).await?;
    let range = KeyRange::prefix(b"a");
    // An entry has 2 bytes of key, 2 of the target's key, and 98 of the target.
    for (fetch, max_bytes, entries) in [
        (Fetch::Keys, 1, 1),
        (Fetch::Keys, 2, 2),
        (Fetch::Keys, 5, 3),
        (Fetch::Values, 3, 1),
        (Fetch::Values, 4, 2),
        (Fetch::Values, 11, 3),
        (Fetch::Targets, 101, 1),
        (Fetch::Targets, 102, 2),
        (Fetch::Targets, 305, 3),
        (Fetch::Targets, 306, 4),
    ] {
        let page = store.scan(&Scan { range: range.clone(), max_bytes, fetch, ..everything() }).await?;
        ensure_eq!((page.entries.len(), page.more), (entries, entries < 4), "{fetch:?} of {max_bytes} bytes");
    }
    Ok(())
}

async fn a_page_goes_on_behind_its_last_key(context: Context) -> Checked {
    let store = context.open().await?.store;
    // Each key is the direct successor of the one before it.
    let names: Vec<Vec<u8>> = (0..40).map(|zeros| vec![0; zeros]).collect();
    commit(&*store, batch(names.iter().map(|name| (name, put(""))))).await?;
    for reverse in [false, true] {
        let (entries, _) = page_by_page(&*store, &Scan { reverse, limit: 1, ..everything() }).await?;
        let mut found: Vec<_> = entries.iter().map(|entry| entry.key.as_bytes().to_vec()).collect();
        if reverse {
            found.reverse();
        }
        ensure_eq!(found == names, true, "reverse: {reverse}");
    }
    Ok(())
}

async fn the_reverse_of_a_scan_is_the_scan_reversed(context: Context) -> Checked {
    let store = hundred(&context).await?;
    commit(&*store, batch((0..100).step_by(3).map(|n| (format!("{n:03}"), link(format!("{:03}", n + 1)))))).await?;
    for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
        let forward = store.scan(&Scan { fetch, ..everything() }).await?;
        let mut reverse = store.scan(&Scan { fetch, reverse: true, ..everything() }).await?;
        reverse.entries.reverse();
        ensure_eq!(forward == reverse, true, "{fetch:?}");
    }
    Ok(())
}

async fn a_page_of_large_values_ends_in_time(context: Context) -> Checked {
    let store = context.open().await?.store;
    for n in 0..8 {
        commit(&*store, batch([(format!("{n}"), put(vec![n; 1 << 20]))])).await?;
    }
    for reverse in [false, true] {
        let page = store.scan(&Scan { max_bytes: 3 << 20, reverse, ..everything() }).await?;
        ensure_eq!((page.entries.len(), page.more), (3, true));
        let (entries, _) = page_by_page(&*store, &Scan { max_bytes: 1, reverse, ..everything() }).await?;
        ensure_eq!(entries.len(), 8);
        for entry in entries {
            let expected = Content::Value(vec![entry.key.as_bytes()[0] - b'0'; 1 << 20].into());
            ensure_eq!(entry.content == Some(expected), true, "a value of 1 MiB");
        }
    }
    Ok(())
}

type Writes = BTreeMap<Vec<u8>, Write>;

fn writes() -> impl Strategy<Value = Writes> {
    let write =
        prop_oneof![vec(any::<u8>(), 0..40).prop_map(put), some_key().prop_map(link), (0_u16..4).prop_map(suffix),];
    let shorten = |rows: Writes| {
        rows.into_iter().map(|(name, write)| match write {
            Write::Link(LinkTo::Suffix(at)) if usize::from(at) > name.len() => (name, put("")),
            write => (name, write),
        })
    };
    btree_map(some_key(), write, 0..60).prop_map(move |rows| shorten(rows).collect())
}

fn scans() -> impl Strategy<Value = Scan> {
    let fetch = prop_oneof![Just(Fetch::Keys), Just(Fetch::Values), Just(Fetch::Targets)];
    let scan = (some_range(), any::<bool>(), 0_usize..20, prop_oneof![0_usize..300, Just(usize::MAX)], fetch);
    scan.prop_map(|(range, reverse, limit, max_bytes, fetch)| Scan { range, reverse, limit, max_bytes, fetch })
}

fn content(name: &[u8], write: &Write) -> Option<Content> {
    match write {
        Write::Put(value) => Some(Content::Value(value.clone())),
        Write::Link(link) => Some(Content::Link(link.resolve(&key(name)))),
        Write::Delete => None,
    }
}

/// What the documentation of `scan` says, row by row.
fn expected(model: &BTreeMap<Vec<u8>, Row>, writes: &Writes, as_of: Revision, scan: &Scan) -> Page {
    let stored_bytes = |name: &[u8]| match writes.get(name) {
        Some(Write::Put(value)) => value.len(),
        Some(Write::Link(LinkTo::Key(target))) => target.len(),
        _ => 0,
    };
    let mut rows: Vec<_> = model.iter().filter(|(name, _)| scan.range.holds(name)).collect();
    if scan.reverse {
        rows.reverse();
    }
    let mut page = Page { as_of, entries: Vec::new(), more: false };
    let mut bytes = 0;
    for (name, row) in rows {
        if page.entries.len() == scan.limit || (bytes > scan.max_bytes && !page.entries.is_empty()) {
            page.more = true;
            break;
        }
        let target = match (&row.content, scan.fetch) {
            (Content::Link(target), Fetch::Targets) => Some(target),
            _ => None,
        };
        bytes += name.len() + if scan.fetch == Fetch::Keys { 0 } else { stored_bytes(name) };
        bytes += target.map_or(0, |target| stored_bytes(target.as_bytes()));
        page.entries.push(Entry {
            key: key(name),
            revision: row.revision,
            content: (scan.fetch != Fetch::Keys).then(|| row.content.clone()),
            target: target.and_then(|target| model.get(target.as_bytes()).cloned()),
        });
    }
    page
}

async fn every_scan_is_as_the_documentation_says(context: Context) -> Checked {
    let inputs = (context.effort().operations / 250).clamp(4, 1_000) as u32;
    let strategy = (writes(), writes(), vec(scans(), 25), vec(some_key(), 20));
    search(&context, inputs, &strategy, async |(first, second, scans, asked)| {
        let store = context.open().await?.store;
        let (mut model, mut writes) = (BTreeMap::new(), Writes::new());
        let mut as_of = Revision::ZERO;
        for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
            as_of = commit(&*store, batch(part.clone())).await?;
            for (name, write) in &part {
                if let Some(content) = content(name, write) {
                    model.insert(name.clone(), Row { revision: as_of, content });
                }
            }
            writes.extend(part);
        }
        for scan in &scans {
            ensure_eq!(store.scan(scan).await?, expected(&model, &writes, as_of, scan), "{scan:?}");
            let whole = Scan { limit: 10_000, max_bytes: usize::MAX, ..scan.clone() };
            let all = store.scan(&whole).await?;
            let (paged, _) = page_by_page(&*store, &Scan { limit: scan.limit.max(1), ..scan.clone() }).await?;
            ensure_eq!(all.entries, paged, "one scan and its pages, {scan:?}");
            let newest = all.entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
            let summary = Summary { as_of, rows: all.entries.len() as u64, newest };
            ensure_eq!(store.summarize(&scan.range).await?, summary);
        }
        let asked: Vec<StoredKey> = asked.iter().map(key).collect();
        let wanted: Vec<_> = asked.iter().map(|name| model.get(name.as_bytes()).cloned()).collect();
        ensure_eq!(store.get(&asked).await?.rows, wanted);
        store.close().await?;
        Ok(())
    })
}
