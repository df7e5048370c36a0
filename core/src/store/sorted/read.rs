//! `get`, `scan` and `summarize` over any table.
//!
//! They run where they are called, in slices: between two slices other tasks get their turn, while the caller keeps the one
//! view. A page's bytes lie in one allocation, which its entries share.

use std::future::poll_fn;
use std::ops::{ControlFlow, Range};
use std::task::Poll;

use bytes::Bytes;

use super::table::walk;
use super::{StoredContent, StoredRow, Table};
use crate::error::{Error, ErrorKind, Limit, Result};
use crate::store::{Content, Entry, Fetch, KeyRange, Limits, Page, Revision, Row, Rows, Scan, StoredKey, Summary};

/// Rows that a read visits before other tasks get their turn: a fraction of a millisecond.
const SLICE_ROWS: usize = 256;
/// Bytes that a read copies before other tasks get their turn.
const SLICE_BYTES: usize = 1 << 20;

/// [`Read::get`](crate::store::Read::get) on one table.
pub async fn get<T: Table + Sync>(table: &T, as_of: Revision, keys: &[StoredKey], limits: &Limits) -> Result<Rows> {
    if keys.len() > limits.get_keys_max {
        return Err(Error::limit(Limit::GetKeys, limits.get_keys_max as u64, keys.len() as u64));
    }
    let mut arena = Arena::default();
    let mut drafts = Vec::with_capacity(keys.len());
    let mut slice_end = arena.slice_end();
    for (done, key) in keys.iter().enumerate() {
        if done > 0 && (done % SLICE_ROWS == 0 || arena.0.len() > slice_end) {
            yield_now().await;
            slice_end = arena.slice_end();
        }
        drafts.push(table.row(key.as_bytes(), |row| arena.row(row, key.len()))?.transpose()?);
    }
    let bytes = arena.freeze();
    let rows = drafts.into_iter().zip(keys).map(|(draft, key)| draft.map(|draft| draft.finish(&bytes, key)));
    Ok(Rows { as_of, rows: rows.collect() })
}

/// [`Read::scan`](crate::store::Read::scan) on one table.
pub async fn scan<T: Table + Sync>(table: &T, as_of: Revision, scan: &Scan, limits: &Limits) -> Result<Page> {
    if scan.limit > limits.page_entries_max {
        return Err(Error::limit(Limit::PageEntries, limits.page_entries_max as u64, scan.limit as u64));
    }
    let mut page = PageDraft::default();
    let mut next = page.fill(table, scan, &scan.range)?;
    while let Some(rest) = next {
        yield_now().await;
        next = page.fill(table, scan, &rest)?;
    }
    Ok(page.finish(as_of))
}

/// [`Read::summarize`](crate::store::Read::summarize) on one table.
pub async fn summarize<T: Table + Sync>(table: &T, as_of: Revision, range: &KeyRange) -> Result<Summary> {
    let mut summary = Summary { as_of, rows: 0, newest: Revision::ZERO };
    let mut rest = range.clone();
    loop {
        let mut visited = 0;
        let mut last = None;
        walk(table, &rest, false, &mut |key, row| {
            summary.rows += 1;
            summary.newest = summary.newest.max(row.revision);
            visited += 1;
            if visited < SLICE_ROWS {
                return Ok(ControlFlow::Continue(()));
            }
            last = Some(StoredKey::from(key.to_vec()));
            Ok(ControlFlow::Break(()))
        })?;
        let Some(last) = last else { return Ok(summary) };
        rest = range.beyond(&last, false);
        yield_now().await;
    }
}

/// A page that is being filled.
#[derive(Default)]
struct PageDraft {
    arena: Arena,
    entries: Vec<EntryDraft>,
    more: bool,
}

struct EntryDraft {
    key: Range<usize>,
    revision: Revision,
    content: Option<RowDraft>,
    target: Option<RowDraft>,
}

impl PageDraft {
    /// Visits one slice of `range` and gives what is left of it, if the page needs more.
    fn fill<T: Table>(&mut self, table: &T, scan: &Scan, range: &KeyRange) -> Result<Option<KeyRange>> {
        let slice_end = self.arena.slice_end();
        let mut visited = 0;
        let mut paused = false;
        walk(table, range, scan.reverse, &mut |key, row| {
            if self.entries.len() >= scan.limit || (self.arena.0.len() > scan.max_bytes && !self.entries.is_empty()) {
                self.more = true;
                return Ok(ControlFlow::Break(()));
            }
            if visited == SLICE_ROWS || self.arena.0.len() > slice_end {
                paused = true;
                return Ok(ControlFlow::Break(()));
            }
            visited += 1;
            self.add(table, scan.fetch, key, row)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if !paused {
            return Ok(None);
        }
        let last = self.entries.last().map_or(0..0, |entry| entry.key.clone());
        Ok(Some(range.beyond(&StoredKey::from(self.arena.0[last].to_vec()), scan.reverse)))
    }

    fn add<T: Table>(&mut self, table: &T, fetch: Fetch, key: &[u8], row: StoredRow<'_>) -> Result<()> {
        let at = self.arena.add(key);
        let (mut content, mut target) = (None, None);
        if fetch != Fetch::Keys {
            content = Some(self.arena.row(row, key.len())?);
        }
        let link = match row.content {
            StoredContent::Key(link) => Some(link),
            StoredContent::Suffix(at) => Some(key.get(usize::from(at)..).ok_or_else(suffix_past_end)?),
            StoredContent::Value(_) => None,
        };
        if let (Fetch::Targets, Some(link)) = (fetch, link) {
            target = table.row(link, |row| self.arena.row(row, link.len()))?.transpose()?;
        }
        self.entries.push(EntryDraft { key: at, revision: row.revision, content, target });
        Ok(())
    }

    fn finish(self, as_of: Revision) -> Page {
        let bytes = self.arena.freeze();
        let entries = self.entries.into_iter().map(|entry| {
            let key = StoredKey::new(bytes.slice(entry.key));
            let content = entry.content.map(|draft| draft.finish(&bytes, &key).content);
            let target = match &content {
                Some(Content::Link(link)) => entry.target.map(|draft| draft.finish(&bytes, link)),
                _ => None,
            };
            Entry { key, revision: entry.revision, content, target }
        });
        Page { as_of, entries: entries.collect(), more: self.more }
    }
}

/// The bytes of one answer, one after another.
#[derive(Default)]
struct Arena(Vec<u8>);

/// A row whose bytes lie in the arena.
struct RowDraft {
    revision: Revision,
    content: ContentDraft,
}

enum ContentDraft {
    Value(Range<usize>),
    Key(Range<usize>),
    /// The tail of the row's own key.
    Suffix(usize),
}

impl Arena {
    fn slice_end(&self) -> usize {
        self.0.len() + SLICE_BYTES
    }

    fn add(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.0.len();
        self.0.extend_from_slice(bytes);
        start..self.0.len()
    }

    fn row(&mut self, row: StoredRow<'_>, key_bytes: usize) -> Result<RowDraft> {
        let content = match row.content {
            StoredContent::Value(value) => ContentDraft::Value(self.add(value)),
            StoredContent::Key(target) => ContentDraft::Key(self.add(target)),
            StoredContent::Suffix(at) if usize::from(at) > key_bytes => return Err(suffix_past_end()),
            StoredContent::Suffix(at) => ContentDraft::Suffix(at.into()),
        };
        Ok(RowDraft { revision: row.revision, content })
    }

    fn freeze(self) -> Bytes {
        Bytes::from(self.0)
    }
}

impl RowDraft {
    fn finish(self, bytes: &Bytes, key: &StoredKey) -> Row {
        let content = match self.content {
            ContentDraft::Value(at) => Content::Value(bytes.slice(at)),
            ContentDraft::Key(at) => Content::Link(StoredKey::new(bytes.slice(at))),
            ContentDraft::Suffix(at) => Content::Link(key.tail(at)),
        };
        Row { revision: self.revision, content }
    }
}

fn suffix_past_end() -> Error {
    Error::new(ErrorKind::Corrupt, "a stored link begins past the end of its key")
}

/// Lets other tasks run, on whatever executor this is.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
