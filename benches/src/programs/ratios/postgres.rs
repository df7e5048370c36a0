//! PostgreSQL, next to statements by hand for the same rows on the same server, and to a round trip alone.

use std::time::Instant;

use futures_util::TryFutureExt;
use futures_util::future::try_join_all;
use strongroom::store::{Batch, Guard, Store};
use strongroom::{Key, Result};

use super::Run;
use super::pages::decoded;
use crate::baselines::{RawPostgres, hand_rows, room_front, room_until};
use crate::figures::{Bound, Figure};
use crate::rounds::{Pair, Rounds};
use crate::sink::committed;
use crate::site::Server;
use crate::stacks::{Engine, Layers};
use crate::workload::{Capture, IMPORT_BATCH, PAGE, TOGETHER, Writes, get, import, page, save};

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
    let new = run.workload.messages(0..rounds * (2 + together))?;
    let (inserted, rest) = new.split_at(run.rounds);
    let (put, many) = rest.split_at(run.rounds);
    // Other keys for each of those who write rows, so that all write new ones.
    let saved = Capture::new(true).await?.rows(inserted).await?;
    let plain = Capture::new(true).await?.rows(put).await?;
    let committed = Capture::new(true).await?.writes(inserted).await?;
    let (mut insert, mut group) = <(Pair, Pair)>::default();
    let (mut puts, mut commits, mut plain_puts, mut round_trips) = <(Rounds, Rounds, Rounds, Rounds)>::default();
    let messages = inserted.iter().zip(put).zip(many.chunks(TOGETHER));
    let rows = saved.iter().zip(&plain).zip(committed);
    for (number, (((inserted, put), many), ((saved, plain), writes))) in messages.zip(rows).enumerate() {
        let mut writes = Some(writes);
        let begin = Instant::now();
        try_join_all(many.iter().map(|message| groups.insert(message))).await?;
        group.ours.note(begin.elapsed(), TOGETHER);
        // The server is still at what came before: that falls on the round trip, and then on each side in turn.
        round_trips.time(1, |_| by_hand.round_trip()).await?;
        insert.alternate(number, db.insert(inserted), by_hand.save(saved)).await?;
        plain_puts.time(1, |_| by_hand.put(plain)).await?;
        puts.time(1, |_| save(&db, put)).await?;
        commits.time(1, |_| commit_guarded(&*alone, writes.take().unwrap_or_default())).await?;
    }
    group.baseline = insert.ours.clone();
    db.close().await?;
    groups.close().await?;
    alone.close().await?;
    let (ours, by_hand) = insert.medians();
    Ok(vec![
        Figure::times(
            "encrypted durable insert of one message on PostgreSQL / one hand-written statement that promises the same",
            (ours, by_hand),
            Bound::RatioAtMost(1.3),
        )
        .note(format!("a round trip alone: {:.1} µs", round_trips.median() as f64 / 1e3)),
        Figure::times(
            "encrypted durable put of one message on PostgreSQL, which reads what it replaces / that statement",
            (puts.median(), by_hand),
            Bound::Context,
        ),
        Figure::times(
            "Store::commit of the 5 rows on PostgreSQL, each guarded / that statement",
            (commits.median(), by_hand),
            Bound::Context,
        ),
        Figure::times(
            "encrypted durable insert of one message on PostgreSQL / a statement that writes the 5 rows and checks nothing",
            (ours, plain_puts.median()),
            Bound::Context,
        ),
        Figure::times(
            "throughput of 64 concurrent encrypted inserts on PostgreSQL / the same one by one",
            group.medians(),
            Bound::ThroughputAtLeast(6.0),
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
    let (mut gets, mut pages, mut decoded_pages) = <(Pair, Pair, Pair)>::default();
    for (number, place) in places.iter().enumerate() {
        // The same message of both.
        let at = number * 997 % rows.len();
        let (key, record) = (Key::of(&messages[at]), &rows[at][0].key);
        let (front, until) = (room_front(&place.room), room_until(&place.room, place.before));
        let by_hand_page = || by_hand.page(&front, &until);
        gets.alternate(number, get(&db, &key), by_hand.get(record)).await?;
        pages.alternate(number, page(&db, place), by_hand_page()).await?;
        decoded_pages.alternate(number, page(&db, place), by_hand_page().map_ok(decoded)).await?;
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
            "that page on PostgreSQL / the same with the records decoded by hand",
            decoded_pages.medians(),
            Bound::RatioAtMost(1.3),
        ),
        Figure::times(
            "get of one message on PostgreSQL / one hand-written SELECT through sqlx",
            gets.medians(),
            Bound::Context,
        )
        .note("ours gives a record, the baseline bytes"),
    ])
}
