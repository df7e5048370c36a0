//! Every method of the waist, to the letter of its documentation.

mod reads;
mod support;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [reads::CASES].concat()
}
