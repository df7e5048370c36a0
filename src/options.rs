//! What a disk is like.

use std::path::PathBuf;

/// What a disk is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The folder to mount at. It must exist. Without one the disk makes its own and removes it in the end.
    pub folder: Option<PathBuf>,
    /// The space for the content of files, in bytes, rounded down to blocks of 4,096. Without one there is no limit.
    /// Names and holes take no space.
    pub capacity_bytes: Option<u64>,
    /// Whether a sync of a file also makes its name durable.
    ///
    /// POSIX does not ask for it, and the manual page of `fsync(2)` warns of it. ext4, xfs, btrfs and F2FS do it for a
    /// new file ("Documenting the crash-recovery guarantees of Linux file systems", linux-fsdevel, March 2019;
    /// `ext4_sync_parent` in the kernel's `fs/ext4/fsync.c`), so it is on unless switched off. What the name builds on
    /// comes with it: earlier operations in its directory, and the names of its directories.
    pub names_sync_with_file: bool,
    /// The program that serves the disk. It is called with the one word `serve-disk` and then calls
    /// [`serve`](crate::serve). Without one it is the program `strongroom-disk` of this package, which must lie in the
    /// folder of the program that runs, or in the one above.
    pub server: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options { folder: None, capacity_bytes: None, names_sync_with_file: true, server: None }
    }
}
