//! Files and directories, as programs expect them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};

use strongroom_conformance_disk::{Disk, Options};

use crate::support::{names, restart, write_synced};

#[test]
fn files_behave_as_on_any_disk() {
    let disk = disk!();
    let path = disk.path().join("file");
    assert_eq!(File::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open(&path).unwrap();
    assert_eq!(File::create_new(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    file.write_all(b"hello world").unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "world");
    file.write_all_at(b"there", 6).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"!").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"hello there!");

    file.set_len(5).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"hello");
    file.write_all_at(b"far", 10_000).unwrap();
    let sparse = fs::read(&path).unwrap();
    assert_eq!(sparse.len(), 10_003);
    assert_eq!((&sparse[..5], &sparse[10_000..]), (&b"hello"[..], &b"far"[..]));
    assert!(sparse[5..10_000].iter().all(|byte| *byte == 0));
    assert_eq!(file.metadata().unwrap().blocks(), 2 * 8, "a hole takes no space");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let large: Vec<u8> = (0..3_000_000u32).map(|number| (number / 7) as u8).collect();
    fs::write(&path, &large).unwrap();
    assert!(fs::read(&path).unwrap() == large);
    fs::copy(&path, disk.path().join("copy")).unwrap();
    assert!(fs::read(disk.path().join("copy")).unwrap() == large);

    fs::remove_file(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let mut first = [0; 4];
    file.read_exact_at(&mut first, 0).unwrap();
    assert_eq!(first, large[..4], "a removed file is there while it is open");
}

#[test]
fn directories_behave_as_on_any_disk() {
    let disk = disk!();
    let root = disk.path();
    fs::create_dir_all(root.join("a/b")).unwrap();
    let many: Vec<String> = (0..500).map(|number| format!("file-{number:03}")).collect();
    for name in &many {
        fs::write(root.join("a/b").join(name), name).unwrap();
    }
    assert_eq!(names(&root.join("a/b")), many);
    assert_eq!(fs::remove_dir(root.join("a/b")).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs::rename(root.join("a/b"), root.join("c")).unwrap();
    assert_eq!((names(root), names(&root.join("a"))), (vec!["a".into(), "c".into()], vec![]));
    fs::rename(root.join("c/file-000"), root.join("c/file-001")).unwrap();
    assert_eq!(fs::read(root.join("c/file-001")).unwrap(), b"file-000", "a rename replaces");
    assert_eq!(fs::rename(root.join("a"), root.join("c")).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs::rename(root.join("c"), root.join("a")).unwrap();
    assert_eq!(names(&root.join("a")).len(), 499);
    fs::remove_dir_all(root.join("a")).unwrap();
    assert!(names(root).is_empty());
}

#[test]
fn locks_hold_and_end_with_the_power() {
    let disk = disk!();
    let path = disk.path().join("file");
    let first = write_synced(&path, b"locked");
    let second = File::open(&path).unwrap();
    first.lock().unwrap();
    assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
    restart(&disk, Disk::KEEPS_NOTHING);
    let third = File::open(&path).unwrap();
    third.try_lock().unwrap();
    drop((first, second));
}

#[test]
fn each_way_to_sync_makes_durable() {
    let disk = disk!();
    let (data, written) = (disk.path().join("data"), disk.path().join("written"));
    let mut file = File::create(&data).unwrap();
    file.write_all(b"by fdatasync").unwrap();
    file.sync_data().unwrap();
    // O_DSYNC, the same on every architecture of Linux that this runs on.
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(false).custom_flags(0o10_000).open(&written).unwrap();
    file.write_all(b"by the write").unwrap();
    restart(&disk, Disk::KEEPS_NOTHING);
    assert_eq!(fs::read(&data).unwrap(), b"by fdatasync");
    assert_eq!(fs::read(&written).unwrap(), b"by the write");
}

#[test]
fn operations_are_counted() {
    let disk = disk!();
    let file = write_synced(&disk.path().join("file"), b"");
    let before = disk.counters();
    file.write_all_at(&[1; 300], 0).unwrap();
    file.write_all_at(&[2; 300], 10_000).unwrap();
    file.sync_data().unwrap();
    let mut buffer = [0; 10];
    file.read_exact_at(&mut buffer, 5_000).unwrap();
    let after = disk.counters();
    assert_eq!(after.writes - before.writes, 2);
    assert_eq!(after.written_bytes - before.written_bytes, 600);
    assert_eq!(after.syncs - before.syncs, 1);
    assert!(after.reads > before.reads && after.read_bytes > before.read_bytes);
}
