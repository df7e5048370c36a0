//! Records that outlive the shape they were written in.
//!
//! `records` has one messenger's schema as three of its versions had it. `steps` is about what each kind of step does, `meanwhile` about who reads and
//! writes while it does it, `failures` about the way back, `interruption` and `processes` about the way on, `evolution` about what is refused.

mod evolution;
mod failures;
mod interruption;
mod meanwhile;
mod processes;
mod records;
mod splits;
mod steps;

use crate::Case;
use crate::child::Role;

pub(super) const ROLES: &[Role] = processes::ROLES;

pub(super) fn cases() -> Vec<Case> {
    [
        steps::CASES,
        splits::CASES,
        meanwhile::CASES,
        failures::CASES,
        interruption::CASES,
        processes::CASES,
        evolution::CASES,
    ]
    .concat()
}
