//! Caches in front of a store: [`stale`] has such as are filled too early or cleared too late without any race, [`rows`] a right
//! one and its single mistakes, which show in races, in snapshots and beside other openers.

mod rows;
mod stale;
mod state;

use super::Control;

pub(super) use rows::ALL as ROWS;
pub(super) use stale::ALL as STALE;

/// The cache of rows without a mistake.
pub(super) const RIGHT: Control = Control { name: "rows_are_cached_rightly", broken: ROWS, wrap: rows::right };
