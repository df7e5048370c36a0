//! From the columns of a result to rows. Anything that this program does not write is damage, never a panic.

use bytes::Bytes;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use strongroom_core::Result;
use strongroom_core::store::sorted::columns;
use strongroom_core::store::{Revision, Row, StoredKey};

use crate::error::{damaged, from_engine};

/// The revision in a column.
pub(crate) fn revision(row: &PgRow, at: usize) -> Result<Revision> {
    optional_revision(row, at)?.ok_or_else(damaged)
}

/// The revision in a column; none if there is no row.
pub(crate) fn optional_revision(row: &PgRow, at: usize) -> Result<Option<Revision>> {
    number(row, at)?.map(columns::revision).transpose()
}

/// The whole number in a column of 8 bytes.
pub(crate) fn number(row: &PgRow, at: usize) -> Result<Option<i64>> {
    row.try_get(at).map_err(from_engine)
}

/// The key in a column; none if there is no row.
pub(crate) fn key(row: &PgRow, at: usize) -> Result<Option<StoredKey>> {
    Ok(bytes(row, at)?.map(StoredKey::new))
}

/// The row under `key`, whose revision, link and value begin at this column; none if there is no row.
pub(crate) fn row(found: &PgRow, key: &StoredKey, at: usize) -> Result<Option<Row>> {
    match sent(found, key, at)? {
        None => Ok(None),
        Some(Sent::Whole(row)) => Ok(Some(row)),
        Some(Sent::Length { .. }) => Err(damaged()),
    }
}

/// What a page has of a row.
pub(crate) enum Sent {
    Whole(Row),
    /// Its value is long, and was not sent.
    Length {
        revision: Revision,
        bytes: usize,
    },
}

/// As [`row`], of a page.
pub(crate) fn sent(found: &PgRow, key: &StoredKey, at: usize) -> Result<Option<Sent>> {
    let Some(revision) = optional_revision(found, at)? else { return Ok(None) };
    let link: Option<i32> = found.try_get(at + 1).map_err(from_engine)?;
    let value = bytes(found, at + 2)?;
    if let (Some(..columns::LINK_TO_VALUE), None) = (link, &value) {
        let bytes = link.map_or(0, |length| length.unsigned_abs() as usize);
        return Ok(Some(Sent::Length { revision, bytes }));
    }
    let content = columns::content(key, link.map(i64::from), value)?;
    Ok(Some(Sent::Whole(Row { revision, content })))
}

fn bytes(row: &PgRow, at: usize) -> Result<Option<Bytes>> {
    let bytes: Option<&[u8]> = row.try_get(at).map_err(from_engine)?;
    Ok(bytes.map(Bytes::copy_from_slice))
}
