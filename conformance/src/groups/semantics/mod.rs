//! Every method of the waist, to the letter of its documentation.

mod get;
mod inputs;
mod model;
mod random;
mod scan_bounds;
mod scan_pages;
mod scan_targets;
mod summarize;
mod support;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [get::CASES, scan_bounds::CASES, scan_pages::CASES, scan_targets::CASES, summarize::CASES].concat()
}
