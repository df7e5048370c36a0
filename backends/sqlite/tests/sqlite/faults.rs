//! A process that is killed, and a medium that takes no more: what was acknowledged is there, what failed is not, and the
//! store goes on.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Read, Revision, Store, Write};
use strongroom_core::{Error, ErrorKind};
use strongroom_sqlite::{Sqlite, SqliteOptions};

use crate::support::{TOLD, batch, child, commit, page, put, rows, run, skip, told};

const ROWS_A_BATCH: u64 = 5;

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    if let Some((_, path)) = told() {
        return run(commit_until_killed(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    for round in 1..=6 {
        let mut child = child("faults::nothing_acknowledged_is_lost_by_a_kill", "commit", &path);
        let (mut last, mut seen) = (0, 0);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // The test harness writes to the same pipe.
            let Ok(revision) = line.split_whitespace().last().unwrap_or_default().parse() else { continue };
            last = revision;
            seen += 1;
            if seen == round * 7 % 25 + 1 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let found = run(check(&path));
        assert!(found == last || found == last + 1, "{found} found, {last} acknowledged");
    }
}

async fn commit_until_killed(path: &str) {
    let store = Sqlite::open(path).await.unwrap();
    let mut output = std::io::stdout();
    loop {
        let next = store.summarize(&KeyRange::ALL).await.unwrap().as_of.0 + 1;
        let written = (0..ROWS_A_BATCH).map(|row| (format!("{next:08} {row}"), put(next.to_string())));
        // Also remove what is there, so that a torn commit would show.
        let removed = (0..ROWS_A_BATCH)
            .filter(|_| next > 1 && next.is_multiple_of(3))
            .map(|row| (format!("{:08} {row}", next - 1), Write::Delete));
        assert_eq!(commit(&store, batch(written.chain(removed))).await, Revision(next));
        writeln!(output, "{next}").unwrap();
    }
}

/// Checks that the store is as some number of whole commits left it, and gives that number.
async fn check(path: &Path) -> u64 {
    let store = SqliteOptions { check: true, ..SqliteOptions::default() }.open(path).await.unwrap();
    let page = page(&store).await;
    let done = page.as_of.0;
    let kept = (1..=done).filter(|number| *number == done || !(number + 1).is_multiple_of(3));
    let expected: Vec<_> = kept
        .flat_map(|number| (0..ROWS_A_BATCH).map(move |row| (format!("{number:08} {row}").into_bytes(), number)))
        .collect();
    let found: Vec<_> = page.entries.iter().map(|entry| (entry.key.as_bytes().to_vec(), entry.revision.0)).collect();
    assert!(found == expected, "after {done} commits");
    store.close().await.unwrap();
    done
}

/// Commits until it fails; gives how often it did not, and the error. What failed must surely not be there, and the next
/// commit, of less, must work.
async fn commit_until_it_fails(store: &Sqlite) -> (u64, Error) {
    let mut done = 0;
    let error = loop {
        let before = store.summarize(&KeyRange::ALL).await.unwrap();
        let guard = Guard::Range { range: KeyRange::ALL, as_of: before.as_of, rows: before.rows };
        match store.commit(vec![Batch { guards: vec![guard], ..rows(&format!("{done:03}"), 10, 10_000) }]).await {
            Ok(outcomes) => assert!(matches!(outcomes[0], Outcome::Committed(_)), "{outcomes:?}"),
            Err(error) => {
                assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap(), before, "{error}");
                break error;
            }
        }
        done += 1;
        assert!(done < 1_000, "it never fails");
    };
    (done, error)
}

/// Runs `test` as a child that can do less: `sh` sees `limit` first.
fn limited(test: &str, limit: &str, path: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limit} && exec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(TOLD, format!("limited:{}", path.display())).stdin(Stdio::null());
    command
}

/// The log cannot grow past a limit: the write of a commit fails in its middle.
#[test]
fn a_commit_that_cannot_be_written_has_not_happened() {
    let test = "faults::a_commit_that_cannot_be_written_has_not_happened";
    if let Some((_, path)) = told() {
        return run(async {
            let store = Sqlite::open(path).await.unwrap();
            // Held, so that the log cannot begin again.
            let snapshot = store.snapshot().await.unwrap();
            let (done, error) = commit_until_it_fails(&store).await;
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            assert!(done > 3);
            let mut output = std::io::stdout();
            writeln!(output, "\ndone {done}").unwrap();
            // Not closed: the file is as a crash leaves it.
            std::mem::forget((store, snapshot));
            std::process::exit(0);
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let child = limited(test, "trap '' XFSZ && ulimit -f 3000", &path).output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}{}", String::from_utf8_lossy(&child.stderr));
    let done: u64 = output.lines().find_map(|line| line.strip_prefix("done ")).unwrap().parse().unwrap();
    run(async {
        let store = SqliteOptions { check: true, ..SqliteOptions::default() }.open(&path).await.unwrap();
        let found = store.summarize(&KeyRange::ALL).await.unwrap();
        assert_eq!((found.rows, found.as_of), (done * 10, Revision(done)), "a recovery finds what was said");
        store.close().await.unwrap();
    });
}

/// A file system of 4 MiB of its own, where that may be made.
#[test]
fn a_full_disk_is_named_and_the_store_goes_on_when_there_is_space() {
    let test = "faults::a_full_disk_is_named_and_the_store_goes_on_when_there_is_space";
    if let Some((_, path)) = told() {
        return run(async {
            let ballast = Path::new(&path).with_file_name("ballast");
            std::fs::write(&ballast, vec![1; 2_400_000]).unwrap();
            let store = Sqlite::open(&path).await.unwrap();
            let (done, error) = commit_until_it_fails(&store).await;
            assert!(error.kind() == ErrorKind::Io && error.to_string().contains("no space"), "{error}");
            assert!(done > 3);
            // The same again, until there is space.
            assert_eq!(commit_until_it_fails(&store).await.1.kind(), ErrorKind::Io);
            std::fs::remove_file(ballast).unwrap();
            let revision = store.changed(Revision::ZERO).await.unwrap();
            assert_eq!(commit(&store, rows("then", 10, 10_000)).await, revision.next());
            store.close().await.unwrap();
            let store = SqliteOptions { check: true, ..SqliteOptions::default() }.open(&path).await.unwrap();
            assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, revision.next().0 * 10);
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=4m none {}", folder.path().display());
    let may_mount = Command::new("unshare").args(["-rm", "sh", "-c", &mount]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        return skip("no small file system can be made here (run as root, or allow user namespaces)");
    }
    let path = folder.path().join("store.db");
    let mut command = Command::new("unshare");
    let inner = limited(test, &mount, &path);
    command.arg("-rm").arg(inner.get_program()).args(inner.get_args());
    command.env(TOLD, format!("limited:{}", path.display())).stdin(Stdio::null());
    let child = command.output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}{}", String::from_utf8_lossy(&child.stderr));
    assert!(output.contains("1 passed"), "{output}");
}
