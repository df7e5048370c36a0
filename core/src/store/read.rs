//! What is asked of a store, and what it answers.

use std::fmt;

use bytes::Bytes;

use super::{KeyRange, Revision, StoredKey};
use crate::Error;

/// What a row holds. `Debug` shows lengths only.
#[derive(Clone)]
pub enum Content {
    /// A value, possibly empty.
    Value(Bytes),
    /// A link: the stored key of another row, which may or may not exist.
    Link(StoredKey),
    /// Nothing that can be read: this row alone was damaged, and the error says how. The other rows of an answer are as they
    /// should be.
    Damaged(Error),
}

impl Content {
    /// Bytes of the value or of the target's key.
    pub fn bytes(&self) -> usize {
        match self {
            Content::Value(value) => value.len(),
            Content::Link(target) => target.len(),
            Content::Damaged(_) => 0,
        }
    }
}

/// Damaged rows are equal if the same is wrong with them.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Content::Value(one), Content::Value(other)) => one == other,
            (Content::Link(one), Content::Link(other)) => one == other,
            (Content::Damaged(one), Content::Damaged(other)) => {
                one.kind() == other.kind() && one.to_string() == other.to_string()
            }
            _ => false,
        }
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Value(value) => write!(f, "Value({} bytes)", value.len()),
            Content::Link(target) => f.debug_tuple("Link").field(target).finish(),
            Content::Damaged(error) => f.debug_tuple("Damaged").field(error).finish(),
        }
    }
}

/// One row, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The batch that wrote it last.
    pub revision: Revision,
    /// What it holds.
    pub content: Content,
}

/// The answer to a `get`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The revision that was read.
    pub as_of: Revision,
    /// One element a key, in the order asked.
    pub rows: Vec<Option<Row>>,
}

/// What a scan brings beside each key and revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Nothing: `content` is `None`.
    Keys,
    /// The row's content.
    Values,
    /// The row's content and, for a link, the row it points to.
    Targets,
}

/// A request for one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Which keys.
    pub range: KeyRange,
    /// From the last key to the first.
    pub reverse: bool,
    /// Entries at most; no more than [`Limits::page_entries_max`](super::Limits).
    pub limit: usize,
    /// Bytes of keys, values and targets after which the page ends. A link counts the key it points to, unless that is the
    /// tail of its own.
    pub max_bytes: usize,
    /// What to bring.
    pub fetch: Fetch,
}

/// One entry of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The row's key.
    pub key: StoredKey,
    /// The batch that wrote it last.
    pub revision: Revision,
    /// What it holds, unless the scan asked for keys alone.
    pub content: Option<Content>,
    /// With [`Fetch::Targets`], the row that a link points to, if there is one.
    pub target: Option<Row>,
}

/// The answer to a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The revision that was read.
    pub as_of: Revision,
    /// The entries, in the order asked.
    pub entries: Vec<Entry>,
    /// Whether the range has a row beyond the last entry.
    pub more: bool,
}

/// The answer to a `summarize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The revision that was read.
    pub as_of: Revision,
    /// Rows in the range.
    pub rows: u64,
    /// The newest revision among them; zero without rows.
    pub newest: Revision,
}
