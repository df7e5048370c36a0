//! What grows with the number of messages: pages in a large store, bytes on the medium, memory of an import.

use strongroom::Result;

use super::Run;
use crate::figures::{Bound, Figure};
use crate::programs::scale::child::{self, Task};
use crate::rounds::Pair;
use crate::stacks::{Engine, Layers, database};
use crate::workload::{import, page};

const SMALL: u64 = 10_000;
const LARGE_MESSAGES: u64 = 10_000_000;
const IMPORTED_MESSAGES: u64 = 1_000_000;
/// Of an import of the messages, whatever their number.
const IMPORT_BYTES: f64 = 150e6;

pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    let large_url = run.site.url(Engine::Redb, "large")?;
    let imported = child::start(&Task::import(&large_url, true, run.large)).await?;
    let mut figures = vec![large_pages(run, &large_url).await?];
    figures.extend(on_disk(run).await?);
    let name = "memory of a 10^6 import";
    let whole = run.large >= IMPORTED_MESSAGES;
    let note = format!("the most that a process has which imports {} messages, encrypted on redb", run.large);
    figures.push(Figure::bytes(name, imported.peak_bytes, None, Bound::AtMost(IMPORT_BYTES)).note(note).whole(whole));
    Ok(figures)
}

async fn large_pages(run: &Run, large_url: &str) -> Result<Figure> {
    let small_messages = SMALL.min(run.messages);
    let small = run.site.database(Engine::Redb, "small", Layers::ENCRYPTED).await?;
    import(&small, &run.workload.messages(0..small_messages)?).await?;
    let large = database(large_url, Layers::ENCRYPTED).await?;
    let rounds = run.rounds * 2;
    let places = run.workload.places(rounds, run.large).into_iter().zip(run.workload.places(rounds, small_messages));
    let mut pair = Pair::default();
    for (number, (in_large, in_small)) in places.enumerate() {
        let mut round = Pair::default();
        round.ours.time(1, |_| page(&large, &in_large)).await?;
        round.baseline.time(1, |_| page(&small, &in_small)).await?;
        // The first half only warms the engine's cache.
        if number >= rounds / 2 {
            pair.add(&round);
        }
    }
    small.close().await?;
    large.close().await?;
    let note = format!("at {} messages, encrypted on redb, at places spread over all of them", run.large);
    let figure = Figure::times("page of 50 at 10^7 messages / at 10^4", pair.medians(), Bound::RatioAtMost(2.0));
    Ok(figure.note(note).whole(run.large >= LARGE_MESSAGES))
}

async fn on_disk(run: &Run) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let engines = [Engine::Redb, Engine::Sqlite, Engine::Postgres];
    for engine in engines.into_iter().filter(|engine| run.site.has(*engine)) {
        let mut bytes = [0; 2];
        for (layers, bytes) in [Layers::BARE, Layers::ENCRYPTED].into_iter().zip(&mut bytes) {
            let name = format!("size-{layers}");
            let db = run.site.database(engine, &name, layers).await?;
            import(&db, &run.workload.messages(0..run.messages)?).await?;
            *bytes = run.site.compacted_bytes(engine, &db).await?;
            db.close().await?;
            run.site.remove(engine, &name).await?;
        }
        let (name, bound) = match engine {
            Engine::Redb => ("bytes on disk, encrypted / bare".to_owned(), Bound::RatioAtMost(1.35)),
            _ => (format!("bytes on disk on {}, encrypted / bare", engine.name()), Bound::Context),
        };
        let note = format!("{} after a compaction, {} messages", engine.name(), run.messages);
        figures.push(Figure::bytes(name, bytes[1], Some(bytes[0]), bound).note(note));
    }
    Ok(figures)
}
