//! Tests: the disk fails in the middle of a commit, at each access in turn.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, Database, StorageBackend};
use strongroom_core::ErrorKind as Kind;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Read, Revision, Store, StoredKey, Write};

use crate::error::from_engine;
use crate::file::{Opened, open, revision};
use crate::{Redb, RedbOptions};

type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Every access that changes the file fails from one on.
    Broken,
    /// One access fails.
    Once,
    /// The file cannot grow.
    NoSpace,
    /// One access panics.
    Panic,
}

/// A disk that fails when so many accesses have gone well.
#[derive(Debug)]
struct Disk {
    fault: Fault,
    accesses_left: AtomicI64,
}

impl Disk {
    fn access(&self, grows: bool) -> Result<()> {
        if self.fault == Fault::NoSpace && !grows {
            return Ok(());
        }
        let left = self.accesses_left.fetch_sub(1, Ordering::SeqCst);
        match self.fault {
            Fault::Broken | Fault::NoSpace if left <= 0 => Err(Error::from(ErrorKind::StorageFull)),
            Fault::Once if left == 0 => Err(Error::other("once")),
            Fault::Panic if left == 0 => panic!("a fault that a test makes"),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Faulty(FileBackend, Arc<Disk>);

impl StorageBackend for Faulty {
    fn len(&self) -> Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.1.access(len > self.0.len()?)?;
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<()> {
        self.1.access(false)?;
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.1.access(false)?;
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
}

/// Opens a store on a disk that may fail.
fn open_on(disk: &Arc<Disk>, path: &Path) -> strongroom_core::Result<Opened> {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let backend = Faulty(FileBackend::new(file).map_err(from_engine)?, disk.clone());
    let database = Database::builder().create_with_backend(backend).map_err(from_engine)?;
    Ok(Opened { revision: revision(&database)?, database })
}

fn store_on(disk: &Arc<Disk>, path: &Path, quick_repair: bool) -> Redb {
    drop(open(path, 1 << 20, false).unwrap());
    let (disk, file) = (disk.clone(), path.to_owned());
    let reopen = move || open_on(&disk, &file);
    Redb::start(path, reopen().unwrap(), Box::new(reopen), RedbOptions { quick_repair, ..RedbOptions::default() })
        .unwrap()
}

fn rows(front: &str, count: usize, bytes: usize) -> Vec<Batch> {
    let writes = (0..count).map(|row| {
        (StoredKey::from(format!("{front}{row:04}").into_bytes()), Write::Put(vec![row as u8; bytes].into()))
    });
    vec![Batch { writes: writes.collect(), ..Batch::default() }]
}

async fn rows_with(store: &Redb, front: &str) -> u64 {
    store.summarize(&KeyRange::prefix(front.as_bytes())).await.unwrap().rows
}

/// Commits once with a fault after so many accesses; gives whether it failed, and how many accesses there were.
async fn commit_through(fault: Fault, accesses: i64, quick_repair: bool) -> (bool, i64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let disk = Arc::new(Disk { fault, accesses_left: i64::MAX.into() });
    let store = store_on(&disk, &path, quick_repair);
    store.commit(rows("a", 100, 100)).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();

    disk.accesses_left.store(accesses, Ordering::SeqCst);
    // Large enough that the file must grow.
    let result = store.commit(rows("b", 200, 10_000)).await;
    let used = accesses - disk.accesses_left.swap(i64::MAX, Ordering::SeqCst);
    let expected = match &result {
        Ok(outcomes) => {
            assert!(matches!(outcomes[0], Outcome::Committed(Revision(2))));
            Some(Revision(2))
        }
        Err(error) if error.kind() == Kind::CommitUnknown => None,
        Err(error) => {
            // A panic of the engine is taken for damage.
            let kind = if fault == Fault::Panic { Kind::Corrupt } else { Kind::Io };
            assert_eq!(error.kind(), kind, "{fault:?} {accesses}: {error}");
            Some(Revision(1))
        }
    };
    if fault == Fault::NoSpace {
        assert!(expected.is_some(), "a full disk leaves no doubt");
    }
    // The next commit works, on what is surely there.
    let nothing_came = Guard::Range { range: KeyRange::prefix(b"b"), as_of: Revision(1), rows: 0 };
    let mut batches = rows("c", 100, 100);
    batches.push(Batch { guards: vec![nothing_came], ..Batch::default() });
    let outcomes = store.commit(batches).await.unwrap();
    let Outcome::Committed(next) = outcomes[0] else { panic!("{outcomes:?}") };
    let held = matches!(outcomes[1], Outcome::Committed(_));
    assert_eq!(held, next == Revision(2), "{fault:?} {accesses}: a guard knows whether the commit happened");
    if let Some(expected) = expected {
        assert_eq!(next, expected.next(), "{fault:?} {accesses}");
    }
    let b = if next == Revision(3) { 200 } else { 0 };
    assert_eq!(
        (rows_with(&store, "a").await, rows_with(&store, "b").await, rows_with(&store, "c").await),
        (100, b, 100)
    );
    if let (Err(_), Err(error)) = (&result, snapshot.get(&[]).await) {
        assert_eq!(error.kind(), Kind::SnapshotExpired);
    }
    store.close().await.unwrap();
    let reopened = Redb::open(&path).unwrap();
    assert_eq!(reopened.summarize(&KeyRange::ALL).await.unwrap().rows, 200 + b);
    (result.is_err(), used)
}

fn commit_through_every(fault: Fault, quick_repair: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let through = |accesses| runtime.block_on(commit_through(fault, accesses, quick_repair));
    let (failed, total) = through(1 << 40);
    assert!(!failed && total > 0, "{total} accesses can fail");
    // All of the last, where it is decided whether the commit has happened, and some of those before.
    let mut accesses = 0;
    while accesses < total {
        assert!(through(accesses).0, "{fault:?} {accesses}: the fault was not met");
        accesses += if accesses + 8 < total { (accesses / 2 + 1).min(total - 8 - accesses) } else { 1 };
    }
}

#[test]
fn a_disk_that_breaks() {
    commit_through_every(Fault::Broken, true);
}

#[test]
fn a_disk_that_fails_once() {
    commit_through_every(Fault::Once, true);
    commit_through_every(Fault::Once, false);
}

#[test]
fn a_disk_without_space() {
    commit_through_every(Fault::NoSpace, true);
}

#[test]
fn an_engine_that_panics() {
    commit_through_every(Fault::Panic, true);
}

#[test]
fn a_file_that_was_exchanged_is_not_taken_for_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other] = ["store.redb", "other.redb"].map(|name| folder.path().join(name));
    drop(open(&path, 1 << 20, false).unwrap());
    drop(open(&other, 1 << 20, false).unwrap());
    let disk = Arc::new(Disk { fault: Fault::Once, accesses_left: i64::MAX.into() });
    let opened = open_on(&disk, &path).unwrap();
    let reopen = Box::new(move || open(&other, 1 << 20, false));
    let store = Redb::start(&path, opened, reopen, RedbOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        store.commit(rows("a", 1, 1)).await.unwrap();
        disk.accesses_left.store(0, Ordering::SeqCst);
        assert_eq!(store.commit(rows("b", 1, 1)).await.unwrap_err().kind(), Kind::CommitUnknown);
        for _ in 0..2 {
            assert_eq!(store.get(&[]).await.unwrap_err().kind(), Kind::Corrupt);
            assert_eq!(store.commit(rows("c", 1, 1)).await.unwrap_err().kind(), Kind::Corrupt);
        }
        store.close().await.unwrap();
    });
}
