//! The group `crash`.

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[];

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
