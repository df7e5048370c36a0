//! What the store costs over SQL written by hand for the same rows: a durable save of five rows, a get, and a page of 50 with
//! targets. Both on the same disk, in one run and in turns; medians:
//! `cargo run --release -p strongroom-sqlite --example raw [rounds]`.
#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use std::error::Error;
use std::ops::Bound;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};
use strongroom_core::store::{Batch, Fetch, Guard, KeyRange, LinkTo, Read, Scan, Store, StoredKey, Write};
use strongroom_sqlite::Sqlite;

const MESSAGES: u32 = 20_000;
const PAGE: usize = 50;
const VALUE: [u8; 300] = [7; 300];

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let rounds: u32 = std::env::args().nth(1).map_or(Ok(2_000), |text| text.parse())?;
    // In a task, where a program's work is done.
    tokio::spawn(measure(rounds)).await?
}

async fn measure(rounds: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Sqlite::open(folder.path().join("store.db")).await?;
    let mut raw = open_raw(&folder.path().join("raw.db")).await?;
    for first in (0..MESSAGES).step_by(1_000) {
        let writes = (first..first + 1_000).flat_map(message).collect();
        store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
        save_raw(&mut raw, 2_000, (first..first + 1_000).flat_map(message)).await?;
    }
    let five = |round| (0..5).map(move |part| (key("n", round, part), Write::Put(VALUE.to_vec().into())));
    let anywhere = |round: u32| round.wrapping_mul(2_654_435_761) % (MESSAGES - 100);
    // One of each before they count.
    let mut times = [const { Vec::new() }; 6];
    for round in 0..=rounds {
        let start = Instant::now();
        let guards = five(round).map(|(key, _)| Guard::Key { key, revision: None }).collect();
        store.commit(vec![Batch { guards, writes: five(round).collect(), ..Batch::default() }]).await?;
        times[0].push(start.elapsed());
        let start = Instant::now();
        save_raw(&mut raw, 5, five(round)).await?;
        times[1].push(start.elapsed());
    }
    for round in 0..=rounds {
        let key = key("m", anywhere(round), 0);
        let start = Instant::now();
        assert!(store.get(std::slice::from_ref(&key)).await?.rows[0].is_some());
        times[2].push(start.elapsed());
        let start = Instant::now();
        let row = sqlx::query("SELECT revision, link, value FROM rows WHERE key = ?").bind(key.as_bytes());
        let value: Vec<u8> = row.fetch_one(&mut raw).await?.try_get(2)?;
        assert_eq!(value.len(), VALUE.len());
        times[3].push(start.elapsed());
    }
    for round in 0..=rounds {
        let from = key("i", anywhere(round), 0);
        let start = Instant::now();
        let range = KeyRange { start: Bound::Included(from.clone()), ..KeyRange::prefix(b"i") };
        let scan = Scan { range, reverse: false, limit: PAGE, max_bytes: usize::MAX, fetch: Fetch::Targets };
        assert_eq!(store.scan(&scan).await?.entries.len(), PAGE);
        times[4].push(start.elapsed());
        let start = Instant::now();
        assert_eq!(page_raw(&mut raw, &from).await?, PAGE);
        times[5].push(start.elapsed());
    }
    let [save, save_raw, get, get_raw, page, page_raw] = times.each_mut().map(median);
    for (what, store, raw) in
        [("save of 5 rows", save, save_raw), ("get", get, get_raw), ("page of 50 with targets", page, page_raw)]
    {
        println!("{what}: store {store:.1} µs, by hand {raw:.1} µs, ratio {:.2}", store / raw);
    }
    store.close().await?;
    Ok(())
}

fn median(times: &mut Vec<Duration>) -> f64 {
    times.remove(0);
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn key(front: &str, number: u32, part: u32) -> StoredKey {
    StoredKey::from(format!("{front} {number:08} {part}").into_bytes())
}

/// A row and a link to it.
fn message(number: u32) -> [(StoredKey, Write); 2] {
    let target = key("m", number, 0);
    [(target.clone(), Write::Put(VALUE.to_vec().into())), (key("i", number, 0), Write::Link(LinkTo::Key(target)))]
}

async fn open_raw(path: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).disable_statement_logging();
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.row_buffer_size(64).pragma("cache_size", "-8192").connect().await?;
    let table = "CREATE TABLE rows (key BLOB NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, link INTEGER, value BLOB) \
                 STRICT, WITHOUT ROWID";
    sqlx::query(table).execute(&mut connection).await?;
    Ok(connection)
}

async fn save_raw(
    raw: &mut SqliteConnection,
    count: usize,
    rows: impl Iterator<Item = (StoredKey, Write)>,
) -> Result<()> {
    let sql = format!("REPLACE INTO rows VALUES {}", vec!["(?,?,?,?)"; count].join(","));
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for (key, write) in rows {
        query = query.bind(key.as_bytes()).bind(1_i64);
        query = match write {
            Write::Link(LinkTo::Key(target)) => query.bind(-1_i64).bind(target.as_bytes()),
            Write::Put(value) => query.bind(None::<i64>).bind(value.as_ref()),
            Write::Link(LinkTo::Suffix(_)) | Write::Delete => unreachable!("these rows are values and links to keys"),
        };
    }
    query.execute(raw).await?;
    Ok(())
}

async fn page_raw(raw: &mut SqliteConnection, from: &StoredKey) -> Result<usize> {
    let sql = "SELECT r.key, r.revision, t.key, t.revision, t.value FROM rows r JOIN rows t ON t.key = r.value \
               WHERE r.key >= ? AND r.key < ? ORDER BY r.key LIMIT ?";
    let query = sqlx::query(sql).bind(from.as_bytes()).bind(b"j".as_slice()).bind(i64::try_from(PAGE)?);
    let mut rows = query.fetch(raw);
    let mut page = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let (key, target, value): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(2)?, row.try_get(4)?);
        let revisions: (i64, i64) = (row.try_get(1)?, row.try_get(3)?);
        page.push((key, target, value, revisions));
    }
    Ok(page.len())
}
