//! The schema `engine` and the [`StorageEngine`] over it, and how it is opened by URL: encrypted, unless told otherwise.
//!
//! ```
//! # #[cfg(all(feature = "redb", feature = "encryption"))]
//! # async fn example() -> strongroom::Result<()> {
//! use strongroom::encryption::Unlock;
//! use strongroom::engine::{StorageEngine, StorageEngineExt};
//!
//! # let dir = tempfile::tempdir().expect("a temporary folder");
//! # let path = dir.path().join("chat.redb");
//! # let url = format!("redb:{}", path.display());
//! let unlock = Unlock::passphrase("correct horse battery staple");
//! let engine = StorageEngine::builder(&url).unlock(unlock).open().await?; // "redb:chat.redb"
//! # engine.close().await
//! # }
//! ```

use std::sync::Arc;

#[cfg(feature = "cache")]
use strongroom_core::cache::CacheOptions;
pub use strongroom_core::engine::*;
#[cfg(feature = "encryption")]
use strongroom_encryption::{EncryptedOptions, Unlock};

use crate::store::Store;
#[cfg(feature = "encryption")]
use crate::{Error, ErrorKind};
use crate::{Result, open};

/// Adds [`builder`](StorageEngineExt::builder) to [`StorageEngine`]: core, where that is, knows neither URLs nor ciphers.
pub trait StorageEngineExt {
    /// How the engine over the store that `url` names is to be opened.
    fn builder(url: &str) -> StorageEngineBuilder;
}

impl StorageEngineExt for StorageEngine {
    fn builder(url: &str) -> StorageEngineBuilder {
        StorageEngineBuilder {
            url: url.to_owned(),
            encrypt_at_rest: true,
            #[cfg(feature = "encryption")]
            unlock: None,
            #[cfg(feature = "encryption")]
            options: EncryptedOptions::default(),
            #[cfg(feature = "cache")]
            cache: None,
        }
    }
}

/// Opens a [`StorageEngine`]: encrypted at rest, unless that is switched off.
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before `open`"]
pub struct StorageEngineBuilder {
    url: String,
    encrypt_at_rest: bool,
    #[cfg(feature = "encryption")]
    unlock: Option<Unlock>,
    #[cfg(feature = "encryption")]
    options: EncryptedOptions,
    #[cfg(feature = "cache")]
    cache: Option<CacheOptions>,
}

impl StorageEngineBuilder {
    /// Whether the store is encrypted: on unless set. It covers every collection, proofs and keys included.
    pub fn encrypt_at_rest(mut self, encrypt: bool) -> Self {
        self.encrypt_at_rest = encrypt;
        self
    }

    /// What opens the store, or is to open it if it is made.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    pub fn unlock(mut self, unlock: Unlock) -> Self {
        self.unlock = Some(unlock);
        self
    }

    /// The options of an encrypted store: what they are, if they are not set, is [`EncryptedOptions::default`].
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    pub fn encryption(mut self, options: EncryptedOptions) -> Self {
        self.options = options;
        self
    }

    /// Keeps as many rows in memory at most, above the encryption: 1,000 if only [`cache_bytes`](Self::cache_bytes) is set. 0 keeps
    /// none.
    ///
    /// Without one of these nothing is kept; [`cache`](crate::cache) says where it pays. The collection `keys` is never held.
    /// To lock the store or look at the cache later, open both by hand:
    /// `StorageEngine::open(open(url).encrypted(unlock).cached(options).await?)`, with a clone of the store.
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cache_entries(mut self, entries_max: u64) -> Self {
        self.cache.get_or_insert_default().entries_max = entries_max;
        self
    }

    /// Keeps rows in memory, of as many bytes at most: 16 MiB if only [`cache_entries`](Self::cache_entries) is set. 0 keeps none.
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cache_bytes(mut self, bytes_max: u64) -> Self {
        self.cache.get_or_insert_default().bytes_max = bytes_max;
        self
    }

    /// Keeps rows in memory with these options, in place of what was set before: also how fresh they are on a shared store.
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cache(mut self, options: CacheOptions) -> Self {
        self.cache = Some(options);
        self
    }

    /// Opens the store, new or not, with the engine's schema.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is to be encrypted and nothing unlocks it, or the other way round; those of
    /// [`open`](crate::open()) and [`StorageEngine::open`]. After an error the store is closed and can be tried again.
    pub async fn open(self) -> Result<StorageEngine> {
        #[cfg(feature = "cache")]
        let cache = self.cache.clone();
        let store = self.store().await?;
        #[cfg(feature = "cache")]
        let store: Arc<dyn Store> = match cache {
            Some(cache) => Arc::new(cache.over(store)),
            None => store,
        };
        match StorageEngine::open(store.clone()).await {
            Ok(engine) => Ok(engine),
            Err(error) => {
                // Why it does not open matters more than whether it closes.
                let _ = store.close().await;
                Err(error)
            }
        }
    }

    #[cfg(feature = "encryption")]
    async fn store(self) -> Result<Arc<dyn Store>> {
        match (self.encrypt_at_rest, self.unlock) {
            (true, Some(unlock)) => Ok(open(&self.url).encrypted(unlock).options(self.options).await?),
            (false, None) => open(&self.url).await,
            (true, None) => Err(refused(
                "the engine encrypts at rest and nothing unlocks it: give it `unlock(..)`, or `encrypt_at_rest(false)` for a store \
                 in clear",
            )),
            (false, Some(_)) => {
                Err(refused("there is a key for a store in clear: leave out `unlock(..)`, or `encrypt_at_rest(false)`"))
            }
        }
    }

    #[cfg(not(feature = "encryption"))]
    async fn store(self) -> Result<Arc<dyn Store>> {
        if self.encrypt_at_rest { Err(crate::url::without("encryption")) } else { open(&self.url).await }
    }
}

#[cfg(feature = "encryption")]
fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, why).during("open")
}
