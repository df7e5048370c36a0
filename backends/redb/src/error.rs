//! The engine's errors in this project's words.

use std::io;

use strongroom_core::{Error, ErrorKind};

/// Translates an error of the engine.
pub(crate) fn from_engine(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    let (kind, message) = match &error {
        // The engine's own words add nothing.
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            return Error::new(ErrorKind::Busy, "it is open in another process or through another handle");
        }
        redb::Error::TransactionInProgress => {
            (ErrorKind::Busy, "reads are in progress: try again when they have ended")
        }
        redb::Error::UpgradeRequired(_) => {
            (ErrorKind::UnsupportedVersion, "the file has an older format of redb, which this version cannot read")
        }
        redb::Error::DatabaseClosed => (ErrorKind::Closed, "the store was closed"),
        redb::Error::Corrupted(_) | redb::Error::TableTypeMismatch { .. } | redb::Error::TableDoesNotExist(_) => {
            (ErrorKind::Corrupt, "the file is damaged")
        }
        // The engine's word for "not one of mine".
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            (ErrorKind::NotAStore, "it is not a store; it was not touched")
        }
        redb::Error::Io(error) => return from_io(error, "an access to the file failed"),
        redb::Error::PreviousIo => (ErrorKind::Io, "an access to the file failed before"),
        _ => (ErrorKind::Io, "the engine failed"),
    };
    Error::new(kind, message).with_source(error)
}

/// Translates an error of the operating system; `message` says what was tried.
pub(crate) fn from_io(error: &io::Error, message: &'static str) -> Error {
    // An end of file where a page must be means that the file was cut.
    let kind = if error.kind() == io::ErrorKind::UnexpectedEof { ErrorKind::Corrupt } else { ErrorKind::Io };
    Error::new(kind, message).with_source(io::Error::new(error.kind(), error.to_string()))
}
