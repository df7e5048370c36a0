//! A disk that loses power, for the test of what a storage engine promises about durability.
//!
//! A [`Disk`] is a file system in memory, mounted at a folder. Programs use it as any other: they create, write, map,
//! lock, rename and sync files. [`Disk::cut`] is the power cut: every operation fails from then on, and the medium
//! keeps what was synced and, by chance, some of what was not. [`Disk::power_on`] shows what is left.
//!
//! ```no_run
//! use std::fs::{self, File};
//! use std::io::Write;
//! use strongroom_conformance_disk::{Disk, Options};
//!
//! # fn main() -> std::io::Result<()> {
//! let disk = Disk::mount(Options::default())?;
//! let path = disk.path().join("log");
//! let mut log = File::create(&path)?;
//! log.write_all(b"durable")?;
//! log.sync_all()?;
//! log.write_all(b", perhaps")?;
//!
//! disk.cut(Disk::KEEPS_NOTHING);
//! assert!(log.write_all(b"off").is_err());
//! disk.power_on();
//! assert_eq!(fs::read(&path)?, b"durable");
//! # Ok(())
//! # }
//! ```
//!
//! What the model has:
//!
//! - Of the un-synced writes to a file, each sector of 512 bytes is kept up to one of them, on its own; rarely it is
//!   torn. The length is kept up to one of its changes.
//! - Of the un-synced operations on directories a prefix is kept.
//! - Changes in mapped memory count as written when the kernel writes them back: at `msync`, at a sync, or when it likes.
//!
//! What it has not: links, extended attributes, preallocation, access times. Permissions and times that programs set are
//! durable at once. Nothing becomes durable with time, as it would on a system that writes back every few seconds; a cut
//! that keeps everything stands for that.
//!
//! A program with mapped memory may be killed by the signal `SIGBUS` when it touches, without power, a page that it has
//! not touched before, as on a broken disk. A program must close its handles before power comes on: one that goes on and
//! removes a file by its path would remove what was left.
//!
//! A process that ends without dropping its disk leaves a dead mount, which `umount` takes away.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "without a mount nobody asks for anything"))]

mod chance;
mod content;
mod directory;
mod failure;
mod fault;
mod file;
#[cfg(target_os = "linux")]
mod filesystem;
mod machine;
mod medium;
#[cfg_attr(not(target_os = "linux"), path = "mount_elsewhere.rs")]
mod mount;
mod operations;
mod options;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

pub use fault::Fault;
pub use machine::Counters;
pub use options::Options;

use machine::Machine;
use mount::Mount;

/// A mounted disk. Dropping it unmounts it, also while files on it are open; these then fail as without power.
pub struct Disk {
    machine: Arc<Mutex<Machine>>,
    path: PathBuf,
    // In this order, for fields are dropped in order: the folder can go when nothing is mounted on it.
    _mount: Mount,
    _folder: Option<TempDir>,
}

impl Disk {
    /// The seed of a cut that keeps nothing un-synced.
    pub const KEEPS_NOTHING: u64 = 0;

    /// The seed of a cut that keeps everything un-synced.
    pub const KEEPS_EVERYTHING: u64 = 1;

    /// Mounts an empty disk, powered on.
    ///
    /// # Errors
    ///
    /// If the folder is not there or if this machine cannot mount; [`Disk::available`] says why. Always on other systems
    /// than Linux.
    pub fn mount(options: Options) -> io::Result<Self> {
        let (path, folder) = match &options.folder {
            Some(path) => (path.canonicalize()?, None),
            None => {
                let folder = tempfile::Builder::new().prefix("strongroom-disk-").tempdir()?;
                (folder.path().canonicalize()?, Some(folder))
            }
        };
        let machine = Arc::new(Mutex::new(Machine::new(&options, mount::root_attributes(&path)?)));
        let mount = Mount::new(Arc::clone(&machine), &path)?;
        Ok(Disk { machine, path, _mount: mount, _folder: folder })
    }

    /// Whether this machine can mount a disk. It mounts one to find out.
    ///
    /// # Errors
    ///
    /// The reason, and in parentheses the command that would help, as one line.
    pub fn available() -> Result<(), String> {
        mount::obstacle()?;
        match Disk::mount(Options::default()) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("a disk cannot be mounted: {error} (run as root, outside of a sandbox)")),
        }
    }

    /// The folder that it is mounted at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cuts the power. Every operation fails with `EIO` until [`Disk::power_on`], and those on handles opened before
    /// the cut do for ever. Without power a cut does nothing.
    ///
    /// What was synced is kept. What else is kept the seed decides, the same for the same operations:
    /// [`Disk::KEEPS_NOTHING`], [`Disk::KEEPS_EVERYTHING`], or with any other seed a mixture.
    pub fn cut(&self, seed: u64) {
        self.machine().cut(seed);
    }

    /// Gives power again, on what the cut has left. With power it does nothing.
    pub fn power_on(&self) {
        self.machine().power_on();
    }

    /// Makes the disk faulty, or well again with [`Fault::None`].
    pub fn inject(&self, fault: Fault) {
        self.machine().fault = fault;
    }

    /// What programs have asked of it so far.
    pub fn counters(&self) -> Counters {
        self.machine().counters
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.cut(Disk::KEEPS_NOTHING);
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("path", &self.path).finish_non_exhaustive()
    }
}
