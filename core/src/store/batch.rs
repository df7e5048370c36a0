//! What is written, and under which conditions.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::{KeyPrefix, KeyRange, Limits, Revision, StoredKey};
use crate::error::{Error, ErrorKind, Limit, Result};

/// Writes that happen together or not at all, if all guards hold. `Debug` shows no content.
#[derive(Clone, Default)]
pub struct Batch {
    /// What must still be so. Checked against the state that the batches before this one left.
    pub guards: Vec<Guard>,
    /// What becomes of each key.
    pub writes: BTreeMap<StoredKey, Write>,
    /// Rows whose key ends in the batch's own revision: an ordered log without a row that every commit changes.
    pub stamped: Vec<(KeyPrefix, Bytes)>,
}

/// What becomes of one key. `Debug` shows lengths only.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// It holds this value.
    Put(Bytes),
    /// It links to another row.
    Link(LinkTo),
    /// It has no row; not an error if it had none.
    Delete,
}

/// Where a link points. The target need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkTo {
    /// To the tail of the link's own key, from this byte on; at most the key's length.
    Suffix(u16),
    /// To this key.
    Key(StoredKey),
}

impl LinkTo {
    /// The key that a link stored under `key` points to.
    pub fn resolve(&self, key: &StoredKey) -> StoredKey {
        match self {
            LinkTo::Suffix(at) => key.tail(usize::from(*at)),
            LinkTo::Key(target) => target.clone(),
        }
    }
}

/// What must still be so when the batch is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key's row has exactly this revision; `None`: the key has no row.
    Key {
        /// Which key.
        key: StoredKey,
        /// Its row's revision.
        revision: Option<Revision>,
    },
    /// Nothing came, changed or went in the range since `as_of`: it still has `rows` rows, none newer than `as_of`.
    Range {
        /// Which keys.
        range: KeyRange,
        /// The revision at which the range was read.
        as_of: Revision,
        /// How many rows it had.
        rows: u64,
    },
}

/// What became of one batch.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It happened, at this revision.
    Committed(Revision),
    /// Nothing happened: the guard at this position did not hold.
    Conflict {
        /// Position in [`Batch::guards`].
        guard: usize,
    },
    /// Nothing happened: the batch can never be applied as it is.
    Rejected(Error),
}

impl Outcome {
    /// The revision that was committed, if it was.
    pub fn revision(&self) -> Option<Revision> {
        match self {
            Outcome::Committed(revision) => Some(*revision),
            Outcome::Conflict { .. } | Outcome::Rejected(_) => None,
        }
    }
}

impl Batch {
    /// Whether the batch changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.writes.is_empty() && self.stamped.is_empty()
    }

    /// Bytes of keys and values that the batch writes.
    pub fn bytes(&self) -> usize {
        let writes: usize = self.writes.iter().map(|(key, write)| key.len() + write.bytes()).sum();
        let stamped: usize = self.stamped.iter().map(|(prefix, value)| prefix.0.len() + 8 + value.len()).sum();
        writes + stamped
    }

    /// Checks the batch against `limits` and its own form, before anything is queued or written.
    ///
    /// # Errors
    ///
    /// `Limit(..)` names the limit; `InvalidInput`: a link past the end of its key, or one stamped prefix twice.
    pub fn check(&self, limits: &Limits) -> Result<()> {
        let within = |limit, max: usize, asked: usize| {
            if asked > max { Err(Error::limit(limit, max as u64, asked as u64)) } else { Ok(()) }
        };
        within(Limit::BatchWrites, limits.batch_writes_max, self.writes.len() + self.stamped.len())?;
        limits.check_guards(&self.guards)?;
        within(Limit::BatchBytes, limits.batch_bytes_max, self.bytes())?;
        for (key, write) in &self.writes {
            within(Limit::KeyBytes, limits.key_bytes_max, key.len())?;
            match write {
                Write::Put(value) => within(Limit::ValueBytes, limits.value_bytes_max, value.len())?,
                Write::Link(LinkTo::Key(target)) => within(Limit::KeyBytes, limits.key_bytes_max, target.len())?,
                Write::Link(LinkTo::Suffix(at)) if usize::from(*at) > key.len() => {
                    return Err(Error::new(ErrorKind::InvalidInput, "a link's suffix begins past the end of its key"));
                }
                Write::Link(LinkTo::Suffix(_)) | Write::Delete => {}
            }
        }
        for (prefix, value) in &self.stamped {
            within(Limit::KeyBytes, limits.key_bytes_max, prefix.0.len() + 8)?;
            within(Limit::ValueBytes, limits.value_bytes_max, value.len())?;
        }
        let mut prefixes: Vec<_> = self.stamped.iter().map(|(prefix, _)| prefix).collect();
        prefixes.sort_unstable();
        if prefixes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::new(ErrorKind::InvalidInput, "one prefix is stamped twice in a batch"));
        }
        Ok(())
    }
}

impl Limits {
    /// Checks the guards of one batch or of one [`drop_range`](super::Store::drop_range).
    ///
    /// # Errors
    ///
    /// `Limit(BatchGuards)`, `Limit(GuardRows)`.
    pub fn check_guards(&self, guards: &[Guard]) -> Result<()> {
        if guards.len() > self.batch_guards_max {
            return Err(Error::limit(Limit::BatchGuards, self.batch_guards_max as u64, guards.len() as u64));
        }
        let rows = guards.iter().map(|guard| match guard {
            Guard::Key { .. } => 0,
            Guard::Range { rows, .. } => *rows,
        });
        let rows = rows.fold(0, u64::saturating_add);
        if rows > self.guard_rows_max {
            return Err(Error::limit(Limit::GuardRows, self.guard_rows_max, rows));
        }
        Ok(())
    }
}

impl Write {
    /// Bytes of the value or target.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Write::Put(value) => value.len(),
            Write::Link(LinkTo::Key(target)) => target.len(),
            Write::Link(LinkTo::Suffix(_)) | Write::Delete => 0,
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Put(value) => write!(f, "Put({} bytes)", value.len()),
            Write::Link(link) => f.debug_tuple("Link").field(link).finish(),
            Write::Delete => f.write_str("Delete"),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (guards, writes, stamped) = (self.guards.len(), self.writes.len(), self.stamped.len());
        write!(f, "Batch({guards} guards, {writes} writes, {stamped} stamped, {} bytes)", self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Content, Row};

    #[test]
    fn debug_shows_no_content() {
        let canary = || Bytes::from_static(b"canary");
        let key = || StoredKey::new(canary());
        let mut batch = Batch { stamped: vec![(KeyPrefix(key()), canary())], ..Batch::default() };
        batch.guards.push(Guard::Key { key: key(), revision: None });
        batch.guards.push(Guard::Range { range: KeyRange::prefix(b"canary"), as_of: Revision::ZERO, rows: 1 });
        for write in [Write::Put(canary()), Write::Link(LinkTo::Key(key())), Write::Delete] {
            batch.writes.insert(key(), write);
            let row = Row { revision: Revision::ZERO, content: Content::Value(canary()) };
            let link = Content::Link(key());
            let shown = format!("{batch:?} {:?} {:?} {row:?} {link:?}", batch.writes, batch.guards);
            // Neither as text nor as a list of numbers.
            assert!(!shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
        }
    }
}
