//! From a URL to an open store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::store::Store;
use crate::{Error, ErrorKind, PostgresUrl, Result};

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
    /// `postgres://USER@HOST/DATABASE?namespace=NAME`: a namespace on a PostgreSQL server, which other machines may have open too.
    /// `postgresql://` is the same.
    Postgres(PostgresUrl),
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
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => Ok(Arc::new(strongroom_postgres::Postgres::open(url.expose()).await?)),
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(_) => Err(without("postgres")),
            #[cfg(feature = "memory")]
            StoreUrl::Memory => Ok(Arc::new(strongroom_memory::Memory::new())),
            #[cfg(not(feature = "memory"))]
            StoreUrl::Memory => Err(without("memory")),
        }
    }

    /// Whether there is something to open: a file of that name, or on a server that namespace. Never true of `memory:`, which
    /// begins empty.
    ///
    /// # Errors
    ///
    /// None of a file. A server is asked, and nothing is made there: `Unsupported` without the backend's feature or without a
    /// tokio runtime, `InvalidInput` for a URL that the backend does not take, `Busy`, `Io`.
    pub async fn exists(&self) -> Result<bool> {
        match self {
            StoreUrl::Redb(path) | StoreUrl::Sqlite(path) => Ok(path.exists()),
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => strongroom_postgres::Postgres::exists(url.expose()).await,
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(_) => Err(without("postgres")),
            StoreUrl::Memory => Ok(false),
        }
    }
}

/// What a URL may look like.
const KNOWN: &str = "redb:PATH, sqlite:PATH, postgres://USER@HOST/DATABASE?namespace=NAME or memory:";

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some((scheme @ ("redb" | "sqlite"), "")) => {
                Err(invalid(format!("{scheme}: needs a path, like {scheme}:PATH")))
            }
            Some(("redb", path)) => Ok(StoreUrl::Redb(path.into())),
            Some(("sqlite", path)) => Ok(StoreUrl::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Ok(StoreUrl::Postgres(url.parse()?)),
            Some(("memory", "")) => Ok(StoreUrl::Memory),
            Some(("memory", _)) => Err(invalid("memory: takes nothing behind the colon".to_owned())),
            Some((scheme, _)) => Err(invalid(format!("no backend is called '{scheme}': use {KNOWN}"))),
            None => {
                // Behind a ? there may be a password.
                let name = url.split('?').next().unwrap_or_default();
                Err(invalid(format!("'{name}' names no backend: use {KNOWN}")))
            }
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Redb(path) => write!(f, "redb:{}", path.display()),
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Postgres(url) => url.fmt(f),
            StoreUrl::Memory => f.write_str("memory:"),
        }
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(not(all(
    feature = "redb",
    feature = "sqlite",
    feature = "postgres",
    feature = "memory",
    feature = "encryption"
)))]
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
        let url = "postgresql://me@db.example/chat?namespace=alice";
        assert_eq!(url.parse::<StoreUrl>().unwrap(), StoreUrl::Postgres(url.parse().unwrap()));
        for url in ["redb:chat.redb", "sqlite:chat.db", "postgres://me@db.example/chat?namespace=alice", "memory:"] {
            assert_eq!(url.parse::<StoreUrl>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn other_urls_are_refused_with_the_known_ones_named() {
        for url in ["", "chat.redb", "mongodb://localhost", "redb:", "sqlite:", "postgres://host/db", "memory:x", ":"] {
            let error = url.parse::<StoreUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        }
        let error = "sled:x".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(
            ["sled", "redb:PATH", "sqlite:PATH", "postgres://", "memory:"].iter().all(|word| error.contains(word)),
            "{error}"
        );
    }

    #[test]
    fn no_form_of_a_url_shows_a_password() {
        let url: StoreUrl = "postgres://me:secret@host/db?namespace=a&password=secret".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("secret"), "{url:?}");
        for url in [
            "postgres://me:secret@host/db",
            "Postgres://me:secret@host/db?namespace=a",
            "postgres//host?password=secret",
        ] {
            let error = url.parse::<StoreUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_file_exists_once_it_was_made_and_memory_never_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = StoreUrl::Sqlite(folder.path().join("x.db"));
        assert!(!file.exists().await.unwrap());
        std::fs::write(folder.path().join("x.db"), "").unwrap();
        assert!(file.exists().await.unwrap());
        assert!(!StoreUrl::Memory.exists().await.unwrap());
    }

    /// Port 1 of the loopback interface: nothing listens there.
    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_and_one_without_its_feature_names_that() {
        let url: StoreUrl = "postgres://me:secret@127.0.0.1:1/db?namespace=a".parse().unwrap();
        for error in [url.open().await.err().unwrap(), url.exists().await.unwrap_err()] {
            let (kind, words) = match cfg!(feature = "postgres") {
                true => (ErrorKind::Io, "127.0.0.1:1"),
                false => (ErrorKind::Unsupported, "feature 'postgres'"),
            };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words) && !format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
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
