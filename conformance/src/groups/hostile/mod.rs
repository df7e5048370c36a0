//! What nobody wishes a store: damaged and foreign files, forged rows, absurd requests, second openers, full disks.

mod files;
mod no_space;
mod openers;
mod requests;
mod values;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [files::CASES, requests::CASES, values::CASES, openers::CASES, no_space::CASES].concat()
}
