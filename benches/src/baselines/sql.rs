//! The hand-written tables, which both ways to SQLite share.

/// A table for the records and one for each index, all clustered by their key.
pub(super) const CREATE: [&str; 5] = [
    "CREATE TABLE messages (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE room_timestamp (room TEXT, at INTEGER, record BLOB, PRIMARY KEY (room, at, record)) WITHOUT ROWID, STRICT",
    "CREATE TABLE sender (sender TEXT, at INTEGER, record BLOB, PRIMARY KEY (sender, at, record)) WITHOUT ROWID, STRICT",
    "CREATE TABLE thread (room TEXT, root TEXT, at INTEGER, record BLOB, PRIMARY KEY (room, root, at, record)) \
     WITHOUT ROWID, STRICT",
    "CREATE TABLE redacted (room TEXT, redacted INTEGER, at INTEGER, record BLOB, \
     PRIMARY KEY (room, redacted, at, record)) WITHOUT ROWID, STRICT",
];

pub(super) const INSERT: [&str; 5] = [
    "INSERT INTO messages VALUES (?, ?)",
    "INSERT INTO room_timestamp VALUES (?, ?, ?)",
    "INSERT INTO sender VALUES (?, ?, ?)",
    "INSERT INTO thread VALUES (?, ?, ?, ?)",
    "INSERT INTO redacted VALUES (?, ?, ?, ?)",
];

/// The newest records of a room before a time. The sign keeps the planner from preparing it anew for each number that is bound.
pub(super) const NEWEST: &str = "SELECT messages.value FROM room_timestamp JOIN messages ON messages.key = record \
                                 WHERE room = ? AND at < ? ORDER BY at DESC LIMIT +?";

/// As this library opens a file: a commit is on the medium when it returns; 8 MiB of pages in memory.
pub(super) const CACHE_KIB: i64 = 8 << 10;
