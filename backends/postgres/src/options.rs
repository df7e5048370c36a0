//! How a server is connected to.

use std::sync::Arc;

use strongroom_core::store::Limits;
use strongroom_core::store::sorted::SteadyClock;
use strongroom_core::{Clock, Result};

use crate::bounds::KEY_BYTES_END;
use crate::server::Server;
use crate::store::Postgres;

/// How a server is connected to. What belongs to PostgreSQL itself (TLS, user, password) is in the URL.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections for reads and commits, of all namespaces together; more wait for one. 8 unless set, at least 1. Those of
    /// snapshots come on top ([`Limits::snapshots_max`]), and one that listens, once somebody waits for changes.
    pub connections_max: u32,
    /// Milliseconds to wait for a connection, a new one or one that somebody gives back, before the answer is `Busy` or `Io`.
    /// While the server restarts, all that is asked waits so long. 10,000 unless set.
    pub connect_timeout_ms: u64,
    /// Milliseconds that a statement may take, before the answer is `Busy`; 0: no limit. 30,000 unless set.
    pub statement_timeout_ms: u64,
    /// Milliseconds that a commit waits for another process's commit to the same namespace, before the answer is `Busy`; 0: no
    /// limit. 10,000 unless set.
    pub lock_timeout_ms: u64,
    /// Milliseconds of idleness after which a connection is asked whether it is still there, before something is sent that
    /// must not be sent twice. Where one was lost, the others are asked as well. 1,000 unless set.
    pub idle_check_ms: u64,
    /// Milliseconds between looks for what other processes have committed, while somebody waits for a change. Usually they
    /// announce it, and nothing is found; a process that was killed between commit and announcement did not, nor one that saw nobody
    /// who listens, as while the connection that does is made anew. 1,000 unless set, at least 1.
    pub poll_ms: u64,
    /// Attempts at a commit that the server breaks off to be made again (SQLSTATE 40001 and 40P01, then the answer is `Busy`), or whose
    /// connection was lost before it was sent (then `Io`). 10 unless set, at least 1.
    pub attempts_max: u32,
    /// What the store accepts. Unless set, the [default](Limits::default) with 32 snapshots, each for a minute: a snapshot is
    /// a connection, and keeps the server from clearing away old rows of all namespaces.
    pub limits: Limits,
    /// What snapshots age by; it should never go back.
    pub clock: Arc<dyn Clock>,
}

/// Bytes in one value at most, whatever the limits say: a message of the protocol holds 1 GiB.
const VALUE_BYTES_END: usize = 128 << 20;
/// Bytes in one batch at most, for the same reason.
const BATCH_BYTES_END: usize = 256 << 20;

impl PostgresOptions {
    /// [`Postgres::open`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Postgres::open`].
    pub async fn open(self, url: &str) -> Result<Postgres> {
        Postgres::open_with(url, self).await
    }

    /// [`Server::connect`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Server::connect`].
    pub async fn connect(self, url: &str) -> Result<Server> {
        Server::connect_with(url, self).await
    }

    /// The limits that the engine can keep.
    pub(crate) fn limits_kept(&self) -> Limits {
        Limits {
            key_bytes_max: self.limits.key_bytes_max.min(KEY_BYTES_END),
            value_bytes_max: self.limits.value_bytes_max.min(VALUE_BYTES_END),
            batch_bytes_max: self.limits.batch_bytes_max.min(BATCH_BYTES_END),
            ..self.limits
        }
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions {
            connections_max: 8,
            connect_timeout_ms: 10_000,
            statement_timeout_ms: 30_000,
            lock_timeout_ms: 10_000,
            idle_check_ms: 1_000,
            poll_ms: 1_000,
            attempts_max: 10,
            limits: Limits { snapshots_max: 32, snapshot_age_ms_max: 60 * 1_000, ..Limits::default() },
            clock: Arc::new(SteadyClock::default()),
        }
    }
}
