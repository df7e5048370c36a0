//! What a program that listens is told, and that no content is in it.
#![cfg(all(
    feature = "tracing",
    feature = "metrics",
    feature = "encryption",
    feature = "cache",
    feature = "memory",
    feature = "redb",
    feature = "sqlite",
    feature = "objects"
))]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test that cannot go on must fail")]

mod canaries;
mod everything;
mod figures;
mod lines;
mod told;
mod transparent;
