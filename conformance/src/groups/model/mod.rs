//! Random histories against plain maps.
//!
//! Each case makes histories from the seed, runs them, and compares every answer with what a plain map would have answered;
//! a history that fails is [shrunk](search). The typed steps and their map are in `steps` and `map`, the calls of the
//! waist, who makes them and the store they are compared with in `calls`, `player` and `reference`; dropped futures in
//! `cancel`, `abandoned` and `dropped`. A new case goes where its steps are.

mod abandoned;
mod calls;
mod cancel;
mod digest;
mod dropped;
mod history;
mod interleaved;
mod map;
mod player;
pub(super) mod records;
mod reference;
pub(super) mod search;
mod steps;
mod turns;
mod waist;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [history::CASES, interleaved::CASES, abandoned::CASES, waist::CASES, cancel::CASES, dropped::CASES, digest::CASES]
        .concat()
}
