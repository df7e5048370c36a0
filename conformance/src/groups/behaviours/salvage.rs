//! Out of a damaged store comes what can be read, and what cannot is named.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::{Content, Entry, Fetch, KeyRange, Page, Read, Rows, Scan, StoredKey, Write};
use strongroom_core::{Database, Error, ErrorKind, Result};

use super::letters::{Failing, Letter, fill, letters, open, schema, twisted};
use super::support::open_again;
use crate::case::cases;
use crate::context::Site;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_whole_store_is_salvaged_whole,
    rows_that_cannot_be_read_are_named_and_all_others_are_salvaged,
    parts_that_the_engine_cannot_read_are_named_and_what_is_around_them_is_salvaged,
    records_without_their_entries_get_them_again,
    a_store_without_a_catalog_is_salvaged,
    nothing_is_written_through_a_handle_for_salvage,
    a_second_owner_of_a_unique_entry_is_named,
    a_salvage_does_not_touch_other_records,
    a_salvage_that_goes_on_keeps_what_can_no_longer_be_read,
    pages_of_zeros_in_the_file_cost_what_was_in_them [Reopen, Files],
}

const PAGE: usize = 20;

/// A database over the site's store that may be damaged.
async fn damaged<T: Twist>(site: &Site, twist: &Arc<T>) -> Checked<Database> {
    let store = Arc::new(Twisted::new(site.store.clone(), twist.clone()));
    Ok(Database::builder(schema()?).clock(site.clock.clone()).open_damaged(store).await?)
}

/// The stored keys of records, in their order.
async fn stored(site: &Site, collection: u8) -> Checked<Vec<StoredKey>> {
    let mut range = KeyRange::prefix(&[0, collection, 0]);
    let mut keys: Vec<StoredKey> = Vec::new();
    loop {
        let scan =
            Scan { range: range.clone(), reverse: false, limit: PAGE, max_bytes: usize::MAX, fetch: Fetch::Keys };
        let page = site.store.scan(&scan).await?;
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        match keys.last() {
            Some(last) if page.more => range = range.beyond(last, false),
            _ => return Ok(keys),
        }
    }
}

/// A twist whose rows of some keys are damaged, and that cannot read at all from some keys to others.
#[derive(Debug, Default)]
struct Holes {
    rows: BTreeSet<StoredKey>,
    pages: Vec<(StoredKey, StoredKey)>,
}

impl Holes {
    /// Whether a part of the range is where nothing can be read.
    fn meet(&self, range: &KeyRange) -> bool {
        self.pages.iter().any(|(first, last)| {
            let before = KeyRange { start: range.start.clone(), end: Bound::Included(last.clone()) };
            let behind = KeyRange { start: Bound::Included(first.clone()), end: range.end.clone() };
            !before.is_empty() && !behind.is_empty()
        })
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Corrupt, "a fault that a test makes")
}

#[async_trait]
impl Twist for Holes {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let at = |key: &StoredKey| Bound::Included(key.clone());
        if keys.iter().any(|key| self.meet(&KeyRange { start: at(key), end: at(key) })) {
            return Err(broken());
        }
        let mut rows = inner.get(keys).await?;
        for (key, row) in keys.iter().zip(&mut rows.rows) {
            if let Some(row) = row.as_mut().filter(|_| self.rows.contains(key)) {
                row.content = Content::Damaged(broken());
            }
        }
        Ok(rows)
    }

    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let mut page = inner.scan(scan).await?;
        let last = page.entries.last().filter(|_| page.more).map(|last| &last.key);
        if self.meet(&last.map_or(scan.range.clone(), |last| scan.range.through(last, scan.reverse))) {
            return Err(broken());
        }
        for Entry { key, content, .. } in &mut page.entries {
            if self.rows.contains(key) {
                *content = Some(Content::Damaged(broken()));
            }
        }
        Ok(page)
    }
}

/// That the target is sound and has the letters that were expected.
async fn has(to: &Database, expected: &[Letter]) -> Checked {
    ensure_eq!(letters(to).await?, expected);
    let found = to.verify().await?;
    ensure!(found.problems.is_empty(), "{:?}", found.problems);
    ensure!(!to.is_unfinished_copy().await?);
    Ok(())
}

async fn a_whole_store_is_salvaged_whole(context: Context) -> Checked {
    let ((source, _site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..90).await?;
    let mut told = 0;
    let salvaged = source.salvage_into(&to, |copied| told = copied).await?;
    ensure!(salvaged.problems.is_empty(), "{:?}", salvaged.problems);
    ensure_eq!((salvaged.copied, told, salvaged.digest), (91, 91, source.digest().await?));
    has(&to, &letters(&source).await?).await
}

async fn rows_that_cannot_be_read_are_named_and_all_others_are_salvaged(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..90).await?;
    let keys = stored(&site, 1).await?;
    let rows: BTreeSet<StoredKey> = [0, 19, 20, 50, 89].map(|at| keys[at].clone()).into();
    let lost = rows.len();
    let bad = damaged(&site, &Arc::new(Holes { rows, ..Holes::default() })).await?;
    ensure_kind!(bad.copy_into(&to, |_| {}).await, ErrorKind::Corrupt);
    let salvaged = bad.salvage_into(&to, |_| {}).await?;
    ensure_eq!((salvaged.copied as usize, salvaged.problems.len()), (91 - lost, lost));
    let named: BTreeSet<&str> = salvaged.problems.iter().map(|problem| problem.row.as_str()).collect();
    ensure!(
        named.len() == lost && salvaged.problems.iter().all(|problem| problem.collection == "letters"),
        "{named:?}"
    );
    let there = letters(&source).await?;
    let left: Vec<Letter> = letters(&to).await?;
    ensure!(left.len() == 90 - lost && left.iter().all(|letter| there.contains(letter)));
    has(&to, &left).await
}

async fn parts_that_the_engine_cannot_read_are_named_and_what_is_around_them_is_salvaged(context: Context) -> Checked {
    let (source, site) = open(&context, PAGE).await?;
    fill(&source, 0..90).await?;
    let (keys, there) = (stored(&site, 1).await?, letters(&source).await?);
    // At the front, in the middle, at the end, in two places, in many, and everywhere.
    let holes: [&[(usize, usize)]; 6] = [
        &[(0, 5)],
        &[(40, 52)],
        &[(81, 90)],
        &[(10, 15), (60, 70)],
        &[(3, 5), (20, 24), (45, 46), (80, 83)],
        &[(0, 90)],
    ];
    for places in holes {
        let places: Vec<std::ops::Range<usize>> = places.iter().map(|(start, end)| *start..*end).collect();
        let lost: usize = places.iter().map(ExactSizeIterator::len).sum();
        let pages = places.iter().map(|place| (keys[place.start].clone(), keys[place.end - 1].clone())).collect();
        let (to, _to) = open(&context, PAGE).await?;
        let bad = damaged(&site, &Arc::new(Holes { pages, ..Holes::default() })).await?;
        let salvaged = bad.salvage_into(&to, |_| {}).await?;
        ensure_eq!(salvaged.copied as usize, 91 - lost, "copied around {places:?}");
        let of = |what: &str| salvaged.problems.iter().filter(|problem| problem.problem.contains(what)).count();
        ensure_eq!(of("a part of the collection"), places.len(), "parts named for {places:?}");
        ensure_eq!(of("an index knows"), lost, "records named for {places:?}");
        let left = letters(&to).await?;
        ensure!(left.iter().all(|letter| there.contains(letter)));
        has(&to, &left).await?;
        to.close().await?;
    }
    Ok(())
}

async fn records_without_their_entries_get_them_again(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..50).await?;
    let expected = letters(&source).await?;
    for index in 1..=3 {
        site.store.drop_range(&KeyRange::prefix(&[0, 1, index]), &[]).await?;
    }
    ensure!(!source.verify().await?.problems.is_empty());
    let salvaged = source.salvage_into(&to, |_| {}).await?;
    ensure!(salvaged.problems.is_empty(), "{:?}", salvaged.problems);
    has(&to, &expected).await
}

async fn a_store_without_a_catalog_is_salvaged(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..50).await?;
    let expected = letters(&source).await?;
    // What is in the place of the catalog, and nothing.
    for write in [Write::Put(b"\x01\xC1"[..].into()), Write::Delete] {
        let catalog = StoredKey::from(vec![0, 0, 1]);
        let batch = strongroom_core::store::Batch { writes: [(catalog, write)].into(), ..Default::default() };
        site.store.commit(vec![batch]).await?;
        ensure_kind!(
            open_again(&site, schema()?).await.map_err(|_| Error::new(ErrorKind::Corrupt, "")),
            ErrorKind::Corrupt
        );
        let builder = Database::builder(schema()?).clock(site.clock.clone());
        let source = builder.open_damaged(site.store.clone()).await?;
        ensure!(source.put(&Letter::new(1)).await.is_err(), "it is only read");
        let (to, _to) = open(&context, PAGE).await?;
        ensure!(source.salvage_into(&to, |_| {}).await?.problems.is_empty());
        has(&to, &expected).await?;
    }
    to.close().await?;
    Ok(())
}

async fn nothing_is_written_through_a_handle_for_salvage(context: Context) -> Checked {
    let ((source, site), (other, _other)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..30).await?;
    fill(&other, 30..50).await?;
    // Of a whole store, so that nothing else is in the way.
    let builder = Database::builder(schema()?).clock(site.clock.clone());
    let handle = builder.open_damaged(site.store.clone()).await?;
    let before = (source.digest().await?, source.snapshot().await?.revision());
    let refused = |result: Result<()>| {
        let error = ensure_kind!(result, ErrorKind::Unsupported);
        ensure!(error.to_string().contains("damaged"), "{error}");
        Ok::<_, Failure>(())
    };
    refused(handle.put(&Letter::new(100)).await)?;
    refused(handle.insert(&Letter::new(100)).await)?;
    refused(handle.delete(&Letter::key(&1)).await.map(drop))?;
    refused(handle.query(Letter::PRIMARY).delete().await.map(drop))?;
    refused(handle.write(|tx| async move { tx.put(&Letter::new(100)).await }).await)?;
    refused(handle.compact().await.map(drop))?;
    // Nor is it a target, with records or without.
    ensure!(other.copy_into(&handle, |_| {}).await.is_err(), "it is no target");
    let empty = context.open().await?;
    Database::builder(schema()?).open(empty.store.clone()).await?;
    let target = Database::builder(schema()?).open_damaged(empty.store.clone()).await?;
    refused(other.copy_into(&target, |_| {}).await.map(drop))?;
    ensure_eq!((source.digest().await?, source.snapshot().await?.revision()), before);
    handle.migrate(|_| {}).await?;
    ensure_eq!(handle.get(&Letter::key(&1)).await?, Some(Letter::new(1)), "it is read");
    ensure_eq!((source.digest().await?, source.snapshot().await?.revision()), before);
    Ok(())
}

async fn a_second_owner_of_a_unique_entry_is_named(context: Context) -> Checked {
    let ((source, site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..30).await?;
    // An entry that was lost, so that another letter could take it.
    source.put(&Letter { slug: None, ..Letter::new(2) }).await?;
    source.put(&Letter { slug: Some("slug 2".to_owned()), ..Letter::new(3) }).await?;
    site.store.drop_range(&KeyRange::prefix(&[0, 1, 2]), &[]).await?;
    source.put(&Letter { text: "another".to_owned(), ..Letter::new(2) }).await?;
    let salvaged = source.salvage_into(&to, |_| {}).await?;
    ensure_eq!((salvaged.copied, salvaged.problems.len()), (30, 1));
    ensure!(salvaged.problems[0].problem.contains("unique"), "{:?}", salvaged.problems);
    ensure_eq!(to.query(Letter::SLUG).equal("slug 2").page().await?.records.len(), 1);
    has(&to, &letters(&to).await?).await
}

async fn a_salvage_does_not_touch_other_records(context: Context) -> Checked {
    let ((source, _site), (to, _to)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..30).await?;
    fill(&to, 10..12).await?;
    let before = to.digest().await?;
    ensure_kind!(source.salvage_into(&to, |_| {}).await, ErrorKind::AlreadyExists);
    ensure_eq!(to.digest().await?, before);
    Ok(())
}

async fn a_salvage_that_goes_on_keeps_what_can_no_longer_be_read(context: Context) -> Checked {
    let ((source, site), (to, to_site)) = (open(&context, PAGE).await?, open(&context, PAGE).await?);
    fill(&source, 0..90).await?;
    let keys = stored(&site, 1).await?;
    let failing = Failing { commits_left: 3.into(), after: false };
    ensure_kind!(source.salvage_into(&twisted(&to_site, &Arc::new(failing)).await?, |_| {}).await, ErrorKind::Io);
    let before = letters(&to).await?;
    ensure_eq!(before.len(), 40);
    // Two of those go, and one that was not reached.
    let rows = [1, 30, 60].map(|at| keys[at].clone()).into();
    let bad = damaged(&site, &Arc::new(Holes { rows, ..Holes::default() })).await?;
    let (mut expected, mut kept, mut changed) = (Vec::new(), 0, None);
    for mut letter in letters(&source).await? {
        let is_there = before.contains(&letter);
        match bad.get(&Letter::key(&letter.id)).await {
            // Of those that are there one becomes another.
            Ok(_) if is_there && changed.is_none() => {
                letter.text = "another".to_owned();
                source.put(&letter).await?;
                changed = Some(letter.id);
            }
            Ok(_) => {}
            Err(_) if is_there => kept += 1,
            Err(_) => continue,
        }
        expected.push(letter);
    }
    let salvaged = bad.salvage_into(&to, |_| {}).await?;
    ensure_eq!((salvaged.copied, salvaged.digest), (90, to.digest().await?));
    ensure_eq!((salvaged.problems.len(), kept), (3, 2), "{:?}", salvaged.problems);
    has(&to, &expected).await
}

/// Bytes in a page of the engines' files.
const PAGE_BYTES: usize = 4096;
/// Places in the file that are hurt, one after another.
const PLACES: usize = 4;

async fn pages_of_zeros_in_the_file_cost_what_was_in_them(context: Context) -> Checked {
    let (source, mut site) = open(&context, 500).await?;
    fill(&source, 0..400).await?;
    let there = letters(&source).await?;
    source.compact().await.ok();
    source.close().await?;
    let whole = fs::read(site.place.file())?;
    let pages = whole.len() / PAGE_BYTES;
    let (mut salvaged, mut lost, mut refused) = (0_u64, 0_u64, 0_u64);
    for place in 0..PLACES {
        let at = pages * (2 * place + 1) / (2 * PLACES) * PAGE_BYTES;
        let mut bytes = whole.clone();
        bytes[at..at + PAGE_BYTES].fill(0);
        fs::write(site.place.file(), bytes)?;
        // Some pages the store cannot open without.
        let store = match context.reopen(&site.place, &site.settings).await {
            Ok(store) => store,
            Err(error) => {
                let kinds = [ErrorKind::Corrupt, ErrorKind::Io, ErrorKind::NotAStore, ErrorKind::Layer];
                ensure!(kinds.contains(&error.kind()), "{:?}: {error}", error.kind());
                refused += 1;
                continue;
            }
        };
        let (to, _to) = open(&context, 500).await?;
        let source = Database::builder(schema()?).clock(site.clock.clone()).open_damaged(store.clone()).await?;
        let found = source.salvage_into(&to, |_| {}).await?;
        let left = letters(&to).await?;
        ensure!(left.iter().all(|letter| there.binary_search(letter).is_ok()), "a letter that never was");
        ensure!(left.len() == there.len() || !found.problems.is_empty(), "{} letters of {}", left.len(), there.len());
        has(&to, &left).await?;
        salvaged += left.len() as u64;
        lost += (there.len() - left.len()) as u64;
        store.close().await.ok();
        to.close().await?;
    }
    fs::write(site.place.file(), whole)?;
    site.store = context.reopen(&site.place, &site.settings).await?;
    // An engine may look at all pages when it opens a file, and open none that has a damaged one. Then nothing was salvaged, and the figures say so.
    ensure!(salvaged >= 400 || refused == PLACES as u64, "{salvaged} letters were salvaged; not opened: {refused}");
    context.count("damaged files that the engine did not open", refused);
    context.count("letters salvaged from damaged files", salvaged);
    context.count("letters lost in damaged pages", lost);
    Ok(())
}
