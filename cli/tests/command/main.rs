//! Runs the real command, as a user does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod canaries;
mod cleaning;
mod copying;
mod deleting;
mod demo;
mod engines;
mod importing;
mod interrupting;
mod keys;
mod media;
mod place;
mod reading;
mod wrong_use;
