//! Stacks that are wrong in what they do to files: what a wrapped store cannot show.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::twist::{Twist, Twisted};
use strongroom_conformance::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
use strongroom_conformance_runner::stacks::{RedbFactory, SqliteFactory};
use strongroom_core::store::{Durability, Limits, Store, StoreInfo};
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_objects::object_store::ObjectStore;
use strongroom_sqlite::{SqliteOptions, Synchronous};

/// A way for a stack to be wrong.
pub(crate) struct Wrong {
    pub(crate) name: &'static str,
    wrong: &'static str,
    pub(crate) caught_by: &'static str,
    /// Words of the reason for which it must be caught.
    pub(crate) says: &'static str,
    /// The stack that is not wrong.
    pub(crate) right: fn() -> Arc<dyn Factory>,
    mistake: Mistake,
}

pub(crate) const ALL: &[Wrong] = &[
    Wrong {
        name: "commits_are_not_synced",
        wrong: "Power is said to take nothing, and commits are not synced.",
        caught_by: "crash::nothing_acknowledged_is_lost_with_the_power",
        says: "an acknowledged commit is lost",
        right: || Arc::new(SqliteFactory),
        mistake: Mistake::NoSync,
    },
    Wrong {
        name: "a_file_beside_what_is_refused_is_written",
        wrong: "A diary beside the file is written before it is known whose the file is.",
        caught_by: "hostile::a_foreign_file_is_refused_and_left_as_it_is",
        says: "it was refused, but",
        right: || Arc::new(RedbFactory),
        mistake: Mistake::Diary,
    },
    Wrong {
        name: "what_cannot_be_opened_is_made_anew",
        wrong: "A file that cannot be opened is taken for none.",
        caught_by: "hostile::a_store_cut_short_is_whole_or_refused",
        says: "rows are missing",
        right: || Arc::new(RedbFactory),
        mistake: Mistake::MakeAnew,
    },
    Wrong {
        name: "damage_is_answered_as_busy",
        wrong: "Whatever is wrong with a file, the answer is to try again.",
        caught_by: "hostile::random_bytes_are_refused_and_left_as_they_are",
        says: "Busy",
        right: || Arc::new(RedbFactory),
        mistake: Mistake::Busy,
    },
];

#[derive(Clone, Copy, Debug)]
enum Mistake {
    NoSync,
    Diary,
    MakeAnew,
    Busy,
}

impl Wrong {
    pub(crate) fn stack(&self) -> Arc<dyn Factory> {
        Arc::new(WrongFactory { name: self.name, right: (self.right)(), mistake: self.mistake })
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} Caught by {}", self.name, self.wrong, self.caught_by)
    }
}

/// Another factory, with a mistake in how it opens stores.
#[derive(Debug)]
struct WrongFactory {
    name: &'static str,
    right: Arc<dyn Factory>,
    mistake: Mistake,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Factory for WrongFactory {
    fn name(&self) -> &str {
        self.name
    }

    fn attend(&self) -> std::io::Result<bool> {
        self.right.attend()
    }

    fn can(&self, capability: Capability) -> Can {
        self.right.can(capability)
    }

    fn limits(&self) -> Limits {
        self.right.limits()
    }

    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        self.right.folder(needs)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        self.reopen(place, settings).await
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        match self.mistake {
            Mistake::NoSync => return unsynced(place, settings).await,
            Mistake::Diary => {
                let diary = place.folder.join(format!("{}.diary", place.name));
                let mut diary = fs::OpenOptions::new().create(true).append(true).open(diary).map_err(failed)?;
                writeln!(diary, "opened").map_err(failed)?;
            }
            Mistake::MakeAnew | Mistake::Busy => {}
        }
        match (self.right.reopen(place, settings).await, self.mistake) {
            (Err(_), Mistake::MakeAnew) => {
                self.destroy(place).await?;
                self.right.open(place, settings).await
            }
            (Err(error), Mistake::Busy) => Err(Error::new(ErrorKind::Busy, "try again").with_source(error)),
            (answer, _) => answer,
        }
    }

    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        self.right.objects(place).await
    }

    fn below_seal(&self) -> Option<&dyn Factory> {
        self.right.below_seal()
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        self.right.destroy(place).await
    }

    async fn settle(&self, place: &Place) -> Result<()> {
        self.right.settle(place).await
    }

    async fn crash(&self, place: &Place, seed: u64) -> Result<()> {
        self.right.crash(place, seed).await
    }

    async fn inject(&self, place: &Place, fault: Fault) -> Result<()> {
        self.right.inject(place, fault).await
    }

    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        self.right.tamper(place, damage).await
    }
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "no diary").with_source(error)
}

async fn unsynced(place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
    let (limits, clock) = (settings.limits, settings.clock.clone());
    let options = SqliteOptions { limits, clock, synchronous: Synchronous::Normal, ..SqliteOptions::default() };
    let store: Arc<dyn Store> = Arc::new(options.open(place.file()).await?);
    let info = StoreInfo { durability: Durability::Power, ..store.info().clone() };
    Ok(Arc::new(Twisted::new(store, Arc::new(Claims(info)))))
}

/// Says this of itself.
#[derive(Debug)]
struct Claims(StoreInfo);

#[async_trait]
impl Twist for Claims {
    fn info<'a>(&'a self, _: &'a Arc<dyn Store>) -> &'a StoreInfo {
        &self.0
    }
}
