//! `get`, `scan` and `summarize` against a plain `BTreeMap`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::pin::pin;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use strongroom_core::store::{
    Content, Entry, Fetch, KeyRange, Limits, LinkTo, Page, Read, Revision, Row, Scan, Sharing, StoredKey, Summary,
    Write,
};

use super::{Make, batch, commit, everything, key, keys, poll_once, put, run};

/// Few and short keys, so that bounds meet keys, with the bytes at both ends of the order.
pub(super) fn keys_of_a_small_space() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0_u8, 1, 0xFE, 0xFF]), 0..4)
}

pub(super) fn ranges() -> impl Strategy<Value = KeyRange> {
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            keys_of_a_small_space().prop_map(|bytes| Bound::Included(key(bytes))),
            keys_of_a_small_space().prop_map(|bytes| Bound::Excluded(key(bytes))),
        ]
    };
    prop_oneof![
        4 => (bound(), bound()).prop_map(|(start, end)| KeyRange { start, end }),
        1 => keys_of_a_small_space().prop_map(|prefix| KeyRange::prefix(&prefix)),
    ]
}

fn writes() -> impl Strategy<Value = BTreeMap<Vec<u8>, Write>> {
    let write = prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(put),
        keys_of_a_small_space().prop_map(|target| Write::Link(LinkTo::Key(key(target)))),
        (0_u16..4).prop_map(|at| Write::Link(LinkTo::Suffix(at))),
    ];
    let shorten = |rows: BTreeMap<Vec<u8>, Write>| {
        rows.into_iter().map(|(name, write)| match write {
            Write::Link(LinkTo::Suffix(at)) if usize::from(at) > name.len() => (name, put("")),
            write => (name, write),
        })
    };
    btree_map(keys_of_a_small_space(), write, 0..60).prop_map(move |rows| shorten(rows).collect())
}

fn scans() -> impl Strategy<Value = Scan> {
    let fetch = prop_oneof![Just(Fetch::Keys), Just(Fetch::Values), Just(Fetch::Targets)];
    let scan = (ranges(), any::<bool>(), 0_usize..20, prop_oneof![0_usize..300, Just(usize::MAX)], fetch);
    scan.prop_map(|(range, reverse, limit, max_bytes, fetch)| Scan { range, reverse, limit, max_bytes, fetch })
}

type Model = BTreeMap<Vec<u8>, Row>;

fn content(name: &[u8], write: &Write) -> Content {
    match write {
        Write::Put(value) => Content::Value(value.clone()),
        Write::Link(link) => Content::Link(link.resolve(&key(name))),
        Write::Delete => unreachable!("these writes delete nothing"),
    }
}

/// What the documentation of `scan` says, row by row.
fn expected(model: &Model, writes: &BTreeMap<Vec<u8>, Write>, as_of: Revision, scan: &Scan) -> Page {
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

async fn read_page_by_page(store: &dyn Read, scan: &Scan) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut scan = scan.clone();
    loop {
        let page = store.scan(&scan).await.unwrap();
        let Some(last) = page.entries.last() else { return entries };
        scan.range = scan.range.beyond(&last.key, scan.reverse);
        let more = page.more;
        entries.extend(page.entries);
        if !more {
            return entries;
        }
    }
}

pub(crate) fn every_range_reads_like_a_btreemap(make: Make) {
    let config = ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(first in writes(), second in writes(), scans in vec(scans(), 40), asked in vec(keys_of_a_small_space(), 20))| {
        let fixture = make(Limits::default());
        run(async {
            let store = &*fixture.store;
            let (mut model, mut writes) = (Model::new(), BTreeMap::new());
            let mut as_of = Revision::ZERO;
            for part in [first, second] {
                if part.is_empty() {
                    continue;
                }
                as_of = commit(store, batch(part.clone())).await;
                model.extend(part.iter().map(|(name, write)| {
                    (name.clone(), Row { revision: as_of, content: content(name, write) })
                }));
                writes.extend(part);
            }
            for scan in &scans {
                let page = store.scan(scan).await.unwrap();
                prop_assert_eq!(&page, &expected(&model, &writes, as_of, scan), "{:?}", scan);

                let whole = Scan { limit: 10_000, max_bytes: usize::MAX, ..scan.clone() };
                let all = store.scan(&whole).await.unwrap();
                prop_assert!(!all.more);
                let mut turned = store.scan(&Scan { reverse: !scan.reverse, ..whole }).await.unwrap().entries;
                turned.reverse();
                prop_assert_eq!(&all.entries, &turned, "the reverse of the other direction");
                let paged = read_page_by_page(store, &Scan { limit: scan.limit.max(1), ..scan.clone() }).await;
                prop_assert_eq!(&all.entries, &paged, "one scan and its pages");

                let newest = all.entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
                let summary = Summary { as_of, rows: all.entries.len() as u64, newest };
                prop_assert_eq!(store.summarize(&scan.range).await.unwrap(), summary);
            }
            let asked: Vec<StoredKey> = asked.iter().map(key).collect();
            let rows = store.get(&asked).await.unwrap();
            let wanted: Vec<_> = asked.iter().map(|name| model.get(name.as_bytes()).cloned()).collect();
            prop_assert_eq!(rows.rows, wanted);
            prop_assert_eq!(rows.as_of, as_of);
            Ok(())
        })?;
    });
}

pub(crate) fn get_answers_in_the_order_asked(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let link = Write::Link(LinkTo::Key(key("nowhere")));
        let revision = commit(store, batch([("b", put("")), ("a", put("1")), ("l", link)])).await;
        let rows = store.get(&["a", "none", "b", "a", "l"].map(key)).await.unwrap();
        let row = |content| Some(Row { revision, content });
        let value = |text: &'static str| row(Content::Value(text.into()));
        assert_eq!(rows.as_of, revision);
        assert_eq!(rows.rows, [value("1"), None, value(""), value("1"), row(Content::Link(key("nowhere")))]);

        let none = store.get(&[]).await.unwrap();
        assert_eq!((none.as_of, none.rows), (revision, Vec::new()));
        let longer_than_any = key(vec![b'a'; 100_000]);
        assert_eq!(store.get(&[longer_than_any]).await.unwrap().rows, [None]);
    });
}

pub(crate) fn a_long_read_sees_one_revision(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let names: Vec<String> = (0..2_000).map(|number| format!("{number:04}")).collect();
        let written = commit(store, batch(names.iter().map(|name| (name, put(name))))).await;

        let asked: Vec<StoredKey> = names.iter().map(key).collect();
        let request = everything();
        let mut scan = pin!(store.scan(&request));
        let mut get = pin!(store.get(&asked));
        let mut summarize = pin!(store.summarize(&KeyRange::ALL));
        // An exclusive store has begun each, and has let others run before it ended. A shared one may begin later.
        let begun = [poll_once(&mut scan).is_pending(), poll_once(&mut get).is_pending()];
        let begun = begun == [true; 2] && poll_once(&mut summarize).is_pending();
        let exclusive = store.info().sharing == Sharing::Exclusive;
        assert!(begun, "it lets others run");
        let deleted = commit(store, batch(names.iter().map(|name| (name, Write::Delete)))).await;
        let rows_at = |as_of| match as_of {
            as_of if as_of == written => 2_000,
            as_of if as_of == deleted && !exclusive => 0,
            as_of => panic!("no such revision: {as_of}"),
        };

        let page = scan.await.unwrap();
        assert_eq!((page.entries.len(), page.more), (rows_at(page.as_of), false));
        assert!(keys(&page).iter().zip(&names).all(|(found, name)| *found == name.as_bytes()));
        let rows = get.await.unwrap();
        assert_eq!((rows.rows.len(), rows.rows.iter().flatten().count()), (2_000, rows_at(rows.as_of)));
        let summary = summarize.await.unwrap();
        let newest = if summary.as_of == written { written } else { Revision::ZERO };
        assert_eq!(summary, Summary { as_of: summary.as_of, rows: rows_at(summary.as_of) as u64, newest });
        assert!(store.scan(&everything()).await.unwrap().entries.is_empty());
    });
}

pub(crate) fn an_empty_store_reads_as_empty(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let nothing = Page { as_of: Revision::ZERO, entries: Vec::new(), more: false };
        assert_eq!(store.scan(&everything()).await.unwrap(), nothing);
        let summary = Summary { as_of: Revision::ZERO, rows: 0, newest: Revision::ZERO };
        assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap(), summary);
        commit(store, batch([("a", put(""))])).await;
        let none = store.scan(&Scan { limit: 0, ..everything() }).await.unwrap();
        assert_eq!((none.entries.len(), none.more), (0, true));
        let beyond = Scan { range: KeyRange::prefix(b"b"), limit: 0, ..everything() };
        assert!(!store.scan(&beyond).await.unwrap().more);
    });
}
