//! Files that are not a store, or no longer a whole one: a clear error, and not one byte changed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, TableDefinition};
use strongroom_core::store::{Batch, Fetch, KeyRange, Outcome, Read, Revision, Scan, Store, StoredKey, Write};
use strongroom_core::{ErrorKind, Result};
use strongroom_redb::{Redb, RedbOptions};
use tempfile::TempDir;

const ROWS: usize = 1_500;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

async fn commit(store: &Redb, rows: impl Iterator<Item = usize>) {
    let writes = rows
        .map(|row| (StoredKey::from(format!("row {row:06}").into_bytes()), Write::Put(vec![row as u8; 100].into())));
    let outcomes = store.commit(vec![Batch { writes: writes.collect(), ..Batch::default() }]).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Committed(_)));
}

/// Every row, or the error that damage gives.
async fn read(store: &Redb) -> Result<usize> {
    let scan =
        Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values };
    Ok(store.scan(&scan).await?.entries.len())
}

/// The bytes of a store with rows, closed, and as a crash would leave them.
fn stores(folder: &Path) -> [Vec<u8>; 2] {
    let path = folder.join("whole.redb");
    run(async {
        let store = Redb::open(&path).unwrap();
        commit(&store, 0..ROWS / 2).await;
        commit(&store, ROWS / 2..ROWS).await;
        let crashed = fs::read(&path).unwrap();
        store.close().await.unwrap();
        [fs::read(&path).unwrap(), crashed]
    })
}

/// Opens a file of these bytes. An error leaves it as it is; otherwise all rows are there or reading says what is wrong.
fn try_open(folder: &Path, bytes: &[u8]) -> Result<(), ErrorKind> {
    let path = folder.join("tried.redb");
    fs::write(&path, bytes).unwrap();
    let opened = Redb::open(&path);
    let result = match opened {
        Ok(store) => match run(read(&store)) {
            Ok(rows) => {
                assert_eq!(rows, ROWS);
                Ok(())
            }
            Err(error) => Err(error.kind()),
        },
        Err(error) => {
            assert!(fs::read(&path).unwrap() == bytes, "the file was touched: {error}");
            assert_eq!((error.backend(), error.operation()), (Some("redb"), Some("open")));
            assert!(error.to_string().contains("tried.redb"), "{error}");
            Err(error.kind())
        }
    };
    fs::remove_file(&path).unwrap();
    result
}

#[test]
fn foreign_files_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = 1_u32;
    let noise = (0..20_000).map(|_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    });
    let foreign: [Vec<u8>; 6] = [
        b"Dear diary,\n".to_vec(),
        b"x".to_vec(),
        noise.collect(),
        [b"SQLite format 3\0".as_slice(), &[0; 8_000]].concat(),
        vec![0; 1 << 20],
        vec![0xFF; 4096],
    ];
    for bytes in foreign {
        assert_eq!(try_open(folder.path(), &bytes), Err(ErrorKind::NotAStore));
    }
    let error = Redb::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore);
}

/// A database of redb with one table of numbers.
fn other_database(folder: &TempDir, table: &str, numbers: &[(&str, u64)]) -> PathBuf {
    let path = folder.path().join("other.redb");
    fs::remove_file(&path).ok();
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(TableDefinition::<&str, u64>::new(table)).unwrap();
        for (name, number) in numbers {
            table.insert(name, number).unwrap();
        }
    }
    transaction.commit().unwrap();
    path
}

#[test]
fn databases_of_other_programs_and_times_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let meta = "strongroom.meta";
    type Case = (&'static str, &'static [(&'static str, u64)], ErrorKind);
    let cases: [Case; 5] = [
        ("theirs", &[("format", 1), ("revision", 0)], ErrorKind::NotAStore),
        (meta, &[("format", 2), ("revision", 0)], ErrorKind::UnsupportedVersion),
        (meta, &[("format", 0), ("revision", 0)], ErrorKind::Corrupt),
        (meta, &[("revision", 0)], ErrorKind::Corrupt),
        (meta, &[("format", 1), ("revision", 0)], ErrorKind::Corrupt), // no rows
    ];
    for (table, numbers, kind) in cases {
        let bytes = fs::read(other_database(&folder, table, numbers)).unwrap();
        assert_eq!(try_open(folder.path(), &bytes), Err(kind), "{table} {numbers:?}");
    }
    let path = folder.path().join("empty.redb");
    drop(Database::create(&path).unwrap());
    assert_eq!(try_open(folder.path(), &fs::read(path).unwrap()), Err(ErrorKind::NotAStore));
}

#[test]
fn a_revision_that_nothing_can_follow_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forged.redb");
    drop(strongroom_redb::Redb::open(&path).unwrap());
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, u64>::new("strongroom.meta");
    transaction.open_table(meta).unwrap().insert("revision", u64::MAX).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_eq!(try_open(folder.path(), &fs::read(path).unwrap()), Err(ErrorKind::Corrupt));
}

#[test]
fn a_file_of_a_later_engine_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let [mut closed, _] = stores(folder.path());
    // The version in both commit slots of redb's header.
    (closed[64], closed[192]) = (4, 4);
    assert_eq!(try_open(folder.path(), &closed), Err(ErrorKind::UnsupportedVersion));
}

#[test]
fn a_cut_file_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let [closed, crashed] = stores(folder.path());
    assert_eq!(try_open(folder.path(), &closed), Ok(()));
    assert_eq!(try_open(folder.path(), &crashed), Ok(()));
    let lengths = |len: usize| {
        let edges = [1, 8, 9, 10, 63, 64, 319, 320, 321, 4_095, 4_096, 4_097, 8_192, len - 4_096, len - 1];
        edges.into_iter().chain((1..12).map(move |part| len * part / 12 / 4_096 * 4_096))
    };
    for len in lengths(closed.len()) {
        assert_eq!(try_open(folder.path(), &closed[..len]), Err(ErrorKind::Corrupt), "closed, cut at {len}");
    }
    for len in lengths(crashed.len()) {
        // The end may hold nothing yet; then nothing is lost.
        match try_open(folder.path(), &crashed[..len]) {
            Ok(()) => assert!(len > crashed.len() / 2, "crashed, cut at {len}"),
            Err(kind) => assert_eq!(kind, ErrorKind::Corrupt, "crashed, cut at {len}"),
        }
    }
}

#[test]
fn damage_in_the_header_is_refused_untouched_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, step) in stores(folder.path()).into_iter().zip([1, 5]) {
        let mut refused = 0;
        // Every byte of the closed one, a part of the other.
        for at in (0..320).step_by(step) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            match try_open(folder.path(), &damaged) {
                Ok(()) => {}
                Err(ErrorKind::Corrupt | ErrorKind::NotAStore | ErrorKind::UnsupportedVersion) => refused += 1,
                Err(kind) => panic!("byte {at}: {kind:?}"),
            }
        }
        assert!(refused > 9 / step, "the magic number at least, but {refused}");
    }
}

#[test]
fn damage_anywhere_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let [closed, crashed] = stores(folder.path());
    for (bytes, step) in [(closed, 9_973), (crashed, 19_973)] {
        for at in (4_096..bytes.len()).step_by(step) {
            let mut damaged = bytes.clone();
            let end = (at + 64).min(damaged.len());
            damaged[at..end].fill(0xA5);
            let path = folder.path().join("damaged.redb");
            fs::write(&path, &damaged).unwrap();
            if let Ok(store) = Redb::open(&path) {
                run(async {
                    let _ = read(&store).await;
                    let _ = store.drop_range(&KeyRange::ALL, &[]).await;
                    let _ = store.close().await;
                });
            }
        }
    }
}

#[test]
fn a_checked_opening_finds_damage_and_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.redb");
    let [closed, _] = stores(folder.path());
    let check = || RedbOptions { check: true, ..RedbOptions::default() }.open(&path);
    fs::write(&path, &closed).unwrap();
    assert_eq!(run(read(&check().unwrap())).unwrap(), ROWS);
    // One bit, in a value in the middle.
    let at = closed.windows(100).position(|part| part == [200; 100]).unwrap() + 50;
    let mut damaged = closed;
    damaged[at] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(check().unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(fs::read(&path).unwrap() == damaged, "the file was touched");
}

#[test]
fn a_store_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Redb::open(&path).unwrap();
    let error = Redb::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    run(commit(&store, 0..1));
    run(store.close()).unwrap();
    assert!(run(read(&Redb::open(&path).unwrap())).is_ok_and(|rows| rows == 1));
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    fs::write(&path, "").unwrap();
    run(commit(&Redb::open(&path).unwrap(), 0..1));
    assert_eq!(run(read(&Redb::open(&path).unwrap())).unwrap(), 1);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store.redb"], "nothing else is left");
}

#[test]
fn a_missing_folder_is_said_to_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let error = Redb::open(folder.path().join("none").join("store.redb")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("folder does not exist"), "{error}");
}

#[test]
fn whoever_creates_a_store_together_opens_the_same_one() {
    for round in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        if round % 2 == 1 {
            fs::write(&path, "").unwrap();
        }
        std::thread::scope(|scope| {
            for opener in 0..6 {
                let path = &path;
                scope.spawn(move || {
                    let store = loop {
                        match Redb::open(path) {
                            Ok(store) => break store,
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
                        }
                        std::thread::yield_now();
                    };
                    run(commit(&store, opener..opener + 1));
                });
            }
        });
        let store = Redb::open(&path).unwrap();
        assert_eq!(run(read(&store)).unwrap(), 6);
        assert_eq!(run(store.changed(Revision::ZERO)).unwrap(), Revision(6));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
