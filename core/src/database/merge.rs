//! Merging: a record and what somebody else wrote become one, the same in any order.

use std::cmp::Ordering;

use super::transaction::Transaction;
use super::{Database, value};
use crate::schema::{Key, Record};
use crate::{Error, ErrorKind, Result};

/// A record of which two versions can be made one, so that replicas that have seen the same versions hold the same record: in
/// whatever order they came, however often, and through whomever.
///
/// # Laws
///
/// For all `a`, `b`, `c` with one key, and as stored bytes:
///
/// - commutative: `a.merge(b) == b.merge(a)`
/// - associative: `a.merge(b).merge(c) == a.merge(b.merge(c))`
/// - idempotent: `a.merge(a) == a`
///
/// The key is that of both. [`check_merge_laws`] tests them on examples. "The one with the greater stamp" keeps the laws if the
/// stamps differ; [`last_writer`] keeps them if they do not as well. A choice keeps them too if it is made for each field by
/// itself: the earliest of two times, the union of two sets.
///
/// # Deletion
///
/// To a merge, a record that was deleted was never there, and an older version that comes late brings it back. So what others
/// merge is not deleted: a newer version says that it is gone, a tombstone, and takes part in the rule as any other. A stored version that has
/// expired counts as none, swept or not.
///
/// # Example
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use strongroom_core::{Merge, Record, Timestamp, last_writer};
///
/// #[derive(Clone, Record, Serialize, Deserialize)]
/// #[record(crate = ::strongroom_core, id = 1, name = "notes", key(id))]
/// struct Note {
///     id: String,
///     edited_at: Timestamp,
///     edit_id: String,
///     /// `None` once the note is removed.
///     text: Option<String>,
/// }
///
/// impl Merge for Note {
///     fn merge(self, other: Self) -> Self {
///         last_writer(self, other, |note| (note.edited_at, note.edit_id.clone()))
///     }
/// }
/// ```
pub trait Merge: Record + Clone {
    /// One record that says what both say.
    #[must_use]
    fn merge(self, other: Self) -> Self;
}

/// What a merge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The store has something that it did not have before.
    Stored,
    /// All of it was there already; nothing was written.
    Unchanged,
}

/// The record with the greater `stamp`, such as a time and who wrote; at equal ones the larger encoding: the stored values,
/// compared byte by byte. A rule for [`Merge`] that keeps its laws.
pub fn last_writer<R: Record, S: Ord>(one: R, other: R, stamp: impl Fn(&R) -> S) -> R {
    // What cannot be encoded cannot be stored either, and loses to all that can.
    let encoding = |record: &R| value::encode(record).unwrap_or_default();
    let order = stamp(&one).cmp(&stamp(&other)).then_with(|| encoding(&one).cmp(&encoding(&other)));
    if order == Ordering::Less { other } else { one }
}

/// Checks the laws of [`Merge`] on three versions of one record, in each of their orders. To be called from a property test.
///
/// ```
/// # use strongroom_core::{Json, Timestamp, check_merge_laws, matrix::{Presence, PresenceState, UserId}};
/// let presence = |at, presence| Presence {
///     user_id: UserId::from("@ada:example.org"),
///     presence,
///     status_msg: None,
///     last_active: Timestamp::from_millis(at),
///     currently_active: false,
///     proof: Json::null(),
///     updated_at: Timestamp::from_millis(at),
/// };
/// let (old, new) = (presence(1, PresenceState::Online), presence(2, PresenceState::Offline));
/// check_merge_laws(&[old, new.clone(), new])?;
/// # Ok::<(), strongroom_core::Error>(())
/// ```
///
/// # Errors
///
/// `InvalidInput` with the law that does not hold, or if one of the records cannot be serialized.
pub fn check_merge_laws<R: Merge>(versions: &[R; 3]) -> Result<()> {
    let merged = |one: &R, other: &R| one.clone().merge(other.clone());
    let broken = |law: &str| Error::new(ErrorKind::InvalidInput, format!("{}: the merge {law}", R::COLLECTION.name));
    let key = Key::of(&versions[0]);
    for one in versions {
        if value::encode(&merged(one, one))? != value::encode(one)? {
            return Err(broken("is not idempotent"));
        }
        for other in versions {
            let both = merged(one, other);
            if Key::of(&both) != key {
                return Err(broken("changes the key, or the versions have several"));
            }
            if value::encode(&both)? != value::encode(&merged(other, one))? {
                return Err(broken("is not commutative"));
            }
            for third in versions {
                let right = merged(one, &merged(other, third));
                if value::encode(&merged(&both, third))? != value::encode(&right)? {
                    return Err(broken("is not associative"));
                }
            }
        }
    }
    Ok(())
}

impl Transaction {
    /// Merges a version of a record into the stored one; if there is none, it is stored as it is.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the type's [`merge`](Merge::merge) changes the key, and as [`put`](Transaction::put).
    pub async fn merge<R: Merge>(&self, version: &R) -> Result<Merged> {
        let key = Key::of(version);
        let Some(stored) = self.get(&key).await? else {
            self.put(version).await?;
            return Ok(Merged::Stored);
        };
        let before = value::encode(&stored)?;
        let merged = stored.merge(version.clone());
        if Key::of(&merged) != key {
            let message = format!("{}: the merge changes the key", R::COLLECTION.name);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        if value::encode(&merged)? == before {
            return Ok(Merged::Unchanged);
        }
        self.put(&merged).await?;
        Ok(Merged::Stored)
    }
}

impl Database {
    /// Merges a version of a record, from another device or replica, into the stored one: one read and one write, which is
    /// not made if it would change nothing. Replicas that were given the same versions, in any order and however often, hold
    /// the same bytes.
    ///
    /// # Errors
    ///
    /// As [`Transaction::merge`] and [`write`](Database::write).
    ///
    /// ```
    /// # use strongroom_core::{Database, Merged, Result, matrix::Presence};
    /// async fn heard(db: &Database, newer: &Presence, older: &Presence) -> Result<()> {
    ///     db.merge(newer).await?;
    ///     assert_eq!(db.merge(older).await?, Merged::Unchanged);
    ///     Ok(())
    /// }
    /// ```
    pub async fn merge<R: Merge>(&self, version: &R) -> Result<Merged> {
        self.alone::<R, _, _, _>("merge", |tx| async move { tx.merge(version).await }).await
    }
}
