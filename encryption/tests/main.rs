//! Encryption from outside: stores, objects, attachments, and what shows of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

extern crate strongroom_core as strongroom;

mod attachment;
mod format;
mod leakage;
mod objects;
mod store;
