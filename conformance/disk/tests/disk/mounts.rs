//! That a disk comes and goes without a trace, also under threads and when its process is killed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use strongroom_conformance_disk::{Disk, Options};

use crate::support::{assert_off, mounts_at, names, write_synced};

#[test]
fn a_thousand_cuts_leave_one_mount_and_then_none() {
    let disk = disk!();
    let path = disk.path().to_owned();
    for seed in 0..1_000u64 {
        let file = write_synced(&path.join("file"), &seed.to_be_bytes());
        file.write_all_at(b"un-synced", 0).unwrap();
        disk.cut(Disk::KEEPS_NOTHING);
        assert_off(file.sync_all());
        disk.power_on();
        assert_eq!(fs::read(path.join("file")).unwrap(), seed.to_be_bytes());
    }
    assert_eq!(mounts_at(&path), 1);
    drop(disk);
    assert_eq!(mounts_at(&path), 0);
    assert!(!path.exists());
}

#[test]
fn a_disk_is_unmounted_while_files_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    for _ in 0..20 {
        let disk = disk!(Options { folder: Some(folder.clone()), ..Options::default() });
        let mut file = write_synced(&folder.join("file"), b"open");
        assert_eq!(mounts_at(&folder), 1);
        drop(disk);
        assert_eq!(mounts_at(&folder), 0);
        assert_off(file.write(b"more"));
        assert!(names(&folder).is_empty(), "the folder below is as it was");
    }
}

#[test]
fn a_mounted_disk_keeps_open_nothing_of_its_process() {
    let locked = tempfile::NamedTempFile::new().unwrap();
    locked.as_file().lock().unwrap();
    let other = locked.reopen().unwrap();
    let _disk = disk!();
    drop(locked);
    // Another test that mounts right now may hold a copy for a moment.
    while let Err(TryLockError::WouldBlock) = other.try_lock() {
        thread::yield_now();
    }
}

/// The folder for [`uses_a_disk_until_it_is_killed`].
const FOLDER: &str = "STRONGROOM_DISK_FOLDER";

#[test]
#[ignore = "run by a_process_that_uses_its_own_disk_can_be_killed"]
fn uses_a_disk_until_it_is_killed() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let disk = Disk::mount(Options { folder: Some(folder.clone()), ..Options::default() }).unwrap();
    let work = |name: &str| {
        loop {
            drop(write_synced(&folder.join(name), &[1; 10_000]));
            assert_eq!(fs::read(folder.join(name)).unwrap().len(), 10_000);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| work("a"));
        scope.spawn(|| work("b"));
        while disk.counters().syncs < 20 {
            thread::yield_now();
        }
        fs::write(folder.join("ready"), b"").unwrap();
        work("c")
    })
}

#[test]
fn a_process_that_uses_its_own_disk_can_be_killed() {
    drop(disk!());
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "mounts::uses_a_disk_until_it_is_killed", "--ignored"]).env(FOLDER, &path);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        while !path.join("ready").exists() {
            assert_eq!(child.try_wait().unwrap(), None, "it works until it is killed");
            thread::yield_now();
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        // A killed process cannot unmount; its mount is dead and goes at once.
        assert!(Command::new("umount").arg(&path).status().unwrap().success());
    }
}

#[test]
fn threads_that_use_the_disk_do_not_block_its_owner() {
    let disk = disk!();
    let (done, worked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..4u64 {
            let (path, done, worked) = (disk.path().join(number.to_string()), &done, &worked);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let work = || -> io::Result<()> {
                        let mut file = File::create(&path)?;
                        file.write_all(&[number as u8; 20_000])?;
                        file.sync_all()?;
                        assert_eq!(fs::read(&path)?.len(), 20_000);
                        fs::remove_file(&path)
                    };
                    if work().is_ok() {
                        worked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for seed in 0..200 {
            let before = worked.load(Ordering::Relaxed);
            while worked.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
            disk.cut(seed);
            disk.power_on();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(worked.load(Ordering::Relaxed) >= 200);
}
