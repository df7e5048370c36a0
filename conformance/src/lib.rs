//! The suite that every backend of Strongroom has to pass, also one that somebody else writes.
//!
//! A backend brings a [`Factory`], and one line makes one named test of each [case](Case) that `cargo test` runs:
//!
//! ```ignore
//! // tests/conformance.rs, with `harness = false` in Cargo.toml
//! strongroom_conformance::conformance!(MyFactory);
//! ```
//!
//! A case that a backend cannot run is *not applicable*, with the reason that the factory declares, and the same call must
//! then answer [`Unsupported`](strongroom_core::ErrorKind::Unsupported): nothing passes by returning early. What the machine
//! lacks is a visible *skip*, which fails where `STRONGROOM_CI` is `1`.
#![cfg_attr(docsrs, feature(doc_cfg))]

// The derives write paths that begin with `::strongroom`.
extern crate strongroom_core as strongroom;

pub mod broken;
mod case;
mod child;
mod context;
pub mod evil;
mod factory;
mod failure;
mod figures;
pub mod groups;
#[doc = include_str!("../GUIDE.md")]
pub mod guide {}
pub mod harness;
#[cfg(feature = "media")]
#[cfg_attr(docsrs, doc(cfg(feature = "media")))]
pub mod objects;
mod random;
mod run;
pub mod twist;

pub use case::{Case, Group};
pub use child::{Child, serve};
pub use context::{Context, Effort, Site};
pub use factory::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
pub use failure::{Checked, Failure};
pub use figures::Figures;
pub use run::{Finished, Options, Outcome, run_case};
