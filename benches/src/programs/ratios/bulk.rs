//! Imports: sealed rows on redb and plain ones on SQLite, next to the same rows by hand.

use strongroom::Result;

use super::Run;
use crate::baselines::{RawRedb, RawRusqlite};
use crate::figures::{Bound, Figure};
use crate::rounds::Pair;
use crate::stacks::{Engine, Layers};
use crate::workload::{Capture, IMPORT_BATCH, IMPORT_CHUNK, import};

/// Imports by each, of so many chunks: an import is more than a few transactions.
const IMPORTS: u64 = 5;
const CHUNKS: usize = 2;

pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    // A smoke test takes fewer and smaller ones.
    let (imports, count) = if run.quick { (2, run.messages as usize) } else { (IMPORTS, CHUNKS * IMPORT_CHUNK) };
    let encrypted = run.site.database(Engine::Redb, "bulk", Layers::ENCRYPTED).await?;
    let raw = RawRedb::create(&run.path("bulk-raw.redb"), true)?;
    let sqlite = run.site.database(Engine::Sqlite, "bulk", Layers::BARE).await?;
    let mut by_hand = RawRusqlite::create(&run.path("bulk-raw.sqlite"))?;
    let (mut redb, mut sql) = (Pair::default(), Pair::default());
    let (as_sealed, as_plain) = (Capture::new(true).await?, Capture::new(false).await?);
    for number in 0..imports {
        let messages = run.workload.messages(number * count as u64..(number + 1) * count as u64)?;
        let sealed = as_sealed.rows(&messages).await?;
        let plain: Vec<_> = as_plain.rows(&messages).await?.into_iter().map(|mut rows| rows.remove(0)).collect();
        redb.ours.time(1, |_| import(&encrypted, &messages)).await?;
        redb.baseline.time_sync(1, |_| raw.import(&sealed, IMPORT_BATCH))?;
        sql.ours.time(1, |_| import(&sqlite, &messages)).await?;
        sql.baseline.time_sync(1, |_| by_hand.import(&messages, &plain, IMPORT_BATCH))?;
    }
    encrypted.close().await?;
    sqlite.close().await?;
    let note = format!("{count} messages at a time into one store that grows, {IMPORT_BATCH} in a transaction");
    Ok(vec![
        Figure::times(
            "bulk import encrypted / raw redb of the same sorted rows, throughput",
            redb.medians(),
            Bound::ThroughputAtLeast(0.75),
        )
        .note(note.clone()),
        Figure::times("bulk on SQLite / rusqlite row by row, time", sql.medians(), Bound::RatioAtMost(1.5)).note(note),
    ])
}
