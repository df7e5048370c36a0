//! What a page of 50 costs in a room of 10,000 messages and in a large one, in turns.
//!
//! Three times: scrolling back from the newest message right after opening, so that both rooms are cold; among the newest
//! 10,000 messages, with the engine's cache warm in both rooms; and anywhere, where the small room fits into the cache and the
//! large one does not, unless the cache is made larger.

use std::path::Path;

use strongroom::redb::{Redb, RedbOptions};
use strongroom::{Database, Error, Result, matrix};

use crate::rounds::Pair;
use crate::workload::{IMPORT_CHUNK, PAGE, Place, Rooms, Skew, Workload, import, page};

const SMALL: u64 = 10_000;
const SCROLLED: u64 = 200;
/// The first half only warms the cache.
const PAGES: u64 = 4_000;

/// Prints the medians in both rooms, and their ratio.
///
/// # Errors
///
/// Those of the store.
pub async fn run(messages: u64, cache_mib: usize) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::application)?;
    let workload = Workload::new(Rooms::new(1, Skew::Uniform), 7);
    let mut rooms = Vec::new();
    for messages in [messages, SMALL] {
        let path = folder.path().join(format!("{messages}.redb"));
        fill(&path, &workload, messages).await?;
        let options = RedbOptions { cache_bytes: cache_mib << 20, ..RedbOptions::default() };
        rooms.push((Database::open(options.open(&path)?, matrix::schema()).await?, messages));
    }
    let [large, small] = &rooms[..] else { return Ok(()) };
    let newest = |messages: u64, back: u64| Place {
        room: workload.largest_room(),
        thread: "".into(),
        before: workload.time(messages.saturating_sub(back)),
    };
    let mut cold = Pair::default();
    for number in 0..SCROLLED {
        let back = number * PAGE as u64;
        cold.ours.time(1, |_| async { page(&large.0, &newest(large.1, back)).await }).await?;
        cold.baseline.time(1, |_| async { page(&small.0, &newest(small.1, back)).await }).await?;
    }
    report("scrolling back, cold", &cold);
    for (what, span) in [("among the newest 10,000", SMALL), ("anywhere", u64::MAX)] {
        let mut warm = Pair::default();
        for number in 0..PAGES {
            // Spread evenly, the same places in each run.
            let back = |messages: u64| number * 7_919_993 % span.min(messages);
            let places = (newest(large.1, back(large.1)), newest(small.1, back(small.1)));
            let mut round = Pair::default();
            round.ours.time(1, |_| page(&large.0, &places.0)).await?;
            round.baseline.time(1, |_| page(&small.0, &places.1)).await?;
            if number >= PAGES / 2 {
                warm.add(&round);
            }
        }
        report(what, &warm);
    }
    Ok(())
}

fn report(what: &str, pair: &Pair) {
    let (large, small) = pair.medians();
    let ratio = large as f64 / small as f64;
    println!("page of 50 {what}: {small} ns in the small room, {large} ns in the large one, ratio {ratio:.2}");
}

async fn fill(path: &Path, workload: &Workload, messages: u64) -> Result<()> {
    let db = Database::open(Redb::open(path)?, matrix::schema()).await?;
    for begin in (0..messages).step_by(IMPORT_CHUNK) {
        import(&db, &workload.messages(begin..messages.min(begin + IMPORT_CHUNK as u64))?).await?;
    }
    db.close().await
}
