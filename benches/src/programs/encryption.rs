//! What encryption costs: saves, gets, pages and imports, encrypted and bare, in turns.
//!
//! The durable saves wait for the medium, which hides most of the cost; on memory nothing is hidden.

use strongroom::{Database, Result};

use crate::rounds::Pair;
use crate::stacks::{ENGINES, Engine, Layers, database};
use crate::workload::{IMPORT_CHUNK, Workload, get, import, page, save};

const ROUNDS: usize = 400;

/// Prints a table for each engine: medians, the ratio of both, and the bytes of both stores.
///
/// # Errors
///
/// Those of the stores.
pub async fn run(messages: u64) -> Result<()> {
    let folder = tempfile::tempdir().map_err(strongroom::Error::application)?;
    println!("| engine | what | bare | encrypted | ratio |\n|---|---|---|---|---|");
    for engine in ENGINES {
        let bare = database(&engine.url(folder.path(), "bare"), Layers::BARE).await?;
        let encrypted = database(&engine.url(folder.path(), "encrypted"), Layers::ENCRYPTED).await?;
        measure(engine, &encrypted, &bare, messages).await?;
        let (ours, baseline) = (encrypted.stats().await?.bytes, bare.stats().await?.bytes);
        println!("| {} | bytes | {baseline} | {ours} | {:.2} |", engine.name(), ours as f64 / baseline as f64);
        encrypted.close().await?;
        bare.close().await?;
    }
    Ok(())
}

async fn measure(engine: Engine, encrypted: &Database, bare: &Database, messages: u64) -> Result<()> {
    let workload = Workload::default();
    let [mut imports, mut saves, mut gets, mut pages] = [(); 4].map(|()| Pair::default());
    for begin in (0..messages).step_by(IMPORT_CHUNK) {
        let batch = workload.messages(begin..messages.min(begin + IMPORT_CHUNK as u64))?;
        imports.baseline.time(1, |_| import(bare, &batch)).await;
        imports.ours.time(1, |_| import(encrypted, &batch)).await;
    }
    let (keys, places) = (workload.keys(ROUNDS, messages), workload.places(ROUNDS, messages));
    let new = workload.messages(messages..messages + ROUNDS as u64)?;
    for ((key, place), new) in keys.iter().zip(&places).zip(&new) {
        for (db, [saves, gets, pages]) in [
            (bare, [&mut saves.baseline, &mut gets.baseline, &mut pages.baseline]),
            (encrypted, [&mut saves.ours, &mut gets.ours, &mut pages.ours]),
        ] {
            saves.time(1, |_| save(db, new)).await;
            gets.time(1, |_| get(db, key)).await;
            pages.time(1, |_| page(db, place)).await;
        }
    }
    for (what, pair) in [("import of 10,000", imports), ("save", saves), ("get", gets), ("page of 50", pages)] {
        let (ours, baseline) = pair.medians();
        let us = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let ratio = ours as f64 / baseline as f64;
        println!("| {} | {what} | {:.1} µs | {:.1} µs | {ratio:.2} |", engine.name(), us(baseline), us(ours));
    }
    Ok(())
}
