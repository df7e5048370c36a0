//! What a read from memory saves, and what keeping the cache coherent costs a commit.

use std::sync::Arc;

use bytes::Bytes;
use strongroom::cache::{CacheOptions, Freshness};
use strongroom::store::{Batch, Outcome, Read, Store, StoredKey, Write};
use strongroom::{Error, ErrorKind, Result, open};

use crate::machine::resident_bytes;
use crate::rounds::Rounds;
use crate::stacks::{self, Layers};

/// Rows that are read again and again, of 300 bytes.
const HOT: usize = 500;
const VALUE_BYTES: usize = 300;
const ROUNDS: usize = 31;
const GETS: usize = 500;
/// Rows in one `get` of several.
const SEVERAL: usize = 50;
const COMMITS: usize = 20;

/// One way to read, and the store it reads.
struct Variant {
    name: &'static str,
    store: Arc<dyn Store>,
    one: Rounds,
    several: Rounds,
    snapshot: Rounds,
    save: Rounds,
    import: Rounds,
}

fn key(number: usize) -> StoredKey {
    StoredKey::from(format!("\0\x01\0room {:>20}, event {number:>32}", number % 7).into_bytes())
}

fn batch(from: usize, rows: usize) -> Batch {
    let value = || Bytes::from((0..VALUE_BYTES).map(|_| fastrand::u8(..)).collect::<Vec<u8>>());
    Batch { writes: (from..from + rows).map(|number| (key(number), Write::Put(value()))).collect(), ..Batch::default() }
}

async fn commit(store: &dyn Store, batch: Batch) -> Result<()> {
    match store.commit(vec![batch]).await?.pop() {
        Some(Outcome::Committed(_)) => Ok(()),
        other => Err(Error::new(ErrorKind::Conflict, format!("{other:?}"))),
    }
}

async fn variants(url: &str, encrypted: bool) -> Result<Vec<Variant>> {
    let shared = url.starts_with("sqlite");
    let mut stale = CacheOptions::default();
    stale.freshness = Freshness::Stale { stale_ms_max: 60_000 };
    let mut ways = vec![("none", None), ("exact", Some(CacheOptions::default()))];
    ways.extend(shared.then_some(("stale", Some(stale))));
    let mut variants = Vec::new();
    for (name, options) in ways {
        // Each has a store of its own: a cache over an exclusive one must see all commits.
        let url = if url == "memory:" { url.to_owned() } else { format!("{url}.{name}.{encrypted}") };
        let below = stacks::store(&url, Layers { encrypted, cached: false }).await?;
        let store: Arc<dyn Store> = match options {
            Some(options) => Arc::new(options.over(below)),
            None => below,
        };
        commit(&*store, batch(0, HOT)).await?;
        let rounds = Rounds::default;
        variants.push(Variant {
            name,
            store,
            one: rounds(),
            several: rounds(),
            snapshot: rounds(),
            save: rounds(),
            import: rounds(),
        });
    }
    Ok(variants)
}

/// Prints a table for each engine, and what moka alone takes.
///
/// # Errors
///
/// Those of the stores.
pub async fn run() -> Result<()> {
    memory().await?;
    let folder = tempfile::tempdir().map_err(Error::application)?;
    let mut alone = Rounds::default();
    let memory = moka::sync::Cache::<StoredKey, Bytes>::new(HOT as u64);
    (0..HOT).for_each(|number| memory.insert(key(number), Bytes::from(vec![0; VALUE_BYTES])));
    memory.run_pending_tasks();
    let keys: Vec<StoredKey> = (0..HOT).map(key).collect();
    println!("| engine | cache | get | get {SEVERAL} | get in a snapshot | save of 5 rows | import of 5,000 rows |");
    println!("|---|---|---|---|---|---|---|");
    for engine in ["memory:", "redb:", "sqlite:"] {
        for encrypted in [false, true] {
            let url = match engine {
                "memory:" => engine.to_owned(),
                _ => format!("{engine}{}/{}", folder.path().display(), engine.trim_end_matches(':')),
            };
            let mut variants = variants(&url, encrypted).await?;
            for round in 0..ROUNDS {
                alone.time_plain(GETS, |number| memory.get(&keys[number % HOT]));
                for variant in &mut variants {
                    measure(variant, &keys, round).await?;
                }
            }
            for variant in &mut variants {
                let name = if encrypted { format!("{engine} encrypted") } else { engine.to_owned() };
                println!(
                    "| {name} | {} | {} ns | {} µs | {} ns | {} µs | {} ms |",
                    variant.name,
                    variant.one.median(),
                    variant.several.median() / 1_000,
                    variant.snapshot.median(),
                    variant.save.median() / 1_000,
                    variant.import.median() / 1_000_000,
                );
            }
            for variant in variants {
                variant.store.close().await?;
            }
        }
    }
    println!("\nA `get` of moka alone: {} ns.", alone.median());
    Ok(())
}

/// How much memory rows take, and how much they are counted for.
async fn memory() -> Result<()> {
    const ROWS: usize = 200_000;
    let below = open("memory:").await?;
    for from in (0..ROWS).step_by(5_000) {
        commit(&*below, batch(from, 5_000)).await?;
    }
    let mut options = CacheOptions::default();
    (options.entries_max, options.bytes_max) = (ROWS as u64, 1 << 30);
    let store = options.over(below);
    let before = resident_bytes().unwrap_or_default();
    for number in 0..ROWS {
        store.get(&[key(number)]).await?;
    }
    let (counters, taken) = (store.counters(), resident_bytes().unwrap_or_default().saturating_sub(before));
    let own = key(0).len() + VALUE_BYTES;
    println!(
        "{} rows with keys and values of {own} bytes take {} bytes each.\n",
        counters.entries,
        taken / counters.entries.max(1)
    );
    Ok(())
}

async fn measure(variant: &mut Variant, keys: &[StoredKey], round: usize) -> Result<()> {
    let store = &*variant.store;
    // What was read is in memory, where there is a cache.
    for key in keys {
        store.get(std::slice::from_ref(key)).await?;
    }
    let one = |number: usize| std::slice::from_ref(&keys[number * 7 % HOT]);
    let several = |number: usize| &keys[number % (HOT / SEVERAL) * SEVERAL..][..SEVERAL];
    variant.one.time(GETS, |number| store.get(one(number))).await?;
    variant.several.time(GETS / 10, |number| store.get(several(number))).await?;
    let snapshot = store.snapshot().await?;
    variant.snapshot.time(GETS, |number| snapshot.get(one(number))).await?;
    drop(snapshot);
    let mut batches = (0..COMMITS).map(|number| batch(HOT + number * 5, 5)).collect::<Vec<_>>().into_iter();
    variant.save.time(COMMITS, |_| store.commit(batches.next().into_iter().collect())).await?;
    if round.is_multiple_of(10) {
        let mut large = Some(batch(1_000_000 + round * 5_000, 5_000));
        variant.import.time(1, |_| store.commit(large.take().into_iter().collect())).await?;
    }
    Ok(())
}
