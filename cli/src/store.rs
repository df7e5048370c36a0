//! Opens the store that `--store` names.

use strongroom::{Database, StoreUrl, matrix};

use crate::failure::{Failure, Result};

/// Opens the store, and creates it if there is none.
pub(crate) async fn create(url: &str) -> Result<Database> {
    open(&parse(url)?).await
}

/// Opens a store that must be there already: a command that reads leaves no empty store behind.
pub(crate) async fn existing(url: &str) -> Result<Database> {
    let url = parse(url)?;
    if url == StoreUrl::Memory {
        return Err(Failure::WrongUse(
            "memory: keeps nothing between commands; name a store with --store redb:PATH or sqlite:PATH".into(),
        ));
    }
    if !url.exists() {
        return Err(Failure::new(
            format!("there is no store {url}"),
            "make one with 'strongroom import FILE', or name another with --store",
        ));
    }
    open(&url).await
}

fn parse(url: &str) -> Result<StoreUrl> {
    url.parse()
        .map_err(|error: strongroom::Error| Failure::WrongUse(format!("--store: {error}; see 'strongroom --help'")))
}

async fn open(url: &StoreUrl) -> Result<Database> {
    let store = url.open().await?;
    Ok(Database::builder(matrix::schema()).open(store).await?)
}
