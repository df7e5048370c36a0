//! `get`, `scan` and `summarize`: one statement each, which sees one revision.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use strongroom_core::store::{
    Content, Entry, Fetch, KeyRange, Limits, Page, Revision, Row, Rows, Scan, StoredKey, Summary,
};
use strongroom_core::{Error, Limit, Result};

use crate::error::{damaged, from_engine, removed};
use crate::statements::Statements;
use crate::{bounds, row};

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
        let asked: Vec<&[u8]> = keys.iter().map(StoredKey::as_bytes).collect();
        let query = sqlx::query(self.statements.get.clone()).bind(self.namespace).bind(asked);
        let found = query.fetch_all(connection).await.map_err(from_engine)?;
        let as_of = row::revision(found.first().ok_or_else(removed)?, 0)?;
        let mut rows: HashMap<StoredKey, Row> = HashMap::with_capacity(found.len());
        for columns in &found {
            let Some(key) = row::key(columns, 1)? else { break };
            let row = row::row(columns, &key, 2)?.ok_or_else(damaged)?;
            rows.insert(key, row);
        }
        Ok(Rows { as_of, rows: keys.iter().map(|key| rows.get(key).cloned()).collect() })
    }

    /// [`Read::scan`](strongroom_core::store::Read::scan).
    pub(crate) async fn scan(&self, connection: &mut PgConnection, scan: &Scan) -> Result<Page> {
        if scan.limit > self.limits.page_entries_max {
            return Err(Error::limit(Limit::PageEntries, self.limits.page_entries_max as u64, scan.limit as u64));
        }
        let (start, end) = bounds::of(&scan.range);
        let most = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let query = sqlx::query(self.statements.scan(scan))
            .bind(self.namespace)
            .bind(&*start)
            .bind(&*end)
            .bind(most(scan.limit).saturating_add(1))
            .bind(most(scan.max_bytes));
        let mut found = query.fetch(connection);
        let mut as_of = None;
        let mut page = Page { as_of: Revision::ZERO, entries: Vec::with_capacity(scan.limit.min(1_024)), more: false };
        while let Some(columns) = found.try_next().await.map_err(from_engine)? {
            as_of = Some(row::revision(&columns, 0)?);
            let Some(key) = row::key(&columns, 2)? else { break };
            if page.entries.len() == scan.limit {
                page.more = true;
                break;
            }
            // Only said of the entry with which the page is full.
            let beyond: Option<bool> = sqlx::Row::try_get(&columns, 1).map_err(from_engine)?;
            page.more = beyond.unwrap_or(false);
            let mut entry = Entry { revision: row::revision(&columns, 3)?, key, content: None, target: None };
            if scan.fetch != Fetch::Keys {
                let row = row::row(&columns, &entry.key, 3)?.ok_or_else(damaged)?;
                if let (Fetch::Targets, Content::Link(target)) = (scan.fetch, &row.content) {
                    entry.target = row::row(&columns, target, 6)?;
                }
                entry.content = Some(row.content);
            }
            page.entries.push(entry);
        }
        page.as_of = as_of.ok_or_else(removed)?;
        Ok(page)
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
