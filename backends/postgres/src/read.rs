//! `get`, `scan` and `summarize`: one statement each, which sees one revision.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection};
use strongroom_core::store::{Fetch, KeyRange, Limits, Page, Revision, Row, Rows, Scan, StoredKey, Summary};
use strongroom_core::{Error, Limit, Result};

use crate::error::{damaged, from_engine, removed};
use crate::page::Draft;
use crate::statements::{BEGIN_VIEW, Statements};
use crate::{bounds, row};

/// How often a page of long values is read without a transaction.
const ATTEMPTS: usize = 2;
/// Bytes of the longest value that is sent with a page, at least: no key is longer.
const SENT_BYTES_MIN: usize = 4_096;

/// What is read: the namespace of a schema, within limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'s> {
    pub(crate) statements: &'s Statements,
    pub(crate) namespace: i64,
    pub(crate) limits: Limits,
}

impl Reader<'_> {
    /// The newest revision.
    pub(crate) async fn newest(&self, connection: &mut PgConnection) -> Result<Revision> {
        let query = sqlx::query(self.statements.newest.clone()).bind(self.namespace);
        let found = query.fetch_optional(connection).await.map_err(from_engine)?;
        row::revision(&found.ok_or_else(removed)?, 0)
    }

    /// [`Read::get`](strongroom_core::store::Read::get).
    pub(crate) async fn get(&self, connection: &mut PgConnection, keys: &[StoredKey]) -> Result<Rows> {
        if keys.len() > self.limits.get_keys_max {
            return Err(Error::limit(Limit::GetKeys, self.limits.get_keys_max as u64, keys.len() as u64));
        }
        if keys.is_empty() {
            return Ok(Rows { as_of: self.newest(connection).await?, rows: Vec::new() });
        }
        let (as_of, rows) = self.rows(connection, keys).await?;
        Ok(Rows { as_of, rows: keys.iter().map(|key| rows.get(key).cloned()).collect() })
    }

    /// The rows of those keys that have one.
    async fn rows(
        &self,
        connection: &mut PgConnection,
        keys: &[StoredKey],
    ) -> Result<(Revision, HashMap<StoredKey, Row>)> {
        let asked: Vec<&[u8]> = keys.iter().map(StoredKey::as_bytes).collect();
        let query = sqlx::query(self.statements.get.clone()).bind(self.namespace).bind(asked);
        let found = query.fetch_all(connection).await.map_err(from_engine)?;
        let as_of = row::revision(found.first().ok_or_else(removed)?, 0)?;
        let mut rows = HashMap::with_capacity(found.len());
        for columns in &found {
            let Some(key) = row::key(columns, 1)? else { break };
            let row = row::row(columns, &key, 2)?.ok_or_else(damaged)?;
            rows.insert(key, row);
        }
        Ok((as_of, rows))
    }

    /// [`Read::scan`](strongroom_core::store::Read::scan). Long values, of which one may be more than a page, are read by a second
    /// statement, when it is known which of them belong to it.
    pub(crate) async fn scan(&self, connection: &mut PgConnection, scan: &Scan) -> Result<Page> {
        if scan.limit > self.limits.page_entries_max {
            return Err(Error::limit(Limit::PageEntries, self.limits.page_entries_max as u64, scan.limit as u64));
        }
        for _ in 0..ATTEMPTS {
            if let Some(page) = self.try_scan(connection, scan).await? {
                return Ok(page);
            }
        }
        // In a view nobody changes anything.
        let mut view = connection.begin_with(BEGIN_VIEW).await.map_err(from_engine)?;
        let page = self.try_scan(&mut view, scan).await?;
        view.rollback().await.map_err(from_engine)?;
        page.ok_or_else(damaged)
    }

    /// None if one of the long values was written in between: then the page is another.
    async fn try_scan(&self, connection: &mut PgConnection, scan: &Scan) -> Result<Option<Page>> {
        let draft = Draft::of(self.page(connection, scan).await?, scan)?;
        if draft.long.is_empty() {
            return Ok(Some(draft.page));
        }
        let (_, long) = self.rows(connection, &draft.long).await?;
        Ok(draft.complete(&long))
    }

    async fn page(&self, connection: &mut PgConnection, scan: &Scan) -> Result<Vec<PgRow>> {
        let (start, end) = bounds::of(&scan.range);
        let rows = i64::try_from(scan.limit).unwrap_or(i64::MAX).saturating_add(1);
        let query = sqlx::query(self.statements.scan(scan)).bind(self.namespace).bind(&*start).bind(&*end).bind(rows);
        let share = (scan.max_bytes / scan.limit.saturating_add(1)).max(SENT_BYTES_MIN);
        let query = match scan.fetch {
            Fetch::Keys => query,
            Fetch::Values | Fetch::Targets => query.bind(i32::try_from(share).unwrap_or(i32::MAX)),
        };
        query.fetch_all(connection).await.map_err(from_engine)
    }

    /// [`Read::summarize`](strongroom_core::store::Read::summarize).
    pub(crate) async fn summarize(&self, connection: &mut PgConnection, range: &KeyRange) -> Result<Summary> {
        let (start, end) = bounds::of(range);
        let query = sqlx::query(self.statements.summarize.clone()).bind(self.namespace).bind(&*start).bind(&*end);
        let found = query.fetch_optional(connection).await.map_err(from_engine)?.ok_or_else(removed)?;
        let rows = row::number(&found, 1)?.unwrap_or_default().unsigned_abs();
        let newest = row::optional_revision(&found, 2)?.unwrap_or_default();
        Ok(Summary { as_of: row::revision(&found, 0)?, rows, newest })
    }
}
