//! How a store is opened.

use std::path::Path;
use std::sync::Arc;

use strongroom_core::store::sorted::SteadyClock;
use strongroom_core::store::{Durability, Limits};
use strongroom_core::{Clock, Result};

use crate::store::Sqlite;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// When a commit counts as durable. [`Synchronous::Full`] unless set.
    pub synchronous: Synchronous,
    /// Reads at one time, besides those of snapshots; more wait. Each is a connection, which is a thread and a cache. 8 unless
    /// set, at least 1.
    pub readers_max: usize,
    /// Bytes of pages that each connection keeps in memory. 8 MiB unless set.
    pub cache_bytes: usize,
    /// Milliseconds to wait for a lock that another process or handle holds, before the answer is `Busy`. 5,000 unless set.
    pub busy_timeout_ms: u32,
    /// Milliseconds between looks for what other processes have committed, while somebody waits for a change. 50 unless set,
    /// at least 1.
    pub poll_ms: u32,
    /// Reads every page when the store is opened and checks how they hang together, which takes as long as reading the whole
    /// file. It finds a damaged page, not a changed value: SQLite keeps no checksums. Off unless switched on.
    pub check: bool,
    /// What the store accepts. Unless set, the [default](Limits::default) with 128 snapshots, each for a minute: a snapshot
    /// keeps the write-ahead log from being emptied, and is a connection.
    pub limits: Limits,
    /// What snapshots age by; it should never go back.
    pub clock: Arc<dyn Clock>,
}

/// When a commit counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is on the medium: it survives a loss of power.
    #[default]
    Full,
    /// When the operating system has it. The medium gets it with the next checkpoint: a loss of power takes the last commits,
    /// and leaves the store as it was before them.
    Normal,
    /// As `Normal`, and checkpoints do not wait for the medium either: a loss of power may damage the file.
    Off,
}

impl Synchronous {
    pub(crate) fn durability(self) -> Durability {
        match self {
            Synchronous::Full => Durability::Power,
            Synchronous::Normal | Synchronous::Off => Durability::Process,
        }
    }
}

/// Bytes in one value at most, whatever the limits say: SQLite holds a row of 1,000,000,000.
const VALUE_BYTES_END: usize = 900_000_000;

impl SqliteOptions {
    /// [`Sqlite::open`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`].
    pub async fn open(self, path: impl AsRef<Path> + Send) -> Result<Sqlite> {
        Sqlite::open_with(path.as_ref(), self).await
    }

    /// The limits that the engine can keep.
    pub(crate) fn limits_kept(&self) -> Limits {
        Limits {
            get_keys_max: self.limits.get_keys_max.min(crate::statements::KEYS_MAX),
            value_bytes_max: self.limits.value_bytes_max.min(VALUE_BYTES_END),
            ..self.limits
        }
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        SqliteOptions {
            synchronous: Synchronous::default(),
            readers_max: 8,
            cache_bytes: 8 << 20,
            busy_timeout_ms: 5_000,
            poll_ms: 50,
            check: false,
            limits: Limits { snapshots_max: 128, snapshot_age_ms_max: 60 * 1_000, ..Limits::default() },
            clock: Arc::new(SteadyClock::default()),
        }
    }
}
