//! What backends over a synchronous ordered map share, so that each is one short file.
//!
//! An engine brings a [`Table`] for each view of its rows and a [`TableMut`] inside a transaction. Here is the rest:
//!
//! - [`StoredRow`]: a row and its bytes, for engines that keep bytes;
//! - [`get`], [`scan`], [`summarize`]: reading, in slices between which other tasks run;
//! - [`apply`], [`drop_range`], [`RecentWrites`]: guarded batches in order, each whole or not at all;
//! - [`Views`]: the current view for reads, snapshots with their limits, waiting for changes, closing.
//!
//! An engine that is asked over a channel has no such table; it uses the parts: [`stamped_keys`], [`RecentWrites`],
//! [`StoredRow`], [`columns`], [`Registry`], and those of `store::tasks` (feature `tasks`).

mod apply;
pub mod columns;
mod read;
mod recent;
mod row;
mod snapshots;
mod steady;
mod table;
mod views;

pub use apply::{Applied, apply, drop_range, stamped_keys};
pub use read::{get, scan, summarize, yield_now};
pub use recent::RecentWrites;
pub use row::{StoredContent, StoredRow};
pub use snapshots::{OpenSnapshots, Registry};
pub use steady::SteadyClock;
pub use table::{Table, TableMut, Visit};
pub use views::{View, Views, closed};
