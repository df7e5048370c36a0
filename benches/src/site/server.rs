//! A PostgreSQL server: one that is named, or one that is started for the run and gone with it.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};
use strongroom::Result;
use strongroom::postgres::Server as Namespaces;
use strongroom_conformance_servers::{Postgres, PostgresOptions};

use crate::baselines::{RawPostgres, failed};

/// As many connections as the store has for reads and commits.
const CONNECTIONS: u32 = 8;

/// A server with two schemas of this run: one that has the namespaces, `strongroom_bench_` and a number, and one for hand-written tables,
/// the same with `_hand`. A run that is killed leaves both on a server that was named.
pub struct Server {
    url: String,
    schema: String,
    namespaces: Namespaces,
    /// Where a statement finds the hand-written tables.
    hand: PgPool,
    by_hand: RawPostgres,
    settings: String,
    /// Ended when it is dropped.
    _started: Option<Postgres>,
}

impl Server {
    /// A server that was named.
    pub(super) async fn named(url: String) -> Result<Self> {
        Server::connect(url, None).await
    }

    /// Starts one as it is run in production: a commit waits for the disk. If that fails, the reason as one sentence.
    pub(super) async fn start() -> std::result::Result<Self, String> {
        Postgres::available()?;
        let start = || Postgres::start(&PostgresOptions::default().durable(true).setting("max_wal_size", "1GB"));
        let started = tokio::task::spawn_blocking(start).await.map_err(|error| error.to_string())?;
        let started = started.map_err(|error| error.to_string())?;
        Server::connect(started.url(), Some(started)).await.map_err(|error| error.to_string())
    }

    async fn connect(url: String, started: Option<Postgres>) -> Result<Self> {
        let schema = format!("strongroom_bench_{:08x}", fastrand::u32(..));
        let namespaces = Namespaces::connect(&with(&url, "schema", &schema)).await?;
        let hand_schema = format!("{schema}_hand");
        let options = PgConnectOptions::from_str(&url).map_err(failed)?.options([("search_path", &hand_schema)]);
        // As a program has it: connections that wait, and are not asked each time whether they are still there.
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let hand = pool.connect_with(options).await.map_err(failed)?;
        hand.execute(AssertSqlSafe(format!("CREATE SCHEMA {hand_schema}"))).await.map_err(failed)?;
        let by_hand = RawPostgres::create(hand.clone()).await?;
        let settings = "SELECT format('%s, fsync %s, synchronous_commit %s', current_setting('server_version'), \
                        current_setting('fsync'), current_setting('synchronous_commit'))";
        let settings = sqlx::query_scalar(settings).fetch_one(&hand).await.map_err(failed)?;
        Ok(Server { url, schema, namespaces, hand, by_hand, settings, _started: started })
    }

    /// Its version and what decides whether commits wait for the disk.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// The URL of a store of this run.
    pub(super) fn url(&self, name: &str) -> String {
        with(&with(&self.url, "schema", &self.schema), "namespace", name)
    }

    /// The hand-written tables, of which there is one set.
    pub fn by_hand(&self) -> &RawPostgres {
        &self.by_hand
    }

    /// Clears away old rows and counts the others, of all namespaces and of the hand-written tables; `full` also gives space back.
    ///
    /// # Errors
    ///
    /// The server's; also if no namespace was opened yet.
    pub async fn vacuum(&self, full: bool) -> Result<()> {
        let how = if full { "FULL, ANALYZE" } else { "ANALYZE" };
        self.execute(format!("VACUUM ({how}) {0}.rows, {0}_hand.rows", self.schema)).await
    }

    /// Removes a store.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        self.namespaces.remove(name).await.map(drop)
    }

    /// Removes both schemas.
    pub(super) async fn close(&self) -> Result<()> {
        self.namespaces.close().await;
        self.execute(format!("DROP SCHEMA IF EXISTS {0}, {0}_hand CASCADE", self.schema)).await?;
        self.hand.close().await;
        Ok(())
    }

    /// A statement that has nothing of others in it.
    async fn execute(&self, sql: String) -> Result<()> {
        self.hand.execute(AssertSqlSafe(sql)).await.map_err(failed)?;
        Ok(())
    }
}

/// A URL with a parameter more.
fn with(url: &str, name: &str, value: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{name}={value}")
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn parameters_are_added_to_those_that_are_there() {
        let url = with("postgres://me@host/db", "schema", "s");
        assert_eq!(with(&url, "namespace", "n"), "postgres://me@host/db?schema=s&namespace=n");
    }
}
