//! A process that is killed in the middle of committing: every acknowledged batch is there, and none by half.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, Fetch, KeyRange, Outcome, Read, Scan, Store, StoredKey, Write};
use strongroom_redb::{Redb, RedbOptions};

const PATH: &str = "STRONGROOM_CRASH_TEST_PATH";
const ROWS_A_BATCH: u64 = 5;
const KILLS: usize = 6;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

fn options(quick_repair: bool) -> RedbOptions {
    RedbOptions { quick_repair, ..RedbOptions::default() }
}

/// What the child process does: the test that starts it, run again with a path.
fn commit_until_killed(path: &OsStr, quick_repair: bool) {
    let store = options(quick_repair).open(path).unwrap();
    let mut output = std::io::stdout();
    writeln!(output, "open").unwrap();
    run(async {
        loop {
            let next = store.summarize(&KeyRange::ALL).await.unwrap().as_of.0 + 1;
            let writes = (0..ROWS_A_BATCH).map(|row| {
                (StoredKey::from(format!("{next:08} {row}").into_bytes()), Write::Put(next.to_string().into()))
            });
            // Also change and remove what is there, so that a torn commit would show.
            let last = (0..ROWS_A_BATCH)
                .filter(|_| next > 1 && next.is_multiple_of(3))
                .map(|row| (StoredKey::from(format!("{:08} {row}", next - 1).into_bytes()), Write::Delete));
            let batch = Batch { writes: writes.chain(last).collect(), ..Batch::default() };
            let outcomes = store.commit(vec![batch]).await.unwrap();
            assert!(matches!(outcomes[0], Outcome::Committed(revision) if revision.0 == next));
            writeln!(output, "{next}").unwrap();
        }
    });
}

/// Runs `test` in a child process, on the store at `path`.
fn child(test: &str, path: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(PATH, path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Lets a child commit, kills it, and gives the last revision that it acknowledged.
fn commit_and_kill(test: &str, path: &Path, acknowledged: usize) -> u64 {
    let mut child = child(test, path);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    let mut seen = 0;
    for line in lines {
        let line = line.unwrap();
        // The test harness writes to the same pipe.
        let word = line.split_whitespace().last().unwrap_or_default();
        if word == "open" {
            assert_eq!(Redb::open(path).unwrap_err().kind(), ErrorKind::Busy, "another process has it open");
        } else if let Ok(revision) = word.parse() {
            last = revision;
            seen += 1;
            // What comes after the kill, until the pipe ends, was acknowledged before it.
            if seen == acknowledged {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(seen >= acknowledged, "the child ended by itself");
    last
}

/// Checks that the store is as some number of whole commits left it, and gives that number.
fn check(path: &Path, quick_repair: bool) -> u64 {
    run(async {
        let store = options(quick_repair).open(path).unwrap();
        let scan =
            Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values };
        let page = store.scan(&scan).await.unwrap();
        assert!(!page.more);
        let done = page.as_of.0;
        let kept = (1..=done).filter(|number| *number == done || !(number + 1).is_multiple_of(3));
        let expected: Vec<_> = kept
            .flat_map(|number| (0..ROWS_A_BATCH).map(move |row| (format!("{number:08} {row}").into_bytes(), number)))
            .collect();
        let found: Vec<_> =
            page.entries.iter().map(|entry| (entry.key.as_bytes().to_vec(), entry.revision.0)).collect();
        assert!(found == expected, "after {done} commits");
        // And it goes on.
        drop(store.commit(Vec::new()).await.unwrap());
        done
    })
}

fn kill_and_check(test: &str, quick_repair: bool) {
    if let Some(path) = env::var_os(PATH) {
        return commit_until_killed(&path, quick_repair);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    for round in 1..=KILLS {
        let acknowledged = commit_and_kill(test, &path, round * 7 % 25 + 1);
        let found = check(&path, quick_repair);
        assert!(found == acknowledged || found == acknowledged + 1, "{found} found, {acknowledged} acknowledged");
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    kill_and_check("nothing_acknowledged_is_lost_by_a_kill", true);
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill_without_quick_repair() {
    kill_and_check("nothing_acknowledged_is_lost_by_a_kill_without_quick_repair", false);
}

#[test]
fn a_kill_during_creation_leaves_a_place_that_opens() {
    if let Some(path) = env::var_os(PATH) {
        return commit_until_killed(&path, true);
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let path = folder.path().join(format!("{round}.redb"));
        let mut child = child("a_kill_during_creation_leaves_a_place_that_opens", &path);
        // As soon as anything is to be seen in the folder; later rounds wait a little longer.
        for _ in 0..round * 200 {
            std::thread::yield_now();
        }
        while std::fs::read_dir(folder.path()).unwrap().count() <= round {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        run(Redb::open(&path).unwrap().close()).unwrap();
        // What a killed creation leaves under another name is in nobody's way.
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().ends_with(".new") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}
