//! What becomes of files that are not what they should be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use strongroom_core::store::{KeyRange, LinkTo, Read, Revision, Store, Write};
use strongroom_core::{Error, ErrorKind};
use strongroom_sqlite::{Sqlite, SqliteOptions};
use tempfile::TempDir;

use crate::support::{TOLD, batch, child, commit, everything, key, put, rows, run, skip, told};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    (folder, path)
}

/// Every file of a folder, with what it holds.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// The store must not open, and nothing in the folder may change, not even for a moment that leaves a trace.
async fn refused(folder: &TempDir, path: &Path) -> Error {
    let before = files(folder.path());
    let error = Sqlite::open(path).await.unwrap_err();
    assert!(files(folder.path()) == before, "a refused file was touched: {error}");
    assert_eq!((error.backend(), error.operation()), (Some("sqlite"), Some("open")));
    assert!(error.to_string().contains(&*path.display().to_string()), "{error}");
    error
}

/// A closed store of one file with values, links and several levels of pages.
async fn whole_store(path: &Path) -> Vec<u8> {
    let store = Sqlite::open(path).await.unwrap();
    commit(&store, rows("a", 300, 100)).await;
    commit(&store, rows("large", 3, 10_000)).await;
    commit(&store, batch((0..50).map(|number| (format!("l{number}"), Write::Link(LinkTo::Key(key("a000001"))))))).await;
    store.close().await.unwrap();
    fs::read(path).unwrap()
}

#[test]
fn a_closed_store_is_one_file_that_opens_again() {
    run(async {
        let (folder, path) = folder();
        whole_store(&path).await;
        assert_eq!(files(folder.path()).len(), 1, "no log is left beside it");
        for check in [false, true] {
            let store = SqliteOptions { check, ..SqliteOptions::default() }.open(&path).await.unwrap();
            let summary = store.summarize(&KeyRange::ALL).await.unwrap();
            assert_eq!((summary.rows, summary.newest, summary.as_of), (353, Revision(3), Revision(3)));
            store.close().await.unwrap();
        }
    });
}

#[test]
fn a_foreign_file_is_refused_and_not_touched() {
    run(async {
        let mut header = b"SQLite format 3\0".to_vec();
        header.resize(4_096, 0xAB);
        for content in [b"x".to_vec(), b"not a store".repeat(1_000), vec![0; 100], vec![0; 8_192], header] {
            let (folder, path) = folder();
            fs::write(&path, content).unwrap();
            assert_eq!(refused(&folder, &path).await.kind(), ErrorKind::NotAStore);
        }
    });
}

#[test]
fn another_programs_database_is_refused_and_not_touched() {
    run(async {
        for journal in [SqliteJournalMode::Delete, SqliteJournalMode::Wal] {
            for tables in ["CREATE TABLE theirs (a)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"] {
                let (folder, path) = folder();
                let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).journal_mode(journal);
                let mut theirs = options.connect().await.unwrap();
                theirs.execute(AssertSqlSafe(tables)).await.unwrap();
                // While they have it open, with a log if they use one, and afterwards.
                if journal == SqliteJournalMode::Delete {
                    assert_eq!(refused(&folder, &path).await.kind(), ErrorKind::NotAStore);
                } else {
                    assert_eq!(Sqlite::open(&path).await.unwrap_err().kind(), ErrorKind::NotAStore);
                    theirs.execute("CREATE TABLE more (a)").await.unwrap();
                }
                theirs.close().await.unwrap();
                assert_eq!(refused(&folder, &path).await.kind(), ErrorKind::NotAStore);
            }
        }
    });
}

/// Another handle of this process keeps its locks: a look at a file must not end them.
#[test]
fn a_second_handle_leaves_the_first_one_its_locks() {
    run(async {
        let (_folder, path) = folder();
        let first = Sqlite::open(&path).await.unwrap();
        commit(&first, rows("a", 100, 100)).await;
        for _ in 0..3 {
            let second = Sqlite::open(&path).await.unwrap();
            commit(&second, rows("b", 100, 100)).await;
            // Were the first one's lock gone, this would take the log away from under it.
            second.close().await.unwrap();
            assert!(crate::support::page(&first).await.entries.len() == 200);
            assert!(path.with_file_name("store.db-wal").exists());
        }
        commit(&first, rows("c", 100, 100)).await;
        first.close().await.unwrap();
        let check = SqliteOptions { check: true, ..SqliteOptions::default() }.open(&path).await.unwrap();
        assert_eq!(crate::support::page(&check).await.entries.len(), 300);
    });
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    run(async {
        let (folder, path) = folder();
        let mut bytes = whole_store(&path).await;
        // The user version in the header of a file of SQLite.
        bytes[60..64].copy_from_slice(&2_u32.to_be_bytes());
        fs::write(&path, bytes).unwrap();
        let error = refused(&folder, &path).await;
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
        assert!(error.to_string().contains("format 2"), "{error}");
    });
}

#[test]
fn an_empty_file_and_an_empty_database_become_a_store() {
    run(async {
        let (_folder, path) = folder();
        fs::write(&path, "").unwrap();
        commit(&Sqlite::open(&path).await.unwrap(), rows("a", 1, 1)).await;
        for journal in [SqliteJournalMode::Delete, SqliteJournalMode::Wal] {
            let (_folder, path) = self::folder();
            let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).journal_mode(journal);
            let mut empty = options.connect().await.unwrap();
            empty.execute("VACUUM").await.unwrap();
            empty.close().await.unwrap();
            commit(&Sqlite::open(&path).await.unwrap(), rows("a", 1, 1)).await;
        }
    });
}

#[test]
fn a_place_where_no_store_can_be_is_named() {
    run(async {
        let (folder, path) = folder();
        let error = refused(&folder, &path.join("missing").join("x.db")).await;
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("folder does not exist"), "{error}");
        fs::create_dir(&path).unwrap();
        let error = refused(&folder, &path).await;
        assert!(error.kind() == ErrorKind::NotAStore && error.to_string().contains("folder"), "{error}");
        let error = Sqlite::open("").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        #[cfg(unix)]
        assert_eq!(Sqlite::open("/dev/null").await.unwrap_err().kind(), ErrorKind::NotAStore);
    });
}

#[test]
fn a_path_may_have_any_characters() {
    run(async {
        for name in ["a b.db", "a?mode=ro", "file:x.db", "100%25.db", "ü#1.db", ":memory:"] {
            let (folder, _) = folder();
            let path = folder.path().join(name);
            for round in 1..=2 {
                let store = Sqlite::open(&path).await.unwrap();
                assert_eq!(commit(&store, rows("a", 1, 1)).await, Revision(round));
                store.close().await.unwrap();
            }
            assert_eq!(files(folder.path()).keys().collect::<Vec<_>>(), [name]);
        }
    });
}

#[cfg(unix)]
#[test]
fn a_new_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    run(async {
        let (folder, path) = folder();
        let store = Sqlite::open(&path).await.unwrap();
        commit(&store, rows("a", 1, 1)).await;
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        }
        assert_eq!(files(folder.path()).len(), 3);
        drop(store);
    });
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_written_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let may_write = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        fs::OpenOptions::new().write(true).open(path).is_ok()
    };
    let refused = |path: &Path| {
        run(async {
            for mode in [0o400, 0o000] {
                assert!(!may_write(path, mode), "this user may write to all files");
                let error = Sqlite::open(path).await.unwrap_err();
                assert!(error.kind() == ErrorKind::Io && error.to_string().contains("cannot be opened"), "{error}");
            }
        });
    };
    if let Some((_, path)) = told() {
        return refused(Path::new(&path));
    }
    let (_folder, path) = folder();
    run(whole_store(&path));
    if !may_write(&path, 0o400) {
        return refused(&path);
    }
    // The administrator may write to all files, but a process need not have that right.
    let rights = "-dac_override,-dac_read_search";
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set", rights, "--inh-caps", rights]).arg(std::env::current_exe().unwrap());
    command.args(["files::a_file_that_may_not_be_written_to_is_refused", "--exact", "--nocapture", "--test-threads=1"]);
    let Ok(output) = command.env(TOLD, format!("refused:{}", path.display())).output() else {
        return skip("this user may write to all files, and setpriv is not there (install util-linux)");
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// Reads and writes everything; gives the first error.
async fn use_all(path: &Path, check: bool) -> Result<(), Error> {
    let store = SqliteOptions { check, busy_timeout_ms: 200, ..SqliteOptions::default() }.open(path).await?;
    let used = async {
        let page = store.scan(&everything()).await?;
        store.summarize(&KeyRange::ALL).await?;
        let keys: Vec<_> = page.entries.iter().map(|entry| entry.key.clone()).collect();
        store.get(&keys).await?;
        store.snapshot().await?.scan(&everything()).await?;
        store.commit(vec![rows("new", 20, 200)]).await?;
        store.drop_range(&KeyRange::prefix(b"a"), &[]).await?;
        if page.entries.len() == 353 { Ok(()) } else { Err(Error::new(ErrorKind::InvalidInput, "rows are missing")) }
    };
    let used = used.await;
    store.close().await.ok();
    used
}

#[test]
fn a_store_that_was_cut_is_damaged() {
    run(async {
        let (_whole, path) = folder();
        let bytes = whole_store(&path).await;
        let lengths =
            (1..600).step_by(37).chain((600..bytes.len()).step_by(997)).chain((4_096..bytes.len()).step_by(4_096));
        for len in lengths.chain([bytes.len() - 1]) {
            let (_folder, path) = folder();
            fs::write(&path, &bytes[..len]).unwrap();
            let used = use_all(&path, false).await;
            let error = used.err().unwrap_or_else(|| panic!("cut to {len} of {} it worked", bytes.len()));
            assert_eq!(error.kind(), ErrorKind::Corrupt, "cut to {len} of {}: {error}", bytes.len());
        }
    });
}

/// SQLite keeps no checksums, so a changed value is not found. But nothing panics, and what is found has a name.
#[test]
fn a_store_with_a_changed_byte_is_damaged_or_still_works() {
    run(async {
        let (_whole, path) = folder();
        let bytes = whole_store(&path).await;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for at in (0..110).chain((110..bytes.len()).step_by(127)) {
            let (_folder, path) = folder();
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let outcome = match use_all(&path, at % 2 == 0).await {
                Ok(()) => "worked".to_owned(),
                Err(error) => {
                    // A page number or a count that was changed may hide rows.
                    let known = [
                        ErrorKind::Corrupt,
                        ErrorKind::NotAStore,
                        ErrorKind::UnsupportedVersion,
                        ErrorKind::InvalidInput,
                        ErrorKind::CommitUnknown,
                    ];
                    // In byte 18 a file says that a newer SQLite must write to it.
                    let refused = at == 18 && error.kind() == ErrorKind::Io;
                    assert!(known.contains(&error.kind()) || refused, "byte {at}: {error}");
                    format!("{:?}", error.kind())
                }
            };
            *seen.entry(outcome).or_default() += 1;
        }
        println!("{seen:?}");
        assert!(seen["Corrupt"] > 10 && seen["worked"] > 10, "{seen:?}");
    });
}

#[test]
fn a_kill_during_creation_leaves_a_place_that_opens() {
    let test = "files::a_kill_during_creation_leaves_a_place_that_opens";
    if let Some((_, path)) = told() {
        run(async {
            let store = Sqlite::open(&path).await.unwrap();
            commit(&store, rows("a", 1, 1)).await;
        });
        return;
    }
    let (folder, _) = folder();
    for round in 0..12 {
        let path = folder.path().join(format!("{round}.db"));
        let mut child = child(test, "create", &path);
        // As soon as anything is to be seen; later rounds wait a little longer.
        while !path.exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        for _ in 0..round * 100 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        run(async {
            let store = SqliteOptions { check: true, ..SqliteOptions::default() }.open(&path).await.unwrap();
            commit(&store, batch([("b", put("1"))])).await;
            store.close().await.unwrap();
        });
    }
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let (_folder, path) = folder();
    let open = std::pin::pin!(Sqlite::open(path));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = open.poll(&mut context) else { panic!("it needs a runtime") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("tokio"), "{error}");
}

/// SQLite keeps the log and its index where a link leads to, and there they are looked for.
#[cfg(unix)]
#[test]
fn a_link_stands_for_the_file_that_it_leads_to() {
    use std::os::unix::fs::symlink;
    run(async {
        let (folder, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("store.db");
        let (link, of_link) = (links.path().join("link.db"), links.path().join("of_link.db"));
        symlink(&path, &link).unwrap();
        symlink("link.db", &of_link).unwrap();
        // It leads nowhere yet.
        let store = Sqlite::open(&of_link).await.unwrap();
        commit(&store, rows("a", 1_000, 4_096)).await;
        let on_disk: usize = files(folder.path()).values().map(Vec::len).sum();
        assert_eq!(store.usage().await.unwrap().bytes, on_disk as u64, "the log counts");
        let second = Sqlite::open(&path).await.unwrap();
        assert_eq!(second.summarize(&KeyRange::ALL).await.unwrap().rows, 1_000);
        second.close().await.unwrap();
        store.close().await.unwrap();
        assert_eq!(files(folder.path()).len(), 1);
        assert_eq!(fs::read_dir(links.path()).unwrap().count(), 2, "nothing is left beside the links");

        // As a crash leaves another program's database: its tables are in the log alone.
        let (theirs, crashed) = (folder.path().join("theirs.db"), tempfile::tempdir().unwrap());
        let options = SqliteConnectOptions::new().filename(&theirs).create_if_missing(true);
        let mut open = options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
        open.execute("CREATE TABLE theirs (a)").await.unwrap();
        for name in ["theirs.db", "theirs.db-wal"] {
            fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
        }
        open.close().await.unwrap();
        let link = links.path().join("theirs.db");
        symlink(crashed.path().join("theirs.db"), &link).unwrap();
        let before = files(crashed.path());
        assert_eq!(Sqlite::open(&link).await.unwrap_err().kind(), ErrorKind::NotAStore);
        assert!(files(crashed.path()) == before, "a refused file was touched");
    });
}

#[cfg(unix)]
#[test]
fn links_that_lead_to_each_other_are_an_error() {
    run(async {
        let (_folder, path) = folder();
        let other = path.with_file_name("other.db");
        std::os::unix::fs::symlink(&path, &other).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert_eq!(Sqlite::open(&path).await.unwrap_err().kind(), ErrorKind::Io);
    });
}
