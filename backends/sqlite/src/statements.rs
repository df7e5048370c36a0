//! Every statement that reads or writes rows, as text. Values are always bound, never written into it.
//!
//! The texts repeat, so that each connection prepares them once: lists of keys are filled up to a power of two, and rows
//! are written in pieces of few different lengths.

use std::fmt::Write as _;
use std::ops::Bound;

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};
use strongroom_core::store::sorted::StoredRow;
use strongroom_core::store::sorted::columns::{columns, revision_column};
use strongroom_core::store::{Fetch, KeyRange, Revision, Scan, StoredKey};

/// A statement with what is bound to it.
pub(crate) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// The tables of a store, as the file's schema shows them.
pub(crate) const TABLES: [&str; 2] = [
    "CREATE TABLE rows (key BLOB NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, link INTEGER, value BLOB) \
     STRICT, WITHOUT ROWID",
    "CREATE TABLE store (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT",
];

/// The newest revision.
pub(crate) const REVISION: &str = "SELECT revision FROM store WHERE id = 1";
/// Begins to read; what is seen from here on does not change.
pub(crate) const BEGIN_VIEW: &str = "BEGIN; SELECT revision FROM store WHERE id = 1";
/// Begins a transaction that writes nothing.
pub(crate) const BEGIN_READ: &str = "BEGIN; ";
/// Begins a transaction that writes: waits until no other does.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE; ";

/// How many rows there may be. Without the sign the planner looks at the number itself: the statement would be prepared anew each time that
/// one is bound, which took a tenth of a page of 50.
const LIMIT: &str = "LIMIT +?";

/// Keys in one statement; SQLite binds 32,766 values at most.
pub(crate) const KEYS_MAX: usize = 16_384;
/// Rows in one statement that writes.
const ROWS_MAX: usize = 512;
/// Bytes after which such a statement ends.
const BYTES_MAX: usize = 4 << 20;
/// Up to here rows are written in one statement of just that length.
const ROWS_EXACT: usize = 32;

/// Begins a transaction that changes nothing, but writes. Its COMMIT comes after.
///
/// Setting a row to what it is already writes no page, and then a COMMIT puts nothing into the log. Setting a number of the
/// header always writes the first page. The number is the format's, `FORMAT_VERSION`, as it stands there.
pub(crate) const COMMIT_NOTHING: &str =
    "BEGIN IMMEDIATE; PRAGMA user_version = 1; SELECT revision FROM store WHERE id = 1";

/// The revision of the store and of each of `keys` that has a row, behind `begin`. Columns: revision, key, revision.
pub(crate) fn revisions(begin: &str, keys: &[&StoredKey]) -> Query {
    if keys.is_empty() {
        return sqlx::query(AssertSqlSafe(format!("{begin}SELECT revision, NULL FROM store WHERE id = 1")));
    }
    select_keys(begin, "r.key, r.revision", keys.iter().copied())
}

/// The revision of the store and the rows of `keys` that there are. Columns: revision, then a row's: key, revision, link,
/// value.
pub(crate) fn get(keys: &[StoredKey]) -> Query {
    select_keys("", "r.key, r.revision, r.link, r.value", keys.iter())
}

fn select_keys<'a>(begin: &str, columns: &str, keys: impl Iterator<Item = &'a StoredKey>) -> Query {
    let (list, keys) = key_list(keys);
    let sql = format!(
        "{begin}SELECT s.revision, {columns} FROM store s LEFT JOIN rows r ON r.key IN ({list}) WHERE s.id = 1"
    );
    bind_keys(sqlx::query(AssertSqlSafe(sql)), keys)
}

/// Removes the rows of `keys`; with `end`, also sets the newest revision and commits: two statements more.
pub(crate) fn delete(keys: &[&StoredKey], end: Option<Revision>) -> Query {
    let (list, keys) = key_list(keys.iter().copied());
    let sql = format!("DELETE FROM rows WHERE key IN ({list}){}", end_of(end));
    bind_end(bind_keys(sqlx::query(AssertSqlSafe(sql)), keys), end)
}

/// Marks for `keys`, and the keys with the last one repeated.
fn key_list<'a>(keys: impl Iterator<Item = &'a StoredKey>) -> (String, Vec<&'a StoredKey>) {
    let mut keys: Vec<_> = keys.collect();
    if let Some(last) = keys.last().copied() {
        keys.resize(keys.len().next_power_of_two(), last);
    }
    (marks("?", keys.len()), keys)
}

fn bind_keys(query: Query, keys: Vec<&StoredKey>) -> Query {
    keys.into_iter().fold(query, |query, key| query.bind(key.as_bytes()))
}

fn marks(mark: &str, count: usize) -> String {
    vec![mark; count].join(",")
}

/// One page and one row more. Columns: the store's revision; key, revision; unless only keys are asked for: link, value;
/// with targets: the target's revision, link, value.
///
/// The range must not be empty. There is one row at least: without a key if the range has none.
pub(crate) fn scan(scan: &Scan) -> Query {
    let mut sql = "SELECT s.revision, r.key, r.revision".to_owned();
    if scan.fetch != Fetch::Keys {
        sql += ", r.link, r.value";
    }
    if scan.fetch == Fetch::Targets {
        sql += ", t.revision, t.link, t.value";
    }
    sql += " FROM store s LEFT JOIN rows r ON TRUE";
    within(&mut sql, &scan.range);
    if scan.fetch == Fetch::Targets {
        // Of a key without bytes `substr` makes NULL.
        sql += " LEFT JOIN rows t ON t.key = CASE WHEN r.link >= 0 THEN ifnull(substr(r.key, r.link + 1), x'') \
                WHEN r.link = -1 THEN r.value END";
    }
    let order = if scan.reverse { "DESC" } else { "ASC" };
    write!(sql, " WHERE s.id = 1 ORDER BY r.key {order} {LIMIT}").ok();
    let query = bind_range(sqlx::query(AssertSqlSafe(sql)), &scan.range);
    query.bind(i64::try_from(scan.limit).unwrap_or(i64::MAX).saturating_add(1))
}

/// The revision of the store, how many rows a range has, and the newest revision among them.
pub(crate) fn summarize(range: &KeyRange) -> Query {
    let mut sql = format!("SELECT ({REVISION}), count(*), max(r.revision) FROM rows r WHERE TRUE");
    within(&mut sql, range);
    bind_range(sqlx::query(AssertSqlSafe(sql)), range)
}

/// How many rows a range has, but no more than one past `expected`, and the newest revision among them.
pub(crate) fn count(range: &KeyRange, expected: u64) -> Query {
    let mut sql = "SELECT count(*), max(revision) FROM (SELECT r.revision FROM rows r WHERE TRUE".to_owned();
    within(&mut sql, range);
    write!(sql, " {LIMIT})").ok();
    let query = bind_range(sqlx::query(AssertSqlSafe(sql)), range);
    query.bind(i64::try_from(expected).unwrap_or(i64::MAX).saturating_add(1))
}

/// Removes the rows of a range.
pub(crate) fn delete_range(range: &KeyRange) -> Query {
    let mut sql = "DELETE FROM rows AS r WHERE TRUE".to_owned();
    within(&mut sql, range);
    bind_range(sqlx::query(AssertSqlSafe(sql)), range)
}

fn within(sql: &mut String, range: &KeyRange) {
    match range.start {
        Bound::Included(_) => sql.push_str(" AND r.key >= ?"),
        Bound::Excluded(_) => sql.push_str(" AND r.key > ?"),
        Bound::Unbounded => {}
    }
    match range.end {
        Bound::Included(_) => sql.push_str(" AND r.key <= ?"),
        Bound::Excluded(_) => sql.push_str(" AND r.key < ?"),
        Bound::Unbounded => {}
    }
}

fn bind_range(query: Query, range: &KeyRange) -> Query {
    [&range.start, &range.end].into_iter().fold(query, |query, bound| match bound {
        Bound::Included(key) | Bound::Excluded(key) => query.bind(key.as_bytes()),
        Bound::Unbounded => query,
    })
}

/// Writes rows over what is there; with `end`, also sets the newest revision and commits: two statements more.
pub(crate) fn put(rows: &[(&StoredKey, StoredRow<'_>)], end: Option<Revision>) -> Query {
    let marks = marks("(?,?,?,?)", rows.len());
    let sql = format!("REPLACE INTO rows (key, revision, link, value) VALUES {marks}{}", end_of(end));
    let query = rows.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, (key, row)| {
        let (link, value) = columns(row);
        query.bind(key.as_bytes()).bind(revision_column(row.revision)).bind(link).bind(value)
    });
    bind_end(query, end)
}

/// Sets the newest revision and commits: two statements.
pub(crate) fn commit(newest: Revision) -> Query {
    sqlx::query("UPDATE store SET revision = ? WHERE id = 1; COMMIT").bind(revision_column(newest))
}

/// What the last statement that writes has behind it, so that the engine is asked once for all.
fn end_of(end: Option<Revision>) -> &'static str {
    if end.is_some() { "; UPDATE store SET revision = ? WHERE id = 1; COMMIT" } else { "" }
}

fn bind_end(query: Query, end: Option<Revision>) -> Query {
    end.into_iter().fold(query, |query, newest| query.bind(revision_column(newest)))
}

/// How many of `rows` the next statement writes.
pub(crate) fn piece(rows: &[(&StoredKey, StoredRow<'_>)]) -> usize {
    let mut bytes = 0;
    let sizes = rows.iter().take(ROWS_MAX).map(|(key, row)| key.len() + row.encoded_len());
    let fitting = sizes.take_while(|size| {
        let fits = bytes < BYTES_MAX;
        bytes += size;
        fits
    });
    let rows = fitting.count();
    if rows <= ROWS_EXACT { rows } else { 1 << rows.ilog2() }
}
