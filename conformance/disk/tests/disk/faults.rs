//! Faults, and a full disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;

use strongroom_conformance_disk::{Disk, Fault, Options};

use crate::support::{assert_off, restart, write_synced};

#[test]
fn a_full_disk_refuses_to_grow_until_there_is_space() {
    let disk = disk!();
    let path = disk.path().join("file");
    let file = write_synced(&path, &[1; 8_192]);
    disk.inject(Fault::NoSpace);
    file.write_all_at(&[2; 8_192], 0).unwrap();
    assert_eq!(file.write_all_at(&[3; 10], 8_192).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(File::create(disk.path().join("new")).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(fs::create_dir(disk.path().join("new")).unwrap_err().kind(), ErrorKind::StorageFull);
    file.sync_all().unwrap();
    disk.inject(Fault::None);
    file.write_all_at(&[3; 10], 8_192).unwrap();
    fs::write(disk.path().join("new"), b"new").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 8_202);
}

#[test]
fn a_small_disk_is_full_at_its_capacity() {
    let disk = disk!(Options { capacity_bytes: Some(100_000), ..Options::default() });
    let path = disk.path().join("file");
    let mut file = File::create(&path).unwrap();
    let mut written = 0;
    let error = loop {
        match file.write(&[1; 1_000]) {
            Ok(bytes) => written += bytes,
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), written), (ErrorKind::StorageFull, 24 * 4_096));
    fs::remove_file(&path).unwrap();
    assert_eq!(File::create(disk.path().join("new")).unwrap_err().kind(), ErrorKind::StorageFull, "it is still open");
    drop(file);
    // A handle is closed behind the back of the program that dropped it, so this may take more than one attempt.
    let freed = (0..100_000).any(|_| fs::write(disk.path().join("new"), [2; 50_000]).is_ok());
    assert!(freed, "a removed file gives its space back");
}

#[test]
fn a_disk_that_lies_loses_what_was_synced() {
    let disk = disk!();
    let path = disk.path().join("file");
    drop(write_synced(&path, b"old"));
    disk.inject(Fault::Lie);
    drop(write_synced(&path, b"new"));
    restart(&disk, Disk::KEEPS_NOTHING);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    disk.inject(Fault::None);
    drop(write_synced(&path, b"new"));
    restart(&disk, Disk::KEEPS_NOTHING);
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_failed_sync_is_told_once_and_loses_its_data() {
    let disk = disk!();
    let path = disk.path().join("file");
    for (retried, left) in [(false, b"old"), (true, b"new")] {
        let file = write_synced(&path, b"old");
        file.write_all_at(b"new", 0).unwrap();
        disk.inject(Fault::SyncError { after: 0, retried });
        assert_off(file.sync_all());
        file.sync_all().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        restart(&disk, Disk::KEEPS_EVERYTHING);
        assert_eq!(fs::read(&path).unwrap(), left);
    }
}

#[test]
fn a_broken_disk_fails_after_so_many_changes() {
    let disk = disk!();
    let path = disk.path().join("file");
    let file = write_synced(&path, b"old");
    disk.inject(Fault::IoError { after: 2 });
    file.write_all_at(b"n", 0).unwrap();
    file.sync_all().unwrap();
    assert_off(file.write_at(b"e", 1));
    assert_off(file.sync_all());
    assert_off(fs::remove_file(&path));
    assert_eq!(fs::read(&path).unwrap(), b"nld");
    disk.inject(Fault::None);
    fs::remove_file(&path).unwrap();
}
