//! Creating a store's file, and finding out what an existing one is before SQLite may change anything.
//!
//! The file is read through SQLite alone. Locks of files end when a process closes the file anywhere, so reading it beside
//! SQLite would take away the locks of another handle of this process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};
use strongroom_core::store::Revision;
use strongroom_core::{Error, ErrorKind, Result};

use crate::error::{damaged, from_engine, from_io, is_not_a_database};
use crate::{read, statements};

/// "SRms" in the file's header: a messenger's store of this project.
const APPLICATION_ID: i64 = 0x5352_6D73;
/// The version of the format on disk, as the file's user version.
const FORMAT_VERSION: i64 = 1;
/// How every file of SQLite begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes in the smallest file of SQLite.
const DATABASE_BYTES_MIN: u64 = 512;
const WRITE_NOTHING: &str = "BEGIN IMMEDIATE; UPDATE store SET revision = revision WHERE id = 1; ROLLBACK";
const TABLES_COUNT: &str = "SELECT count(*) FROM sqlite_schema";
/// How often the log is switched on while others come between.
const LOG_ATTEMPTS: usize = 100;

/// Links that lead to each other before it is given up, as on Linux.
const LINKS_MAX: usize = 40;

/// Where the file is, whatever links lead to it: SQLite keeps the files beside it there. Absolute, since the process may move
/// before another connection is made.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..LINKS_MAX {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // What else is wrong with it is told when it is opened.
            resolved => return Ok(resolved.unwrap_or(path)),
        }
        // A link may lead to a file that is not there yet.
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(&path).join(target);
    }
    Ok(path)
}

/// A store's file, open for writing.
pub(crate) struct Opened {
    pub(crate) connection: SqliteConnection,
    pub(crate) revision: Revision,
}

/// Opens the store at `path`, or makes one if there is nothing there, or nothing in it.
///
/// A file that is something else, or newer, is left as it is, byte for byte, and nothing appears beside it.
pub(crate) async fn open(path: &Path, connect: &SqliteConnectOptions, check: bool) -> Result<Opened> {
    let open = async {
        if !is_empty(path).await?
            && let Some(opened) = open_existing(connect, check).await?
        {
            return Ok(opened);
        }
        create(path, connect).await?;
        reopen(connect, check).await
    };
    open.await
        .map_err(|error| Error::new(error.kind(), format!("{} cannot be opened", path.display())).with_source(error))
}

/// Opens a file that is known to be a store's; never makes one.
pub(crate) async fn reopen(connect: &SqliteConnectOptions, check: bool) -> Result<Opened> {
    open_existing(connect, check).await?.ok_or_else(damaged)
}

/// None if the database is empty after all: a creation that was killed has just been undone.
async fn open_existing(connect: &SqliteConnectOptions, check: bool) -> Result<Option<Opened>> {
    let mut connection = connect.connect().await.map_err(from_engine)?;
    match prepare(&mut connection, check).await {
        Ok(Some(revision)) => Ok(Some(Opened { connection, revision })),
        not_open => {
            // If something is wrong, it is known already.
            connection.close().await.ok();
            not_open.map(|_| None)
        }
    }
}

async fn prepare(connection: &mut SqliteConnection, check: bool) -> Result<Option<Revision>> {
    if examine(connection).await? == Content::Nothing {
        return Ok(None);
    }
    write_ahead(connection).await?;
    check_writable(connection).await?;
    if check && scalar::<String>(connection, "PRAGMA integrity_check(1)").await? != "ok" {
        return Err(damaged());
    }
    read::newest(connection).await.map(Some)
}

/// Whether there is nothing to open yet: no file, an empty one, or an empty database. Fails if it is not a store.
async fn is_empty(path: &Path) -> Result<bool> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(access(&error)),
        Ok(found) if found.is_dir() => return Err(not_a_store("it is a folder: name a file")),
        Ok(found) if !found.is_file() => return Err(not_a_store("it is not a regular file")),
        Ok(found) => found,
    };
    match found.len() {
        0 => return Ok(true),
        // Too short for SQLite to hold a lock on it.
        1..DATABASE_BYTES_MIN => return Err(too_short(path)?),
        _ => {}
    }
    // SQLite takes no lock, makes no file and recovers nothing. The file may be in the middle of a checkpoint, its end still
    // in the log: that is no reason to stop.
    let look = SqliteConnectOptions::new().filename(path).immutable(true).read_only(true).disable_statement_logging();
    let mut look = look.pragma("writable_schema", "ON").connect().await.map_err(unreadable)?;
    let content = async {
        let content = examine(&mut look).await?;
        Ok((content, number(&mut look, "PRAGMA page_size").await?))
    };
    let content = content.await;
    look.close().await.ok();
    let (content, page_bytes) = content?;
    let has_log = ["-wal", "-journal"].iter().any(|suffix| beside(path, suffix).exists());
    match content {
        // The tables of an empty database may still be in its log.
        Content::Nothing if has_log => Err(not_a_store("it is another program's SQLite database; it was not touched")),
        Content::Nothing => Ok(true),
        // SQLite takes what is missing of the last page for zeros.
        Content::Store if !has_log && !found.len().is_multiple_of(page_bytes.unsigned_abs()) => Err(cut_short()),
        Content::Store => Ok(false),
    }
}

/// The name of a file that SQLite keeps beside the store's.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn too_short(path: &Path) -> Result<Error> {
    let bytes = fs::read(path).map_err(|error| access(&error))?;
    let beginning = bytes.len().min(MAGIC.len());
    if bytes[..beginning] != MAGIC[..beginning] {
        return Ok(not_a_store("it is not a store; it was not touched"));
    }
    Ok(cut_short())
}

#[derive(PartialEq)]
enum Content {
    /// A database without a table, of nobody.
    Nothing,
    Store,
}

/// What the database holds.
async fn examine(connection: &mut SqliteConnection) -> Result<Content> {
    let application = number(connection, "PRAGMA application_id").await?;
    let version = number(connection, "PRAGMA user_version").await?;
    if application == 0 && version == 0 && number(connection, TABLES_COUNT).await? == 0 {
        return Ok(Content::Nothing);
    }
    if application != APPLICATION_ID {
        return Err(not_a_store("it is another program's SQLite database; it was not touched"));
    }
    match version {
        FORMAT_VERSION => {}
        ..=0 => return Err(damaged()),
        _ => {
            let what = format!(
                "it has format {version}, this program reads up to {FORMAT_VERSION}: open it with a newer version"
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, what));
        }
    }
    let tables = "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables = sqlx::query_scalar::<_, Option<String>>(tables).fetch_all(connection).await.map_err(unreadable)?;
    if tables.iter().map(Option::as_deref).eq(statements::TABLES.map(Some)) {
        Ok(Content::Store)
    } else {
        Err(damaged())
    }
}

/// Makes an empty store in one transaction: a crash leaves the whole of it, or nothing that another attempt would trip over.
/// Whoever else creates it at the same time waits, and finds it.
async fn create(path: &Path, connect: &SqliteConnectOptions) -> Result<()> {
    let is_new = !path.exists();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.exists()
    {
        return Err(Error::new(ErrorKind::Io, "its folder does not exist: create that first"));
    }
    let mut connection = connect.clone().create_if_missing(true).connect().await.map_err(from_engine)?;
    let created = async {
        if is_new {
            only_for_owner(path)?;
        }
        // Not yet with a write-ahead log, so the header at the front of the file says at once whose it is.
        connection.execute("BEGIN EXCLUSIVE").await.map_err(from_engine)?;
        if number(&mut connection, TABLES_COUNT).await? > 0 {
            return Ok(());
        }
        let [rows, store] = statements::TABLES;
        let tables = format!(
            "{rows}; {store}; INSERT INTO store (id, revision) VALUES (1, 0); \
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION}; COMMIT"
        );
        connection.execute(AssertSqlSafe(tables)).await.map_err(from_engine)?;
        Ok(())
    };
    let created = created.await;
    // Ends the transaction if that was not done.
    connection.close().await.map_err(from_engine)?;
    created
}

/// Switches the write-ahead log on, which is remembered in the file. SQLite does not wait for others when it does that, so
/// they are waited for here.
async fn write_ahead(connection: &mut SqliteConnection) -> Result<()> {
    for _ in 0..LOG_ATTEMPTS {
        match scalar::<String>(connection, "PRAGMA journal_mode = WAL").await {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => return Err(Error::new(ErrorKind::Io, "this file system cannot hold a write-ahead log")),
            Err(error) if error.is_busy() => {
                connection.execute("BEGIN EXCLUSIVE; ROLLBACK").await.map_err(from_engine)?;
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::Busy, "another process or handle holds the file's lock: try again"))
}

/// SQLite opens what it may not write to for reading, and says so at the first write.
async fn check_writable(connection: &mut SqliteConnection) -> Result<()> {
    match connection.execute(WRITE_NOTHING).await.map_err(from_engine) {
        // Others write, so it can be written to.
        Err(error) if error.is_busy() => Ok(()),
        result => result.map(drop),
    }
}

/// A new file is readable by its owner alone, like the files beside it, which take its permissions.
#[cfg(unix)]
fn only_for_owner(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| access(&error))
}

#[cfg(not(unix))]
fn only_for_owner(_path: &Path) -> Result<()> {
    Ok(())
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64> {
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(unreadable)
}

async fn scalar<T>(connection: &mut SqliteConnection, sql: &'static str) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(from_engine)
}

/// While it is not known yet whose file it is.
fn unreadable(error: sqlx::Error) -> Error {
    if is_not_a_database(&error) { not_a_store("it is not a store; it was not touched") } else { from_engine(error) }
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Corrupt, "it was cut short: restore it from a copy")
}

fn not_a_store(what: &'static str) -> Error {
    Error::new(ErrorKind::NotAStore, what)
}

fn access(error: &io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::PermissionDenied => "no permission to read and write this file or its folder",
        _ => "the file cannot be opened",
    };
    from_io(error, what)
}
