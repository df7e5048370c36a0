//! From the columns of a result to rows. Anything that this program does not write is damage, never a panic.

use bytes::Bytes;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use strongroom_core::store::{Content, Revision, Row, StoredKey};
use strongroom_core::{Error, ErrorKind, Result};

use crate::error::{damaged, from_engine};
use crate::statements::LINK_TO_VALUE;

/// No store comes this far: a greater revision is damage or forged, and must not run over.
const REVISION_END: i64 = 1 << 62;

/// The revision in a column.
pub(crate) fn revision(columns: &SqliteRow, at: usize) -> Result<Revision> {
    optional_revision(columns, at)?.ok_or_else(damaged)
}

/// The revision in a column; none if there is no row.
pub(crate) fn optional_revision(columns: &SqliteRow, at: usize) -> Result<Option<Revision>> {
    match number(columns, at)? {
        None => Ok(None),
        Some(revision @ 0..REVISION_END) => Ok(Some(Revision(revision.unsigned_abs()))),
        Some(_) => Err(damaged()),
    }
}

/// The whole number in a column.
pub(crate) fn number(columns: &SqliteRow, at: usize) -> Result<Option<i64>> {
    columns.try_get(at).map_err(from_engine)
}

/// The key in a column; none if there is no row.
pub(crate) fn key(columns: &SqliteRow, at: usize) -> Result<Option<StoredKey>> {
    Ok(bytes(columns, at)?.map(StoredKey::new))
}

/// The row under `key`, whose revision, link and value begin at this column, and the bytes that are stored for its content;
/// none if there is no row.
pub(crate) fn row(columns: &SqliteRow, key: &StoredKey, at: usize) -> Result<Option<(Row, usize)>> {
    let Some(revision) = optional_revision(columns, at)? else { return Ok(None) };
    let value = bytes(columns, at + 2)?;
    let stored = value.as_ref().map_or(0, Bytes::len);
    let content = match (number(columns, at + 1)?, value) {
        (None, Some(value)) => Content::Value(value),
        (Some(LINK_TO_VALUE), Some(target)) => Content::Link(StoredKey::new(target)),
        (Some(suffix), None) => Content::Link(tail(key, suffix)?),
        _ => return Err(damaged()),
    };
    Ok(Some((Row { revision, content }, stored)))
}

fn tail(key: &StoredKey, suffix: i64) -> Result<StoredKey> {
    match usize::try_from(suffix) {
        Ok(at) if at <= key.len() => Ok(key.tail(at)),
        _ => Err(Error::new(ErrorKind::Corrupt, "a stored link begins past the end of its key")),
    }
}

fn bytes(columns: &SqliteRow, at: usize) -> Result<Option<Bytes>> {
    let bytes: Option<&[u8]> = columns.try_get(at).map_err(from_engine)?;
    Ok(bytes.map(Bytes::copy_from_slice))
}
