//! What a messenger's store does beyond put and get: each behaviour has a file or folder of its own, named in `cases` below.
//!
//! Cases must also hold where a codec blinds exact components. What several files say alike goes into `support`. What needs a second
//! process is a role in [`ROLES`] and needs `Processes` and `Share`.

mod derived;
mod merge;
mod redaction;
mod rooms;
mod support;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: "save members", run: |work| Box::pin(derived::save_members(work)) }];

pub(super) fn cases() -> Vec<Case> {
    let groups: &[&[Case]] = &[merge::CASES, derived::CASES, redaction::CASES];
    groups.concat()
}
