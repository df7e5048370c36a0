//! Core from outside: keys, derived records, the storage engine, Matrix.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate strongroom_core as strongroom;

mod derive;
mod engine;
mod keys;
mod matrix;
mod schema;
