//! What the store costs over SQL written by hand for the same rows: a durable save of five rows, a get, and a page of 50 with
//! targets; and how much faster 64 writers at the same time are than one by one. Both on the same server, in one run and in turns;
//! medians: `cargo run --release -p strongroom-postgres --example raw postgres://user@host/database [rounds]`.
//!
//! It writes into the schemas `raw_ours` and `raw_hand`, and removes both at the end.
#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use std::error::Error;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgPool, Row};
use strongroom_core::store::{Batch, Fetch, Guard, KeyRange, LinkTo, Read, Scan, Store, StoredKey, Write};
use strongroom_core::{Database, Record, Schema};
use strongroom_postgres::{Postgres, Server};

const MESSAGES: u32 = 20_000;
const PAGE: usize = 50;
const GROUP: u32 = 64;
const VALUE: [u8; 300] = [7; 300];

/// A record with an index, as `writers` save it.
#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(room, id), crate = ::strongroom_core)]
#[index(id = 1, name = "by_id", on(id: ordered))]
struct Note {
    room: u32,
    id: u32,
    text: String,
}

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("name the server: postgres://user@host/database")?;
    let rounds: u32 = arguments.next().map_or(Ok(500), |text| text.parse())?;
    // In a task, where a program's work is done.
    tokio::spawn(measure(url, rounds)).await?
}

async fn measure(url: String, rounds: u32) -> Result<()> {
    // As a program has it: connections that wait, and are not asked each time whether they are still there.
    let raw = PgPoolOptions::new().max_connections(8).test_before_acquire(false).connect(&url).await?;
    raw.execute("DROP SCHEMA IF EXISTS raw_ours, raw_hand CASCADE").await?;
    raw.execute(
        "CREATE SCHEMA raw_hand; CREATE TABLE raw_hand.rows (store bigint NOT NULL, key bytea NOT NULL, \
         revision bigint NOT NULL, target bytea, value bytea, PRIMARY KEY (store, key)); \
         CREATE TABLE raw_hand.stores (id bigint PRIMARY KEY, revision bigint NOT NULL) WITH (fillfactor = 20); \
         INSERT INTO raw_hand.stores VALUES (1, 0)",
    )
    .await?;
    let server = Server::connect(&format!("{url}?schema=raw_ours")).await?;
    let store = server.namespace("one").await?;
    for first in (0..MESSAGES).step_by(1_000) {
        let writes = (first..first + 1_000).flat_map(message).collect();
        store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
        save_raw(&raw, (first..first + 1_000).flat_map(message)).await?;
    }
    raw.execute("VACUUM ANALYZE raw_ours.rows").await?;
    raw.execute("VACUUM ANALYZE raw_hand.rows").await?;
    saves(&store, &raw, rounds).await?;
    gets(&store, &raw, rounds).await?;
    pages(&store, &raw, rounds).await?;
    store.close().await?;
    writers(server.namespace("two").await?, rounds.div_ceil(10)).await?;
    server.close().await;
    raw.execute("DROP SCHEMA raw_ours, raw_hand CASCADE").await?;
    Ok(())
}

async fn saves(store: &Postgres, raw: &PgPool, rounds: u32) -> Result<()> {
    let mut times = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        let start = Instant::now();
        store.commit(vec![save("n", round)]).await?;
        times[0].push(start.elapsed());
        let start = Instant::now();
        save_guarded(raw, five("n", round)).await?;
        times[1].push(start.elapsed());
        let start = Instant::now();
        save_raw(raw, five("o", round)).await?;
        times[2].push(start.elapsed());
    }
    let [store, guarded, rows] = times;
    print("save of 5 rows, next to a statement with guards and revision", [store.clone(), guarded]);
    print("save of 5 rows, next to one that inserts", [store, rows]);
    Ok(())
}

async fn gets(store: &Postgres, raw: &PgPool, rounds: u32) -> Result<()> {
    let mut times = [const { Vec::new() }; 2];
    for round in 0..=rounds {
        let key = key("m", anywhere(round), 0);
        let start = Instant::now();
        assert!(store.get(std::slice::from_ref(&key)).await?.rows[0].is_some());
        times[0].push(start.elapsed());
        let start = Instant::now();
        let row = sqlx::query("SELECT revision, value FROM raw_hand.rows WHERE store = $1 AND key = $2");
        let value: Vec<u8> = row.bind(1_i64).bind(key.as_bytes()).fetch_one(raw).await?.try_get(1)?;
        assert_eq!(value.len(), VALUE.len());
        times[1].push(start.elapsed());
    }
    print("get", times);
    Ok(())
}

async fn pages(store: &Postgres, raw: &PgPool, rounds: u32) -> Result<()> {
    let mut times = [const { Vec::new() }; 2];
    for round in 0..=rounds {
        let from = key("i", anywhere(round), 0);
        let start = Instant::now();
        let range = KeyRange { start: Bound::Included(from.clone()), ..KeyRange::prefix(b"i") };
        let scan = Scan { range, reverse: false, limit: PAGE, max_bytes: usize::MAX, fetch: Fetch::Targets };
        assert_eq!(store.scan(&scan).await?.entries.len(), PAGE);
        times[0].push(start.elapsed());
        let start = Instant::now();
        assert_eq!(page_raw(raw, &from).await?, PAGE);
        times[1].push(start.elapsed());
    }
    print("page of 50 with targets", times);
    Ok(())
}

/// The store against itself: writers that wait at the same time, whose batches the database commits together, and one after
/// another.
async fn writers(store: Postgres, rounds: u32) -> Result<()> {
    let db = Database::open(Arc::new(store), Schema::builder("raw", 1).collection::<Note>().build()?).await?;
    let mut times = [const { Vec::new() }; 2];
    for round in 0..=rounds {
        let notes = |room: u32| (0..GROUP).map(move |id| Note { room, id, text: "x".repeat(VALUE.len()) });
        let start = Instant::now();
        let writers = notes(2 * round).map(|note| {
            let db = db.clone();
            tokio::spawn(async move { db.insert(&note).await })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await??;
        }
        times[0].push(start.elapsed());
        let start = Instant::now();
        for note in notes(2 * round + 1) {
            db.insert(&note).await?;
        }
        times[1].push(start.elapsed());
    }
    let [together, alone] = times.each_mut().map(median);
    println!(
        "{GROUP} writers: at the same time {together:.0} µs, one by one {alone:.0} µs, {:.1} times as fast",
        alone / together
    );
    Ok(db.close().await?)
}

fn print(what: &str, mut times: [Vec<Duration>; 2]) {
    let [store, raw] = times.each_mut().map(median);
    println!("{what}: store {store:.0} µs, by hand {raw:.0} µs, ratio {:.2}", store / raw);
}

/// The first one of each does not count.
fn median(times: &mut Vec<Duration>) -> f64 {
    times.remove(0);
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn key(front: &str, number: u32, part: u32) -> StoredKey {
    StoredKey::from(format!("{front} {number:08} {part}").into_bytes())
}

fn anywhere(round: u32) -> u32 {
    round.wrapping_mul(2_654_435_761) % (MESSAGES - 100)
}

fn five(front: &'static str, number: u32) -> impl Iterator<Item = (StoredKey, Write)> {
    (0..5).map(move |part| (key(front, number, part), Write::Put(VALUE.to_vec().into())))
}

fn save(front: &'static str, number: u32) -> Batch {
    let guards = five(front, number).map(|(key, _)| Guard::Key { key, revision: None }).collect();
    Batch { guards, writes: five(front, number).collect(), ..Batch::default() }
}

/// A row and a link to it.
fn message(number: u32) -> [(StoredKey, Write); 2] {
    let target = key("m", number, 0);
    [(target.clone(), Write::Put(VALUE.to_vec().into())), (key("i", number, 0), Write::Link(LinkTo::Key(target)))]
}

async fn save_raw(raw: &PgPool, rows: impl Iterator<Item = (StoredKey, Write)>) -> Result<()> {
    let (mut keys, mut targets, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (key, write) in rows {
        keys.push(key.as_bytes().to_vec());
        targets.push(match &write {
            Write::Link(LinkTo::Key(target)) => Some(target.as_bytes().to_vec()),
            _ => None,
        });
        values.push(match &write {
            Write::Put(value) => Some(value.to_vec()),
            _ => None,
        });
    }
    let sql = "INSERT INTO raw_hand.rows SELECT 1, u.key, 1, u.target, u.value \
               FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) u(key, target, value) ON CONFLICT (store, key) \
               DO UPDATE SET revision = excluded.revision, target = excluded.target, value = excluded.value";
    sqlx::query(sql).bind(keys).bind(targets).bind(values).execute(raw).await?;
    Ok(())
}

/// What a save promises, as one statement for somebody who writes alone: nothing is there yet, and the revision goes on.
async fn save_guarded(raw: &PgPool, rows: impl Iterator<Item = (StoredKey, Write)>) -> Result<()> {
    let (keys, values): (Vec<_>, Vec<_>) = rows
        .map(|(key, write)| match write {
            Write::Put(value) => (key.as_bytes().to_vec(), Some(value.to_vec())),
            Write::Link(_) | Write::Delete => (key.as_bytes().to_vec(), None),
        })
        .unzip();
    let sql = "WITH head AS (UPDATE raw_hand.stores s SET revision = s.revision + 1 WHERE s.id = 1 AND NOT EXISTS \
               (SELECT FROM unnest($1::bytea[]) g(key) JOIN raw_hand.rows r ON r.store = 1 AND r.key = g.key) \
               RETURNING s.revision), \
               put AS (INSERT INTO raw_hand.rows SELECT 1, u.key, head.revision, NULL, u.value \
               FROM unnest($1::bytea[], $2::bytea[]) u(key, value), head ON CONFLICT (store, key) \
               DO UPDATE SET revision = excluded.revision, target = excluded.target, value = excluded.value) \
               SELECT revision FROM head";
    let saved = sqlx::query(sql).bind(keys).bind(values).fetch_all(raw).await?;
    assert_eq!(saved.len(), 1);
    Ok(())
}

async fn page_raw(raw: &PgPool, from: &StoredKey) -> Result<usize> {
    let sql = "SELECT r.key, r.revision, t.key, t.revision, t.value FROM raw_hand.rows r \
               JOIN raw_hand.rows t ON t.store = r.store AND t.key = r.target \
               WHERE r.store = $1 AND r.key >= $2 AND r.key < $3 ORDER BY r.key LIMIT $4";
    let query = sqlx::query(sql).bind(1_i64).bind(from.as_bytes()).bind(b"j".as_slice()).bind(i64::try_from(PAGE)?);
    let mut page = Vec::new();
    for row in query.fetch_all(raw).await? {
        let (key, target, value): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(2)?, row.try_get(4)?);
        let revisions: (i64, i64) = (row.try_get(1)?, row.try_get(3)?);
        page.push((key, target, value, revisions));
    }
    Ok(page.len())
}
