//! Opens the store that `--store` names, plain or encrypted, as it is and as was said.

use std::sync::Arc;

use strongroom::encryption::{
    Encrypted, EncryptedOptions, EncryptionError, SecretKey, SlotInfo, SlotKind, Unlock, slots_of,
};
use strongroom::redb::RedbOptions;
use strongroom::sqlite::SqliteOptions;
use strongroom::store::Store;
use strongroom::{Database, StoreUrl, matrix};

use crate::access::{Access, VARIABLE};
use crate::arguments::NewKey;
use crate::failure::{Failure, Result};
use crate::secret;

/// An encrypted store, on whatever engine.
pub(crate) type EncryptedStore = Arc<Encrypted<Arc<dyn Store>>>;

/// A store that is about to be opened: what had to be read or asked for before, is.
pub(crate) struct Opening<'a> {
    url: StoreUrl,
    access: &'a Access,
    key: Option<Unlock>,
    use_of: Use,
}

/// What a store is opened for.
#[derive(Clone, Copy, Default)]
struct Use {
    /// Something is copied into it.
    is_target: bool,
    /// All of it is read in one view.
    is_long: bool,
}

/// How long a view lives of which a whole store is copied.
const COPY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// A store, as it turned out to be.
enum Opened {
    Plain(Arc<dyn Store>),
    Encrypted(EncryptedStore),
}

impl<'a> Opening<'a> {
    /// A store that is made if there is none.
    pub(crate) fn prepare(url: &str, access: &'a Access) -> Result<Self> {
        Self::of(parse(url)?, access)
    }

    /// A store that must be there already: a command that reads leaves no empty store behind.
    pub(crate) fn of_existing(url: &str, access: &'a Access) -> Result<Self> {
        Self::of(existing(url, "import FILE")?, access)
    }

    /// The same for media, which are not imported.
    pub(crate) fn of_existing_media(url: &str, access: &'a Access) -> Result<Self> {
        Self::of(existing(url, "media put FILE --room ROOM")?, access)
    }

    /// A store that something is copied into, opened as was said or, if nothing was, by what somebody types.
    pub(crate) fn target(to: &str, key: &NewKey, resume: bool) -> Result<Opening<'static>> {
        Self::check_target(to, resume)?;
        let key = match (&key.new_key_file, &key.new_passphrase_file) {
            (Some(path), _) => Some(secret::key_file(path)?),
            (None, Some(path)) => Some(secret::passphrase_file(path)?),
            (None, None) if key.new_plain => None,
            (None, None) => Some(secret::for_target(to)?),
        };
        Self::into_copy(to, key)
    }

    /// A store that is the complete copy of another, opened as was said or, if nothing was, by what somebody types.
    pub(crate) fn of_copy(url: &str, key: &NewKey) -> Result<Opening<'static>> {
        existing(url, "copy")?;
        Ok(Opening { use_of: Use::default(), ..Self::target(url, key, true)? })
    }

    /// A store that something is copied into, opened by what opens the source.
    pub(crate) fn target_like(to: &str, source: &Access, is_encrypted: bool) -> Result<Opening<'static>> {
        let key = match source {
            Access::Key(source) if is_encrypted => Some(source.read()?),
            // It was typed, and is not kept.
            _ if is_encrypted => Some(secret::for_target(to)?),
            _ => None,
        };
        Self::into_copy(to, key)
    }

    /// That something can be copied into it: there is nothing yet, unless a copy is gone on with.
    pub(crate) fn check_target(to: &str, resume: bool) -> Result<()> {
        let url = parse(to)?;
        if url == StoreUrl::Memory {
            return Err(Failure::WrongUse("memory: keeps nothing; name a file, like redb:PATH".into()));
        }
        if !resume && !is_missing(&url) {
            let what = format!("there is something at {url} already, and a copy goes into a new store");
            return Err(Failure::new(what, "name another file, or go on with an interrupted copy by --resume"));
        }
        Ok(())
    }

    fn into_copy(to: &str, key: Option<Unlock>) -> Result<Opening<'static>> {
        let use_of = Use { is_target: true, is_long: false };
        Ok(Opening { url: parse(to)?, access: &Access::Plain, key, use_of })
    }

    /// Opened so that a view of it can live for as long as a copy of it takes.
    pub(crate) fn for_long(mut self) -> Self {
        self.use_of.is_long = true;
        self
    }

    fn of(url: StoreUrl, access: &'a Access) -> Result<Self> {
        let key = match access {
            Access::Key(source) => Some(source.read()?),
            Access::Unsaid if url != StoreUrl::Memory && !url.exists() => {
                Some(secret::for_new_store(&url.to_string())?)
            }
            Access::Plain | Access::Unsaid => None,
        };
        Ok(Opening { url, access, key, use_of: Use::default() })
    }

    /// The typed database in it.
    pub(crate) async fn database(self) -> Result<Database> {
        Ok(self.database_with_objects_key().await?.0)
    }

    /// The typed database in it and, if it is encrypted, the key of the objects that belong to it.
    pub(crate) async fn database_with_objects_key(self) -> Result<(Database, Option<SecretKey>)> {
        let (builder, url, is_target) = (Database::builder(matrix::schema()), self.url.clone(), self.use_of.is_target);
        let (db, key) = match self.open().await? {
            Opened::Plain(store) => (builder.open(store).await?, None),
            Opened::Encrypted(store) => {
                let key = store.objects_key()?;
                (builder.open(store).await?, Some(key))
            }
        };
        if !is_target && db.is_unfinished_copy().await? {
            db.close().await?;
            let what = format!("the store {url} is a copy that was interrupted, and is not complete");
            return Err(Failure::new(
                what,
                "the same 'strongroom copy', 'restore' or 'salvage' with --resume completes it",
            ));
        }
        Ok((db, key))
    }

    /// The typed database in a store that is damaged.
    pub(crate) async fn damaged_database(self) -> Result<Database> {
        // What is in clear need not be looked at to find that out, which damage could prevent.
        let opened = match self.access {
            Access::Plain => Opened::Plain(self.open_engine().await?),
            _ => self.open().await?,
        };
        let store: Arc<dyn Store> = match opened {
            Opened::Plain(store) => store,
            Opened::Encrypted(store) => store,
        };
        Ok(Database::builder(matrix::schema()).open_damaged(store).await?)
    }

    /// The store itself, which must be encrypted.
    pub(crate) async fn encrypted(self) -> Result<EncryptedStore> {
        let url = self.url.clone();
        match self.open().await? {
            Opened::Encrypted(store) => Ok(store),
            Opened::Plain(store) => {
                store.close().await?;
                Err(plain(&url))
            }
        }
    }

    async fn open(self) -> Result<Opened> {
        let store = self.open_engine().await?;
        let opened = self.layered(store.clone()).await;
        if opened.is_err() {
            // Why it does not open matters more than whether it closes.
            let _ = store.close().await;
        }
        opened
    }

    async fn open_engine(&self) -> Result<Arc<dyn Store>> {
        if self.use_of.is_long {
            return open_for_long(&self.url).await;
        }
        Ok(self.url.open().await?)
    }

    async fn layered(self, store: Arc<dyn Store>) -> Result<Opened> {
        let new = EncryptedOptions::default();
        match slots_of(&*store).await {
            Ok(slots) => {
                let unlock = match &self.key {
                    Some(unlock) => unlock.clone(),
                    None => self.asked(&slots)?,
                };
                match new.open(store, &unlock).await {
                    Ok(store) => Ok(Opened::Encrypted(store.into())),
                    Err(error) => Err(self.not_opened(error)),
                }
            }
            Err(error) => match (EncryptionError::of(&error), self.key) {
                (Some(EncryptionError::NotEncrypted), None) => Ok(Opened::Plain(store)),
                (Some(EncryptionError::NotEncrypted), Some(_)) => {
                    let what = format!("the store {} is not encrypted, and a key was given", self.url);
                    let next =
                        "leave the key out, or give --plain; to encrypt it, 'strongroom copy' it into a new store";
                    Err(Failure::new(what, next))
                }
                (Some(EncryptionError::NotCreated), Some(unlock)) => {
                    Ok(Opened::Encrypted(new.open_or_create(store, &unlock).await?.into()))
                }
                (Some(EncryptionError::NotCreated), None) => match self.access {
                    Access::Unsaid if self.url != StoreUrl::Memory => {
                        let unlock = secret::for_new_store(&self.url.to_string())?;
                        Ok(Opened::Encrypted(new.open_or_create(store, &unlock).await?.into()))
                    }
                    _ => Ok(Opened::Plain(store)),
                },
                _ => Err(error.into()),
            },
        }
    }

    /// The key of an encrypted store for which none was given.
    fn asked(&self, slots: &[SlotInfo]) -> Result<Unlock> {
        let can_be_typed = slots.iter().any(|slot| matches!(slot.kind, SlotKind::Passphrase(_)));
        match self.access {
            Access::Unsaid if can_be_typed && secret::can_ask() => secret::ask(&self.url.to_string()),
            Access::Plain => Err(Failure::new(
                format!("the store {} is encrypted, and --plain was given", self.url),
                "give --key-file FILE or --passphrase-file FILE in its place",
            )),
            _ => Err(Failure::new(
                format!("the store {} is encrypted, and no key was given", self.url),
                format!("give --key-file FILE, --passphrase-file FILE or {VARIABLE}"),
            )),
        }
    }

    fn not_opened(&self, error: strongroom::Error) -> Failure {
        if EncryptionError::of(&error) != Some(EncryptionError::WrongKeyOrDamagedSlot) {
            return error.into();
        }
        let with = match self.access {
            Access::Key(source) => source.to_string(),
            Access::Plain | Access::Unsaid => "what was typed".to_owned(),
        };
        let what =
            format!("the store {} does not open with {with}: it is not its key, or the slot is damaged", self.url);
        Failure::new(what, "'strongroom key list' shows what opens it")
    }
}

/// Opens a store whose views live as long as a copy may take. What SQLite writes meanwhile stays in its log for as long.
async fn open_for_long(url: &StoreUrl) -> Result<Arc<dyn Store>> {
    Ok(match url {
        StoreUrl::Redb(path) => {
            let mut options = RedbOptions::default();
            options.limits.snapshot_age_ms_max = COPY_MS_MAX;
            Arc::new(options.open(path)?)
        }
        StoreUrl::Sqlite(path) => {
            let mut options = SqliteOptions::default();
            options.limits.snapshot_age_ms_max = COPY_MS_MAX;
            Arc::new(options.open(path).await?)
        }
        url => url.open().await?,
    })
}

/// The slots of a store as its file has them, without any key: nobody vouches for them.
pub(crate) async fn unchecked_slots(url: &str) -> Result<Vec<SlotInfo>> {
    let url = existing(url, "import FILE")?;
    let store = url.open().await?;
    let slots = slots_of(&*store).await;
    store.close().await?;
    slots.map_err(|error| match EncryptionError::of(&error) {
        Some(EncryptionError::NotEncrypted) => plain(&url),
        _ => error.into(),
    })
}

fn plain(url: &StoreUrl) -> Failure {
    Failure::new(format!("the store {url} is not encrypted, so it has no keys"), "name an encrypted one with --store")
}

/// A file without content is no store yet: a command that reads must not make one of it.
fn is_missing(url: &StoreUrl) -> bool {
    match url {
        StoreUrl::Redb(path) | StoreUrl::Sqlite(path) => {
            std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0)
        }
        _ => false,
    }
}

/// The URL of a store that is there. If it is not, `maker` is the command that makes one.
fn existing(url: &str, maker: &str) -> Result<StoreUrl> {
    let url = parse(url)?;
    if url == StoreUrl::Memory {
        return Err(Failure::WrongUse(
            "memory: keeps nothing between commands; name a store with --store redb:PATH or sqlite:PATH".into(),
        ));
    }
    if is_missing(&url) {
        return Err(Failure::new(
            format!("there is no store {url}"),
            format!("make one with 'strongroom {maker}', or name another with --store"),
        ));
    }
    Ok(url)
}

fn parse(url: &str) -> Result<StoreUrl> {
    url.parse()
        .map_err(|error: strongroom::Error| Failure::WrongUse(format!("--store: {error}; see 'strongroom --help'")))
}
