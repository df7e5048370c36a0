//! A store's rows in a file of their own, which takes the place of the one they were in.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};
use strongroom_core::Result;

use crate::error::from_engine;
use crate::file::{META, ROWS, access, beside, builder};

/// Rows after which a transaction ends: bounds what it keeps in memory of the pages that it freed.
const ROWS_EACH: usize = 100_000;

/// Writes what `old` holds into a file beside `path`, and puts that in the place of `path`. Gives the new database, open and locked;
/// `old` must then be dropped, and the folder synced. After an error `path` is the old file, untouched.
pub(crate) fn rewrite(old: &Database, path: &Path, cache_bytes: usize) -> Result<Database> {
    let beside = beside(path);
    let written = write(old, path, &beside, cache_bytes);
    let placed = written.and_then(|database| {
        fs::rename(&beside, path).map_err(|error| access(&error))?;
        Ok(database)
    });
    if placed.is_err() {
        // If it cannot be removed, whoever opens the store next does.
        fs::remove_file(&beside).ok();
    }
    placed
}

fn write(old: &Database, path: &Path, beside: &Path, cache_bytes: usize) -> Result<Database> {
    let file = create(path, beside).map_err(|error| access(&error))?;
    let mut new = builder(cache_bytes, false)
        .create_with_backend(FileBackend::new(file).map_err(from_engine)?)
        .map_err(from_engine)?;
    copy(old, &new)?;
    // What the transactions before the last one freed.
    while new.compact().map_err(from_engine)? {}
    Ok(new)
}

/// A new file with the permissions of the store's, from the beginning no more than its owner's.
fn create(path: &Path, beside: &Path) -> io::Result<File> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(beside)?;
    file.set_permissions(fs::metadata(path)?.permissions())?;
    // The engine syncs what it writes, not this.
    file.sync_all()?;
    Ok(file)
}

fn copy(old: &Database, new: &Database) -> Result<()> {
    let view = old.begin_read().map_err(from_engine)?;
    let rows = view.open_table(ROWS).map_err(from_engine)?;
    let mut rows = rows.iter().map_err(from_engine)?;
    let mut rest = true;
    while rest {
        let transaction = begin(new)?;
        {
            let mut copy = transaction.open_table(ROWS).map_err(from_engine)?;
            for _ in 0..ROWS_EACH {
                let Some(row) = rows.next() else {
                    rest = false;
                    break;
                };
                let (key, value) = row.map_err(from_engine)?;
                copy.insert(key.value(), value.value()).map_err(from_engine)?;
            }
        }
        if !rest {
            let meta = view.open_table(META).map_err(from_engine)?;
            let mut copy = transaction.open_table(META).map_err(from_engine)?;
            for number in meta.iter().map_err(from_engine)? {
                let (name, number) = number.map_err(from_engine)?;
                copy.insert(name.value(), number.value()).map_err(from_engine)?;
            }
        }
        transaction.commit().map_err(from_engine)?;
    }
    Ok(())
}

fn begin(database: &Database) -> Result<WriteTransaction> {
    let mut transaction = database.begin_write().map_err(from_engine)?;
    transaction.set_durability(redb::Durability::Immediate).map_err(from_engine)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}
