//! A digest of all records, the same in whatever order they are read: it tells whether two stores hold the same.

use std::fmt;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Database;
use super::context::Context;
use super::rows::record_value;
use super::walk::Walk;
use crate::store::Snapshot;
use crate::{ErrorKind, Result};

/// How many records there are, and the sum of the SHA-256 of each, modulo 2^256.
///
/// Each record is hashed with its collection's number, as its value is before it is encrypted, in the shape that the schema gives it now. So two stores of the same records have
/// the same digest, whatever the engine, the key or the order. It is made against accidents: somebody who may choose records could
/// find others with the same sum.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest {
    records: u64,
    sum: [u8; 32],
}

impl Digest {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Counts one record more.
    pub(super) fn add(&mut self, collection: u16, value: &[u8]) {
        let hash = Sha256::new().chain_update(collection.to_be_bytes()).chain_update(value).finalize();
        let mut carry = 0;
        for (byte, more) in self.sum.iter_mut().zip(hash.iter()) {
            let sum = u16::from(*byte) + u16::from(*more) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        self.records += 1;
    }
}

/// The sum in hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} records, {self})", self.records)
    }
}

/// As it is displayed; how many records there are is not in it.
impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Database {
    /// The digest of all records, of one moment: equal in two databases that hold the same records. Reads all of them, expired ones that
    /// were not swept among them.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a record cannot be read; `SnapshotExpired` if others write and it takes longer than the store lets a snapshot live;
    /// those of the store.
    pub async fn digest(&self) -> Result<Digest> {
        digest(&self.context, &mut |_| {}).await.map_err(|error| error.during("digest"))
    }
}

/// Reads all records from one view; `progress` hears after each page how many were read.
pub(super) async fn digest(context: &Context, progress: &mut (dyn FnMut(u64) + Send)) -> Result<Digest> {
    digest_of(context, context.store.snapshot().await?, progress).await
}

/// As [`digest`], of what one view shows.
pub(super) fn digest_of<'a>(
    context: &'a Context,
    mut view: Box<dyn Snapshot>,
    progress: &'a mut (dyn FnMut(u64) + Send),
) -> BoxFuture<'a, Result<Digest>> {
    async move {
        let (mut walk, mut digest) = (Walk::new(context), Digest::default());
        loop {
            let page = match walk.next(&*view).await {
                Err(error) if error.kind() == ErrorKind::SnapshotExpired => {
                    let next = context.store.snapshot().await?;
                    if next.revision() != view.revision() {
                        return Err(error);
                    }
                    view = next;
                    continue;
                }
                page => page?,
            };
            let Some(page) = page else { return Ok(digest) };
            for entry in page.entries {
                let Some(content) = entry.content else { continue };
                let value = record_value(content, page.erased.collection.name, &entry.key)?;
                let value = context.schema.current(page.erased.collection, value, &entry.key)?;
                digest.add(page.erased.collection.id, &value);
            }
            progress(digest.records);
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &[(u16, &[u8])]) -> Digest {
        let mut digest = Digest::default();
        records.iter().for_each(|(collection, value)| digest.add(*collection, value));
        digest
    }

    #[test]
    fn the_order_does_not_matter_and_all_else_does() {
        let (one, other) = ((1, b"one".as_slice()), (2, b"other".as_slice()));
        assert_eq!(of(&[one, other]), of(&[other, one]));
        assert_eq!(of(&[one, other]).records(), 2);
        for different in [of(&[one]), of(&[(2, b"one"), other]), of(&[(1, b"onE"), other]), of(&[one, one, other])] {
            assert_ne!(of(&[one, other]).to_string(), different.to_string());
        }
    }

    /// The figure is another program's, made from docs/format.md.
    #[test]
    fn the_sum_is_the_one_that_is_documented() {
        let digest = of(&[(1, b"a"), (1, b"b"), (1, b"c")]).to_string();
        assert_eq!(digest, "6ce8944294c1507e2388dc4ed0a4f710f1cc1d50fb1ed26ff497a14014d71bc8");
    }
}
