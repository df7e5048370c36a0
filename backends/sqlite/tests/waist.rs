//! The waist's documentation, tested on SQLite.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::{Arc, LazyLock};

use strongroom_core::store::Limits;
use strongroom_sqlite::SqliteOptions;
use tokio::runtime::Runtime;

#[path = "../../tests/waist/mod.rs"]
mod waist;

/// The stores' runtime: each test has one of its own, without timers, where it waits for them.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap());

fn make(limits: Limits) -> waist::Fixture {
    let clock = waist::manual_clock();
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { limits, clock: clock.clone(), ..SqliteOptions::default() };
    let store = Arc::new(RUNTIME.block_on(options.open(folder.path().join("store.db"))).unwrap());
    waist::Fixture { store, clock, _place: Box::new(folder) }
}

waist_tests!(make);
