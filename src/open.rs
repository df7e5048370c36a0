//! `open`: a store by its URL, plain or under the encryption, with rows in memory or without.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "cache")]
use strongroom_core::cache::{CacheOptions, Cached};
#[cfg(feature = "encryption")]
use strongroom_encryption::{Argon2Params, Encrypted, EncryptedOptions, Unlock};

use crate::store::Store;
use crate::{Result, StoreUrl};

/// Opens the store that `url` names, and creates it if there is none. Nothing happens before it is awaited.
///
/// Awaited as it is, the store is plain: what is written there lies in clear. With
#[cfg_attr(feature = "encryption", doc = "[`encrypted`](Open::encrypted)")]
#[cfg_attr(not(feature = "encryption"), doc = "`encrypted` (feature `encryption`)")]
/// it is encrypted. The typed database refuses to open an encrypted store as a plain one.
///
/// ```
/// # async fn example() -> strongroom::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// # let path = dir.path().join("chat.redb");
/// # let url = format!("redb:{}", path.display());
/// let store = strongroom::open(&url).await?; // "redb:chat.redb"
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// `InvalidInput` for a URL of another form, `Unsupported` where the backend's feature is off (it is named), and those of the
/// backend: `NotAStore` for a foreign file, `Busy` for one that is open elsewhere, `Corrupt`, `UnsupportedVersion`, `Io`.
/// SQLite and PostgreSQL need a tokio runtime: `Unsupported` without one. PostgreSQL further answers `Io` where nothing answers, or
/// user, password or database are refused; no error has the URL's password.
pub fn open(url: &str) -> Open {
    Open(url.parse())
}

/// A store that is about to be opened by [`open`]: await it, for an `Arc<dyn Store>`.
#[derive(Debug)]
#[must_use = "nothing is opened until it is awaited"]
pub struct Open(Result<StoreUrl>);

/// What awaiting an [`Open`] polls.
type Opening<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

impl IntoFuture for Open {
    type Output = Result<Arc<dyn Store>>;
    type IntoFuture = Opening<Arc<dyn Store>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.0?.open().await })
    }
}

#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
impl Open {
    /// Opens the store as an encrypted one; an empty one is made encrypted, and `unlock` opens its first slot.
    ///
    /// ```
    /// use strongroom::encryption::Unlock;
    ///
    /// # async fn example() -> strongroom::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let path = dir.path().join("chat.redb");
    /// # let url = format!("redb:{}", path.display());
    /// let unlock = Unlock::passphrase("correct horse battery staple");
    /// let store = strongroom::open(&url).encrypted(unlock).await?; // "redb:chat.redb"
    /// # Ok(()) }
    /// ```
    pub fn encrypted(self, unlock: Unlock) -> OpenEncrypted {
        OpenEncrypted { url: self.0, unlock, options: EncryptedOptions::default() }
    }
}

#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
impl Open {
    /// Keeps rows that were read in memory. With encryption it comes after `encrypted`.
    ///
    /// All that writes to the store has to go through it, unless the store is one that other processes share:
    /// [`cache`](crate::cache) has the rule, and [`Freshness`](crate::cache::Freshness) what a shared store costs.
    pub fn cached(self, options: CacheOptions) -> OpenCached<Self> {
        OpenCached { below: self, options }
    }
}

/// A store that is about to be opened with rows in memory: await it, for an `Arc<Cached<..>>` over what `below` opens.
///
/// # Errors
///
/// Those of what is below.
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
#[derive(Debug)]
#[must_use = "nothing is opened until it is awaited"]
pub struct OpenCached<O> {
    below: O,
    options: CacheOptions,
}

#[cfg(feature = "cache")]
impl<O, S> IntoFuture for OpenCached<O>
where
    O: IntoFuture<Output = Result<S>>,
    O::IntoFuture: Send + 'static,
    S: Store,
{
    type Output = Result<Arc<Cached<S>>>;
    type IntoFuture = Opening<Arc<Cached<S>>>;

    fn into_future(self) -> Self::IntoFuture {
        let below = self.below.into_future();
        Box::pin(async move { Ok(Arc::new(self.options.over(below.await?))) })
    }
}

/// An encrypted store that is about to be opened: await it, for an `Arc<Encrypted<Arc<dyn Store>>>`, which is a store and has the
/// slots and the rotation.
///
/// What is set here counts for a store that is made; one that is there keeps what it was made with.
///
/// # Errors
///
/// Those of [`open`] and of [`EncryptedOptions::open_or_create`]. After an error the backend is closed: it can be tried again
/// at once, with another passphrase.
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
#[derive(Debug)]
#[must_use = "nothing is opened until it is awaited"]
pub struct OpenEncrypted {
    url: Result<StoreUrl>,
    unlock: Unlock,
    options: EncryptedOptions,
}

#[cfg(feature = "encryption")]
impl OpenEncrypted {
    /// The label of the first slot: `main` unless set.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = label.into();
        self
    }

    /// How dear a guess at a passphrase is: [`Argon2Params::DEFAULT`] unless set.
    pub fn kdf(mut self, kdf: Argon2Params) -> Self {
        self.options.kdf = kdf;
        self
    }

    /// Whether values are padded, so that their lengths show only roughly: on unless set.
    pub fn padding(mut self, padding: bool) -> Self {
        self.options.padding = padding;
        self
    }

    /// All options at once, in place of what was set before.
    pub fn options(mut self, options: EncryptedOptions) -> Self {
        self.options = options;
        self
    }

    /// Keeps rows that were read in memory, above the encryption: in clear, so that a hit opens nothing.
    ///
    /// ```
    /// use strongroom::cache::CacheOptions;
    /// use strongroom::encryption::Unlock;
    ///
    /// # async fn example() -> strongroom::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let path = dir.path().join("chat.redb");
    /// # let url = format!("redb:{}", path.display());
    /// let unlock = Unlock::passphrase("correct horse battery staple");
    /// let store = strongroom::open(&url).encrypted(unlock).cached(CacheOptions::default()).await?; // "redb:chat.redb"
    /// let _slots = store.inner().slots().await?; // what is encrypted is below the cache
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cached(self, options: CacheOptions) -> OpenCached<Self> {
        OpenCached { below: self, options }
    }
}

#[cfg(feature = "encryption")]
impl IntoFuture for OpenEncrypted {
    type Output = Result<Arc<Encrypted<Arc<dyn Store>>>>;
    type IntoFuture = Opening<Arc<Encrypted<Arc<dyn Store>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let store = self.url?.open().await?;
            match self.options.open_or_create(store.clone(), &self.unlock).await {
                Ok(encrypted) => Ok(Arc::new(encrypted)),
                Err(error) => {
                    // Why it does not open matters more than whether it closes.
                    let _ = store.close().await;
                    Err(error)
                }
            }
        })
    }
}
