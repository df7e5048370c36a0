//! A transaction's view: the base as it was read, the transaction's own writes over it, and the guards that both imply.
//!
//! What must be guarded, so that the transaction is serializable: each key read, absent ones too; each followed link's
//! target, since a change of the target need not touch the link; and of a scan exactly the interval that was consumed, with
//! the rows that the *base* has in it, not those that the own writes added or hid.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::changes::ChangeList;
use super::commit::lock;
use crate::store::{
    Batch, Content, Entry, Fetch, Guard, KeyRange, Limits, Page, Read, Revision, Row, Rows, Scan, StoredKey, Summary,
    Write,
};
use crate::{Error, ErrorKind, Limit, Result};

/// The revision of a row that the transaction itself wrote.
pub(crate) const UNCOMMITTED: Revision = Revision(u64::MAX);

/// Reads of a base, own writes over it.
pub(crate) struct Overlay {
    limits: Limits,
    state: Mutex<State>,
}

/// What a transaction has read and wants to write.
pub(crate) struct State {
    /// `None` once the transaction has ended: releases the snapshot even if a handle lives on.
    base: Option<Arc<dyn Read>>,
    /// Rows of the base that were read, by key or as a link's target.
    read: HashMap<StoredKey, Option<Row>>,
    /// Keys that must be absent without having been read.
    assumed_absent: BTreeSet<StoredKey>,
    /// Intervals of the base that were scanned.
    scanned: Vec<Scanned>,
    /// Own writes.
    writes: BTreeMap<StoredKey, Write>,
    /// Bytes of their keys and values.
    bytes: usize,
    /// Records that were written in collections whose changes are followed.
    pub(crate) changes: ChangeList,
}

struct Scanned {
    range: KeyRange,
    as_of: Revision,
    rows: u64,
}

impl Overlay {
    pub(crate) fn new(base: Arc<dyn Read>, limits: Limits) -> Self {
        let state = State {
            base: Some(base),
            read: HashMap::new(),
            assumed_absent: BTreeSet::new(),
            scanned: Vec::new(),
            writes: BTreeMap::new(),
            bytes: 0,
            changes: ChangeList::default(),
        };
        Overlay { limits, state: Mutex::new(state) }
    }

    /// Changes what is to be written, in one step that no other use of the same transaction can cut in two.
    ///
    /// Past what a batch may hold it fails at once, not when all has been gathered; the commit then fails as well.
    pub(crate) fn stage<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = lock(&self.state);
        if state.base.is_none() {
            return Err(ended());
        }
        let changed = change(&mut state)?;
        state.check(&self.limits)?;
        Ok(changed)
    }

    /// Ends the transaction: its guards and writes as one batch, and the changes to be listed with it. Later calls answer
    /// `TransactionEnded`.
    pub(crate) fn seal(&self) -> (Batch, ChangeList) {
        let mut state = lock(&self.state);
        state.base = None;
        let read = std::mem::take(&mut state.read);
        let absent = std::mem::take(&mut state.assumed_absent);
        let scanned = std::mem::take(&mut state.scanned);
        let mut guards = Vec::with_capacity(read.len() + absent.len() + scanned.len());
        guards.extend(
            absent.into_iter().filter(|key| !read.contains_key(key)).map(|key| Guard::Key { key, revision: None }),
        );
        guards.extend(read.into_iter().map(|(key, row)| Guard::Key { key, revision: row.map(|row| row.revision) }));
        guards.extend(scanned.into_iter().map(|Scanned { range, as_of, rows }| Guard::Range { range, as_of, rows }));
        let batch = Batch { guards, writes: std::mem::take(&mut state.writes), stamped: Vec::new() };
        (batch, std::mem::take(&mut state.changes))
    }

    /// Reads rows of the base, however many.
    async fn base_rows(&self, base: &dyn Read, keys: &[StoredKey]) -> Result<(Revision, Vec<Option<Row>>)> {
        let mut as_of = Revision::ZERO;
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(self.limits.get_keys_max.max(1)) {
            let fetched = base.get(keys).await?;
            as_of = fetched.as_of;
            rows.extend(fetched.rows);
        }
        Ok((as_of, rows))
    }

    fn base(&self) -> Result<Arc<dyn Read>> {
        lock(&self.state).base.clone().ok_or_else(ended)
    }
}

impl State {
    /// The row as the transaction sees it; the outer `None` if it was neither read nor written.
    pub(crate) fn current(&self, key: &StoredKey) -> Option<Option<Row>> {
        self.written(key).or_else(|| self.read.get(key).cloned())
    }

    /// Writes one row.
    pub(crate) fn write(&mut self, key: StoredKey, write: Write) {
        self.bytes += key.len() + write.bytes();
        let key_bytes = key.len();
        if let Some(last) = self.writes.insert(key, write) {
            self.bytes -= key_bytes + last.bytes();
        }
    }

    /// Checks the own writes against what a batch may hold.
    fn check(&self, limits: &Limits) -> Result<()> {
        let (writes, bytes) = (self.writes.len() + self.changes.rows(), self.bytes + self.changes.bytes());
        if writes > limits.batch_writes_max {
            return Err(Error::limit(Limit::BatchWrites, limits.batch_writes_max as u64, writes as u64));
        }
        if bytes > limits.batch_bytes_max {
            return Err(Error::limit(Limit::BatchBytes, limits.batch_bytes_max as u64, bytes as u64));
        }
        self.changes.check(limits)
    }

    /// Requires the key to be absent at commit, without reading it.
    pub(crate) fn assume_absent(&mut self, key: StoredKey) {
        self.assumed_absent.insert(key);
    }

    /// Lets others write between the rows that were met in scans so far. Targets of links that were followed stay guarded.
    pub(crate) fn release_ranges(&mut self) {
        self.scanned.clear();
    }

    fn written(&self, key: &StoredKey) -> Option<Option<Row>> {
        self.writes.get(key).map(|write| own_row(key, write))
    }

    /// Own writes in a range, in the direction of a scan.
    fn writes_in(&self, range: &KeyRange, reverse: bool) -> Vec<(StoredKey, Option<Row>)> {
        if range.is_empty() {
            return Vec::new();
        }
        let bounds: (Bound<&StoredKey>, Bound<&StoredKey>) = (range.start.as_ref(), range.end.as_ref());
        let rows = self.writes.range::<StoredKey, _>(bounds).map(|(key, write)| (key.clone(), own_row(key, write)));
        if reverse { rows.rev().collect() } else { rows.collect() }
    }
}

fn own_row(key: &StoredKey, write: &Write) -> Option<Row> {
    let content = match write {
        Write::Put(value) => Content::Value(value.clone()),
        Write::Link(link) => Content::Link(link.resolve(key)),
        Write::Delete => return None,
    };
    Some(Row { revision: UNCOMMITTED, content })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for Overlay {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let base = self.base()?;
        let unknown: Vec<StoredKey> = {
            let state = lock(&self.state);
            let unknown: BTreeSet<_> = keys.iter().filter(|key| state.current(key).is_none()).collect();
            unknown.into_iter().cloned().collect()
        };
        let mut as_of = Revision::ZERO;
        if !unknown.is_empty() {
            let (revision, rows) = self.base_rows(&*base, &unknown).await?;
            as_of = revision;
            let mut state = lock(&self.state);
            for (key, row) in unknown.into_iter().zip(rows) {
                state.read.entry(key).or_insert(row);
            }
        }
        let state = lock(&self.state);
        let rows = keys.iter().map(|key| state.current(key).flatten()).collect();
        Ok(Rows { as_of, rows })
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let base = self.base()?;
        let mut merged = Merge { entries: Vec::new(), bytes: 0, full: false };
        let mut rest = scan.clone();
        let (as_of, more) = loop {
            rest.limit = scan.limit.saturating_sub(merged.entries.len());
            let page = base.scan(&rest).await?;
            let as_of = page.as_of;
            let mut state = lock(&self.state);
            let Some(edge) = merged.add(&mut state, &rest, page, scan) else {
                break (as_of, false);
            };
            if merged.full {
                break (as_of, true);
            }
            rest.range = rest.range.beyond(&edge, scan.reverse);
        };
        if scan.fetch == Fetch::Targets {
            self.follow(&mut merged.entries).await?;
        }
        Ok(Page { as_of, entries: merged.entries, more })
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let base = self.base()?;
        let mut summary = base.summarize(range).await?;
        let own = {
            let mut state = lock(&self.state);
            state.scanned.push(Scanned { range: range.clone(), as_of: summary.as_of, rows: summary.rows });
            state.writes_in(range, false)
        };
        // The base's rows under the own writes are known in most cases; where not, they are read.
        let keys: Vec<StoredKey> = own.iter().map(|(key, _)| key.clone()).collect();
        let known: Vec<Option<Option<Row>>> = {
            let state = lock(&self.state);
            keys.iter().map(|key| state.read.get(key).cloned()).collect()
        };
        let unknown: Vec<StoredKey> =
            keys.iter().zip(&known).filter(|(_, row)| row.is_none()).map(|(key, _)| key.clone()).collect();
        let mut fetched = self.base_rows(&*base, &unknown).await?.1.into_iter();
        for ((_, now), before) in own.into_iter().zip(known) {
            let before = before.unwrap_or_else(|| fetched.next().flatten());
            summary.rows = summary.rows + u64::from(now.is_some()) - u64::from(before.is_some());
            summary.newest = UNCOMMITTED;
        }
        Ok(summary)
    }
}

impl Overlay {
    /// Puts the own writes over the targets that the base gave, and finds those of links that only the overlay has.
    async fn follow(&self, entries: &mut [Entry]) -> Result<()> {
        let targets: Vec<StoredKey> = entries.iter().filter_map(|entry| link(entry).cloned()).collect();
        let mut rows = self.get(&targets).await?.rows.into_iter();
        for entry in entries {
            if link(entry).is_some() {
                entry.target = rows.next().flatten();
            }
        }
        Ok(())
    }
}

/// A page in the making, of base and own rows in one order.
struct Merge {
    entries: Vec<Entry>,
    bytes: usize,
    full: bool,
}

impl Merge {
    /// Merges one page of the base with the own writes beside it, and notes the interval consumed.
    ///
    /// Gives the key up to which all is merged, or nothing if the range is exhausted.
    fn add(&mut self, state: &mut State, rest: &Scan, page: Page, scan: &Scan) -> Option<StoredKey> {
        let mut own = state.writes_in(&rest.range, scan.reverse).into_iter().peekable();
        let last_base = page.entries.last().map(|entry| entry.key.clone());
        let mut base = page.entries.into_iter().peekable();
        let mut base_rows = 0;
        let mut edge = None;
        loop {
            if self.entries.len() == scan.limit || (self.bytes >= scan.max_bytes && !self.entries.is_empty()) {
                self.full = base.peek().is_some() || own.peek().is_some() || page.more;
                break;
            }
            let before = |a: &StoredKey, b: &StoredKey| if scan.reverse { a > b } else { a < b };
            let (take_base, take_own) = match (base.peek(), own.peek()) {
                (None, None) => break,
                (Some(_), None) => (true, false),
                (None, Some((key, _))) => {
                    // Past the last base row of an unfinished page other base rows may come first.
                    if page.more && last_base.as_ref().is_none_or(|last| before(last, key)) {
                        break;
                    }
                    (false, true)
                }
                (Some(entry), Some((key, _))) => (!before(key, &entry.key), !before(&entry.key, key)),
            };
            let from_base = if take_base { base.next() } else { None };
            let from_own = if take_own { own.next() } else { None };
            if let Some(entry) = &from_base {
                base_rows += 1;
                edge = Some(entry.key.clone());
                if let Some(target) = link(entry).filter(|_| scan.fetch == Fetch::Targets) {
                    state.read.entry(target.clone()).or_insert_with(|| entry.target.clone());
                }
            }
            let entry = match from_own {
                None => from_base,
                Some((key, row)) => {
                    edge = Some(key.clone());
                    row.map(|row| own_entry(key, row, scan.fetch))
                }
            };
            self.bytes += entry.as_ref().map_or(0, size);
            self.entries.extend(entry);
        }
        let exhausted = !page.more && base.peek().is_none() && own.peek().is_none();
        let range = match &edge {
            _ if exhausted => Some(rest.range.clone()),
            Some(edge) => Some(rest.range.through(edge, scan.reverse)),
            None => None,
        };
        if let Some(range) = range {
            state.scanned.push(Scanned { range, as_of: page.as_of, rows: base_rows });
        }
        // Without an edge nothing was merged: a limit of 0.
        self.full |= edge.is_none();
        if exhausted { None } else { Some(edge.unwrap_or_default()) }
    }
}

fn own_entry(key: StoredKey, row: Row, fetch: Fetch) -> Entry {
    let content = (fetch != Fetch::Keys).then_some(row.content);
    Entry { key, revision: row.revision, content, target: None }
}

fn link(entry: &Entry) -> Option<&StoredKey> {
    match &entry.content {
        Some(Content::Link(target)) => Some(target),
        _ => None,
    }
}

fn size(entry: &Entry) -> usize {
    let target = entry.target.as_ref().map_or(0, |target| target.content.bytes());
    entry.key.len() + entry.content.as_ref().map_or(0, Content::bytes) + target
}

fn ended() -> Error {
    Error::new(ErrorKind::TransactionEnded, "the transaction has ended; use its handle only inside the closure")
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        write!(f, "Overlay({} read, {} scanned, {} written)", state.read.len(), state.scanned.len(), state.writes.len())
    }
}
