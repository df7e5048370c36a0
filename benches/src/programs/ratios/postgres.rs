//! PostgreSQL, next to statements by hand for the same rows on the same server, and to a round trip alone.

use std::time::Instant;

use strongroom::store::{Batch, Guard, Store};
use strongroom::{Key, Result};

use super::Run;
use crate::baselines::{RawPostgres, hand_rows, room_front, room_until};
use crate::figures::{Bound, Figure};
use crate::rounds::{Pair, Rounds};
use crate::sink::committed;
use crate::site::Server;
use crate::stacks::{Engine, Layers};
use crate::workload::{Capture, IMPORT_BATCH, PAGE, TOGETHER, Writes, get, import, page, rows_of, save, save_together};

/// None where there is no server.
pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    let Some(server) = run.site.server() else { return Ok(Vec::new()) };
    // First, so that the tables hold messages when saves are measured.
    let reads = reads(run, server).await?;
    let mut figures = saves(run, server.by_hand()).await?;
    figures.extend(reads);
    Ok(figures)
}

async fn saves(run: &Run, by_hand: &RawPostgres) -> Result<Vec<Figure>> {
    let db = run.site.database(Engine::Postgres, "saves", Layers::ENCRYPTED).await?;
    let groups = run.site.database(Engine::Postgres, "groups", Layers::ENCRYPTED).await?;
    let alone = run.site.store(Engine::Postgres, "alone", Layers::BARE).await?;
    let (rounds, together) = (run.rounds as u64, TOGETHER as u64);
    let new = run.workload.messages(0..rounds * (1 + together))?;
    let (ones, many) = new.split_at(run.rounds);
    // Other keys for each of those who put rows, so that all put new ones.
    let (put, guarded) = (Capture::new(true).await?.rows(ones).await?, Capture::new(true).await?.writes(ones).await?);
    let [mut one, mut store, mut group] = [(); 3].map(|()| Pair::default());
    let mut round_trips = Rounds::default();
    let saves = ones.iter().zip(&put).zip(guarded).zip(many.chunks(TOGETHER));
    for (number, (((message, put), guarded), many)) in saves.enumerate() {
        let guarded_rows = rows_of(guarded.clone());
        let mut guarded = Some(guarded);
        let begin = Instant::now();
        save_together(&groups, many).await?;
        group.ours.note(begin.elapsed(), TOGETHER);
        // The server is still at what came before: that falls on the round trip, and then on each side in turn.
        round_trips.time(1, |_| by_hand.round_trip()).await?;
        one.alternate(number, save(&db, message), by_hand.put(put)).await?;
        store.ours.time(1, |_| commit_guarded(&*alone, guarded.take().unwrap_or_default())).await?;
        store.baseline.time(1, |_| by_hand.put_guarded(&guarded_rows)).await?;
    }
    group.baseline = one.ours.clone();
    db.close().await?;
    groups.close().await?;
    alone.close().await?;
    let round_trip = round_trips.median();
    Ok(vec![
        Figure::times(
            "encrypted durable save of one message on PostgreSQL / the same 5 rows by one hand-written statement",
            one.medians(),
            Bound::Context,
        )
        .note(format!("a round trip alone: {:.1} µs", round_trip as f64 / 1e3)),
        Figure::times(
            "Store::commit of the 5 rows on PostgreSQL, each guarded / one hand-written statement with guards and a revision",
            store.medians(),
            Bound::Context,
        ),
        Figure::times(
            "64 concurrent encrypted saves on PostgreSQL, each / the same saves one by one",
            group.medians(),
            Bound::Context,
        ),
        Figure::times(
            "encrypted durable save of one message on PostgreSQL / a round trip alone",
            (one.ours.median(), round_trip),
            Bound::Context,
        ),
    ])
}

/// As a save does it: none of the rows may be there yet.
async fn commit_guarded(store: &dyn Store, writes: Writes) -> Result<()> {
    let guards = writes.keys().map(|key| Guard::Key { key: key.clone(), revision: None }).collect();
    committed(store.commit(vec![Batch { guards, writes, ..Batch::default() }]).await?).map(drop)
}

async fn reads(run: &Run, server: &Server) -> Result<Vec<Figure>> {
    let by_hand = server.by_hand();
    let messages = run.workload.messages(0..run.messages)?;
    let db = run.site.database(Engine::Postgres, "reads", Layers::BARE).await?;
    import(&db, &messages).await?;
    let values = Capture::new(false).await?.rows(&messages).await?;
    let rows = messages.iter().zip(&values).map(|(message, rows)| hand_rows(message, |_| rows[0].value.clone()));
    let rows: Vec<_> = rows.collect();
    for batch in rows.chunks(IMPORT_BATCH) {
        by_hand.put(&batch.concat()).await?;
    }
    server.vacuum(false).await?;
    let places = run.workload.places(run.rounds, run.messages);
    let [mut gets, mut pages] = [(); 2].map(|()| Pair::default());
    for (number, place) in places.iter().enumerate() {
        // The same message of both.
        let at = number * 997 % rows.len();
        let (key, record) = (Key::of(&messages[at]), &rows[at][0].key);
        let (front, until) = (room_front(&place.room), room_until(&place.room, place.before));
        gets.ours.time(1, |_| get(&db, &key)).await?;
        gets.baseline.time(1, |_| by_hand.get(record)).await?;
        pages.ours.time(1, |_| page(&db, place)).await?;
        pages.baseline.time(1, |_| by_hand.page(&front, &until)).await?;
    }
    for place in places.iter().take(4) {
        let by_hand = by_hand.page(&room_front(&place.room), &room_until(&place.room, place.before)).await?;
        assert_eq!([page(&db, place).await?, by_hand.len()], [PAGE; 2], "the pages that are compared are not the same");
    }
    db.close().await?;
    Ok(vec![
        Figure::times(
            "page of 50 on PostgreSQL / the same as one hand-written JOIN through sqlx",
            pages.medians(),
            Bound::Context,
        )
        .note("ours gives records, the baseline bytes"),
        Figure::times(
            "get of one message on PostgreSQL / one hand-written SELECT through sqlx",
            gets.medians(),
            Bound::Context,
        )
        .note("ours gives a record, the baseline bytes"),
    ])
}
