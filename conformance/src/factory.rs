//! What an author of a backend writes: how stores of it are made, unmade and hurt.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::{Limits, Store};
use strongroom_core::{Clock, Error, ErrorKind, ManualClock, Result};
#[cfg(feature = "media")]
use strongroom_objects::{LocalObjects, object_store::ObjectStore};

/// How the suite makes, unmakes and hurts the stores of one stack: a backend, or layers over one.
///
/// `open`, `reopen` and `destroy` are needed. The hooks `crash`, `inject` and `tamper` are optional: without one, the cases
/// that need it are not applicable.
#[async_trait]
pub trait Factory: Debug + Send + Sync + 'static {
    /// The stack's name in reports, like `redb` or `sqlite+encrypted`.
    fn name(&self) -> &str;

    /// Asked first in every process of the suite. A factory that started this program again, to serve what its stores stand
    /// on, does that here until it is needed no more, and says so: the process then ends.
    ///
    /// # Errors
    ///
    /// What ended it before.
    fn attend(&self) -> std::io::Result<bool> {
        Ok(false)
    }

    /// Whether the stack can do this here. What it says it cannot must answer `Unsupported`.
    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Crash | Capability::Inject | Capability::Tamper => {
                Can::No("its factory has no such hook".into())
            }
            #[cfg(feature = "media")]
            Capability::Objects | Capability::ObjectFiles => Can::Yes,
            Capability::Open
            | Capability::Reopen
            | Capability::Processes
            | Capability::Share
            | Capability::Compact
            | Capability::Files => Can::Yes,
        }
    }

    /// The limits that a store has unless a case asks for others.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// A folder for the places of one case, removed with the value. `needs` is what the case needs: a factory whose hooks
    /// want a medium of their own gives a folder on it.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        let _ = needs;
        Folder::temporary()
    }

    /// Makes a new, empty store at a place where there is none.
    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>>;

    /// Opens the store that [`open`](Self::open) made at the place, with all that was committed. It may be open elsewhere,
    /// also in another process: then the answer is what the backend says of a second opener.
    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>>;

    /// Opens the object store of a place, and makes it if there is none: what was put there by an earlier opener is there. Where a store
    /// is reopened or opened by other processes, so is this. Files in [`Place::objects`] unless the stack has something else.
    #[cfg(feature = "media")]
    #[cfg_attr(docsrs, doc(cfg(feature = "media")))]
    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(LocalObjects::open(place.objects())?))
    }

    /// The stack below the layer that seals what it keeps, if this one has such a layer: stores of it give rows as they are in the files.
    fn below_seal(&self) -> Option<&dyn Factory> {
        None
    }

    /// Removes what is left at a place whose stores are closed.
    async fn destroy(&self, place: &Place) -> Result<()>;

    /// Waits until what killed processes had asked for is done or will never be, where that goes on without them: a server may be at
    /// work on it.
    async fn settle(&self, place: &Place) -> Result<()> {
        let _ = place;
        Ok(())
    }

    /// The machine of this place loses power, and has it again: of what was not synced, a selection by `seed` is lost or torn.
    /// Stores that are open there are of no further use.
    async fn crash(&self, place: &Place, seed: u64) -> Result<()> {
        let _ = (place, seed);
        Err(unsupported("crash"))
    }

    /// From now on the medium of this place fails as said.
    async fn inject(&self, place: &Place, fault: Fault) -> Result<()> {
        let _ = (place, fault);
        Err(unsupported("inject"))
    }

    /// Changes the stored bytes of this place, where no store is open.
    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        let _ = (place, damage);
        Err(unsupported("tamper"))
    }
}

fn unsupported(hook: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "this factory has no such hook").during(hook)
}

/// What a case may need beyond an open store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// A store at all: without a server, say, a whole stack is missing.
    Open,
    /// What was committed is there when the store is closed and opened again.
    Reopen,
    /// Another process can open the place, and can be killed.
    Processes,
    /// A place can be open more than once at a time. What cannot must answer a second opener `Busy`, at once.
    Share,
    /// An object store for media, beside the store.
    #[cfg(feature = "media")]
    #[cfg_attr(docsrs, doc(cfg(feature = "media")))]
    Objects,
    /// These objects are bare files, in [`Place::objects`]: what a control writes there without syncing, the stack can read.
    #[cfg(feature = "media")]
    #[cfg_attr(docsrs, doc(cfg(feature = "media")))]
    ObjectFiles,
    /// `compact`.
    Compact,
    /// All that a store keeps is in [`Place::file`] and in files beside it whose names have its name in them.
    Files,
    /// The hook [`Factory::crash`].
    Crash,
    /// The hook [`Factory::inject`].
    Inject,
    /// The hook [`Factory::tamper`].
    Tamper,
}

/// Whether a stack can do something on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Can {
    /// It can.
    Yes,
    /// Never, for this reason: the case is not applicable, and the call must answer `Unsupported`.
    No(Cow<'static, str>),
    /// It could, but this machine lacks what it takes: the reason, with the command that would provide it.
    Missing(String),
}

/// A folder for the places of one case, removed when it is dropped.
pub struct Folder {
    path: PathBuf,
    _guard: Box<dyn Any + Send + Sync>,
}

impl Folder {
    /// A folder at `path` that lasts as long as `guard`.
    pub fn new(path: impl Into<PathBuf>, guard: impl Any + Send + Sync) -> Self {
        Folder { path: path.into(), _guard: Box::new(guard) }
    }

    /// A folder among the system's temporary files.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn temporary() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("strongroom-").tempdir()?;
        Ok(Folder::new(folder.path().to_owned(), folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// Where one store is. Plain data, so that another process can be told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// A folder that other places may share.
    pub folder: PathBuf,
    /// A name that no other place of the folder has: letters and digits.
    pub name: String,
}

impl Place {
    /// The file of this name in the folder, for backends that keep one.
    pub fn file(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The bytes of the file and of those beside it that have its name in theirs.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn files(&self) -> std::io::Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() && entry.file_name().to_string_lossy().contains(&self.name) {
                files.push(std::fs::read(entry.path())?);
            }
        }
        Ok(files)
    }

    /// The folder for its media, beside the file: what removes the file and those named after it does not meet it. It goes with the folder
    /// of the places.
    pub fn objects(&self) -> PathBuf {
        self.folder.join(format!("objects-{}", self.name))
    }
}

/// What a case asks of a store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it must accept, exactly.
    pub limits: Limits,
    /// What its snapshots age by.
    pub clock: Arc<dyn Clock>,
}

impl Settings {
    /// These limits, and a clock that stands still.
    pub fn new(limits: Limits) -> Self {
        Settings { limits, clock: Arc::new(ManualClock::new(strongroom_core::Timestamp::from_millis(0))) }
    }
}

/// How a medium fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing can grow.
    NoSpace,
    /// After so many further accesses, every one that changes something fails.
    Broken {
        /// Accesses that still succeed.
        after: u64,
    },
    /// One sync fails, after so many that succeed.
    SyncOnce {
        /// Syncs that still succeed.
        after: u64,
    },
    /// Every sync succeeds and does nothing: the control that must lose data.
    Lie,
    /// As it should be, again.
    None,
}

/// What is done to stored bytes. Positions are in thousandths of the length.
#[derive(Clone, PartialEq, Eq)]
pub enum Damage {
    /// Cut to so many thousandths.
    Truncate {
        /// What is left.
        permille: u16,
    },
    /// One bit is another.
    Flip {
        /// Where.
        permille: u16,
        /// Which bit.
        bit: u8,
    },
    /// Zeros over so many bytes.
    Zero {
        /// From where.
        permille: u16,
        /// How many bytes.
        bytes: usize,
    },
    /// Something else altogether, also where there was nothing.
    Replace(Vec<u8>),
    /// The same store as a newer release would mark it, in a format that this one does not know. Only the backend can.
    Newer,
}

impl Debug for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Truncate { permille } => write!(f, "cut to {permille} thousandths"),
            Damage::Flip { permille, bit } => write!(f, "bit {bit} flipped at {permille} thousandths"),
            Damage::Zero { permille, bytes } => write!(f, "{bytes} zeros from {permille} thousandths on"),
            Damage::Replace(bytes) => write!(f, "{} bytes in its place", bytes.len()),
            Damage::Newer => f.write_str("marked as newer"),
        }
    }
}

impl Damage {
    /// Does it to bytes. [`Damage::Newer`] changes nothing: it is the backend's own affair.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |permille: &u16| bytes.len() * usize::from(*permille) / 1_000;
        match self {
            Damage::Truncate { permille } => bytes.truncate(at(permille)),
            Damage::Flip { permille, bit } => {
                let at = at(permille);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Damage::Zero { permille, bytes: count } => {
                let at = at(permille);
                bytes.iter_mut().skip(at).take(*count).for_each(|byte| *byte = 0);
            }
            Damage::Replace(other) => bytes.clone_from(other),
            Damage::Newer => {}
        }
    }
}
