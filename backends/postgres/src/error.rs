//! The server's errors in this project's words.
//!
//! Of what the server says, its code and its first line go along as the source. What it adds to them is left out: a detail or a
//! context may quote a row. Every key and value is bound to a statement, none is part of its text.

use std::error::Error as StdError;
use std::fmt;

use sqlx::postgres::{PgDatabaseError, PgSeverity};
pub(crate) use strongroom_core::store::sorted::columns::damaged;
use strongroom_core::{Error, ErrorKind};

/// The backend's name in every error.
pub(crate) const NAME: &str = "postgres";

/// What went wrong, as far as it may be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    /// SQLSTATE, if the server answered: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    code: Option<String>,
    message: String,
    /// Whether the connection is lost with it.
    lost: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} (SQLSTATE {code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl StdError for Failure {}

/// Translates an error of sqlx.
pub(crate) fn from_engine(error: sqlx::Error) -> Error {
    let database = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    if let Some(error) = database {
        let (kind, message) = meaning(error.code());
        let lost = matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        let source = Failure { code: Some(error.code().to_owned()), message: error.message().to_owned(), lost };
        return Error::new(kind, message).with_source(source);
    }
    let (kind, message, lost) = match &error {
        // A column of another type than this program writes, or a row too few.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::RowNotFound => {
            return damaged();
        }
        sqlx::Error::PoolTimedOut => (ErrorKind::Busy, "no connection to the server was to be had in time", false),
        sqlx::Error::PoolClosed => return strongroom_core::store::sorted::closed(),
        sqlx::Error::Tls(_) => (ErrorKind::Io, "no secure connection to the server", true),
        sqlx::Error::Configuration(_) => (ErrorKind::InvalidInput, "the URL cannot be used", false),
        _ => (ErrorKind::Io, "the connection to the server failed", true),
    };
    Error::new(kind, message).with_source(Failure { code: None, message: error.to_string(), lost })
}

/// What to do about a pooler in transaction mode.
pub(crate) const POOLED: &str =
    "a pooler is in between that does not keep a connection for its client: use its session mode, or none";

fn meaning(code: &str) -> (ErrorKind, &'static str) {
    match code {
        SERIALIZATION_FAILURE | DEADLOCK_DETECTED => {
            (ErrorKind::Busy, "other clients of the server came in between: try again")
        }
        LOCK_NOT_AVAILABLE => (ErrorKind::Busy, "another process kept the namespace locked for too long: try again"),
        "57014" => (ErrorKind::Busy, "it took longer than a statement may, or was cancelled"),
        "53300" => {
            (ErrorKind::Busy, "the server has no connection left: raise its max_connections or lower connections_max")
        }
        "57P01" | "57P02" | "57P03" => (ErrorKind::Io, "the server is shutting down or starting"),
        IDLE_IN_TRANSACTION | IN_FAILED_TRANSACTION => {
            (ErrorKind::SnapshotExpired, "the server let the snapshot go: take a new one")
        }
        "08P01" | "42P05" | "26000" => (ErrorKind::Unsupported, POOLED),
        "25006" => (ErrorKind::Io, "the server takes no writes: it is a standby, or set to read-only"),
        "28000" | "28P01" => (ErrorKind::Io, "the server refuses this user or password"),
        "3D000" => (ErrorKind::Io, "the database does not exist: create it first"),
        "42501" => (ErrorKind::Io, "the user lacks a permission in the database"),
        "53100" => (ErrorKind::Io, "the server has no space left"),
        UNDEFINED_TABLE | UNDEFINED_SCHEMA | UNDEFINED_FUNCTION | UNDEFINED_COLUMN => {
            (ErrorKind::Corrupt, "the tables in the database are not those of this program")
        }
        code if code.starts_with("XX") => (ErrorKind::Corrupt, "the server found its files damaged"),
        _ => (ErrorKind::Io, "the server failed"),
    }
}

const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK_DETECTED: &str = "40P01";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const IN_FAILED_TRANSACTION: &str = "25P02";
const IDLE_IN_TRANSACTION: &str = "25P03";
const UNDEFINED_TABLE: &str = "42P01";
const UNDEFINED_SCHEMA: &str = "3F000";
const UNDEFINED_FUNCTION: &str = "42883";
const UNDEFINED_COLUMN: &str = "42703";

/// Whether the schema, a table or the function is not there yet.
pub(crate) fn is_undefined(error: &Error) -> bool {
    matches!(code(error), Some(UNDEFINED_TABLE | UNDEFINED_SCHEMA | UNDEFINED_FUNCTION))
}

/// Whether the server broke the statement off, and it may succeed if it is made again.
pub(crate) fn is_transient(error: &Error) -> bool {
    matches!(code(error), Some(SERIALIZATION_FAILURE | DEADLOCK_DETECTED))
}

/// Whether the connection was lost.
pub(crate) fn is_lost(error: &Error) -> bool {
    error.get_ref::<Failure>().is_some_and(|failure| failure.lost)
}

/// Whether the server itself said that the statement failed. Then nothing of it happened.
pub(crate) fn is_answer(error: &Error) -> bool {
    code(error).is_some()
}

fn code(error: &Error) -> Option<&str> {
    error.get_ref::<Failure>()?.code.as_deref()
}

/// No answer came, so the connection is lost.
pub(crate) fn silent() -> Error {
    let source = Failure { code: None, message: "no answer in time".to_owned(), lost: true };
    Error::new(ErrorKind::Io, "the connection to the server failed").with_source(source)
}

/// The namespace is no longer in the table, or no longer in the format that this program writes.
pub(crate) fn removed() -> Error {
    Error::new(
        ErrorKind::Closed,
        "its namespace was removed from the server, or upgraded by a newer version of this program",
    )
}
