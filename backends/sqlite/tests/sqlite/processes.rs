//! Several handles and processes on one file.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, Content, Guard, KeyRange, Outcome, Read, Revision, Store};
use strongroom_sqlite::{Sqlite, SqliteOptions};

use crate::support::{batch, child, commit, guard, key, page, put, run, told};

const INCREMENTS: u64 = 150;

/// The number in a row, and the row's revision.
async fn counter(store: &dyn Read) -> (u64, Option<Revision>) {
    let rows = store.get(&[key("counter")]).await.unwrap().rows;
    rows[0].as_ref().map_or((0, None), |row| match &row.content {
        Content::Value(value) => (std::str::from_utf8(value).unwrap().parse().unwrap(), Some(row.revision)),
        _ => panic!("a counter is a value"),
    })
}

/// Adds one, guarded by what was read, until nobody was faster.
async fn increment(store: &dyn Store) {
    loop {
        let (number, revision) = counter(store).await;
        let guards = vec![guard("counter", revision)];
        let next = Batch { guards, ..batch([("counter", put((number + 1).to_string()))]) };
        match store.commit(vec![next]).await.unwrap()[0] {
            Outcome::Committed(_) => return,
            Outcome::Conflict { guard: 0 } => {}
            ref other => panic!("{other:?}"),
        }
    }
}

/// What a child process does when it is told to.
fn serve(told: &str, path: &str) {
    run(async {
        let store = Sqlite::open(path).await.unwrap();
        match told {
            "increment" => {
                for _ in 0..INCREMENTS {
                    increment(&store).await;
                }
            }
            // One commit a line that it is sent.
            "commit" => {
                println_now("open");
                for line in std::io::stdin().lines() {
                    let revision = commit(&store, batch([(line.unwrap(), put("theirs"))])).await;
                    println_now(&format!("committed {revision}"));
                }
            }
            other => panic!("{other}"),
        }
        store.close().await.unwrap();
    });
}

fn println_now(line: &str) {
    let mut output = std::io::stdout();
    writeln!(output, "\n{line}").unwrap();
    output.flush().unwrap();
}

/// A process that commits a row whenever it is told a name.
struct Other {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Other {
    fn start(test: &str, path: &Path) -> Other {
        let mut child = child(test, "commit", path);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut other = Other { child, lines };
        other.expect("open");
        other
    }

    fn tell(&mut self, name: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{name}").unwrap();
    }

    fn expect(&mut self, word: &str) -> String {
        self.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(word)).unwrap()
    }

    fn commit(&mut self, name: &str) {
        self.tell(name);
        self.expect("committed");
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn what_another_process_commits_is_seen_everywhere() {
    if let Some((what, path)) = told() {
        return serve(&what, &path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let store = Sqlite::open(&path).await.unwrap();
        let mine = commit(&store, batch([("mine", put("1"))])).await;
        let before = store.snapshot().await.unwrap();
        let read = store.summarize(&KeyRange::ALL).await.unwrap();
        let mut other = Other::start("processes::what_another_process_commits_is_seen_everywhere", &path);
        other.commit("theirs");

        // Reads, also that of a snapshot that is new; an old one does not change.
        let seen = page(&store).await;
        assert_eq!((seen.as_of, seen.entries.len()), (mine.next(), 2));
        assert!(store.get(&[key("theirs")]).await.unwrap().rows[0].is_some());
        assert_eq!(page(&*store.snapshot().await.unwrap()).await.entries.len(), 2);
        assert_eq!(page(&*before).await.entries.len(), 1);

        // Guards: on the key, and on a range that was read before it came.
        let range = |as_of, rows| Guard::Range { range: KeyRange::ALL, as_of, rows };
        let broken = [vec![guard("theirs", None)], vec![range(read.as_of, read.rows)]];
        for guards in broken {
            let outcomes = store.commit(vec![Batch { guards, ..batch([("no", put(""))]) }]).await.unwrap();
            assert!(matches!(outcomes[0], Outcome::Conflict { guard: 0 }), "{outcomes:?}");
        }
        let holding = vec![guard("theirs", Some(seen.as_of)), range(seen.as_of, 2)];
        assert_eq!(commit(&store, Batch { guards: holding, ..batch([("yes", put(""))]) }).await, seen.as_of.next());

        // A range that both have written to since: what this handle remembers does not speak for the other.
        let read = store.summarize(&KeyRange::prefix(b"x")).await.unwrap();
        commit(&store, batch([("y", put(""))])).await;
        other.commit("x1");
        commit(&store, batch([("y", put(""))])).await;
        let guards = vec![Guard::Range { range: KeyRange::prefix(b"x"), as_of: read.as_of, rows: read.rows }];
        let outcomes = store.commit(vec![Batch { guards, ..batch([("no", put(""))]) }]).await.unwrap();
        assert!(matches!(outcomes[0], Outcome::Conflict { guard: 0 }), "{outcomes:?}");

        // Dropped by them, guarded here.
        other.end();
        store.close().await.unwrap();
    });
}

#[test]
fn a_change_by_another_process_is_waited_for() {
    if let Some((what, path)) = told() {
        return serve(&what, &path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let store = Sqlite::open(&path).await.unwrap();
        let mut other = Other::start("processes::a_change_by_another_process_is_waited_for", &path);
        other.commit("before");
        // At once, though nobody here has looked since.
        assert_eq!(store.changed(Revision::ZERO).await.unwrap(), Revision(1));
        for number in 1..5 {
            let waiting = [store.changed(Revision(number)), store.changed(Revision(number))];
            let mut waiting = futures_util::future::join_all(waiting);
            assert!(futures_util::future::poll_immediate(&mut waiting).await.is_none());
            other.tell(&number.to_string());
            let found = tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it is seen");
            assert!(found.into_iter().all(|found| found.unwrap() == Revision(number + 1)));
            other.expect("committed");
        }
        let waiting = store.changed(Revision(5));
        store.close().await.unwrap();
        assert!(waiting.await.unwrap_err().is_closed());
        other.end();
    });
}

#[test]
fn no_increment_of_two_processes_and_two_handles_is_lost() {
    if let Some((what, path)) = told() {
        return serve(&what, &path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        // Both processes create it, at the same time.
        let test = "processes::no_increment_of_two_processes_and_two_handles_is_lost";
        let children = [(); 2].map(|()| child(test, "increment", &path));
        let handles = [Sqlite::open(&path).await.unwrap(), Sqlite::open(&path).await.unwrap()];
        let [first, second] = &handles;
        tokio::join!(
            async {
                for _ in 0..INCREMENTS {
                    increment(first).await;
                }
            },
            async {
                for _ in 0..INCREMENTS {
                    increment(second).await;
                }
            }
        );
        for mut child in children {
            let mut output = String::new();
            child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
            assert!(child.wait().unwrap().success(), "{output}");
        }
        let (number, revision) = counter(first).await;
        assert_eq!((number, revision), (4 * INCREMENTS, Some(Revision(4 * INCREMENTS))));
    });
}

#[test]
fn many_who_create_at_once_make_one_store() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        run(async {
            let opens: Vec<_> = (0..8)
                .map(|number| {
                    let path = path.clone();
                    tokio::spawn(async move {
                        let store = Sqlite::open(path).await.unwrap();
                        commit(&store, batch([(format!("{number}"), put(""))])).await;
                        store.close().await.unwrap();
                    })
                })
                .collect();
            for open in opens {
                open.await.unwrap();
            }
            let store = SqliteOptions { check: true, ..SqliteOptions::default() }.open(&path).await.unwrap();
            let all = page(&store).await;
            assert_eq!((all.entries.len(), all.as_of), (8, Revision(8)));
        });
    }
}

#[test]
fn a_lock_that_is_held_for_too_long_is_busy_and_nothing_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        use sqlx::{ConnectOptions as _, Executor as _};
        let store = SqliteOptions { busy_timeout_ms: 10, ..SqliteOptions::default() }.open(&path).await.unwrap();
        commit(&store, batch([("a", put("1"))])).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut holder = options.connect().await.unwrap();
        for _ in 0..3 {
            holder.execute("BEGIN IMMEDIATE").await.unwrap();
            let error = store.commit(vec![batch([("b", put("1"))])]).await.unwrap_err();
            assert!(error.kind() == ErrorKind::Busy && error.is_retryable(), "{error}");
            assert_eq!(store.drop_range(&KeyRange::ALL, &[]).await.unwrap_err().kind(), ErrorKind::Busy);
            assert_eq!(store.compact().await.unwrap_err().kind(), ErrorKind::Busy);
            // Who only reads does not wait.
            assert_eq!(page(&store).await.entries.len(), 1);
            let reading = Batch { guards: vec![guard("b", None)], ..Batch::default() };
            assert_eq!(commit(&store, reading).await, Revision(1));
            // It opens, too.
            let second = SqliteOptions { busy_timeout_ms: 10, ..SqliteOptions::default() }.open(&path).await.unwrap();
            second.close().await.unwrap();
            holder.execute("ROLLBACK").await.unwrap();
        }
        assert_eq!(commit(&store, batch([("b", put("1"))])).await, Revision(2));
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        holder.execute("ROLLBACK").await.unwrap();
    });
}
