//! The engine's errors in this project's words.
//!
//! SQLite's own text goes along as the source. It names tables, columns and files, never what a statement was bound to, and
//! every key and value is bound: so no error can show one.

use std::io;

pub(crate) use strongroom_core::store::sorted::columns::damaged;
use strongroom_core::{Error, ErrorKind};

/// The backend's name in every error.
pub(crate) const NAME: &str = "sqlite";

/// A statement does not fit what the file says of itself: the statements are fixed, so it is the file.
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;
/// A page ends before its end: the file was cut.
const IOERR_SHORT_READ: i32 = 10 | 2 << 8;

/// Translates an error of the engine.
pub(crate) fn from_engine(error: sqlx::Error) -> Error {
    let (kind, message) = match &error {
        sqlx::Error::Database(_) => match code(&error) {
            IOERR_SHORT_READ => (ErrorKind::Corrupt, "the file is damaged"),
            extended => match extended & 0xFF {
                BUSY | LOCKED => (ErrorKind::Busy, "another process or handle holds the file's lock: try again"),
                ERROR | CORRUPT | NOTADB => (ErrorKind::Corrupt, "the file is damaged"),
                FULL => (ErrorKind::Io, "no space is left there"),
                READONLY => (ErrorKind::Io, "no permission to write to this file or its folder"),
                CANTOPEN => (ErrorKind::Io, "the file or its folder cannot be opened"),
                _ => (ErrorKind::Io, "the engine failed"),
            },
        },
        // A column of another type than this program writes, or a row too few.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound => return damaged().with_source(error),
        _ => (ErrorKind::Io, "the engine failed"),
    };
    Error::new(kind, message).with_source(error)
}

/// Whether a commit that failed with `error` has surely not happened, not even for a later recovery: the transaction's last
/// frame was not written.
pub(crate) fn is_before_commit(error: &sqlx::Error) -> bool {
    matches!(code(error) & 0xFF, BUSY | LOCKED | FULL | READONLY)
}

/// Whether the statement was at fault, as a rollback where nothing has begun.
pub(crate) fn is_statement(error: &sqlx::Error) -> bool {
    code(error) == ERROR
}

/// Whether the engine met something that is no database at all.
pub(crate) fn is_not_a_database(error: &sqlx::Error) -> bool {
    code(error) & 0xFF == NOTADB
}

/// Translates an error of the operating system; `message` says what was tried.
pub(crate) fn from_io(error: &io::Error, message: &'static str) -> Error {
    Error::new(ErrorKind::Io, message).with_source(io::Error::new(error.kind(), error.to_string()))
}

/// SQLite's extended result code; 0 if it is not an error of SQLite.
fn code(error: &sqlx::Error) -> i32 {
    let code = error.as_database_error().and_then(|error| error.code()?.parse().ok());
    code.unwrap_or(0)
}
