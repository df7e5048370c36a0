//! The tables of a schema, and finding out what is there before anything is made.

use sqlx::{Connection, Executor, PgConnection, Row as _};
use strongroom_core::store::{Durability, Revision};
use strongroom_core::{Error, ErrorKind, Result};

use crate::error::{damaged, from_engine, is_undefined};
use crate::row;
use crate::statements::Statements;

/// The version of the rows of a namespace.
const FORMAT_VERSION: i32 = 1;

const TABLES: &str = include_str!("schema.sql");
const COMMIT: &str = include_str!("commit.sql");

const NAMESPACE: &str = "SELECT id, format, revision, to_regproc(':schema.commit_2') IS NOT NULL, \
     current_setting('fsync') <> 'off' AND current_setting('synchronous_commit') <> 'off' \
     FROM :schema.namespaces WHERE name = $1";
const NEW_NAMESPACE: &str =
    "INSERT INTO :schema.namespaces (name, format, revision) VALUES ($1, $2, 0) ON CONFLICT (name) DO NOTHING";
/// Whoever else makes the tables waits, and finds them.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('strongroom'), hashtext(':schema'))";
/// What a schema has that is not ours.
const FOREIGN: &str = "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(':schema') \
     AND relkind IN ('r', 'p', 'v', 'm', 'f')) AND to_regclass(':schema.namespaces') IS NULL";

/// A namespace that is there.
pub(crate) struct Opened {
    pub(crate) id: i64,
    pub(crate) revision: Revision,
    pub(crate) durability: Durability,
}

/// Opens a namespace, or makes it, and before it the tables, if there are none.
pub(crate) async fn open(connection: &mut PgConnection, statements: &Statements, name: &str) -> Result<Opened> {
    match find(connection, statements, name).await {
        Ok(Some(opened)) => return Ok(opened),
        Ok(None) => {}
        Err(error) if is_undefined(&error) => create_tables(connection, statements).await?,
        Err(error) => return Err(error),
    }
    let new = sqlx::query(statements.text(NEW_NAMESPACE)).bind(name).bind(FORMAT_VERSION);
    new.execute(&mut *connection).await.map_err(from_engine)?;
    find(connection, statements, name).await?.ok_or_else(damaged)
}

async fn find(connection: &mut PgConnection, statements: &Statements, name: &str) -> Result<Option<Opened>> {
    let found = sqlx::query(statements.text(NAMESPACE)).bind(name);
    let Some(found) = found.fetch_optional(&mut *connection).await.map_err(from_engine)? else { return Ok(None) };
    let format: i32 = found.try_get(1).map_err(from_engine)?;
    match format {
        FORMAT_VERSION => {}
        ..=0 => return Err(damaged()),
        _ => {
            let what = format!(
                "it has format {format}, this program reads up to {FORMAT_VERSION}: open it with a newer version"
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, what));
        }
    }
    if !found.try_get(3).map_err(from_engine)? {
        create_tables(connection, statements).await?;
    }
    Ok(Some(Opened {
        id: found.try_get(0).map_err(from_engine)?,
        revision: row::revision(&found, 2)?,
        durability: if found.try_get(4).map_err(from_engine)? { Durability::Power } else { Durability::Process },
    }))
}

/// Makes what is missing, in one transaction: all of it or nothing.
async fn create_tables(connection: &mut PgConnection, statements: &Statements) -> Result<()> {
    let mut transaction = connection.begin().await.map_err(from_engine)?;
    transaction.execute(statements.text(LOCK)).await.map_err(from_engine)?;
    let foreign = sqlx::query_scalar(statements.text(FOREIGN)).fetch_one(&mut *transaction).await;
    if foreign.map_err(from_engine)? {
        let message = "its schema has tables of another program; name another with ?schema=";
        return Err(Error::new(ErrorKind::NotAStore, message));
    }
    // Each only where it is missing: a role may have a schema and not the right to make one, and to change a table waits for all
    // who read it.
    for (exists, script) in [
        ("SELECT to_regnamespace(':schema') IS NOT NULL", "CREATE SCHEMA :schema"),
        ("SELECT to_regclass(':schema.rows') IS NOT NULL", TABLES),
        ("SELECT to_regproc(':schema.commit_2') IS NOT NULL", COMMIT),
    ] {
        let exists = sqlx::query_scalar(statements.text(exists)).fetch_one(&mut *transaction).await;
        if !exists.map_err(from_engine)? {
            sqlx::raw_sql(statements.text(script)).execute(&mut *transaction).await.map_err(from_engine)?;
        }
    }
    transaction.commit().await.map_err(from_engine)
}

#[cfg(test)]
mod tests {
    /// Programs of several versions use one schema, each the function that it was written with.
    #[test]
    fn a_changed_function_has_another_number() {
        let text: String = super::COMMIT.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        assert_eq!(
            crc32fast::hash(text.as_bytes()),
            28_432_970,
            "raise the number of commit_2, then put its new hash here"
        );
    }
}
