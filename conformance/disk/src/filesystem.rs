//! The machine as a FUSE file system: every request of the kernel is one call.
//!
//! The kernel may cache pages, but no names, attributes or un-synced writes. Writes come through at once, for the
//! write-back cache is not asked for. Names and attributes live for no time. The kernel asks for the attributes before
//! each read, so that a read fails without power even where the page is cached.

use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use crate::content::BLOCK_BYTES;
use crate::failure::{Failure, Result};
use crate::machine::{Changes, Machine};
use crate::medium::Attributes;
use crate::operations::{NodeKind, Status};

/// How long the kernel may believe a name or an attribute.
const NO_TIME: Duration = Duration::ZERO;

/// Numbers are never used again, so that there is but one generation.
const GENERATION: Generation = Generation(0);

/// Blocks that a disk without a limit says it has.
const BLOCKS_UNLIMITED: u64 = 1 << 28;

const NAME_BYTES_MAX: u32 = 255;

pub(crate) struct MachineFilesystem(pub(crate) Arc<Mutex<Machine>>);

impl MachineFilesystem {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, request: &Request, parent: INodeNo, name: &OsStr, kind: NodeKind, mode: u32) -> Result<Status> {
        let (uid, gid) = (request.uid(), request.gid());
        let attributes = Attributes { mode: mode & 0o7777, uid, gid, modified: SystemTime::UNIX_EPOCH };
        self.machine().create(parent.0, name, kind, attributes)
    }
}

/// Answers a request that has only a success or an error.
macro_rules! answer {
    ($reply:expr, $result:expr) => {
        match $result {
            Ok(()) => $reply.ok(),
            Err(failure) => $reply.error(errno(failure)),
        }
    };
    ($reply:expr, $result:expr, $value:pat => $success:expr) => {
        match $result {
            Ok($value) => $success,
            Err(failure) => $reply.error(errno(failure)),
        }
    };
}

impl Filesystem for MachineFilesystem {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let unsupported = |_| io::Error::new(io::ErrorKind::Unsupported, "the kernel cannot check attributes on reads");
        config.add_capabilities(InitFlags::FUSE_AUTO_INVAL_DATA).map_err(unsupported)
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.machine().look_up(parent.0, name);
        answer!(reply, found, status => reply.entry(&NO_TIME, &attributes(&status), GENERATION));
    }

    fn getattr(&self, _request: &Request, node: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        let found = self.machine().status(node.0);
        answer!(reply, found, status => reply.attr(&NO_TIME, &attributes(&status)));
    }

    fn setattr(
        &self,
        _request: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        len_bytes: Option<u64>,
        _accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _flags_changed: Option<SystemTime>,
        _backed_up: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let modified = modified.and_then(|time| match time {
            TimeOrNow::SpecificTime(time) => Some(time),
            TimeOrNow::Now => None,
        });
        let mode = mode.map(|mode| mode & 0o7777);
        let changed = self.machine().change(node.0, &Changes { mode, uid, gid, len_bytes, modified });
        answer!(reply, changed, status => reply.attr(&NO_TIME, &attributes(&status)));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _umask: u32, reply: ReplyEntry) {
        let made = self.create(request, parent, name, NodeKind::Directory, mode);
        answer!(reply, made, status => reply.entry(&NO_TIME, &attributes(&status), GENERATION));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.create(request, parent, name, NodeKind::File, mode);
        let opened = made.and_then(|status| self.machine().open(status.number).map(|()| status));
        answer!(reply, opened, status => {
            reply.created(&NO_TIME, &attributes(&status), GENERATION, FileHandle(0), FopenFlags::empty());
        });
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.machine().remove(parent.0, name, NodeKind::File));
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.machine().remove(parent.0, name, NodeKind::Directory));
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        // The kernel itself refuses a name that is taken, if it shall.
        if !RenameFlags::RENAME_NOREPLACE.contains(flags) {
            return reply.error(errno(Failure::Invalid));
        }
        answer!(reply, self.machine().rename((parent.0, name), (new_parent.0, new_name)));
    }

    fn open(&self, _request: &Request, node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        answer!(reply, self.machine().open(node.0), () => reply.opened(FileHandle(0), FopenFlags::empty()));
    }

    fn release(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        answer!(reply, self.machine().close(node.0));
    }

    fn read(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        len_bytes: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.machine().read(node.0, offset, len_bytes.into());
        answer!(reply, read, bytes => reply.data(&bytes));
    }

    fn write(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.machine().write(node.0, offset, data);
        // A request fits into the kernel's 32 bits.
        answer!(reply, written, () => reply.written(data.len() as u32));
    }

    fn fsync(&self, _request: &Request, node: INodeNo, _handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        // `fdatasync` leaves out only what is durable at once here.
        answer!(reply, self.machine().sync(node.0));
    }

    fn opendir(&self, _request: &Request, node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let opened = self.machine().open_directory(node.0);
        answer!(reply, opened, handle => reply.opened(FileHandle(handle), FopenFlags::empty()));
    }

    fn readdir(&self, _request: &Request, node: INodeNo, handle: FileHandle, after: u64, mut reply: ReplyDirectory) {
        let listed = match self.machine().list(node.0, handle.0) {
            Ok(listed) => listed,
            Err(failure) => return reply.error(errno(failure)),
        };
        // The kernel asks to go on after a number. No node but the root has 1 or 2.
        let itself = [(1, "."), (2, "..")].map(|(place, name)| (place, node, FileType::Directory, OsStr::new(name)));
        let entries = listed
            .iter()
            .map(|entry| (entry.number, INodeNo(entry.number), file_type(entry.is_directory), entry.name.as_os_str()));
        for (place, node, kind, name) in itself.into_iter().chain(entries).filter(|(place, ..)| *place > after) {
            if reply.add(node, place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn fsyncdir(&self, _request: &Request, node: INodeNo, handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        answer!(reply, self.machine().sync_directory(node.0, handle.0));
    }

    fn statfs(&self, _request: &Request, _node: INodeNo, reply: ReplyStatfs) {
        let (blocks, free) = self.machine().space();
        let blocks = blocks.unwrap_or(BLOCKS_UNLIMITED);
        let free = free.unwrap_or(blocks);
        reply.statfs(blocks, free, free, 0, 0, BLOCK_BYTES as u32, NAME_BYTES_MAX, BLOCK_BYTES as u32);
    }
}

fn attributes(status: &Status) -> FileAttr {
    let Attributes { mode, uid, gid, modified } = status.attributes;
    FileAttr {
        ino: INodeNo(status.number),
        size: status.len_bytes,
        blocks: status.blocks * (BLOCK_BYTES / 512),
        atime: modified,
        mtime: modified,
        ctime: modified,
        crtime: modified,
        kind: file_type(status.is_directory),
        perm: mode as u16,
        nlink: u32::from(status.is_named) * if status.is_directory { 2 } else { 1 },
        uid,
        gid,
        rdev: 0,
        blksize: BLOCK_BYTES as u32,
        flags: 0,
    }
}

fn file_type(is_directory: bool) -> FileType {
    if is_directory { FileType::Directory } else { FileType::RegularFile }
}

fn errno(failure: Failure) -> Errno {
    match failure {
        Failure::InputOutput => Errno::EIO,
        Failure::NoSpace => Errno::ENOSPC,
        Failure::NotFound => Errno::ENOENT,
        Failure::Exists => Errno::EEXIST,
        Failure::NotEmpty => Errno::ENOTEMPTY,
        Failure::NotDirectory => Errno::ENOTDIR,
        Failure::IsDirectory => Errno::EISDIR,
        Failure::Invalid => Errno::EINVAL,
        Failure::Stale => Errno::ESTALE,
    }
}
