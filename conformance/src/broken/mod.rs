//! Stores that are wrong on purpose: the proof that the suite can fail.
//!
//! Each is a correct store with one mistake, as an author of a backend might make it, and names the case that must catch it.
//! A new promise of the waist deserves a store that breaks it: an entry in the module of its idea.

mod atomicity;
mod bounds;
mod caches;
mod cancellation;
mod changes;
mod closing;
mod crashes;
mod durability;
mod errors;
mod factory;
mod guards;
mod limits;
mod links;
#[cfg(feature = "media")]
mod objects;
mod order;
mod pages;
mod ranges;
mod revisions;
mod rows;
mod snapshots;
mod stamped;
mod views;
mod waiting;

use std::fmt::{self, Debug};
use std::sync::Arc;

use strongroom_core::store::Store;

pub use factory::BrokenFactory;
#[cfg(feature = "media")]
#[cfg_attr(docsrs, doc(cfg(feature = "media")))]
pub use objects::{BrokenObjects, objects};

/// A way for a store to be wrong.
#[derive(Clone, Copy)]
pub struct Broken {
    /// Its name, in snake case: unique.
    pub name: &'static str,
    /// What it gets wrong, in one sentence.
    pub wrong: &'static str,
    /// The case that must catch it: its group and name.
    pub caught_by: &'static str,
    /// Makes a correct store wrong.
    pub wrap: fn(Arc<dyn Store>) -> Arc<dyn Store>,
}

impl Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} Caught by {}", self.name, self.wrong, self.caught_by)
    }
}

/// A store that is made as some broken ones are, without the mistake: it must pass what they are caught by, so that it is the
/// mistake that is caught.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Its name, in snake case: unique.
    pub name: &'static str,
    /// The stores that make a mistake in it.
    pub broken: &'static [Broken],
    /// Makes it of a correct store.
    pub wrap: fn(Arc<dyn Store>) -> Arc<dyn Store>,
}

/// Every control.
pub fn controls() -> Vec<Control> {
    vec![caches::RIGHT]
}

/// Every broken store.
pub fn all() -> Vec<Broken> {
    [
        bounds::ALL,
        rows::ALL,
        order::ALL,
        pages::ALL,
        links::ALL,
        revisions::ALL,
        guards::ALL,
        atomicity::ALL,
        stamped::ALL,
        ranges::ALL,
        snapshots::ALL,
        waiting::ALL,
        limits::ALL,
        caches::STALE,
        caches::ROWS,
        cancellation::ALL,
        closing::ALL,
        durability::ALL,
        crashes::ALL,
        errors::ALL,
    ]
    .concat()
}
