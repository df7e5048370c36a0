//! Many processes that write to one server.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use strongroom_core::cache::{CacheOptions, Freshness};
use strongroom_core::matrix::{DeviceId, MatrixStore, OneTimeKey, UserId};
use strongroom_core::store::{Batch, KeyPrefix, Revision, Store};
use strongroom_core::{Database, ErrorKind, ManualClock, Record, Schema, Timestamp};
use strongroom_postgres::{Postgres, Server};

use crate::site::child::{Child, hear, say};
use crate::site::{NAMESPACE, Site, commit, get, guarded, key, keys, puts, run, stamped, text, with};

const PROCESSES: usize = 4;
const WRITERS_EACH: usize = 16;
/// Commits of each writer.
const COMMITS: u64 = 25;
/// Commits of one who is alone.
const COMMITS_ALONE: u64 = 100;
const KEYS: u32 = 40;

/// Before the rows that say in which order commits came.
const LOG: &str = "log/";
/// The counter that all add to.
const TOGETHER: &str = "together";

/// What a child does.
pub(crate) async fn serve(role: &str, url: &str) {
    match role.split_once(':') {
        Some(("one", process)) => write_to_one(process, url).await,
        Some(("many", process)) => write_to_many(process, url).await,
        _ if role == "claim" => claim_all(url).await,
        _ if role == "open" => open_and_tell(url).await,
        _ => write_notes(url).await,
    }
}

/// Adds to a counter, guarded by what was read, and to the log. Until it was done; how often that was tried is of no interest.
async fn increment(store: &dyn Store, counter: &str) -> Revision {
    loop {
        let row = get(store, counter).await.unwrap();
        let number = row.as_ref().map_or(0, |row| text(row).parse::<u64>().unwrap());
        let value = (number + 1).to_string().into_bytes();
        let next = Batch {
            writes: [(key(counter), strongroom_core::store::Write::Put(value.into()))].into(),
            stamped: vec![(KeyPrefix(key(LOG)), "entry".into())],
            ..Batch::default()
        };
        match commit(store, guarded(counter, row.map(|row| row.revision), next)).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            revision => return revision.unwrap(),
        }
    }
}

async fn write(store: &dyn Store, name: &str) {
    for _ in 0..COMMITS {
        say(increment(store, name).await);
    }
}

async fn write_to_one(process: &str, url: &str) {
    let store = Postgres::open(url).await.unwrap();
    say("ready");
    hear();
    join_all((0..WRITERS_EACH).map(|writer| {
        let (store, name) = (&store, format!("counter/{process}/{writer}"));
        async move {
            write(store, &name).await;
            say(increment(store, TOGETHER).await);
        }
    }))
    .await;
    store.close().await.unwrap();
}

async fn write_to_many(process: &str, url: &str) {
    let server = Server::connect(url).await.unwrap();
    let namespaces = (0..WRITERS_EACH).map(|writer| {
        let (server, name) = (&server, format!("{process}/{writer}"));
        async move { server.namespace(&name).await }
    });
    let stores: Vec<_> = join_all(namespaces).await.into_iter().map(Result::unwrap).collect();
    say("ready");
    hear();
    join_all(stores.iter().map(|store| write(store, "counter"))).await;
    server.close().await;
}

/// The lines of each process, and the seconds that all of them took.
fn run_all(role: &str, url: &str) -> (Vec<Vec<String>>, f64) {
    let mut children: Vec<_> = (0..PROCESSES).map(|process| Child::start(&format!("{role}:{process}"), url)).collect();
    for child in &mut children {
        assert_eq!(child.next_line().as_deref(), Some("ready"));
    }
    let began = Instant::now();
    children.iter_mut().for_each(Child::go_on);
    let lines = children.into_iter().map(Child::rest).collect();
    (lines, began.elapsed().as_secs_f64())
}

#[allow(clippy::print_stderr, reason = "figures, for information")]
fn tell(what: &str, commits: u64, seconds: f64) {
    eprintln!("{what}: {:.0} commits per second", commits as f64 / seconds);
}

pub(crate) fn every_increment_of_four_processes_is_there() {
    const EACH: u64 = COMMITS + 1;
    run(async {
        let site = Site::new();
        let store = site.beside().await;
        let began = Instant::now();
        for _ in 0..COMMITS_ALONE {
            increment(&store, "alone").await;
        }
        tell("one writer", COMMITS_ALONE, began.elapsed().as_secs_f64());
        let (lines, seconds) = run_all("one", &site.direct_url(NAMESPACE));
        let commits = EACH * (PROCESSES * WRITERS_EACH) as u64;
        tell("64 writers in 4 processes to one namespace", commits, seconds);
        for process in 0..PROCESSES {
            for writer in 0..WRITERS_EACH {
                let counter = get(&store, &format!("counter/{process}/{writer}")).await.unwrap().unwrap();
                assert_eq!(text(&counter), COMMITS.to_string(), "{process}/{writer}");
            }
        }
        let together = get(&store, TOGETHER).await.unwrap().unwrap();
        assert_eq!(text(&together), (PROCESSES * WRITERS_EACH).to_string());
        // Each had a revision of its own, and they are those in the store, without a gap.
        let given: Vec<u64> = lines.iter().flatten().map(|line| line.parse().unwrap()).collect();
        let distinct: BTreeSet<u64> = given.iter().copied().collect();
        assert_eq!(given.len() as u64, commits);
        assert_eq!(distinct, (COMMITS_ALONE + 1..=COMMITS_ALONE + commits).collect());
        assert_eq!(keys(&store, LOG).await.unwrap().len() as u64, COMMITS_ALONE + commits);
    });
}

pub(crate) fn namespaces_of_four_processes_do_not_wait_for_each_other() {
    run(async {
        let site = Site::new();
        // Another program keeps one of them locked. Nobody who writes to others waits for that.
        let locked = Arc::new(site.beside().await);
        let mut other = site.session().await;
        let lock = site.sql("BEGIN; SELECT FROM :schema.namespaces FOR UPDATE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
        let patient = locked.clone();
        let waits = tokio::spawn(async move { commit(&*patient, puts(["row"])).await });
        let url = with(&site.server.url(), &[("schema", &site.schema)]);
        let (lines, seconds) = run_all("many", &url);
        tell("64 writers in 4 processes to 64 namespaces", COMMITS * (PROCESSES * WRITERS_EACH) as u64, seconds);
        assert!(!waits.is_finished());
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        waits.await.unwrap().unwrap();
        let server = Server::connect(&url).await.unwrap();
        assert_eq!(lines.iter().map(Vec::len).sum::<usize>(), COMMITS as usize * PROCESSES * WRITERS_EACH);
        for process in 0..PROCESSES {
            for writer in 0..WRITERS_EACH {
                let store = server.namespace(&format!("{process}/{writer}")).await.unwrap();
                let counter = get(&store, "counter").await.unwrap().unwrap();
                assert_eq!((text(&counter), counter.revision), (COMMITS.to_string(), Revision(COMMITS)));
            }
        }
    });
}

const ALGORITHM: &str = "signed_curve25519";

fn owner() -> (UserId, DeviceId) {
    ("@ada:example.org".into(), "PHONE".into())
}

/// Tells each key that it is given, until there is none.
async fn claim_all(url: &str) {
    let store = MatrixStore::open(Postgres::open(url).await.unwrap()).await.unwrap();
    say("ready");
    hear();
    let (user, device) = owner();
    let claimers = (0..4).map(|_| async {
        while let Some(key) = store.claim_one_time_key(&user, &device, ALGORITHM).await.unwrap() {
            say(key.key);
        }
    });
    join_all(claimers).await;
}

pub(crate) fn two_processes_are_given_each_key_once() {
    run(async {
        let site = Site::new();
        let store = MatrixStore::open(site.beside().await).await.unwrap();
        let (user_id, device_id) = owner();
        for number in 0..KEYS {
            let key = OneTimeKey {
                user_id: user_id.clone(),
                device_id: device_id.clone(),
                key_id: format!("{ALGORITHM}:{number}").into(),
                key: format!("key {number}"),
                algorithm: ALGORITHM.to_owned(),
                created_at: Timestamp::from_millis(i64::from(number)),
                used_at: None,
            };
            store.database().insert(&key).await.unwrap();
        }
        let url = site.direct_url(NAMESPACE);
        let mut children = [Child::start("claim", &url), Child::start("claim", &url)];
        for child in &mut children {
            assert_eq!(child.next_line().as_deref(), Some("ready"));
        }
        children.iter_mut().for_each(Child::go_on);
        let given: Vec<String> = children.into_iter().flat_map(Child::rest).collect();
        let distinct: BTreeSet<&String> = given.iter().collect();
        assert_eq!((given.len(), distinct.len()), (KEYS as usize, KEYS as usize));
    });
}

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "followed", key(id), changes)]
struct Followed {
    id: u32,
    text: String,
}

fn followed(text: &str) -> Followed {
    Followed { id: 1, text: text.into() }
}

fn schema() -> Schema {
    Schema::builder("followed", 1).collection::<Followed>().build().unwrap()
}

/// Writes each time it is told to.
async fn write_notes(url: &str) {
    let db = Database::open(Postgres::open(url).await.unwrap(), schema()).await.unwrap();
    say("ready");
    for text in ["second", "third"] {
        hear();
        db.put(&followed(text)).await.unwrap();
        say("written");
    }
}

pub(crate) fn another_process_is_seen_at_once_by_cache_watch_and_change_feed() {
    run(async {
        let site = Site::new();
        let open = |options: CacheOptions| {
            let url = site.direct_url(NAMESPACE);
            async move { Database::open(options.over(Postgres::open(&url).await.unwrap()), schema()).await.unwrap() }
        };
        let exact = open(CacheOptions::default()).await;
        let mut options = CacheOptions::default();
        // The time does not pass: what was read stays as it was for as long as nothing is told.
        options.freshness = Freshness::Stale { stale_ms_max: 1_000 };
        options.clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let stale = open(options).await;
        exact.put(&followed("first")).await.unwrap();
        let mut child = Child::start("notes", &site.direct_url(NAMESPACE));
        assert_eq!(child.next_line().as_deref(), Some("ready"));
        let one = Followed::key(&1);
        let text = |note: Option<Followed>| note.unwrap().text;
        let mut feed = pin!(exact.watch(exact.change_cursor().await.unwrap()));
        for expected in ["second", "third"] {
            let revision = exact.snapshot().await.unwrap().revision();
            stale.changed(Revision(revision.0 - 1)).await.unwrap();
            let before = text(stale.get(&one).await.unwrap());
            let waits = stale.clone();
            let told = tokio::spawn(async move { waits.changed(revision).await });
            child.go_on();
            assert_eq!(child.next_line().as_deref(), Some("written"));
            assert_eq!(text(exact.get(&one).await.unwrap()), expected, "at once");
            assert!(told.await.unwrap().unwrap() > revision);
            assert_eq!(text(stale.get(&one).await.unwrap()), expected, "once it was told, and not {before}");
            let change = feed.try_next().await.unwrap().unwrap();
            assert_eq!(change.key::<Followed>(), Some(one.clone()));
        }
        child.rest();
    });
}

/// Opens a store of a schema that others open as well, and writes to it.
async fn open_and_tell(url: &str) {
    say("ready");
    hear();
    let store = Postgres::open(url).await.unwrap();
    commit(&store, stamped(LOG)).await.unwrap();
    say("opened");
}
