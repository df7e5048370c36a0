//! The waist: an ordered map of bytes with guarded, atomic batches.
//!
//! This is everything a backend must do, and all that layers and the typed database rely on. A backend never hears of
//! collections, codecs or records. No method has a default: a wrapper that forgets one does not compile.
//!
//! The rules that hold for every backend:
//!
//! - **Revision.** Every batch that writes gets its own [`Revision`], strictly greater than all before it, and every row
//!   carries the revision of the batch that wrote it last.
//! - **One view.** Each call of [`Read`] sees the store at one revision, `as_of`, whatever is committed meanwhile.
//! - **Atomic.** A batch is applied whole or not at all, and is durable (as [`StoreInfo::durability`] says) before its
//!   [`Outcome`] is given.
//! - **Cancellation.** Dropping any future leaves the store usable. Once polled, [`Store::commit`] completes even if its
//!   future is dropped, and before every change that is begun after that. A layer whose call has to be made again below, since what it was made with had changed, may drop it whole.
//! - **Limits.** Past a [limit](Limits) the answer is a typed error that names it, nothing is written, and no other batch
//!   of the same call is harmed.

mod batch;
mod caches;
mod codec;
mod info;
mod key;
mod layers;
mod read;
mod shared;
pub mod sorted;
#[cfg(feature = "tasks")]
#[cfg_attr(docsrs, doc(cfg(feature = "tasks")))]
pub mod tasks;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::Result;
pub use batch::{Batch, Guard, LinkTo, Outcome, Write};
pub use caches::{Cache, CacheCounters, Caches, Suspension};
pub use codec::{KeyCodec, PlainCodec};
pub use info::{Compaction, Durability, Limits, Sharing, StoreInfo, Usage};
pub use key::{KeyPrefix, KeyRange, Revision, StoredKey};
pub use layers::{ENCRYPTION_HEADER, LAYER_KEYS};
pub use read::{Content, Entry, Fetch, Page, Row, Rows, Scan, Summary};

/// Reading, from the store as it is or from a [`Snapshot`].
#[async_trait]
pub trait Read: Send + Sync {
    /// Reads rows by key.
    ///
    /// # Behavior
    ///
    /// - `rows` has one element a key, in the order asked; a key asked twice is answered twice.
    /// - A key without a row is `None`; an empty value is `Some` with no bytes.
    /// - A link row reads as the key it points to, whether or not that key has a row.
    /// - A row that alone is damaged is [`Content::Damaged`], and hides no other; where more than a row is, the answer is an error.
    /// - No keys: no rows, and the current `as_of`.
    /// - Errors: `Limit(GetKeys)`, `Closed`, `SnapshotExpired`, `Io`, `Corrupt`. A key longer than the limit has no row.
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows>;

    /// Reads one bounded page of a range, in key order or its exact reverse.
    ///
    /// # Behavior
    ///
    /// - At most `limit` entries; a limit of 0 gives none. The entry with which keys, values and targets together pass
    ///   `max_bytes` is the page's last, so a page has at least one entry if the range has a row.
    /// - `more` says whether the range has a row beyond the last entry given.
    /// - An empty or inverted range has no rows.
    /// - With [`Fetch::Targets`] each link is followed, in the same view. A target without a row is `None`: a dangling link
    ///   is shown, never hidden.
    /// - A row or target that alone is damaged is [`Content::Damaged`].
    /// - Errors: `Limit(PageEntries)`, `Closed`, `SnapshotExpired`, `Io`, `Corrupt`.
    async fn scan(&self, scan: &Scan) -> Result<Page>;

    /// Counts the rows of a range and finds their newest revision.
    ///
    /// # Behavior
    ///
    /// - An empty range: 0 rows and [`Revision::ZERO`].
    /// - Costs up to a visit of each row. Errors: `Closed`, `SnapshotExpired`, `Io`, `Corrupt`.
    async fn summarize(&self, range: &KeyRange) -> Result<Summary>;
}

/// A view of the store at one revision, unchanged by later commits.
///
/// Its number and age are limited ([`Limits::snapshots_max`], [`Limits::snapshot_age_ms_max`]): what a held snapshot sees
/// cannot be given back by the engine. Past its age every read answers `SnapshotExpired`. Dropping it releases it.
#[async_trait]
pub trait Snapshot: Read + Debug + 'static {
    /// The revision that every read of this snapshot sees.
    fn revision(&self) -> Revision;
}

/// An ordered map of bytes with guarded, atomic batches.
#[async_trait]
pub trait Store: Read + Debug + 'static {
    /// What this store is: its name, limits, sharing, durability and key codec. Never changes.
    fn info(&self) -> &StoreInfo;

    /// Opens a view of the store as it is now.
    ///
    /// # Behavior
    ///
    /// - It sees every batch whose outcome was given before the call.
    /// - Errors: `Limit(Snapshots)`, `Closed`, `Io`.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>>;

    /// Applies batches in order, each atomically, with one flush for all of them.
    ///
    /// # Behavior
    ///
    /// - One outcome a batch, in order. A batch sees those before it; a conflict or a rejection of one changes nothing for
    ///   the others. What others commit comes before all of them or after.
    /// - A batch whose guards hold and that writes nothing is `Committed` at the revision it was checked at.
    /// - A guard that does not hold: `Conflict`, naming the first such guard by its position.
    /// - A batch past a limit, or with the same key written twice (also by a stamped write): `Rejected`.
    /// - `Err` means that nothing of the whole call was applied, except for `CommitUnknown`, where all or nothing was.
    /// - Once polled it completes, even if the future is dropped, and then before every change that is begun after that.
    /// - Errors: `Closed`, `Io`, `CommitUnknown`.
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>>;

    /// Waits until the store has a revision greater than `after`, committed by any process, and gives the newest.
    ///
    /// # Behavior
    ///
    /// - Resolves at once if there is one already.
    /// - Errors: `Closed`, also when the store is closed while waiting.
    async fn changed(&self, after: Revision) -> Result<Revision>;

    /// Removes every row of a range if all guards hold: a whole collection or index. Atomic where the engine can, else in
    /// pieces, each under the guards.
    ///
    /// # Behavior
    ///
    /// - `Committed`: at a revision of its own, so that guards over the range no longer hold. An empty range changes nothing
    ///   and is `Committed` at the revision it was checked at.
    /// - A guard that does not hold: `Conflict`, naming the first such guard by its position; nothing happened.
    /// - Not bound by the limits of a batch, except for its guards: past those it is `Rejected`.
    /// - Interrupted, it may have removed a part: call it again.
    /// - Errors: `Closed`, `Io`, `CommitUnknown`.
    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome>;

    /// Gives space that is not used back to the operating system, where the engine can.
    ///
    /// # Behavior
    ///
    /// - Errors: `Busy` while snapshots are open that it cannot work beside, `Unsupported`, `Closed`, `Io`.
    async fn compact(&self) -> Result<Compaction>;

    /// How much the store holds on its medium now.
    ///
    /// # Behavior
    ///
    /// - Errors: `Closed`, `Io`.
    async fn usage(&self) -> Result<Usage>;

    /// Finishes what was begun, releases files and locks. Every later call, and a waiting one, answers `Closed`.
    ///
    /// # Behavior
    ///
    /// - Open snapshots end with it. Closing twice is not an error.
    /// - Errors: `Io`.
    async fn close(&self) -> Result<()>;
}
