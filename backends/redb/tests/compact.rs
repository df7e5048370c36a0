//! A compaction puts another file in the place of the store's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::fs;
use std::path::Path;

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, KeyRange, Read, Store, StoredKey, Write};
use strongroom_redb::Redb;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

async fn write(store: &Redb, rows: u32) {
    let writes = (0..rows).map(|row| (StoredKey::from(row.to_be_bytes().to_vec()), Write::Put(vec![7; 100].into())));
    store.commit(vec![Batch { writes: writes.collect(), ..Batch::default() }]).await.unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn it_is_open_once_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    run(async {
        let store = Redb::open(&path).unwrap();
        write(&store, 1_000).await;
        for _ in 0..2 {
            assert_eq!(Redb::open(&path).unwrap_err().kind(), ErrorKind::Busy);
            store.compact().await.unwrap();
        }
        assert_eq!(Redb::open(&path).unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(names(folder.path()), ["store.redb"]);
        write(&store, 2_000).await;
        store.close().await.unwrap();
        assert_eq!(Redb::open(&path).unwrap().summarize(&KeyRange::ALL).await.unwrap().rows, 2_000);
    });
}

#[test]
fn what_a_killed_one_left_is_removed_by_who_opens_the_store_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let left = folder.path().join(".store.redb.strongroom-compact");
    run(async {
        let store = Redb::open(&path).unwrap();
        write(&store, 10).await;
        fs::write(&left, "half a file").unwrap();
        // Nor is it in the way of another.
        store.compact().await.unwrap();
        fs::write(&left, "half a file").unwrap();
        store.close().await.unwrap();
        let store = Redb::open(&path).unwrap();
        assert_eq!(names(folder.path()), ["store.redb"]);
        assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, 10);
    });
}

#[test]
fn one_that_fails_leaves_the_store_open_and_locked() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("store.redb");
    let in_the_way = folder.path().join(".store.redb.strongroom-compact");
    run(async {
        let store = Redb::open(&path).unwrap();
        write(&store, 10).await;
        // It can neither be replaced nor removed: nor would an opening succeed.
        fs::create_dir(&in_the_way).unwrap();
        fs::write(in_the_way.join("file"), "").unwrap();
        for rows in [20, 30] {
            assert_eq!(store.compact().await.unwrap_err().kind(), ErrorKind::Io);
            assert_eq!(Redb::open(&path).unwrap_err().kind(), ErrorKind::Busy);
            write(&store, rows).await;
            assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, u64::from(rows));
        }
        fs::remove_dir_all(&in_the_way).unwrap();
        // Once more it fails, where the other file is there already: its space is given back.
        let away = elsewhere.path().join("store.redb");
        fs::rename(&path, &away).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(store.compact().await.unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(names(folder.path()), ["store.redb"]);
        fs::remove_dir(&path).unwrap();
        fs::rename(&away, &path).unwrap();
        assert_eq!(Redb::open(&path).unwrap_err().kind(), ErrorKind::Busy);
        write(&store, 40).await;
        store.compact().await.unwrap();
        store.close().await.unwrap();
        assert_eq!(Redb::open(&path).unwrap().summarize(&KeyRange::ALL).await.unwrap().rows, 40);
    });
}

#[test]
fn a_name_that_leaves_no_room_beside_it_opens_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        for length in [235, 236, 255] {
            let path = folder.path().join("s".repeat(length));
            let store = Redb::open(&path).unwrap();
            write(&store, 10).await;
            assert_eq!(store.compact().await.is_ok(), length < 236);
            write(&store, 20).await;
            store.close().await.unwrap();
            assert_eq!(Redb::open(&path).unwrap().summarize(&KeyRange::ALL).await.unwrap().rows, 20);
        }
    });
}

#[cfg(unix)]
#[test]
fn what_a_killed_one_left_is_removed_through_a_link_too() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, link) = (elsewhere.path().join("store.redb"), folder.path().join("link.redb"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    drop(Redb::open(&path).unwrap());
    fs::write(elsewhere.path().join(".store.redb.strongroom-compact"), "half a file").unwrap();
    drop(Redb::open(&link).unwrap());
    assert_eq!(names(elsewhere.path()), ["store.redb"]);
    assert_eq!(names(folder.path()), ["link.redb"]);
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, link) = (elsewhere.path().join("store.redb"), folder.path().join("link.redb"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    run(async {
        drop(Redb::open(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let store = Redb::open(&link).unwrap();
        write(&store, 10).await;
        store.compact().await.unwrap();
        store.close().await.unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(Redb::open(&path).unwrap().summarize(&KeyRange::ALL).await.unwrap().rows, 10);
    });
}
