//! `get`, `scan` and `summarize`: one statement each, which sees one revision.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;
use strongroom_core::store::{
    Content, Entry, Fetch, KeyRange, Limits, Page, Revision, Row, Rows, Scan, StoredKey, Summary,
};
use strongroom_core::{Error, Limit, Result};

use crate::error::{damaged, from_engine};
use crate::{row, statements};

/// The newest revision.
pub(crate) async fn newest(connection: &mut SqliteConnection) -> Result<Revision> {
    let columns = sqlx::query(statements::REVISION).fetch_one(connection).await.map_err(from_engine)?;
    row::revision(&columns, 0)
}

/// [`Read::get`](strongroom_core::store::Read::get).
pub(crate) async fn get(connection: &mut SqliteConnection, keys: &[StoredKey], limits: &Limits) -> Result<Rows> {
    if keys.len() > limits.get_keys_max {
        return Err(Error::limit(Limit::GetKeys, limits.get_keys_max as u64, keys.len() as u64));
    }
    if keys.is_empty() {
        return Ok(Rows { as_of: newest(connection).await?, rows: Vec::new() });
    }
    let mut as_of = None;
    let mut found: HashMap<StoredKey, Row> = HashMap::new();
    let mut results = statements::get(keys).fetch(connection);
    while let Some(columns) = results.try_next().await.map_err(from_engine)? {
        as_of = Some(row::revision(&columns, 0)?);
        let Some(key) = row::key(&columns, 1)? else { break };
        let (row, _) = row::row(&columns, &key, 2)?.ok_or_else(damaged)?;
        found.insert(key, row);
        if found.len() == keys.len() {
            // Nothing more can come: whoever asks for one row need not wait for the end as well.
            break;
        }
    }
    let rows = keys.iter().map(|key| found.get(key).cloned()).collect();
    Ok(Rows { as_of: as_of.ok_or_else(damaged)?, rows })
}

/// [`Read::scan`](strongroom_core::store::Read::scan).
pub(crate) async fn scan(connection: &mut SqliteConnection, scan: &Scan, limits: &Limits) -> Result<Page> {
    if scan.limit > limits.page_entries_max {
        return Err(Error::limit(Limit::PageEntries, limits.page_entries_max as u64, scan.limit as u64));
    }
    if scan.range.is_empty() {
        return Ok(Page { as_of: newest(connection).await?, entries: Vec::new(), more: false });
    }
    let mut as_of = None;
    let mut entries = Vec::with_capacity(scan.limit.min(1_024));
    let mut bytes = 0;
    let mut more = false;
    // The engine makes the next rows meanwhile, and memory is given back and taken under one lock of its own: given back one by one, the rows
    // would make it wait. It costs a page's bytes once more until the page is whole.
    let mut taken = Vec::with_capacity(scan.limit.min(1_024));
    let mut results = statements::scan(scan).fetch(connection);
    while let Some(columns) = results.try_next().await.map_err(from_engine)? {
        as_of = Some(row::revision(&columns, 0)?);
        let Some(key) = row::key(&columns, 1)? else { break };
        if entries.len() >= scan.limit || (bytes > scan.max_bytes && !entries.is_empty()) {
            // Leaving the results behind stops the statement.
            more = true;
            break;
        }
        bytes += key.len();
        let mut entry = Entry { revision: row::revision(&columns, 2)?, key, content: None, target: None };
        if scan.fetch != Fetch::Keys {
            let (row, stored) = row::row(&columns, &entry.key, 2)?.ok_or_else(damaged)?;
            bytes += stored;
            if let (Fetch::Targets, Content::Link(target)) = (scan.fetch, &row.content) {
                let target = row::row(&columns, target, 5)?;
                bytes += target.as_ref().map_or(0, |(_, stored)| *stored);
                entry.target = target.map(|(row, _)| row);
            }
            entry.content = Some(row.content);
        }
        entries.push(entry);
        taken.push(columns);
    }
    Ok(Page { as_of: as_of.ok_or_else(damaged)?, entries, more })
}

/// [`Read::summarize`](strongroom_core::store::Read::summarize).
pub(crate) async fn summarize(connection: &mut SqliteConnection, range: &KeyRange) -> Result<Summary> {
    if range.is_empty() {
        return Ok(Summary { as_of: newest(connection).await?, rows: 0, newest: Revision::ZERO });
    }
    let columns = statements::summarize(range).fetch_one(connection).await.map_err(from_engine)?;
    let rows = row::number(&columns, 1)?.unwrap_or_default().unsigned_abs();
    let newest = row::optional_revision(&columns, 2)?.unwrap_or_default();
    Ok(Summary { as_of: row::revision(&columns, 0)?, rows, newest })
}
