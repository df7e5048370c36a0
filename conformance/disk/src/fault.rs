//! What can be wrong with a disk, besides that it loses power.

/// What is wrong with a disk. One fault at a time; it stays until another is injected, also through a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The disk is full: creating, writing past the end of a file and writing into a hole fail with `ENOSPC`.
    /// Overwriting and removing go on. So does a truncation to a greater length, which makes a hole.
    NoSpace,
    /// The medium breaks: after `after` more of them, every sync and every operation that changes something fails with
    /// `EIO`. Reading goes on.
    IoError {
        /// Operations that still succeed.
        after: u64,
    },
    /// After `after` more that succeed, one sync of a file or directory fails with `EIO`; then the fault is over.
    ///
    /// On Linux the pages that a failed sync could not write count as clean from then on: programs still read them, and
    /// no later sync writes them ("PostgreSQL's fsync() surprise", LWN, April 2018). That is the behaviour without
    /// `retried`: what the file held un-synced is lost in the next power cut. Names are always retried.
    SyncError {
        /// Syncs that still succeed.
        after: u64,
        /// Whether a later sync writes what this one could not.
        retried: bool,
    },
    /// The disk lies: a sync succeeds and makes nothing durable. For the test of a test, which must see the loss.
    Lie,
}
