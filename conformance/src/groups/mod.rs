//! All cases, by group. A new case is a function in the module of its idea, and its name in that module's `cases!`.

mod behaviours;
mod crash;
mod hostile;
mod isolation;
#[cfg(feature = "media")]
mod media;
mod model;
mod semantics;
mod typed;

use crate::Case;
use crate::child::Role;

/// Every case, in the order of the groups.
pub fn all() -> Vec<Case> {
    [
        semantics::cases(),
        typed::cases(),
        model::cases(),
        isolation::cases(),
        crash::cases(),
        hostile::cases(),
        behaviours::cases(),
        #[cfg(feature = "media")]
        media::cases(),
    ]
    .concat()
}

/// What child processes do.
pub(crate) fn roles() -> impl Iterator<Item = &'static Role> {
    let roles = crash::ROLES.iter().chain(isolation::ROLES).chain(behaviours::roles());
    #[cfg(feature = "media")]
    let roles = roles.chain(media::ROLES);
    roles
}
