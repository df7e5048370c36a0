//! The waist's documentation, tested on memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::Arc;

use strongroom_core::store::Limits;
use strongroom_memory::{Memory, MemoryOptions};

#[path = "../../tests/waist/mod.rs"]
mod waist;

fn make(limits: Limits) -> waist::Fixture {
    let clock = waist::manual_clock();
    let store = Arc::new(Memory::with_options(MemoryOptions { limits, clock: clock.clone() }));
    waist::Fixture { store, clock, _place: Box::new(()) }
}

waist_tests!(make);
