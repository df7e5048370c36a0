//! Every method of the waist, to the letter of its documentation.

mod cancellation;
mod changed;
mod close;
mod commit;
mod concurrency;
mod crossing;
mod drop_range;
mod get;
mod guards_key;
mod guards_random;
mod guards_range;
mod holes;
mod info;
mod inputs;
mod limits;
mod maintenance;
mod model;
mod random;
mod remembered;
mod revisions;
mod scan_bounds;
mod scan_pages;
mod scan_targets;
mod snapshot_limits;
mod snapshots;
mod stamped;
mod summarize;
pub(crate) mod support;
mod under_way;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        get::CASES,
        scan_bounds::CASES,
        scan_pages::CASES,
        scan_targets::CASES,
        summarize::CASES,
        commit::CASES,
        revisions::CASES,
        stamped::CASES,
        guards_key::CASES,
        guards_range::CASES,
        guards_random::CASES,
        drop_range::CASES,
        holes::CASES,
        changed::CASES,
        snapshots::CASES,
        snapshot_limits::CASES,
        limits::CASES,
        concurrency::CASES,
        crossing::CASES,
        under_way::CASES,
        remembered::CASES,
        cancellation::CASES,
        maintenance::CASES,
        close::CASES,
        info::CASES,
    ]
    .concat()
}
