//! The cache over what programs use.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod gate;
mod held_up;
mod letting_go;
mod others;
mod reading;

use std::sync::Arc;

use bytes::Bytes;
use strongroom::ManualClock;
use strongroom::Result;
use strongroom::cache::{CacheOptions, Freshness};
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::engine::Metadata;
use strongroom::store::{Batch, Content, Fetch, KeyRange, Read, Revision, Scan, Store, StoredKey, Write};

fn unlock() -> Unlock {
    Unlock::raw_key(SecretKey::new([1; 32]))
}

fn key(name: &str) -> StoredKey {
    StoredKey::from(name.as_bytes().to_vec())
}

fn put(name: &str, value: &'static [u8]) -> Batch {
    Batch { writes: [(key(name), Write::Put(value.into()))].into(), ..Batch::default() }
}

async fn commit(store: &dyn Store, batch: Batch) -> Result<Revision> {
    Ok(store.commit(vec![batch]).await?[0].revision().unwrap())
}

async fn value(read: &dyn Read, name: &str) -> Option<Bytes> {
    match read.get(&[key(name)]).await.unwrap().rows.pop().unwrap()?.content {
        Content::Value(value) => Some(value),
        other => panic!("{other:?}"),
    }
}

fn metadata(key: &str, value: &str) -> Metadata {
    Metadata { key: key.to_owned(), value: value.parse().unwrap() }
}

/// The whole store, in one page.
fn all() -> Scan {
    Scan { range: KeyRange::ALL, reverse: false, limit: 100, max_bytes: 1 << 20, fetch: Fetch::Values }
}

/// A shared store is asked once and then never again.
fn stale() -> CacheOptions {
    let mut options = CacheOptions::default();
    options.freshness = Freshness::Stale { stale_ms_max: u64::MAX };
    options.clock = Arc::new(ManualClock::default());
    options
}
