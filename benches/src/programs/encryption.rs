//! What encryption costs: saves, gets, pages and imports, encrypted and bare, in turns.
//!
//! The durable saves wait for the medium, which hides most of the cost; on memory nothing is hidden.

use clap::Args;
use strongroom::{Database, Result};

use crate::rounds::Pair;
use crate::site::{self, Site};
use crate::stacks::{Engine, Layers};
use crate::workload::{IMPORT_CHUNK, Workload, get, import, page, save};

const ROUNDS: usize = 400;

/// What a run does.
#[derive(Args, Clone)]
pub struct Options {
    /// Messages in each store
    #[arg(default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    messages: u64,
    #[command(flatten)]
    site: site::Options,
}

/// Prints a table for each engine: medians, the ratio of both, and the bytes of both stores.
///
/// # Errors
///
/// Those of the stores.
pub async fn run(options: &Options) -> Result<()> {
    let site = Site::new(&options.site).await?;
    let measured = engines(&site, options.messages).await;
    let closed = site.close().await;
    measured.and(closed)
}

async fn engines(site: &Site, messages: u64) -> Result<()> {
    println!("| engine | what | bare | encrypted | ratio |\n|---|---|---|---|---|");
    for engine in site.engines() {
        let bare = site.database(engine, "bare", Layers::BARE).await?;
        let encrypted = site.database(engine, "encrypted", Layers::ENCRYPTED).await?;
        measure(engine, &encrypted, &bare, messages).await?;
        // PostgreSQL's tables hold both.
        if engine != Engine::Postgres {
            let (ours, baseline) = (encrypted.stats().await?.bytes, bare.stats().await?.bytes);
            println!("| {} | bytes | {baseline} | {ours} | {:.2} |", engine.name(), ours as f64 / baseline as f64);
        }
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
        imports.baseline.time(1, |_| import(bare, &batch)).await?;
        imports.ours.time(1, |_| import(encrypted, &batch)).await?;
    }
    let (keys, places) = (workload.keys(ROUNDS, messages), workload.places(ROUNDS, messages));
    let new = workload.messages(messages..messages + ROUNDS as u64)?;
    for ((key, place), new) in keys.iter().zip(&places).zip(&new) {
        for (db, [saves, gets, pages]) in [
            (bare, [&mut saves.baseline, &mut gets.baseline, &mut pages.baseline]),
            (encrypted, [&mut saves.ours, &mut gets.ours, &mut pages.ours]),
        ] {
            saves.time(1, |_| save(db, new)).await?;
            gets.time(1, |_| get(db, key)).await?;
            pages.time(1, |_| page(db, place)).await?;
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
