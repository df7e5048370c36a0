//! Where the stores of a run are: files in a temporary folder, and namespaces on a PostgreSQL server.

mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use strongroom::store::Store;
use strongroom::{Database, Error, ErrorKind, Result};
use tempfile::TempDir;

pub use self::server::Server;

use crate::machine::Machine;
use crate::stacks::{self, ENGINES, Engine, Layers};

/// Where the stores of a run are made.
#[derive(Args, Clone, Default)]
#[group(id = "site")]
pub struct Options {
    /// The PostgreSQL to measure on, as postgres://USER@HOST/DATABASE; else that of $STRONGROOM_BENCH_POSTGRES. Unless one is
    /// named, one is started, whose commits wait for the disk, and is gone afterwards
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Where files are made, but for those of a started PostgreSQL, which are in the temporary folder, as all are unless this is given.
    /// In memory a flush costs nothing: take a folder on a disk
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// What is wrong with a file or folder that somebody named.
pub(crate) fn of_file(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{}: {error}", path.display()))
}

/// A folder and, where there is one, a server. What is in the folder goes with the value, what is on the server with
/// [`close`](Site::close).
pub struct Site {
    folder: TempDir,
    /// Or why there is none.
    server: Result<Server, String>,
}

impl Site {
    /// Makes the folder, and connects to the PostgreSQL that is named, or starts one. Where none is named and none can be started, the
    /// reason is printed as an error, and kept for [`left_out`](Site::left_out).
    ///
    /// # Errors
    ///
    /// Those of the file system; `InvalidInput` and `Io` for a server that is named and does not answer.
    pub async fn new(options: &Options) -> Result<Self> {
        let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
        let made = tempfile::tempdir_in(&folder).map_err(|error| of_file(&folder, &error))?;
        let variable = || std::env::var("STRONGROOM_BENCH_POSTGRES").ok().filter(|url| !url.is_empty());
        let named = options.postgres.clone().or_else(variable);
        let server = match named {
            Some(url) => Ok(Server::named(url).await?),
            None => Server::start().await,
        };
        if let Err(reason) = &server {
            eprintln!("PostgreSQL is left out: {reason}");
        }
        Ok(Site { folder: made, server })
    }

    /// The engines that are here.
    pub fn engines(&self) -> impl Iterator<Item = Engine> {
        ENGINES.into_iter().filter(|engine| self.has(*engine))
    }

    /// Whether an engine is here.
    pub fn has(&self, engine: Engine) -> bool {
        engine != Engine::Postgres || self.server.is_ok()
    }

    /// The server, if there is one.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref().ok()
    }

    /// Why PostgreSQL is not here; `None` if it is.
    pub fn left_out(&self) -> Option<String> {
        self.server.as_ref().err().map(|reason| format!("PostgreSQL: {reason}"))
    }

    /// The machine, with the server's version and settings.
    pub fn machine(&self) -> Machine {
        Machine { postgres: self.server().map(|server| server.settings().to_owned()), ..Machine::this() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The URL of a store. The name has letters, digits and what needs no escape in a URL.
    ///
    /// # Errors
    ///
    /// `Unsupported` for PostgreSQL, where there is none.
    pub fn url(&self, engine: Engine, name: &str) -> Result<String> {
        Ok(match engine {
            Engine::Memory => "memory:".to_owned(),
            Engine::Redb | Engine::Sqlite => format!("{}:{}", engine.name(), self.path(&file(engine, name)).display()),
            Engine::Postgres => match &self.server {
                Ok(server) => server.url(name),
                Err(reason) => return Err(Error::new(ErrorKind::Unsupported, reason.clone())),
            },
        })
    }

    /// Opens a store with layers.
    ///
    /// # Errors
    ///
    /// As [`Site::url`] and [`stacks::store`].
    pub async fn store(&self, engine: Engine, name: &str, layers: Layers) -> Result<Arc<dyn Store>> {
        stacks::store(&self.url(engine, name)?, layers).await
    }

    /// Opens a database over [`Site::store`].
    ///
    /// # Errors
    ///
    /// As [`Site::url`] and [`stacks::database`].
    pub async fn database(&self, engine: Engine, name: &str, layers: Layers) -> Result<Database> {
        stacks::database(&self.url(engine, name)?, layers).await
    }

    /// Bytes on the medium after a compaction of an open store. On PostgreSQL those of all namespaces, after `VACUUM FULL`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn compacted_bytes(&self, engine: Engine, db: &Database) -> Result<u64> {
        match (engine, self.server()) {
            (Engine::Postgres, Some(server)) => {
                server.vacuum(true).await?;
                Ok(db.stats().await?.bytes)
            }
            _ => Ok(db.compact().await?.bytes_after),
        }
    }

    /// Removes a store, which must be closed.
    ///
    /// # Errors
    ///
    /// Those of the file system and of the server.
    pub async fn remove(&self, engine: Engine, name: &str) -> Result<()> {
        if let (Engine::Postgres, Some(server)) = (engine, self.server()) {
            return server.remove(name).await;
        }
        let file = file(engine, name);
        for entry in std::fs::read_dir(self.folder()).map_err(Error::application)? {
            let entry = entry.map_err(Error::application)?;
            // SQLite has files beside its own, whose names begin with it.
            if entry.file_name().to_string_lossy().starts_with(&file) {
                std::fs::remove_file(entry.path()).map_err(Error::application)?;
            }
        }
        Ok(())
    }

    /// Removes what is on the server.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub async fn close(&self) -> Result<()> {
        match self.server() {
            Some(server) => server.close().await,
            None => Ok(()),
        }
    }
}

fn file(engine: Engine, name: &str) -> String {
    format!("{name}.{}", engine.name())
}

#[cfg(test)]
mod tests {
    use strongroom::Key;
    use strongroom_conformance_servers::{Postgres, PostgresOptions};

    use super::*;
    use crate::workload::{Workload, get, save};

    #[tokio::test]
    async fn a_store_is_a_new_one_after_its_removal_and_others_stay() {
        let server = server();
        let site = site(server.as_ref()).await;
        let message = Workload::default().message(1).unwrap();
        let key = &Key::of(&message);
        for engine in site.engines().filter(|engine| *engine != Engine::Memory) {
            for name in ["removed", "kept"] {
                let db = site.database(engine, name, Layers::ENCRYPTED).await.unwrap();
                save(&db, &message).await.unwrap();
                db.close().await.unwrap();
            }
            site.remove(engine, "removed").await.unwrap();
            for (name, there) in [("removed", false), ("kept", true)] {
                let db = site.database(engine, name, Layers::ENCRYPTED).await.unwrap();
                assert_eq!(get(&db, key).await.unwrap(), there, "{engine:?}, {name}");
                db.close().await.unwrap();
            }
        }
        site.close().await.unwrap();
        if let Some(server) = server {
            let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'strongroom%'";
            assert_eq!(server.query(left).unwrap(), "0");
        }
    }

    /// None where there is no PostgreSQL, which is printed.
    fn server() -> Option<Postgres> {
        match Postgres::available() {
            Ok(()) => Some(Postgres::start(&PostgresOptions::default()).unwrap()),
            Err(_) => None,
        }
    }

    async fn site(server: Option<&Postgres>) -> Site {
        Site::new(&Options { postgres: server.map(Postgres::url), folder: None }).await.unwrap()
    }
}
