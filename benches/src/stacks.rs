//! What is measured: each engine, bare and under its layers. Another engine is one line more.

use std::fmt;
use std::sync::Arc;

use strongroom::cache::CacheOptions;
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::store::Store;
use strongroom::{Database, Result, matrix, open};

/// The engines.
pub const ENGINES: [Engine; 4] = [Engine::Memory, Engine::Redb, Engine::Sqlite, Engine::Postgres];

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// In memory.
    Memory,
    /// redb.
    Redb,
    /// SQLite.
    Sqlite,
    /// PostgreSQL, which a [`Site`](crate::site::Site) may lack.
    Postgres,
}

/// What stands over an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// The encryption.
    pub encrypted: bool,
    /// Rows in memory, over the encryption.
    pub cached: bool,
}

impl Layers {
    /// The engine alone.
    pub const BARE: Layers = Layers { encrypted: false, cached: false };
    /// Encryption alone.
    pub const ENCRYPTED: Layers = Layers { encrypted: true, cached: false };
    /// Each of them, both and none.
    pub const ALL: [Layers; 4] = [
        Layers::BARE,
        Layers::ENCRYPTED,
        Layers { encrypted: false, cached: true },
        Layers { encrypted: true, cached: true },
    ];
}

impl Engine {
    /// Its name, which is that of its URLs.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Memory => "memory",
            Engine::Redb => "redb",
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.encrypted, self.cached) {
            (false, false) => "bare",
            (true, false) => "encrypted",
            (false, true) => "cached",
            (true, true) => "encrypted, cached",
        })
    }
}

/// The key of every encrypted store here.
pub fn unlock() -> Unlock {
    Unlock::raw_key(SecretKey::new([1; 32]))
}

/// Opens a store by its URL, with layers.
///
/// # Errors
///
/// Those of [`open`].
pub async fn store(url: &str, layers: Layers) -> Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = if layers.encrypted { open(url).encrypted(unlock()).await? } else { open(url).await? };
    Ok(if layers.cached { Arc::new(CacheOptions::default().over(store)) } else { store })
}

/// Opens a database with the schema `matrix` over [`store`].
///
/// # Errors
///
/// As [`Database::open`].
pub async fn database(url: &str, layers: Layers) -> Result<Database> {
    Database::builder(matrix::schema()).open(store(url, layers).await?).await
}
