//! Every method of the waist, to the letter of its documentation.

mod bounds;
mod changes;
mod commits;
mod drop_range;
mod get;
mod guards;
mod limits;
mod links;
mod pages;
mod snapshots;
pub(crate) mod support;
mod upkeep;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        get::CASES,
        bounds::CASES,
        pages::CASES,
        links::CASES,
        commits::CASES,
        guards::CASES,
        drop_range::CASES,
        changes::CASES,
        snapshots::CASES,
        limits::CASES,
        upkeep::CASES,
    ]
    .concat()
}
