//! One stack at one size.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use strongroom::matrix::MatrixStore;
use strongroom::{Result, Timestamp};

use super::child::{self, Task};
use crate::rounds::Rounds;
use crate::site::Site;
use crate::stacks::{Engine, Layers, database};
use crate::workload::{
    TOGETHER, Workload, claim, delete_before, get, mixed, one_time_keys, page, publish, save, save_together,
    thread_page,
};

const ROUNDS: usize = 101;
/// Gets in a round, and rounds of pages for each of the others.
const READS: usize = 10;
/// Messages that are read again and again.
const HOT: usize = 50;
/// Saves of the child before it is killed.
const CRASH_SAVES: usize = 20;

/// What was measured of one stack at one size: nanoseconds are medians of one call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) messages: u64,
    /// Of the import of one message, in transactions of many.
    pub(super) import_ns: u64,
    pub(super) save_ns: u64,
    /// Of one of many at the same time.
    pub(super) together_ns: u64,
    /// Of any message, each read once.
    pub(super) cold_ns: u64,
    /// Of a few messages that are read again and again.
    pub(super) hot_ns: u64,
    pub(super) page_ns: u64,
    pub(super) thread_ns: u64,
    pub(super) claim_ns: u64,
    /// Of ten operations, of which one is a save.
    pub(super) mixed_ns: u64,
    /// Of the deletion of one message, among many before a time.
    pub(super) delete_ns: u64,
    /// Of opening the store after its process was killed.
    pub(super) reopen_ns: u64,
    /// The most memory that an importing process has had.
    pub(super) peak_bytes: u64,
    /// On the medium after a compaction.
    pub(super) disk_bytes: u64,
}

/// The store of a point, which goes with it.
const STORE: &str = "store";

/// Measures one stack at one size, in a store of its own.
pub(super) async fn point(site: &Site, engine: Engine, layers: Layers, messages: u64) -> Result<Point> {
    let workload = Workload::default();
    let url = site.url(engine, STORE)?;
    let import = Task::import(&url, layers.encrypted, messages);
    let imported = child::start(&import).await?;
    let mut point =
        Point { messages, import_ns: imported.message_ns, peak_bytes: imported.peak_bytes, ..Point::default() };
    let db = database(&url, layers).await?;
    point.disk_bytes = site.compacted_bytes(engine, &db).await?;
    db.close().await?;
    child::crash(&Task::saves(&url, layers.encrypted, messages), CRASH_SAVES).await?;
    let begin = Instant::now();
    let db = database(&url, layers).await?;
    point.reopen_ns = begin.elapsed().as_nanos() as u64;

    let mut cold = Rounds::default();
    for keys in workload.keys(ROUNDS * READS, messages).chunks(READS) {
        cold.time(READS, |number| get(&db, &keys[number])).await?;
    }
    point.cold_ns = cold.median();
    let hot = workload.keys(HOT, messages);
    let (mut hot_gets, mut pages, mut threads) = <(Rounds, Rounds, Rounds)>::default();
    for place in &workload.places(ROUNDS * READS, messages) {
        hot_gets.time(HOT, |number| get(&db, &hot[number])).await?;
        pages.time(1, |_| page(&db, place)).await?;
        threads.time(1, |_| thread_page(&db, place)).await?;
    }
    (point.hot_ns, point.page_ns, point.thread_ns) = (hot_gets.median(), pages.median(), threads.median());

    // Past those that the child has saved.
    let next = 2 * messages;
    let (mut saves, mut together, mut mixes, mut claims) = <(Rounds, Rounds, Rounds, Rounds)>::default();
    let store = MatrixStore::new(db.clone())?;
    publish(&store, &one_time_keys(0..ROUNDS as u64)).await?;
    let places = workload.places(ROUNDS, messages);
    for number in 0..ROUNDS as u64 {
        let first = next + number * (TOGETHER as u64 + 2);
        let new = workload.messages(first..first + TOGETHER as u64 + 1)?;
        saves.time(1, |_| save(&db, &new[0])).await?;
        let begin = Instant::now();
        save_together(&db, &new[1..]).await?;
        together.note(begin.elapsed(), TOGETHER);
        if let Some(place) = places.get(number as usize) {
            mixes.time(1, |_| mixed(&db, &workload, &hot, place, first + TOGETHER as u64 + 1)).await?;
        }
        claims.time(1, |_| claim(&store)).await?;
    }
    (point.save_ns, point.together_ns) = (saves.median(), together.median());
    (point.mixed_ns, point.claim_ns) = (mixes.median(), claims.median());
    // A tenth of the largest room, however large.
    let before: Timestamp = workload.time(messages / 10);
    let begin = Instant::now();
    let deleted = delete_before(&db, &workload.largest_room(), before).await?;
    point.delete_ns = (begin.elapsed().as_nanos() / u128::from(deleted.max(1))) as u64;
    db.close().await?;
    site.remove(engine, STORE).await?;
    Ok(point)
}
