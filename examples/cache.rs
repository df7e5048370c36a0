//! Rows in memory above an encrypted store: what they answer, what they never hold, and what locking does to them.
//! `cargo run --features cache --example cache`

#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use serde::{Deserialize, Serialize};
use strongroom::cache::CacheOptions;
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::{Database, Record, Result, Schema};

#[derive(Clone, Record, Serialize, Deserialize)]
#[record(id = 1, name = "profiles", key(user))]
struct Profile {
    user: String,
    name: String,
}

/// No cache holds these.
#[derive(Clone, Record, Serialize, Deserialize)]
#[record(id = 2, name = "tokens", key(user), uncached)]
struct Token {
    user: String,
    token: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(strongroom::Error::application)?;
    let url = format!("redb:{}", folder.path().join("chat.redb").display());
    let schema = Schema::builder("chat", 1).collection::<Profile>().collection::<Token>().build()?;

    let mut options = CacheOptions::default();
    (options.entries_max, options.bytes_max) = (500, 4 << 20);
    let unlock = Unlock::raw_key(SecretKey::random()?);
    let store = strongroom::open(&url).encrypted(unlock.clone()).cached(options).await?;
    let db = Database::open(store.clone(), schema).await?;

    db.put(&Profile { user: "@ada".into(), name: "Ada".into() }).await?;
    db.put(&Token { user: "@ada".into(), token: "secret".into() }).await?;
    for _ in 0..10 {
        db.get(&Profile::key("@ada")).await?;
        db.get(&Token::key("@ada")).await?;
    }
    println!("after ten reads of each: {:?}", db.stats().await?.cache);

    // A read from memory is never older than what was written, by this handle or, on a shared store, by another process.
    db.put(&Profile { user: "@ada".into(), name: "Ada L.".into() }).await?;
    assert_eq!(db.get(&Profile::key("@ada")).await?.map(|profile| profile.name).as_deref(), Some("Ada L."));

    // The encryption is below the cache. Locked, it takes the rows in memory along.
    store.inner().lock();
    let refused = db.get(&Profile::key("@ada")).await.err();
    println!("locked: {} rows in memory, and a read is refused: {refused:?}", store.counters().entries);
    store.inner().unlock(&unlock).await?;
    assert!(db.get(&Profile::key("@ada")).await?.is_some());
    db.close().await
}
