//! What a store is.

use std::sync::Arc;

use super::{Caches, KeyCodec};

/// What a store is; constant while it is open.
#[derive(Clone, Debug)]
pub struct StoreInfo {
    /// The backend's name as in its URL: `memory`, `redb`, `sqlite`, `postgres`.
    pub name: &'static str,
    /// What it accepts.
    pub limits: Limits,
    /// Whether another process can write to it.
    pub sharing: Sharing,
    /// What survives once a commit is acknowledged.
    pub durability: Durability,
    /// How components become stored keys.
    pub codec: Arc<dyn KeyCodec>,
    /// The caches among the layers of this store: its own to make, a layer's to pass on.
    pub caches: Caches,
}

/// Whether another process can write to an open store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// No: this handle is the only one.
    Exclusive,
    /// Yes: revisions may come from elsewhere.
    Shared,
}

/// What survives once a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing outlives the process.
    Volatile,
    /// It survives a crash of the process, not one of the machine.
    Process,
    /// It survives a loss of power.
    Power,
}

/// The limits of a store. Past one, the answer is a typed error that names it and nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one stored key.
    pub key_bytes_max: usize,
    /// Bytes in one stored value.
    pub value_bytes_max: usize,
    /// Writes in one batch.
    pub batch_writes_max: usize,
    /// Guards in one batch.
    pub batch_guards_max: usize,
    /// Bytes of keys and values in one batch.
    pub batch_bytes_max: usize,
    /// Rows that the range guards of one batch may cover together.
    pub guard_rows_max: u64,
    /// Entries in one page.
    pub page_entries_max: usize,
    /// Keys in one `get`.
    pub get_keys_max: usize,
    /// Snapshots open at one time.
    pub snapshots_max: usize,
    /// Milliseconds after which a snapshot answers `SnapshotExpired`.
    pub snapshot_age_ms_max: u64,
}

impl Default for Limits {
    /// What the backends of this project give: keys of 2,000 bytes, values of 16 MiB.
    fn default() -> Self {
        Limits {
            key_bytes_max: 2_000,
            value_bytes_max: 16 << 20,
            batch_writes_max: 50_000,
            batch_guards_max: 50_000,
            batch_bytes_max: 64 << 20,
            guard_rows_max: 100_000,
            page_entries_max: 10_000,
            get_keys_max: 10_000,
            snapshots_max: 1_000,
            snapshot_age_ms_max: 10 * 60 * 1_000,
        }
    }
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// Bytes on the medium before.
    pub bytes_before: u64,
    /// Bytes on the medium after.
    pub bytes_after: u64,
}

/// What a store holds on its medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of files, of a server's tables or of memory. Space that was freed and not given back counts, and is used again.
    pub bytes: u64,
}
