//! The records of Matrix: what merges them, and the import.

mod import;
mod merge;
mod order;
mod redaction;
mod review;
mod spec;
mod support;
