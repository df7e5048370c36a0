//! From an entry of a page to a checked record.

use std::fmt;

use super::super::context::Context;
use super::super::keyspace::{Keyspace, append_stored};
use super::super::rows::{damaged, fingerprint, mismatch, record_value, unreadable};
use super::plan::Plan;
use crate::key::Components;
use crate::schema::{Collection, IndexRef, Record};
use crate::store::{Content, Entry, Row, StoredKey};
use crate::{Error, ErrorKind, Result};

/// A row that a query could not read, when it was asked to [skip](super::Query::skip_damaged) such rows.
#[derive(Clone, Debug)]
pub struct Damage {
    /// A short name of the row, which gives nothing of its key away but equality.
    pub row: String,
    /// What is wrong with it.
    pub error: Error,
}

impl Damage {
    /// Whether the row is at fault; a value of an unknown version may as well be one whose first byte was damaged.
    pub(in super::super) fn is_of_the_row(&self) -> bool {
        self.error.is_corrupt() || self.error.kind() == ErrorKind::UnsupportedVersion
    }
}

/// Opens the entries of one query.
pub(super) struct Opener<'q> {
    pub(super) context: &'q Context,
    pub(super) plan: &'q Plan,
    pub(super) prefix_len: usize,
    pub(super) scratch: Components,
    pub(super) key: Vec<u8>,
}

impl Opener<'_> {
    /// Decodes the record of an entry and checks that it belongs there: that its own components are those that the query
    /// asked for and those that the entry shows. So a link that was made to point elsewhere is refused.
    pub(super) fn open<R: Record>(&mut self, entry: Entry) -> Result<R, Damage> {
        let Entry { key, content, target, .. } = entry;
        self.check::<R>(&key, content, target).map_err(|error| Damage { row: fingerprint(&key), error })
    }

    fn check<R: Record>(&mut self, key: &StoredKey, content: Option<Content>, target: Option<Row>) -> Result<R> {
        let (content, tail) = match (self.plan.index, content) {
            (IndexRef::Primary, content) => (content, None),
            (_, Some(Content::Link(tail))) => {
                let target = target.ok_or_else(|| self.wrong::<R>("an entry without its record", key))?;
                // Before it is decoded: what is no record of this collection need not be damaged itself.
                if Keyspace::of_key(tail.as_bytes()) != Some(Keyspace::records(R::COLLECTION.id)) {
                    return Err(mismatch(self.place::<R>(), "an entry that leads to no record", key));
                }
                (Some(target.content), Some(tail))
            }
            (_, Some(Content::Damaged(error))) => return Err(unreadable(&error, self.place::<R>(), key)),
            _ => return Err(self.wrong::<R>("a value where an index entry should be", key)),
        };
        let Some(content) = content else {
            return Err(self.wrong::<R>("a row without its content", key));
        };
        let value = record_value(content, self.place::<R>(), key)?;
        let record: R = self.context.decode(value, key).map_err(|error| {
            // Keeps the kind, names the row.
            Error::new(error.kind(), format!("{error} (row {})", fingerprint(key)))
        })?;
        // What is bound to its key is the record of that key: on a page of an index the entry then need only lead to it.
        let codec = self.context.codec();
        match &tail {
            Some(target) if !codec.binds_values() && !self.is_key(&record, target)? => {
                Err(mismatch(self.place::<R>(), "a record under the key of another", key))
            }
            Some(_) if !self.belongs(&record, key, tail.as_ref())? => {
                Err(mismatch(self.place::<R>(), "an entry that its record does not have", key))
            }
            None if !self.belongs(&record, key, None)? => {
                Err(damaged(self.place::<R>(), "the record of another key", key))
            }
            _ => Ok(record),
        }
    }

    /// Whether the record's own key is this one. It is made where the last one was.
    fn is_key<R: Record>(&mut self, record: &R, key: &StoredKey) -> Result<bool> {
        self.scratch.clear();
        record.key_components(&mut self.scratch);
        self.key.clear();
        self.key.extend_from_slice(&Keyspace::records(R::COLLECTION.id).bytes());
        append_stored(self.context.codec(), R::COLLECTION.key, self.scratch.iter(), &mut self.key)?;
        Ok(self.key == key.as_bytes())
    }

    /// Whether the record has this entry: components that the query fixed are compared as they are, without a blinding;
    /// the others in their stored form.
    fn belongs<R: Record>(&mut self, record: &R, key: &StoredKey, tail: Option<&StoredKey>) -> Result<bool> {
        let definition = R::COLLECTION.components(self.plan.index);
        let unique = R::COLLECTION.index(self.plan.index).is_some_and(|index| index.unique);
        let tail = tail.filter(|_| !unique).map_or(&[][..], StoredKey::as_bytes);
        let Some(shown) = key.as_bytes().strip_suffix(tail) else { return Ok(false) };
        let (plan, codec, prefix_len, buffer) = (self.plan, self.context.codec(), self.prefix_len, &mut self.key);
        let fixed = plan.equal.len();
        let mut found = Ok(false);
        record.index_entries(plan.index, &mut self.scratch, &mut |components| {
            if !matches!(found, Ok(false)) || !components.starts_with(&plan.equal) {
                return;
            }
            buffer.clear();
            buffer.extend_from_slice(&shown[..prefix_len.min(shown.len())]);
            let appended = append_stored(codec, &definition[fixed..], components.skip(fixed), buffer);
            found = appended.map(|()| buffer.as_slice() == shown);
        });
        found
    }

    fn wrong<R: Record>(&self, what: &str, key: &StoredKey) -> Error {
        damaged(self.place::<R>(), what, key)
    }

    fn place<R: Record>(&self) -> Place {
        Place { collection: R::COLLECTION, index: self.plan.index }
    }
}

/// Where a row was met. It becomes text when there is an error to tell, not for each row.
struct Place {
    collection: &'static Collection,
    index: IndexRef,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.collection.index(self.index) {
            write!(f, "index {} of ", index.name)?;
        }
        write!(f, "collection {}", self.collection.name)
    }
}
