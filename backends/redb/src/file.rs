//! Creating a store's file, and finding out what an existing one is before anything is written to it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, TableDefinition, TableError};
use strongroom_core::store::Revision;
use strongroom_core::{Error, ErrorKind, Result};

use crate::error::{from_engine, from_io};
use crate::header::{Header, Look};
use crate::overlay::Overlay;
use crate::table::guarded;

/// Keys and encoded rows.
pub(crate) const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("strongroom.rows");
/// What this program must know about the rows before it reads one.
pub(crate) const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("strongroom.meta");
/// The version of the format on disk.
pub(crate) const FORMAT: &str = "format";
/// The newest revision.
pub(crate) const REVISION: &str = "revision";

const FORMAT_VERSION: u64 = 1;
/// No store comes this far: a greater revision is damage or forged, and must not run over.
const REVISION_END: u64 = 1 << 63;
const LOOK_CACHE_BYTES: usize = 4 << 20;

/// A store's file, open for writing.
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) revision: Revision,
}

/// Opens the store at `path`, or makes one if there is nothing or an empty file.
///
/// A file that is not a store, or is damaged or newer, is left as it is, byte for byte.
pub(crate) fn open(path: &Path, cache_bytes: usize, check: bool) -> Result<Opened> {
    at(path, || {
        let not_a_store = |what| Err(Error::new(ErrorKind::NotAStore, what));
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path)?,
            Err(error) => return Err(access(&error)),
            Ok(found) if found.is_dir() => return not_a_store("it is a folder: name a file"),
            Ok(found) if !found.is_file() => return not_a_store("it is not a regular file"),
            Ok(found) if found.len() == 0 => replace_empty(path)?,
            Ok(_) => {}
        }
        open_existing(path, cache_bytes, check)
    })
}

/// Opens the store at `path` once more; never makes one.
pub(crate) fn reopen(path: &Path, cache_bytes: usize) -> Result<Opened> {
    at(path, || open_existing(path, cache_bytes, false))
}

/// Names the file in errors.
fn at<T>(path: &Path, open: impl FnOnce() -> Result<T>) -> Result<T> {
    guarded(open)
        .map_err(|error| Error::new(error.kind(), format!("{} cannot be opened", path.display())).with_source(error))
}

fn open_existing(path: &Path, cache_bytes: usize, check: bool) -> Result<Opened> {
    let header = examine(path, check)?;
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| access(&error))?;
    let found = file.metadata().map_err(|error| access(&error))?;
    let file = FileBackend::new(file).map_err(from_engine)?;
    let database = builder(cache_bytes, header.doubtful).create_with_backend(file).map_err(from_engine)?;
    // Only now that it is locked: a compaction elsewhere may have put another file in its place in between.
    if !is_same(&found, &fs::metadata(path).map_err(|error| access(&error))?) {
        return Err(Error::new(ErrorKind::Busy, "it is open in another process, which has just compacted it"));
    }
    let revision = revision(&database)?;
    // Whoever has the store open alone may remove what a compaction left that was killed.
    match fs::remove_file(beside(path)) {
        // Beside a name that leaves no room for a longer one there is nothing.
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename) => {
            return Err(access(&error));
        }
        _ => {}
    }
    Ok(Opened { database, revision })
}

/// Whether both are one file. Elsewhere than on Unix a file that is open cannot be replaced by another.
#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Finds out whether the file is a whole store that this program can read, without writing to it.
fn examine(path: &Path, check: bool) -> Result<Header> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| access(&error))?;
    let header = match Header::read(&mut file).map_err(|error| from_io(&error, "the file cannot be read"))? {
        Look::Header(header) => header,
        Look::Foreign => return Err(Error::new(ErrorKind::NotAStore, "it is not a store; it was not touched")),
        Look::Cut => return Err(Error::new(ErrorKind::Corrupt, "it was cut short: restore it from a copy")),
        Look::Newer => {
            let what = "it has a newer format of redb: open it with a newer version of this program";
            return Err(Error::new(ErrorKind::UnsupportedVersion, what));
        }
    };
    let file = FileBackend::new(file).map_err(from_engine)?;
    let overlay = Overlay::new(file).map_err(|error| from_io(&error, "the file cannot be examined"))?;
    let database =
        builder(LOOK_CACHE_BYTES, check || header.doubtful).create_with_backend(overlay).map_err(from_engine)?;
    revision(&database)?;
    Ok(header)
}

/// Where a compaction writes the file that takes the store's place.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".strongroom-compact");
    folder(path).join(name)
}

pub(crate) fn builder(cache_bytes: usize, check: bool) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(check);
    builder
}

/// The newest revision of an open store, once it is clear that it is one.
pub(crate) fn revision(database: &Database) -> Result<Revision> {
    let damaged = || Error::new(ErrorKind::Corrupt, "it is damaged: restore it from a copy");
    let view = database.begin_read().map_err(from_engine)?;
    let meta = match view.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(from_engine(error)),
        Err(_) => {
            return Err(Error::new(ErrorKind::NotAStore, "it is another program's redb database; it was not touched"));
        }
    };
    let number = |name| meta.get(name).map_err(from_engine)?.map(|found| found.value()).ok_or_else(damaged);
    match number(FORMAT)? {
        FORMAT_VERSION => {}
        0 => return Err(damaged()),
        version => {
            let what = format!(
                "it has format {version}, this program reads up to {FORMAT_VERSION}: open it with a newer version"
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, what));
        }
    }
    view.open_table(ROWS).map_err(from_engine)?;
    match number(REVISION)? {
        revision @ ..REVISION_END => Ok(Revision(revision)),
        _ => Err(damaged()),
    }
}

/// Makes an empty store at `path` in one step: a crash leaves the whole file or none. If somebody else was faster, theirs
/// stays.
fn create(path: &Path) -> Result<()> {
    match empty_store(path)?.persist_noclobber(path) {
        Ok(()) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(access(&error.error)),
    }
    sync_folder(path)
}

/// Puts an empty store in the place of an empty file, which somebody made to reserve the name.
fn replace_empty(path: &Path) -> Result<()> {
    let reserved = OpenOptions::new().read(true).write(true).open(path).map_err(|error| access(&error))?;
    // Whoever holds the lock on the empty file that `path` still names is the only one to replace it.
    match reserved.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Error::new(ErrorKind::Busy, "somebody else is creating it: try again"));
        }
        Err(TryLockError::Error(error)) => return Err(access(&error)),
        Ok(()) => {}
    }
    if fs::metadata(path).map_err(|error| access(&error))?.len() > 0 {
        return Ok(());
    }
    empty_store(path)?.persist(path).map_err(|error| access(&error.error))?;
    sync_folder(path)
}

/// An empty store under another name in the same folder, closed.
fn empty_store(path: &Path) -> Result<tempfile::TempPath> {
    let file = tempfile::Builder::new().prefix(".strongroom-").suffix(".new").tempfile_in(folder(path));
    let file = file.map_err(|error| access(&error))?.into_temp_path();
    let database = Database::builder().set_cache_size(LOOK_CACHE_BYTES).create(&file).map_err(from_engine)?;
    let mut transaction = database.begin_write().map_err(from_engine)?;
    transaction.set_quick_repair(true);
    {
        transaction.open_table(ROWS).map_err(from_engine)?;
        let mut meta = transaction.open_table(META).map_err(from_engine)?;
        meta.insert(FORMAT, FORMAT_VERSION).map_err(from_engine)?;
        meta.insert(REVISION, Revision::ZERO.0).map_err(from_engine)?;
    }
    transaction.commit().map_err(from_engine)?;
    database.close().map_err(from_engine)?;
    Ok(file)
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes the new name durable. Not every system lets a folder be opened; there it does so by itself.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let Ok(folder) = File::open(folder(path)) else { return Ok(()) };
    folder.sync_all().map_err(|error| from_io(&error, "its folder cannot be synced, so the new file might not last"))
}

pub(crate) fn access(error: &io::Error) -> Error {
    let what = match error.kind() {
        // The system's own words may name the file under which a store begins.
        io::ErrorKind::NotFound => return Error::new(ErrorKind::Io, "its folder does not exist: create that first"),
        io::ErrorKind::PermissionDenied => "no permission to read and write this file or its folder",
        io::ErrorKind::StorageFull => "no space is left there",
        _ => "the file cannot be opened",
    };
    from_io(error, what)
}
