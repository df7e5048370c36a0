//! A page from the rows of its statement.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use strongroom_core::Result;
use strongroom_core::store::{Content, Entry, Fetch, Page, Revision, Row, Scan, StoredKey};

use crate::error::{damaged, removed};
use crate::row::{self, Sent};

/// A page, perhaps without the long values in it.
pub(crate) struct Draft {
    pub(crate) page: Page,
    /// The keys of what is missing.
    pub(crate) long: Vec<StoredKey>,
    /// Where it is missing: the entry, whether it is its target, and the row's revision.
    missing: Vec<(usize, bool, Revision)>,
}

impl Draft {
    pub(crate) fn of(found: Vec<PgRow>, scan: &Scan) -> Result<Self> {
        let page =
            Page { as_of: row::revision(found.first().ok_or_else(removed)?, 0)?, entries: Vec::new(), more: false };
        let mut draft = Draft { page, long: Vec::new(), missing: Vec::new() };
        draft.page.entries.reserve(found.len());
        let mut bytes = 0;
        for columns in &found {
            // A range without rows.
            let Some(key) = row::key(columns, 1)? else { break };
            if draft.page.entries.len() >= scan.limit || (bytes > scan.max_bytes && !draft.page.entries.is_empty()) {
                draft.page.more = true;
                break;
            }
            draft.check_order(&key, scan.reverse)?;
            bytes += key.len() + draft.add(key, columns, scan.fetch)?;
        }
        Ok(draft)
    }

    /// The statement gives the rows in order, but does not say that it must.
    fn check_order(&self, key: &StoredKey, reverse: bool) -> Result<()> {
        match self.page.entries.last() {
            Some(last) if (last.key < *key) == reverse => Err(damaged()),
            _ => Ok(()),
        }
    }

    /// Adds an entry, and says how many bytes it has beside its key.
    fn add(&mut self, key: StoredKey, columns: &PgRow, fetch: Fetch) -> Result<usize> {
        let mut entry = Entry { revision: row::revision(columns, 2)?, key, content: None, target: None };
        let mut bytes = 0;
        if fetch != Fetch::Keys {
            match row::sent(columns, &entry.key, 2)?.ok_or_else(damaged)? {
                Sent::Whole(row) => {
                    bytes += stored(&row.content, &entry.key);
                    entry.content = Some(row.content);
                }
                Sent::Length { revision, bytes: length } => {
                    bytes += length;
                    self.miss(entry.key.clone(), false, revision);
                }
            }
            if let (Fetch::Targets, Some(Content::Link(target))) = (fetch, &entry.content) {
                match row::sent(columns, target, 5)? {
                    Some(Sent::Whole(row)) => {
                        bytes += stored(&row.content, target);
                        entry.target = Some(row);
                    }
                    Some(Sent::Length { revision, bytes: length }) => {
                        bytes += length;
                        self.miss(target.clone(), true, revision);
                    }
                    None => {}
                }
            }
        }
        self.page.entries.push(entry);
        Ok(bytes)
    }

    fn miss(&mut self, key: StoredKey, is_target: bool, revision: Revision) {
        self.long.push(key);
        self.missing.push((self.page.entries.len(), is_target, revision));
    }

    /// The page with what was missing; none if that is no longer what the page was made of.
    pub(crate) fn complete(mut self, rows: &HashMap<StoredKey, Row>) -> Option<Page> {
        for (key, (at, is_target, revision)) in self.long.iter().zip(self.missing) {
            let row = rows.get(key).filter(|row| row.revision == revision)?.clone();
            let entry = self.page.entries.get_mut(at)?;
            if is_target {
                entry.target = Some(row);
            } else {
                entry.content = Some(row.content);
            }
        }
        Some(self.page)
    }
}

/// Bytes that are stored for what the row under `key` holds: none for a link to a part of that.
fn stored(content: &Content, key: &StoredKey) -> usize {
    match content {
        Content::Link(target) if key.as_bytes().ends_with(target.as_bytes()) => 0,
        content => content.bytes(),
    }
}
