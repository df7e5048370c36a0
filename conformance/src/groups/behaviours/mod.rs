//! What a messenger's store does beyond put and get: each behaviour has a file or folder of its own, named in `cases` below.
//!
//! Cases must also hold where a codec blinds exact components. What several files say alike goes into `support`. What needs a second
//! process is a role in [`roles`] and needs `Processes` and `Share`.

mod claim;
mod expiry;
mod idempotency;
mod retention;
mod support;
mod watch;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) fn roles() -> impl Iterator<Item = &'static Role> {
    claim::ROLES.iter().chain(idempotency::ROLES)
}

pub(super) fn cases() -> Vec<Case> {
    let groups: &[&[Case]] = &[claim::CASES, expiry::CASES, idempotency::CASES, retention::CASES];
    groups.concat()
}
