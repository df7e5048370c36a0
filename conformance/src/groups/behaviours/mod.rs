//! What a messenger's store does beyond put and get: each behaviour has a file or folder of its own, named in `cases` below.
//!
//! Cases must also hold where a codec blinds exact components. What several files say alike goes into `support`. What needs a second
//! process is a role in [`ROLES`] and needs `Processes` and `Share`.

mod changes;
mod migrations;
mod observed;
mod support;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) fn roles() -> impl Iterator<Item = &'static Role> {
    changes::ROLES.iter().chain(migrations::ROLES)
}

pub(super) fn cases() -> Vec<Case> {
    [changes::cases(), migrations::cases(), observed::CASES.to_vec()].concat()
}
