//! Random histories against plain maps.
//!
//! Each case makes histories from the seed, runs them, and compares every answer with what a plain map would have answered;
//! a history that fails is [shrunk](search). The typed steps and their map are in `steps` and `map`, the steps of the waist
//! and the store that they are compared with in `calls` and `reference`; a new case goes where its steps are.

pub(super) mod calls;
mod cancel;
mod digest;
mod history;
mod interleaved;
pub(super) mod map;
pub(super) mod records;
mod reference;
pub(super) mod search;
pub(super) mod steps;
pub(super) mod turns;
mod waist;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [history::CASES, interleaved::CASES, waist::CASES, cancel::CASES, digest::CASES].concat()
}
