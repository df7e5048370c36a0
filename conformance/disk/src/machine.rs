//! A machine around the medium: it has power or not, its disk may be faulty or full, and it counts.

use std::ffi::OsStr;
use std::time::SystemTime;

use crate::content::BLOCK_BYTES;
use crate::directory::NodeNumber;
use crate::failure::{Failure, Result};
use crate::fault::Fault;
use crate::medium::{Attributes, Medium};
use crate::operations::{Listed, NodeKind, Status};
use crate::options::Options;

/// Operations that programs have asked of a disk since it was mounted, those that failed included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Reads that the kernel could not answer from its cache.
    pub reads: u64,
    /// Writes, as the kernel passes them on: a large one may come in several.
    pub writes: u64,
    /// Syncs of files and directories (`fsync`, `fdatasync`).
    pub syncs: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes that were to be written.
    pub written_bytes: u64,
}

pub(crate) struct Machine {
    medium: Medium,
    is_on: bool,
    /// Counts the times that power came on. Handles of directories carry it, for the root keeps its number.
    boot: u64,
    pub(crate) fault: Fault,
    pub(crate) counters: Counters,
    blocks_max: Option<u64>,
    names_sync_with_file: bool,
}

/// What to change of a node. What is `None` stays.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) len_bytes: Option<u64>,
    pub(crate) modified: Option<SystemTime>,
}

impl Machine {
    pub(crate) fn new(options: &Options, root: Attributes) -> Self {
        Machine {
            medium: Medium::new(root),
            is_on: true,
            boot: 0,
            fault: Fault::None,
            counters: Counters::default(),
            blocks_max: options.capacity_bytes.map(|bytes| bytes / BLOCK_BYTES),
            names_sync_with_file: options.names_sync_with_file,
        }
    }

    pub(crate) fn cut(&mut self, seed: u64) {
        if self.is_on {
            self.medium = self.medium.survivor(seed);
            self.is_on = false;
        }
    }

    pub(crate) fn power_on(&mut self) {
        if !self.is_on {
            self.is_on = true;
            self.boot += 1;
        }
    }

    pub(crate) fn look_up(&mut self, directory: NodeNumber, name: &OsStr) -> Result<Status> {
        let medium = self.reading()?;
        let number = medium.look_up(directory, name)?;
        medium.status(number)
    }

    pub(crate) fn status(&mut self, number: NodeNumber) -> Result<Status> {
        self.reading()?.status(number)
    }

    pub(crate) fn change(&mut self, number: NodeNumber, changes: &Changes) -> Result<Status> {
        let medium = self.changing()?;
        if let Some(len_bytes) = changes.len_bytes {
            medium.file(number)?.set_len(len_bytes);
        }
        let attributes = &mut medium.node(number)?.attributes;
        attributes.mode = changes.mode.unwrap_or(attributes.mode);
        attributes.uid = changes.uid.unwrap_or(attributes.uid);
        attributes.gid = changes.gid.unwrap_or(attributes.gid);
        attributes.modified = changes.modified.unwrap_or(attributes.modified);
        medium.status(number)
    }

    pub(crate) fn create(
        &mut self,
        directory: NodeNumber,
        name: &OsStr,
        kind: NodeKind,
        attributes: Attributes,
    ) -> Result<Status> {
        self.changing()?;
        if self.blocks_free() == Some(0) {
            return Err(Failure::NoSpace);
        }
        let number = self.medium.create(directory, name, kind, attributes)?;
        self.medium.status(number)
    }

    pub(crate) fn remove(&mut self, directory: NodeNumber, name: &OsStr, kind: NodeKind) -> Result<()> {
        self.changing()?.remove(directory, name, kind)
    }

    pub(crate) fn rename(&mut self, from: (NodeNumber, &OsStr), to: (NodeNumber, &OsStr)) -> Result<()> {
        self.changing()?.rename(from, to)
    }

    pub(crate) fn open(&mut self, number: NodeNumber) -> Result<()> {
        self.reading()?.open(number)
    }

    /// Opens a directory. The number in the answer is that of the handle.
    pub(crate) fn open_directory(&mut self, number: NodeNumber) -> Result<u64> {
        self.reading()?.directory(number)?;
        Ok(self.boot)
    }

    /// Handles are closed without power too.
    pub(crate) fn close(&mut self, number: NodeNumber) -> Result<()> {
        self.medium.close(number)
    }

    pub(crate) fn list(&mut self, directory: NodeNumber, handle: u64) -> Result<Vec<Listed>> {
        self.handle(handle)?;
        self.reading()?.list(directory)
    }

    pub(crate) fn read(&mut self, number: NodeNumber, offset: u64, len_bytes_max: u64) -> Result<Vec<u8>> {
        self.counters.reads += 1;
        let bytes = self.reading()?.file(number)?.content().read(offset, len_bytes_max);
        self.counters.read_bytes += bytes.len() as u64;
        Ok(bytes)
    }

    pub(crate) fn write(&mut self, number: NodeNumber, offset: u64, data: &[u8]) -> Result<()> {
        let len_bytes = data.len() as u64;
        self.counters.writes += 1;
        self.counters.written_bytes += len_bytes;
        let content = self.changing()?.file(number)?.content();
        let grows = offset + len_bytes > content.len_bytes();
        let missing = content.blocks_missing(offset, len_bytes);
        let is_full = self.fault == Fault::NoSpace && grows;
        if is_full || missing > 0 && self.blocks_free().is_some_and(|free| free < missing) {
            return Err(Failure::NoSpace);
        }
        self.medium.file(number)?.write(offset, data);
        Ok(())
    }

    pub(crate) fn sync(&mut self, number: NodeNumber) -> Result<()> {
        self.counters.syncs += 1;
        self.changing()?.node(number)?;
        match &mut self.fault {
            Fault::Lie => Ok(()),
            Fault::SyncError { after: after @ 1.., .. } => {
                *after -= 1;
                self.medium.sync(number, self.names_sync_with_file)
            }
            Fault::SyncError { retried, .. } => {
                let retried = *retried;
                self.fault = Fault::None;
                if let (false, Ok(file)) = (retried, self.medium.file(number)) {
                    file.forget_unsynced();
                }
                Err(Failure::InputOutput)
            }
            Fault::None | Fault::NoSpace | Fault::IoError { .. } => self.medium.sync(number, self.names_sync_with_file),
        }
    }

    pub(crate) fn sync_directory(&mut self, number: NodeNumber, handle: u64) -> Result<()> {
        self.handle(handle)?;
        self.sync(number)
    }

    /// Blocks in all and free blocks, if there is a limit.
    pub(crate) fn space(&self) -> (Option<u64>, Option<u64>) {
        (self.blocks_max, self.blocks_free())
    }

    #[cfg(test)]
    pub(crate) fn nodes(&self) -> usize {
        self.medium.nodes.len()
    }

    fn blocks_free(&self) -> Option<u64> {
        match self.fault {
            Fault::NoSpace => Some(0),
            _ => self.blocks_max.map(|max| max.saturating_sub(self.medium.blocks())),
        }
    }

    /// Whether a directory was opened since power came on.
    fn handle(&self, handle: u64) -> Result<()> {
        if handle == self.boot { Ok(()) } else { Err(Failure::InputOutput) }
    }

    fn reading(&mut self) -> Result<&mut Medium> {
        if self.is_on { Ok(&mut self.medium) } else { Err(Failure::InputOutput) }
    }

    fn changing(&mut self) -> Result<&mut Medium> {
        if let Fault::IoError { after } = &mut self.fault
            && self.is_on
        {
            *after = after.checked_sub(1).ok_or(Failure::InputOutput)?;
        }
        self.reading()
    }
}
