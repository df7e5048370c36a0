//! What the tests of SQLite share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use strongroom_core::store::{
    Batch, Fetch, Guard, KeyRange, Outcome, Page, Read, Revision, Scan, Store, StoredKey, Write,
};

/// Runs a test in a runtime as a program has it.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(test)
}

pub fn key(name: impl AsRef<[u8]>) -> StoredKey {
    StoredKey::from(name.as_ref().to_vec())
}

pub fn put(value: impl AsRef<[u8]>) -> Write {
    Write::Put(value.as_ref().to_vec().into())
}

pub fn batch<K: AsRef<[u8]>>(writes: impl IntoIterator<Item = (K, Write)>) -> Batch {
    let writes: BTreeMap<_, _> = writes.into_iter().map(|(name, write)| (key(name), write)).collect();
    Batch { writes, ..Batch::default() }
}

/// `count` rows of so many bytes each.
pub fn rows(front: &str, count: usize, bytes: usize) -> Batch {
    batch((0..count).map(|number| (format!("{front}{number:06}"), put(vec![number.to_le_bytes()[0]; bytes]))))
}

pub fn guard(name: &str, revision: Option<Revision>) -> Guard {
    Guard::Key { key: key(name), revision }
}

/// Commits one batch that must succeed.
pub async fn commit(store: &dyn Store, batch: Batch) -> Revision {
    match store.commit(vec![batch]).await.unwrap().as_slice() {
        [Outcome::Committed(revision)] => *revision,
        other => panic!("not committed: {other:?}"),
    }
}

pub fn everything() -> Scan {
    Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Targets }
}

pub async fn page(store: &dyn Read) -> Page {
    store.scan(&everything()).await.unwrap()
}

/// Says that a test is skipped, for what this machine lacks. In CI nothing may be.
pub fn skip(reason: &str) {
    assert_ne!(env::var("STRONGROOM_CI").as_deref(), Ok("1"), "in CI nothing may be skipped: {reason}");
    // Not by `eprintln!`, which the test harness would keep to itself.
    std::io::stderr().write_all(format!("\nSKIPPED: {reason}\n").as_bytes()).unwrap();
}

/// What a child process is told by the test that starts it.
pub const TOLD: &str = "STRONGROOM_SQLITE_TEST";

/// Runs `test`, named with its module, once more, in a process of its own that finds `told` and the path.
pub fn child(test: &str, told: &str, path: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(TOLD, format!("{told}:{}", path.display()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// What this process was told, if it is a child.
pub fn told() -> Option<(String, String)> {
    let told = env::var(TOLD).ok()?;
    let (told, path) = told.split_once(':').unwrap();
    Some((told.to_owned(), path.to_owned()))
}
