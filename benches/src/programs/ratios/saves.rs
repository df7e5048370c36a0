//! Durable saves: one, and many at the same time, next to redb's commit of the same rows and to the flush alone.

use strongroom::Result;

use super::Run;
use crate::baselines::{Flush, RawRedb, failed};
use crate::figures::{Bound, Figure};
use crate::rounds::{Pair, Rounds};
use crate::stacks::{Engine, Layers};
use crate::workload::{Capture, IMPORT_BATCH, TOGETHER, commit, import, rows_of, save, save_together};

pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    let db = run.site.database(Engine::Redb, "saves", Layers::ENCRYPTED).await?;
    // Another one: the commit after a large one also frees the pages that it replaced.
    let groups = run.site.database(Engine::Redb, "groups", Layers::ENCRYPTED).await?;
    let raw = RawRedb::create(&run.path("saves-raw.redb"), true)?;
    let light = RawRedb::create(&run.path("saves-light.redb"), false)?;
    let mut flush = Flush::new(&run.path("flush")).map_err(failed)?;
    // Two more, for what each layer adds.
    let bare = run.site.database(Engine::Redb, "saves-bare", Layers::BARE).await?;
    let alone = run.site.store(Engine::Redb, "saves-alone", Layers::BARE).await?;
    let before = run.workload.messages(0..run.messages)?;
    import(&db, &before).await?;
    import(&groups, &before).await?;
    import(&bare, &before).await?;
    let capture = Capture::new(true).await?;
    let writes = capture.writes(&before).await?;
    for batch in writes.chunks(IMPORT_BATCH) {
        commit(&*alone, batch.iter().flatten().map(|(key, write)| (key.clone(), write.clone())).collect()).await?;
    }
    let rows: Vec<_> = writes.into_iter().map(rows_of).collect();
    raw.import(&rows, IMPORT_BATCH)?;
    light.import(&rows, IMPORT_BATCH)?;

    let (rounds, together) = (run.rounds as u64, TOGETHER as u64);
    let new = run.workload.messages(run.messages..run.messages + rounds * (1 + together))?;
    let (ones, many) = new.split_at(run.rounds);
    let writes = capture.writes(ones).await?;
    let rows: Vec<_> = writes.iter().cloned().map(rows_of).collect();
    let [mut one, mut group] = [Pair::default(), Pair::default()];
    let [mut without_repair, mut flushes, mut store_alone, mut typed_bare] = [(); 4].map(|()| Rounds::default());
    let saves = ones.iter().zip(&rows).zip(writes).zip(many.chunks(TOGETHER));
    for (number, (((message, rows), writes), many)) in saves.enumerate() {
        let rows: Vec<_> = rows.iter().collect();
        let mut writes = Some(writes);
        let begin = std::time::Instant::now();
        save_together(&groups, many).await?;
        group.ours.note(begin.elapsed(), TOGETHER);
        // The disk is still at what came before: that falls on the flush, and then on each side in turn.
        flushes.time_sync(1, |_| flush.flush().map_err(failed))?;
        one.alternate(number, save(&db, message), async { raw.commit(&rows) }).await?;
        store_alone.time(1, |_| commit(&*alone, writes.take().unwrap_or_default())).await?;
        typed_bare.time(1, |_| save(&bare, message)).await?;
        without_repair.time_sync(1, |_| light.commit(&rows))?;
    }
    group.baseline = one.baseline.clone();
    db.close().await?;
    bare.close().await?;
    alone.close().await?;
    groups.close().await?;

    let (flush, [store_alone, typed_bare]) =
        (flushes.median(), [store_alone, typed_bare].map(|rounds| rounds.median()));
    Ok(vec![
        Figure::times(
            "encrypted durable save of one message / raw redb commit of the same 5 rows",
            one.medians(),
            Bound::RatioAtMost(1.10),
        )
        .note("both with quick-repair"),
        Figure::times(
            "throughput of 64 concurrent encrypted saves / one-by-one durable commits (with the flush's own cost beside it)",
            group.medians(),
            Bound::ThroughputAtLeast(6.0),
        )
        .note(format!("each of raw redb's 5 rows; a flush alone: {:.1} µs", flush as f64 / 1e3)),
        Figure::times(
            "64 concurrent encrypted saves, each / the same saves one by one",
            (group.ours.median(), one.ours.median()),
            Bound::Context,
        ),
        Figure::times(
            "a durable save on redb, what the store adds: Store::commit of the 5 rows / raw redb commit of them",
            (store_alone, one.baseline.median()),
            Bound::Context,
        ),
        Figure::times(
            "a durable save on redb, what the typed layer adds: bare save / Store::commit of 5 rows",
            (typed_bare, store_alone),
            Bound::Context,
        ),
        Figure::times(
            "a durable save on redb, what encryption adds: encrypted save / bare save",
            (one.ours.median(), typed_bare),
            Bound::Context,
        ),
        Figure::times("raw redb commit of 5 rows without quick-repair / with it", (without_repair.median(), one.baseline.median()), Bound::Context),
        Figure::times("encrypted durable save of one message / flush alone", (one.ours.median(), flush), Bound::Context),
    ])
}
