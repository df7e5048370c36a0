//! What the library tells of its work to whoever listens: spans through the crate `tracing` (feature `tracing`), figures through the
//! crate `metrics` (feature `metrics`).
//!
//! Layers and backends use it as the typed database does. Their code is the same whatever the features are; without them nothing of
//! it is left in the program.
//!
//! **No content gets in.** All that is told is a number or a `&'static str` out of the program's text: names of operations, layers,
//! backends, collections and kinds of errors. Keys, values, ids, paths and messages of errors do not have that type.
//!
//! ```
//! # use strongroom_core as strongroom;
//! # async fn read() -> strongroom::Result<Vec<u32>> { Ok(vec![1, 2]) }
//! # async fn example() -> strongroom::Result<()> {
//! use strongroom::observe::operation;
//!
//! let letters = operation("sort_letters").on("letters").counting(read(), |letters| letters.len() as u64).await?;
//! # assert_eq!(letters.len(), 2);
//! # Ok(()) }
//! ```
//!
//! Names and units are in [`figures`]; `docs/observability.md` has them in one table.

pub mod figures;
mod meter;
mod operation;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod outcome;
mod span;
mod stopwatch;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod store;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod watch;

pub use figures::{ALL, Kind, Metric};
#[cfg(feature = "metrics")]
pub use meter::describe;
pub use meter::{Labels, add, count, record};
pub use operation::{Operation, operation};
#[cfg(any(feature = "tracing", feature = "metrics"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tracing", feature = "metrics"))))]
pub use store::Observed;

pub(crate) use span::conflict;
pub(crate) use stopwatch::Stopwatch;
