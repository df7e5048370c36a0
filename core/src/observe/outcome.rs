//! What became of an operation, in one word.

use crate::{Error, ErrorKind, Result};

/// Of an operation whose future was dropped before it ended.
pub(super) const DROPPED: &str = "dropped";

/// `ok`, or the kind of the error in the manner of a label.
pub(super) fn outcome<T>(result: &Result<T>) -> &'static str {
    result.as_ref().map_or_else(kind, |_| "ok")
}

/// The kind of an error in the manner of a label.
pub(super) fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::AlreadyExists => "already_exists",
        ErrorKind::NotFound => "not_found",
        ErrorKind::UniqueViolation => "unique_violation",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Limit(_) => "limit",
        ErrorKind::InvalidInput => "invalid_input",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::IndexBuilding => "index_building",
        ErrorKind::IndexMismatch => "index_mismatch",
        ErrorKind::Encrypted => "encrypted",
        ErrorKind::SchemaMismatch => "schema_mismatch",
        ErrorKind::UnsupportedVersion => "unsupported_version",
        ErrorKind::NotAStore => "not_a_store",
        ErrorKind::Busy => "busy",
        ErrorKind::Closed => "closed",
        ErrorKind::SnapshotExpired => "snapshot_expired",
        ErrorKind::TransactionEnded => "transaction_ended",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Io => "io",
        ErrorKind::ChangesTrimmed => "changes_trimmed",
        ErrorKind::CommitUnknown => "commit_unknown",
        ErrorKind::Application => "application",
        ErrorKind::Layer => "layer",
    }
}
