//! The file: all rows, written anew at each commit, checked when it is read.
//!
//! ```text
//! magic (8) | format (4) | revision (8) | rows: { key length (4) | key | row length (4) | row }* | CRC-32 of all that (4)
//! ```
//!
//! Numbers have their most significant byte first. The next state is written beside the file, synced, and renamed over it: a
//! crash leaves the old state or the new one, and never a mixture.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use strongroom_core::store::Revision;
use strongroom_core::{Error, ErrorKind, Result};

use crate::table::Rows;

const MAGIC: &[u8; 8] = b"ONE-FILE";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 8;

/// Takes the file for this process, until what is given is dropped. A file of its own, because a rename replaces the other.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(lock_path(path)).map_err(io_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Busy, "the store is open elsewhere")),
        Err(fs::TryLockError::Error(error)) => Err(io_error(error)),
    }
}

pub(crate) fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// Reads the file; no rows if there is none.
pub(crate) fn read(path: &Path) -> Result<Rows> {
    match fs::read(path) {
        Ok(bytes) => decode(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Rows::default()),
        Err(error) => Err(io_error(error)),
    }
}

/// Replaces the file, durably.
///
/// Until the rename nothing has happened; if only the sync behind it fails, nobody can tell what a crash would leave.
pub(crate) fn write(path: &Path, rows: &Rows) -> Result<()> {
    let beside = path.with_extension("new");
    let replace = || {
        let mut file = File::create(&beside)?;
        file.write_all(&encode(rows))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    replace().map_err(io_error)?;
    // The new name is on the medium once the folder is.
    let folder = File::open(path.parent().unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(|error| {
        Error::new(ErrorKind::CommitUnknown, "the folder of the store's file cannot be synced").with_source(error)
    })
}

fn encode(rows: &Rows) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &FORMAT.to_be_bytes(), &rows.revision.0.to_be_bytes()].concat();
    for part in rows.map.iter().flat_map(|(key, row)| [key, row]) {
        // The limits of the waist keep both far below 4 GiB.
        bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<Rows> {
    let damaged = || Error::new(ErrorKind::Corrupt, "the file was cut short or damaged");
    if !bytes.starts_with(&MAGIC[..bytes.len().min(8)]) || bytes.is_empty() {
        return Err(Error::new(ErrorKind::NotAStore, "it is not a file of this backend"));
    }
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if body.len() < HEADER_BYTES || crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
        return Err(damaged());
    }
    if number(&body[8..12]) != FORMAT {
        return Err(Error::new(ErrorKind::UnsupportedVersion, "a newer program wrote the file"));
    }
    let mut revision = [0; 8];
    revision.copy_from_slice(&body[12..HEADER_BYTES]);
    let mut rows = Rows { revision: Revision(u64::from_be_bytes(revision)), ..Rows::default() };
    let mut rest = &body[HEADER_BYTES..];
    while !rest.is_empty() {
        let (key, after) = part(rest).ok_or_else(damaged)?;
        let (row, after) = part(after).ok_or_else(damaged)?;
        rows.map.insert(key.into(), row.into());
        rest = after;
    }
    Ok(rows)
}

/// A length, so many bytes, and what is behind them.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4)?;
    rest.split_at_checked(number(length) as usize)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Marks the file as a later version of this backend would.
pub(crate) fn mark_newer(bytes: &mut [u8]) {
    bytes[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_be_bytes());
}

fn io_error(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "the store's file").with_source(error)
}
