//! Opens the store that `--store` names, plain or encrypted, as it is and as was said.

use std::sync::Arc;

use strongroom::encryption::{
    Encrypted, EncryptedOptions, EncryptionError, SecretKey, SlotInfo, SlotKind, Unlock, slots_of,
};
use strongroom::postgres::PostgresOptions;
use strongroom::redb::RedbOptions;
use strongroom::sqlite::SqliteOptions;
use strongroom::store::Store;
use strongroom::{Database, StoreUrl, matrix};

use crate::access::{Access, VARIABLE};
use crate::arguments::NewKey;
use crate::failure::{Failure, Result};
use crate::secret;
use crate::url::{check_existing, check_target, is_new, not_opened};

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
    pub(crate) async fn prepare(url: &StoreUrl, access: &'a Access) -> Result<Self> {
        // Whoever must be asked for its key is asked before anything is made.
        let asks = matches!(access, Access::Unsaid) && *url != StoreUrl::Memory && is_new(url).await?;
        let key = if asks { Some(secret::for_new_store(url)?) } else { read(access)? };
        Ok(Opening { url: url.clone(), access, key, use_of: Use::default() })
    }

    /// A store that must be there already: a command that reads leaves no empty store behind.
    pub(crate) async fn of_existing(url: &StoreUrl, access: &'a Access) -> Result<Self> {
        check_existing(url, "import FILE").await?;
        Ok(Opening { url: url.clone(), access, key: read(access)?, use_of: Use::default() })
    }

    /// The same for media, which are not imported.
    pub(crate) async fn of_existing_media(url: &StoreUrl, access: &'a Access) -> Result<Self> {
        check_existing(url, "media put FILE --room ROOM").await?;
        Ok(Opening { url: url.clone(), access, key: read(access)?, use_of: Use::default() })
    }

    /// A store that something is copied into, opened as was said or, if nothing was, by what somebody types.
    pub(crate) async fn target(to: &StoreUrl, key: &NewKey, resume: bool) -> Result<Opening<'static>> {
        check_target(to, resume).await?;
        let key = match (&key.new_key_file, &key.new_passphrase_file) {
            (Some(path), _) => Some(secret::key_file(path)?),
            (None, Some(path)) => Some(secret::passphrase_file(path)?),
            (None, None) if key.new_plain => None,
            (None, None) => Some(secret::for_target(to)?),
        };
        Ok(Self::into_copy(to, key))
    }

    /// A store that is the complete copy of another, opened as was said or, if nothing was, by what somebody types.
    pub(crate) async fn of_copy(url: &StoreUrl, key: &NewKey) -> Result<Opening<'static>> {
        check_existing(url, "copy").await?;
        Ok(Opening { use_of: Use::default(), ..Self::target(url, key, true).await? })
    }

    /// A store that something is copied into, opened by what opens the source.
    pub(crate) fn target_like(to: &StoreUrl, source: &Access, is_encrypted: bool) -> Result<Opening<'static>> {
        let key = match source {
            Access::Key(source) if is_encrypted => Some(source.read()?),
            // It was typed, and is not kept.
            _ if is_encrypted => Some(secret::for_target(to)?),
            _ => None,
        };
        Ok(Self::into_copy(to, key))
    }

    fn into_copy(to: &StoreUrl, key: Option<Unlock>) -> Opening<'static> {
        let use_of = Use { is_target: true, is_long: false };
        Opening { url: to.clone(), access: &Access::Plain, key, use_of }
    }

    /// Opened so that a view of it can live for as long as a copy of it takes.
    pub(crate) fn for_long(mut self) -> Self {
        self.use_of.is_long = true;
        self
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
        let opened = if self.use_of.is_long { open_for_long(&self.url).await } else { self.url.open().await };
        opened.map_err(|error| not_opened(&self.url, error))
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
                        let unlock = secret::for_new_store(&self.url)?;
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
            Access::Unsaid if can_be_typed && secret::can_ask() => secret::ask(&self.url),
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

/// Opens a store whose views live as long as a copy may take.
///
/// What SQLite writes meanwhile stays in its log for as long. A PostgreSQL server keeps every row that is changed or removed
/// meanwhile, in all tables of that database, because none is cleared away that the view might still see: they grow until the copy ends.
async fn open_for_long(url: &StoreUrl) -> strongroom::Result<Arc<dyn Store>> {
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
        StoreUrl::Postgres(url) => {
            let mut options = PostgresOptions::default();
            options.limits.snapshot_age_ms_max = COPY_MS_MAX;
            Arc::new(options.open(url.expose()).await?)
        }
        url => url.open().await?,
    })
}

/// What opens the store, as was said; it is read now.
fn read(access: &Access) -> Result<Option<Unlock>> {
    match access {
        Access::Key(source) => source.read().map(Some),
        Access::Plain | Access::Unsaid => Ok(None),
    }
}

/// The slots of a store as it has them, without any key: nobody vouches for them.
pub(crate) async fn unchecked_slots(url: &StoreUrl) -> Result<Vec<SlotInfo>> {
    check_existing(url, "import FILE").await?;
    let store = url.open().await.map_err(|error| not_opened(url, error))?;
    let slots = slots_of(&*store).await;
    store.close().await?;
    slots.map_err(|error| match EncryptionError::of(&error) {
        Some(EncryptionError::NotEncrypted) => plain(url),
        _ => error.into(),
    })
}

fn plain(url: &StoreUrl) -> Failure {
    Failure::new(format!("the store {url} is not encrypted, so it has no keys"), "name an encrypted one with --store")
}
