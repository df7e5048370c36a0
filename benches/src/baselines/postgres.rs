//! PostgreSQL through sqlx's pool: one statement for each operation.

use sqlx::Executor as _;
use sqlx::postgres::{PgArguments, PgPool, Postgres};
use sqlx::query::Query;
use strongroom::Result;

use super::failed;
use crate::workload::{PAGE, Row, Table};

/// One table for rows of all kinds, and one with a store's revision.
const CREATE: &str = "CREATE TABLE rows (space smallint NOT NULL, key bytea NOT NULL, revision bigint NOT NULL, \
                      target bytea, value bytea, PRIMARY KEY (space, key)); \
                      CREATE TABLE stores (id bigint PRIMARY KEY, revision bigint NOT NULL) WITH (fillfactor = 20); \
                      INSERT INTO stores VALUES (1, 0)";

/// What a save promises, by hand: who else saves is waited for, then none of the rows may be there, and the revision goes on. One statement
/// could not do it: it would look for the rows as they were before the wait.
const CREATE_SAVE: &str = "CREATE FUNCTION save(spaces smallint[], keys bytea[], targets bytea[], contents bytea[]) \
                           RETURNS bigint LANGUAGE plpgsql AS $$ \
                           DECLARE head bigint; \
                           BEGIN \
                           UPDATE stores s SET revision = s.revision + 1 WHERE s.id = 1 RETURNING s.revision INTO head; \
                           PERFORM FROM unnest(spaces, keys) g(space, key) \
                           JOIN rows r ON r.space = g.space AND r.key = g.key; \
                           IF FOUND THEN RAISE EXCEPTION 'a row was there'; END IF; \
                           INSERT INTO rows SELECT u.space, u.key, head, u.target, u.value \
                           FROM unnest(spaces, keys, targets, contents) u(space, key, target, value); \
                           RETURN head; \
                           END $$";

/// Rows, whatever was there.
const PUT: &str = "INSERT INTO rows SELECT u.space, u.key, 1, u.target, u.value \
                   FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[]) u(space, key, target, value) \
                   ON CONFLICT (space, key) \
                   DO UPDATE SET revision = excluded.revision, target = excluded.target, value = excluded.value";

/// A call of it.
const SAVE: &str = "SELECT save($1, $2, $3, $4)";

/// The newest records whose entries are in a range.
const NEWEST: &str = "SELECT t.value FROM rows r JOIN rows t ON t.space = 0 AND t.key = r.target \
                      WHERE r.space = 1 AND r.key >= $1 AND r.key < $2 ORDER BY r.key DESC LIMIT $3";

/// A pool of connections to hand-written tables.
#[derive(Clone, Debug)]
pub struct RawPostgres(PgPool);

impl RawPostgres {
    /// Makes the tables where the pool's connections look for them.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn create(pool: PgPool) -> Result<Self> {
        pool.execute(CREATE).await.map_err(failed)?;
        pool.execute(CREATE_SAVE).await.map_err(failed)?;
        Ok(RawPostgres(pool))
    }

    /// Puts rows by one statement.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn put(&self, rows: &[Row]) -> Result<()> {
        bound(PUT, rows).execute(&self.0).await.map_err(failed)?;
        Ok(())
    }

    /// Puts rows that must not be there yet, and counts a revision, by one statement.
    ///
    /// # Errors
    ///
    /// sqlx's, also if one of them was there.
    pub async fn save(&self, rows: &[Row]) -> Result<()> {
        bound(SAVE, rows).execute(&self.0).await.map_err(failed)?;
        Ok(())
    }

    /// A record's value.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let value = sqlx::query_scalar("SELECT value FROM rows WHERE space = 0 AND key = $1").bind(key);
        value.fetch_optional(&self.0).await.map_err(failed)
    }

    /// The newest values whose entries are in `[from, until)`, by one JOIN.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn page(&self, from: &[u8], until: &[u8]) -> Result<Vec<Vec<u8>>> {
        let newest = sqlx::query_scalar(NEWEST).bind(from).bind(until).bind(PAGE as i64);
        newest.fetch_all(&self.0).await.map_err(failed)
    }

    /// A statement that does nothing: to the server and back.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn round_trip(&self) -> Result<i32> {
        sqlx::query_scalar("SELECT 1").fetch_one(&self.0).await.map_err(failed)
    }
}

/// A statement that takes rows as an array for each column.
fn bound(sql: &'static str, rows: &[Row]) -> Query<'static, Postgres, PgArguments> {
    let target = |row: &Row| (row.table != Table::RECORDS).then(|| row.key[row.key.len() - row.target..].to_vec());
    let value = |row: &Row| (row.table == Table::RECORDS).then(|| row.value.clone());
    let query = sqlx::query(sql).bind(rows.iter().map(|row| i16::from(row.table.0)).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>());
    let query = query.bind(rows.iter().map(target).collect::<Vec<_>>());
    query.bind(rows.iter().map(value).collect::<Vec<_>>())
}
