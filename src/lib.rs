//! Strongroom: typed, indexed storage for end-to-end-encrypted messengers.
pub use strongroom_core::*;
