//! What a messenger's store does beyond put and get: each behaviour has a file or folder of its own, named in `cases` below.
//!
//! Cases must also hold where a codec blinds exact components. What several files say alike goes into `support`. What needs a second
//! process is a role in [`ROLES`] and needs `Processes` and `Share`.

mod copy;
mod letters;
mod salvage;
mod support;
mod traces;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: copy::WRITER, run: |work| Box::pin(copy::write_letters(work)) }];

pub(super) fn cases() -> Vec<Case> {
    let groups: &[&[Case]] = &[copy::CASES, salvage::CASES, traces::CASES];
    groups.concat()
}
