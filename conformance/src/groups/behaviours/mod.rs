//! What a messenger's store does beyond put and get: each behaviour has a file or folder of its own, named in `cases` below.
//!
//! Cases must also hold where a codec blinds exact components. What several files say alike goes into `support`. What needs a second
//! process is a role in [`roles`] and needs `Processes` and `Share`.

mod changes;
mod claim;
mod copy;
mod derived;
mod expiry;
mod idempotency;
mod letters;
mod merge;
mod migrations;
mod observed;
mod redaction;
mod retention;
mod rooms;
mod salvage;
mod support;
mod traces;
mod watch;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) fn roles() -> impl Iterator<Item = &'static Role> {
    let roles = changes::ROLES.iter().chain(claim::ROLES).chain(copy::ROLES).chain(derived::ROLES);
    let roles = roles.chain(expiry::ROLES).chain(idempotency::ROLES).chain(merge::ROLES).chain(migrations::ROLES);
    roles.chain(redaction::ROLES).chain(retention::ROLES)
}

pub(super) fn cases() -> Vec<Case> {
    let groups: &[&[Case]] = &[
        claim::CASES,
        expiry::CASES,
        merge::CASES,
        idempotency::CASES,
        derived::CASES,
        redaction::CASES,
        traces::CASES,
        retention::CASES,
        &changes::cases(),
        &migrations::cases(),
        copy::CASES,
        salvage::CASES,
        observed::CASES,
    ];
    groups.concat()
}
