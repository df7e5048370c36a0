//! One named promise, and the group it belongs to.

use std::fmt;
use std::str::FromStr;

use futures_util::future::LocalBoxFuture;

use crate::{Capability, Checked, Context};

/// One named promise.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub group: Group,
    /// What is promised, in snake case: unique in its group.
    pub name: &'static str,
    /// What it needs beyond an open store.
    pub needs: &'static [Capability],
    /// Whether another seed tries something else, so that running it again is worth while.
    pub random: bool,
    pub(crate) run: fn(Context) -> LocalBoxFuture<'static, Checked>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.group, self.name)
    }
}

/// What cases are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Every method of the waist, to the letter.
    Semantics,
    /// Records, indexes, cursors and the catalog on this store.
    Typed,
    /// Random histories against plain maps.
    Model,
    /// What transactions that run at the same time may see.
    Isolation,
    /// Killed processes, lost power, failing media.
    Crash,
    /// Damaged and foreign files, second openers, full disks.
    Hostile,
    /// What a messenger's store does beyond put and get: claims, expiry, merges, a change feed, migrations.
    Behaviours,
    /// Bytes in an object store, and the records that name them.
    #[cfg(feature = "media")]
    #[cfg_attr(docsrs, doc(cfg(feature = "media")))]
    Media,
}

impl Group {
    /// All, in the order in which they run.
    pub const ALL: &'static [Group] = &[
        Group::Semantics,
        Group::Typed,
        Group::Model,
        Group::Isolation,
        Group::Crash,
        Group::Hostile,
        Group::Behaviours,
        #[cfg(feature = "media")]
        Group::Media,
    ];

    /// What each of its cases needs.
    pub(crate) fn needs(self) -> &'static [crate::Capability] {
        match self {
            #[cfg(feature = "media")]
            Group::Media => &[crate::Capability::Objects],
            _ => &[],
        }
    }

    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Group::Semantics => "semantics",
            Group::Typed => "typed",
            Group::Model => "model",
            Group::Isolation => "isolation",
            Group::Crash => "crash",
            Group::Hostile => "hostile",
            Group::Behaviours => "behaviours",
            #[cfg(feature = "media")]
            Group::Media => "media",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Group::ALL.iter().copied().find(|group| group.name() == name).ok_or_else(|| {
            let known: Vec<_> = Group::ALL.iter().map(|group| group.name()).collect();
            format!("no group is called '{name}': use {}", known.join(", "))
        })
    }
}

/// The cases of one module, each an `async fn(Context) -> Checked`; what one needs stands behind it.
macro_rules! cases {
    ($group:ident; $($name:ident $([$($need:ident),*])? $(random $random:tt)?),* $(,)?) => {
        pub(crate) const CASES: &[$crate::Case] = &[$($crate::Case {
            group: $crate::Group::$group,
            name: stringify!($name),
            needs: &[$($($crate::Capability::$need),*)?],
            random: $crate::case::cases!(@random $($random)?),
            run: |context| Box::pin($name(context)),
        }),*];
    };
    (@random) => { false };
    (@random $random:tt) => { true };
}
pub(crate) use cases;
