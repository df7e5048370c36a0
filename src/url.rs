//! From a URL to an open store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::store::Store;
use crate::{Error, ErrorKind, Result};

/// Where a store is and which backend keeps it.
///
/// Every form parses whatever the features are, so that a program can say which one is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// `redb:PATH`: a file of the embedded engine redb.
    Redb(PathBuf),
    /// `sqlite:PATH`: a file of the embedded SQL engine SQLite, which other processes may have open too.
    Sqlite(PathBuf),
    /// `memory:`: an empty store that ends with the process.
    Memory,
}

impl StoreUrl {
    /// Opens the store, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`crate::open`], but for a malformed URL.
    pub async fn open(&self) -> Result<Arc<dyn Store>> {
        let store = self.backend().await?;
        // Right above the backend, so that what is measured there is the engine.
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        let store: Arc<dyn Store> = Arc::new(strongroom_core::observe::Observed::new(store, "backend"));
        Ok(store)
    }

    async fn backend(&self) -> Result<Arc<dyn Store>> {
        match self {
            #[cfg(feature = "redb")]
            StoreUrl::Redb(path) => Ok(Arc::new(strongroom_redb::Redb::open(path)?)),
            #[cfg(not(feature = "redb"))]
            StoreUrl::Redb(_) => Err(without("redb")),
            #[cfg(feature = "sqlite")]
            StoreUrl::Sqlite(path) => Ok(Arc::new(strongroom_sqlite::Sqlite::open(path).await?)),
            #[cfg(not(feature = "sqlite"))]
            StoreUrl::Sqlite(_) => Err(without("sqlite")),
            #[cfg(feature = "memory")]
            StoreUrl::Memory => Ok(Arc::new(strongroom_memory::Memory::new())),
            #[cfg(not(feature = "memory"))]
            StoreUrl::Memory => Err(without("memory")),
        }
    }

    /// Whether there is something to open: a file of that name. Never true of `memory:`, which begins empty.
    pub fn exists(&self) -> bool {
        match self {
            StoreUrl::Redb(path) | StoreUrl::Sqlite(path) => path.exists(),
            StoreUrl::Memory => false,
        }
    }
}

/// What a URL may look like.
const KNOWN: &str = "redb:PATH, sqlite:PATH or memory:";

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some((scheme @ ("redb" | "sqlite"), "")) => {
                Err(invalid(format!("{scheme}: needs a path, like {scheme}:PATH")))
            }
            Some(("redb", path)) => Ok(StoreUrl::Redb(path.into())),
            Some(("sqlite", path)) => Ok(StoreUrl::Sqlite(path.into())),
            Some(("memory", "")) => Ok(StoreUrl::Memory),
            Some(("memory", _)) => Err(invalid("memory: takes nothing behind the colon".to_owned())),
            Some((scheme, _)) => Err(invalid(format!("no backend is called '{scheme}': use {KNOWN}"))),
            None => Err(invalid(format!("'{url}' names no backend: use {KNOWN}"))),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Redb(path) => write!(f, "redb:{}", path.display()),
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Memory => f.write_str("memory:"),
        }
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(not(all(feature = "redb", feature = "sqlite", feature = "memory", feature = "encryption")))]
pub(crate) fn without(feature: &str) -> Error {
    let message = format!("this program was built without the feature '{feature}' of strongroom; build it with that");
    Error::new(ErrorKind::Unsupported, message).during("open")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_backends() {
        assert_eq!("redb:a b/c:d.redb".parse::<StoreUrl>().unwrap(), StoreUrl::Redb("a b/c:d.redb".into()));
        assert_eq!("sqlite:chat.db".parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite("chat.db".into()));
        assert_eq!("memory:".parse::<StoreUrl>().unwrap(), StoreUrl::Memory);
        for url in ["redb:chat.redb", "sqlite:chat.db", "memory:"] {
            assert_eq!(url.parse::<StoreUrl>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn other_urls_are_refused_with_the_known_ones_named() {
        for url in ["", "chat.redb", "mongodb://localhost", "redb:", "sqlite:", "memory:x", ":"] {
            let error = url.parse::<StoreUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        }
        let error = "sled:x".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(["sled", "redb:PATH", "sqlite:PATH", "memory:"].iter().all(|word| error.contains(word)), "{error}");
    }

    #[tokio::test]
    async fn each_backend_opens_or_names_its_feature() {
        let folder = tempfile::tempdir().unwrap();
        let redb = StoreUrl::Redb(folder.path().join("x.redb"));
        let sqlite = StoreUrl::Sqlite(folder.path().join("x.db"));
        for (url, name, is_on) in [
            (redb, "redb", cfg!(feature = "redb")),
            (sqlite, "sqlite", cfg!(feature = "sqlite")),
            (StoreUrl::Memory, "memory", cfg!(feature = "memory")),
        ] {
            match url.open().await {
                Ok(store) => assert!(is_on && store.info().name == name),
                Err(error) => {
                    assert!(!is_on && error.kind() == ErrorKind::Unsupported, "{error}");
                    assert!(error.to_string().contains(&format!("feature '{name}'")), "{error}");
                }
            }
        }
    }
}
