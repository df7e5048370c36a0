//! What a case works with: stores at places of their own, a seed, and how much effort it is worth.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_core::store::{Limits, Store};
use strongroom_core::{ManualClock, Result, Timestamp};

use crate::{Capability, Checked, Factory, Figures, Folder, Place, Settings};

/// How much work the random cases do. A case that did nothing would prove nothing: 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Operations in the histories of one case.
    pub operations: usize,
    /// Processes killed in one case.
    pub kills: usize,
    /// Power cuts in one case.
    pub cuts: usize,
}

impl Default for Effort {
    /// What `cargo test` does: a few seconds a case.
    fn default() -> Self {
        Effort { operations: 2_000, kills: 3, cuts: 3 }
    }
}

/// What a case works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    factory: Arc<dyn Factory>,
    seed: u64,
    effort: Effort,
    folder: Folder,
    places: AtomicUsize,
    opened: Mutex<Vec<(Place, Arc<dyn Store>)>>,
    figures: Mutex<Figures>,
}

impl Context {
    pub(crate) fn new(factory: Arc<dyn Factory>, needs: &[Capability], seed: u64, effort: Effort) -> Checked<Self> {
        let folder = factory.folder(needs)?;
        let Effort { operations, kills, cuts } = effort;
        let effort = Effort { operations: operations.max(1), kills: kills.max(1), cuts: cuts.max(1) };
        let (places, opened, figures) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        Ok(Context(Arc::new(Inner { factory, seed, effort, folder, places, opened, figures })))
    }

    /// The stack under test.
    pub fn factory(&self) -> &Arc<dyn Factory> {
        &self.0.factory
    }

    /// What random choices follow from.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// How much work a random case does.
    pub fn effort(&self) -> Effort {
        self.0.effort
    }

    /// The case has done so many more of this.
    pub(crate) fn count(&self, what: &'static str, more: u64) {
        self.0.figures.lock().unwrap_or_else(PoisonError::into_inner).count(what, more);
    }

    /// What the case has done so far.
    pub(crate) fn figures(&self) -> Figures {
        self.0.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The limits that stores have unless asked for others.
    pub fn limits(&self) -> Limits {
        self.0.factory.limits()
    }

    /// A place where there is no store yet.
    pub fn place(&self) -> Place {
        let number = self.0.places.fetch_add(1, Ordering::Relaxed);
        Place { folder: self.0.folder.path().to_owned(), name: format!("store{number}") }
    }

    /// A new, empty store.
    pub async fn open(&self) -> Result<Site> {
        self.open_with(self.limits()).await
    }

    /// A new, empty store with these limits.
    pub async fn open_with(&self, limits: Limits) -> Result<Site> {
        let (place, clock) = (self.place(), Arc::new(ManualClock::new(Timestamp::from_millis(0))));
        let settings = Settings { limits, clock: clock.clone() };
        let store = self.0.factory.open(&place, &settings).await?;
        self.remember(&place, &store);
        Ok(Site { store, clock, place, settings, context: self.clone() })
    }

    /// Opens the store of a place again, or as a second opener.
    pub async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let store = self.0.factory.reopen(place, settings).await?;
        self.remember(place, &store);
        Ok(store)
    }

    fn remember(&self, place: &Place, store: &Arc<dyn Store>) {
        self.0.opened.lock().unwrap_or_else(PoisonError::into_inner).push((place.clone(), store.clone()));
    }

    /// Closes every store of the case and removes its places.
    pub(crate) async fn clean_up(&self) {
        let opened = std::mem::take(&mut *self.0.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, store) in &opened {
            // A case may have left it broken on purpose.
            store.close().await.ok();
        }
        for (place, _) in opened {
            self.0.factory.destroy(&place).await.ok();
        }
    }
}

/// A store, and what it stands on.
#[derive(Debug)]
pub struct Site {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What its snapshots age by.
    pub clock: Arc<ManualClock>,
    /// Where it is.
    pub place: Place,
    /// What was asked of it.
    pub settings: Settings,
    context: Context,
}

impl Site {
    /// Closes the store and opens it again.
    pub async fn reopen(&mut self) -> Result<()> {
        self.store.close().await?;
        self.store = self.context.reopen(&self.place, &self.settings).await?;
        Ok(())
    }

    /// Opens the place a second time, while it is open.
    pub async fn second(&self) -> Result<Arc<dyn Store>> {
        self.context.reopen(&self.place, &self.settings).await
    }
}
