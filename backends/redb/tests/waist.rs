//! The waist's documentation, tested on redb.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::Arc;

use strongroom_core::store::Limits;
use strongroom_redb::RedbOptions;

#[path = "../../tests/waist/mod.rs"]
mod waist;

fn make(limits: Limits) -> waist::Fixture {
    let clock = waist::manual_clock();
    let folder = tempfile::tempdir().unwrap();
    let options = RedbOptions { limits, clock: clock.clone(), ..RedbOptions::default() };
    let store = Arc::new(options.open(folder.path().join("store.redb")).unwrap());
    waist::Fixture { store, clock, _place: Box::new(folder) }
}

waist_tests!(make);
