//! What stands above the engine: building rows, the dispatch of a call, the cache.

use std::sync::Arc;

use bytes::Bytes;
use strongroom::cache::CacheOptions;
use strongroom::encryption::EncryptedOptions;
use strongroom::redb::Redb;
use strongroom::store::{Batch, Read, Store, StoredKey, Write};
use strongroom::{Database, Key, Result, matrix};

use super::Run;
use crate::baselines::{Aead, RawCache, RawMap, hand_rows};
use crate::figures::{Bound, Figure};
use crate::rounds::{Pair, Rounds};
use crate::sink::{PassThrough, Sink, committed};
use crate::stacks::{Engine, Layers, unlock};
use crate::workload::{Capture, Table, get, import};

/// Calls in a round, and rounds for each of the run's: short ones, so that most of them end before somebody else has the processor.
const CALLS: usize = 20;
const ROUNDS: usize = 10;
/// Rows that are read in turn.
const KEYS: usize = 500;
/// Inserts in one transaction.
const BATCHED: usize = 200;
const ROW_NS: f64 = if cfg!(feature = "ring") { 1_500.0 } else { 4_000.0 };

pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    let mut figures = building(run).await?;
    figures.extend(cached(run).await?);
    figures.push(dispatch(run).await?);
    figures.push(in_memory(run).await?);
    Ok(figures)
}

/// A whole insert over an engine that does nothing, encrypted; the cipher alone on as many bytes; the same without encryption.
async fn building(run: &Run) -> Result<Vec<Figure>> {
    let (sealed, plain) = (Arc::new(Sink::default()), Arc::new(Sink::default()));
    let encrypted: Arc<dyn Store> = Arc::new(EncryptedOptions::default().create(sealed.clone(), &unlock()).await?);
    let encrypted = Database::builder(matrix::schema()).open(encrypted).await?;
    let bare = Database::builder(matrix::schema()).open(plain.clone()).await?;
    let messages = run.workload.messages(0..BATCHED as u64)?;
    let values: Vec<_> =
        Capture::new(false).await?.rows(&messages).await?.into_iter().map(|mut rows| rows.remove(0)).collect();
    sealed.keep_nothing();
    plain.keep_nothing();
    let (mut aead, mut row, mut without, mut batched) =
        (Aead::default(), Pair::default(), Pair::default(), Pair::default());
    for _ in 0..ROUNDS * run.rounds {
        row.ours.time(CALLS, |number| encrypted.insert(&messages[number])).await?;
        row.baseline.time_plain(CALLS, |number| aead.seal(&values[number].key, &values[number].value));
        without.baseline.time(CALLS, |number| bare.insert(&messages[number])).await?;
    }
    for _ in 0..run.rounds {
        for (db, rounds) in [(&encrypted, &mut batched.ours), (&bare, &mut batched.baseline)] {
            let begin = std::time::Instant::now();
            import(db, &messages).await?;
            rounds.note(begin.elapsed(), BATCHED);
        }
    }
    without.ours = row.ours.clone();
    Ok(vec![
        Figure::times("building one row (4 blinded keys, codec, seal)", row.medians(), Bound::AtMost(ROW_NS)).note(
            "a whole insert of 5 rows above an engine that does nothing, so the transaction and the queue are in it; baseline: the AEAD alone",
        ),
        Figure::times("that insert, encrypted / bare", without.medians(), Bound::Context),
        Figure::times("one insert in a transaction of 200 above an engine that does nothing, encrypted / bare", batched.medians(), Bound::Context),
    ])
}

/// A get of the cache over an exclusive store, all in memory, next to moka's own; and the typed get above it.
async fn cached(run: &Run) -> Result<Vec<Figure>> {
    let store = CacheOptions::default().over(Redb::open(run.path("cached.redb"))?);
    let messages = run.workload.messages(0..KEYS as u64)?;
    let rows = Capture::new(false).await?.rows(&messages).await?;
    let rows: Vec<_> = rows.into_iter().map(|mut rows| rows.remove(0)).collect();
    let entries: Vec<(Bytes, Bytes)> = rows.into_iter().map(|row| (row.key.into(), row.value.into())).collect();
    let keys: Vec<StoredKey> = entries.iter().map(|(key, _)| StoredKey::new(key.clone())).collect();
    let writes = keys.iter().cloned().zip(entries.iter().map(|(_, value)| Write::Put(value.clone()))).collect();
    committed(store.commit(vec![Batch { writes, ..Batch::default() }]).await?)?;
    for key in &keys {
        store.get(std::slice::from_ref(key)).await?;
    }
    let typed = run.site.database(Engine::Redb, "cached-typed", Layers { encrypted: false, cached: true }).await?;
    import(&typed, &messages).await?;
    let typed_keys: Vec<_> = messages.iter().map(Key::of).collect();
    for key in &typed_keys {
        get(&typed, key).await?;
    }
    let raw = RawCache::new(entries.clone());
    let (mut pair, mut typed_gets) = (Pair::default(), Rounds::default());
    for round in 0..ROUNDS * run.rounds {
        pair.ours.time(CALLS, |number| store.get(std::slice::from_ref(&keys[turn(round, number)]))).await?;
        pair.baseline.time_plain(CALLS, |number| raw.get(&entries[turn(round, number)].0));
        typed_gets.time(CALLS, |number| get(&typed, &typed_keys[turn(round, number)])).await?;
    }
    store.close().await?;
    typed.close().await?;
    let typed = (typed_gets.median(), pair.ours.median());
    Ok(vec![
        Figure::times("cached get on an exclusive store / moka get alone", pair.medians(), Bound::RatioAtMost(2.0))
            .note("Store::get of one stored key, which answers with rows"),
        Figure::times("typed get over that cache / the cached get of its stored key", typed, Bound::Context)
            .note("the typed one decodes the record"),
    ])
}

/// A call that finds nothing, through three layers that do nothing, and without them.
async fn dispatch(run: &Run) -> Result<Figure> {
    let store: Arc<dyn Store> = Arc::new(Sink::default());
    let through = |store: Arc<dyn Store>| -> Arc<dyn Store> { Arc::new(PassThrough(store)) };
    let layered = through(through(through(store.clone())));
    let key = [StoredKey::from(b"none".to_vec())];
    let mut pair = Pair::default();
    for _ in 0..ROUNDS * run.rounds {
        pair.ours.time(CALLS, |_| layered.get(&key)).await?;
        pair.baseline.time(CALLS, |_| store.get(&key)).await?;
    }
    let figure = Figure::times("three layers of dispatch, a call", pair.medians(), Bound::DifferenceAtMost(150.0));
    Ok(figure.note("ours: a call through three layers that do nothing; baseline: the same without them"))
}

/// The engine in memory next to a map.
async fn in_memory(run: &Run) -> Result<Figure> {
    let db = run.site.database(Engine::Memory, "", Layers::BARE).await?;
    let mut map = RawMap::default();
    let messages = run.workload.messages(0..run.messages)?;
    import(&db, &messages).await?;
    let rows: Vec<_> = messages.iter().map(|message| hand_rows(message, |_| vec![7; 300])).collect();
    rows.iter().for_each(|rows| map.save(rows));
    let keys = run.workload.keys(KEYS, run.messages);
    let places: Vec<_> =
        (0..KEYS).map(|number| (Table::RECORDS, rows[number * 7 % rows.len()][0].key.clone())).collect();
    let mut pair = Pair::default();
    for round in 0..ROUNDS * run.rounds {
        pair.ours.time(CALLS, |number| get(&db, &keys[turn(round, number)])).await?;
        pair.baseline.time_plain(CALLS, |number| map.get(&places[turn(round, number)]));
    }
    let name = "typed get from memory, bare / a BTreeMap's get of the bytes";
    Ok(Figure::times(name, pair.medians(), Bound::Context))
}

/// Which row a call reads.
fn turn(round: usize, number: usize) -> usize {
    (round * CALLS + number) % KEYS
}
