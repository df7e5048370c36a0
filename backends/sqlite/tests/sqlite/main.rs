//! SQLite from outside: its files, other processes at them, what it holds on to, and what is dropped or fails in between.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod bounds;
mod cancel;
mod compact;
#[cfg(target_os = "linux")]
mod faults;
mod files;
mod processes;
mod support;
