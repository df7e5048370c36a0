//! The disk as programs see it: mounted, through the kernel.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use strongroom_conformance_disk::{Disk, Fault, Options};

/// `EIO`, for which there is no `ErrorKind`.
const EIO: i32 = 5;

const SECTOR: usize = 512;

const PAGE: usize = 4096;

/// A disk, or nothing where none can be mounted: there the test says that it is skipped, and in CI it fails.
fn disk(options: Options) -> Option<Disk> {
    if let Err(reason) = Disk::available() {
        assert_ne!(std::env::var("STRONGROOM_CI").as_deref(), Ok("1"), "in CI nothing may be skipped: {reason}");
        // Not by `eprintln!`, which the test harness would keep to itself.
        let mut terminal = io::stderr();
        writeln!(terminal, "SKIPPED: {reason}").unwrap();
        return None;
    }
    Some(Disk::mount(options).unwrap())
}

/// The disk of a test that needs nothing special, or the end of the test.
macro_rules! disk {
    () => {
        disk!(Options::default())
    };
    ($options:expr) => {
        match disk($options) {
            Some(disk) => disk,
            None => return,
        }
    };
}

fn write_synced(path: &Path, data: &[u8]) -> File {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    file.write_all(data).unwrap();
    file.sync_all().unwrap();
    file
}

fn sync_directory(path: &Path) {
    File::open(path).unwrap().sync_all().unwrap();
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.collect::<BTreeSet<_>>().into_iter().collect()
}

fn restart(disk: &Disk, seed: u64) {
    disk.cut(seed);
    disk.power_on();
}

/// Asks for the error that a machine without power answers.
fn assert_off<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().raw_os_error(), Some(EIO));
}

fn mounts_at(path: &Path) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.split(' ').nth(4) == path.to_str()).count()
}

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
fn what_was_not_synced_is_lost_or_kept_by_the_seed() {
    let disk = disk!();
    let path = disk.path().join("file");
    for (seed, left) in [(Disk::KEEPS_NOTHING, &b"old"[..]), (Disk::KEEPS_EVERYTHING, b"newer")] {
        drop(write_synced(&path, b"old"));
        fs::write(&path, b"newer").unwrap();
        fs::write(disk.path().join("other"), b"other").unwrap();
        restart(&disk, seed);
        assert_eq!(fs::read(&path).unwrap(), left);
        assert_eq!(disk.path().join("other").exists(), seed == Disk::KEEPS_EVERYTHING);
    }
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
fn names_are_durable_when_their_directory_is() {
    let options = Options { names_sync_with_file: false, ..Options::default() };
    let disk = disk!(options);
    let (old, new) = (disk.path().join("old"), disk.path().join("new"));
    drop(write_synced(&old, b"content"));
    restart(&disk, Disk::KEEPS_NOTHING);
    assert!(names(disk.path()).is_empty(), "POSIX: a synced file without a synced name is lost");

    drop(write_synced(&old, b"content"));
    sync_directory(disk.path());
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        fs::rename(&old, &new).unwrap();
        restart(&disk, seed);
        let left = names(disk.path());
        assert_eq!(left.len(), 1);
        assert_eq!(fs::read(disk.path().join(&left[0])).unwrap(), b"content");
        if left == ["new"] {
            fs::rename(&new, &old).unwrap();
            sync_directory(disk.path());
        }
        seen.extend(left);
    }
    assert_eq!(seen.len(), 2, "a rename without a sync may be kept or not");
    fs::rename(&old, &new).unwrap();
    sync_directory(disk.path());
    restart(&disk, Disk::KEEPS_NOTHING);
    assert_eq!(names(disk.path()), ["new"]);
}

#[test]
fn a_new_file_has_its_name_with_its_sync_if_the_disk_is_so() {
    let disk = disk!();
    let folder = disk.path().join("made/before");
    fs::create_dir_all(&folder).unwrap();
    drop(write_synced(&folder.join("synced"), b"content"));
    fs::write(folder.join("not"), b"content").unwrap();
    restart(&disk, Disk::KEEPS_NOTHING);
    assert_eq!(names(&folder), ["synced"]);
    assert_eq!(fs::read(folder.join("synced")).unwrap(), b"content");
}

#[test]
fn sectors_are_torn_on_the_mounted_disk_too() {
    let disk = disk!();
    let path = disk.path().join("file");
    let (mut torn, mut whole) = (0, 0);
    for seed in 2..102 {
        let file = write_synced(&path, &[1; 64 * SECTOR]);
        file.write_all_at(&[2; 64 * SECTOR], 0).unwrap();
        restart(&disk, seed);
        let left = fs::read(&path).unwrap();
        assert_eq!(left.len(), 64 * SECTOR);
        for sector in left.chunks(SECTOR) {
            let new = sector.iter().take_while(|byte| **byte == 2).count();
            assert!(sector[new..].iter().all(|byte| *byte == 1), "a torn sector is new in front and old behind");
            if new % SECTOR == 0 { whole += 1 } else { torn += 1 }
        }
    }
    assert!(torn > 20 && torn * 10 < whole, "{torn} torn, {whole} whole");
}

/// Numbers that look random, the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What a file was since its last sync: the first state is the durable one.
fn changed(states: &mut Vec<Vec<u8>>, change: impl FnOnce(&mut Vec<u8>)) {
    let mut state = states.last().unwrap().clone();
    change(&mut state);
    states.push(state);
}

#[test]
fn synced_data_is_never_lost_in_500_histories() {
    const HISTORIES: u64 = 500;
    let disk = disk!();
    let paths = ["a", "b", "c"].map(|name| disk.path().join(name));
    let mut models = paths.each_ref().map(|path| {
        drop(write_synced(path, b""));
        vec![Vec::new()]
    });
    let mut random = Random(0x5eed);
    let (mut lost, mut kept, mut mixed) = (0, 0, 0);
    for history in 0..HISTORIES {
        let open = |path| OpenOptions::new().read(true).write(true).open(path).unwrap();
        let files = paths.each_ref().map(open);
        for step in 0..=random.below(30) {
            let number = random.below(3) as usize;
            let (file, states) = (&files[number], &mut models[number]);
            let (offset, len) = (random.below(20_000) as usize, 1 + random.below(9_000) as usize);
            match random.below(8) {
                0 | 1 => {
                    file.sync_data().unwrap();
                    states.drain(..states.len() - 1);
                }
                2 => {
                    file.set_len(offset as u64).unwrap();
                    changed(states, |state| state.resize(offset, 0));
                }
                _ => {
                    let byte = (history * 31 + step) as u8 | 1;
                    file.write_all_at(&vec![byte; len], offset as u64).unwrap();
                    // The kernel may pass on a write page by page.
                    let mut at = offset;
                    while at < offset + len {
                        let end = (offset + len).min((at / PAGE + 1) * PAGE);
                        changed(states, |state| {
                            state.resize(state.len().max(end), 0);
                            state[at..end].fill(byte);
                        });
                        at = end;
                    }
                }
            }
        }
        disk.cut(history);
        disk.power_on();
        for (path, states) in paths.iter().zip(&mut models) {
            let left = fs::read(path).unwrap();
            assert!(states.iter().any(|state| state.len() == left.len()), "history {history}: a length of its own");
            for (at, byte) in left.iter().enumerate() {
                let was = |state: &Vec<u8>| state.get(at).copied().unwrap_or_default() == *byte;
                assert!(states.iter().any(was), "history {history}: byte {at} is none that was there since the sync");
            }
            if states.len() > 1 {
                let counter = match &left {
                    left if left == states.last().unwrap() => &mut kept,
                    left if *left == states[0] => &mut lost,
                    _ => &mut mixed,
                };
                *counter += 1;
            }
            *states = vec![left];
        }
    }
    assert!(lost > 50 && kept > 50 && mixed > 50, "{lost} lost, {kept} kept, {mixed} mixed");
}

#[test]
fn nothing_works_without_power_and_old_handles_never_again() {
    let disk = disk!();
    let path = disk.path().join("file");
    let folder = File::open(disk.path()).unwrap();
    let mut file = write_synced(&path, &[7; 10_000]);
    let mut buffer = [0; 100];
    file.read_exact_at(&mut buffer, 0).unwrap();
    disk.cut(Disk::KEEPS_NOTHING);
    for turn in ["without power", "with power again"] {
        assert_off(file.write(b"more"));
        assert_off(file.read_at(&mut buffer, 0));
        assert_off(file.sync_all());
        assert_off(file.set_len(3));
        assert_off(file.metadata());
        assert_off(folder.sync_all());
        if turn == "without power" {
            assert_off(fs::read(&path));
            assert_off(File::create(disk.path().join("new")));
            assert_off(fs::read_dir(disk.path()).and_then(|mut entries| entries.next().unwrap()));
            assert_off(fs::remove_file(&path));
            assert_off(fs::rename(&path, disk.path().join("renamed")));
            disk.cut(Disk::KEEPS_EVERYTHING);
            disk.power_on();
        }
    }
    assert_eq!(fs::read(&path).unwrap(), [7; 10_000]);
    fs::write(&path, b"it works").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"it works");
    file.rewind().unwrap();
    assert_off(file.read(&mut buffer));
}

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
        command.args(["--exact", "uses_a_disk_until_it_is_killed", "--ignored"]).env(FOLDER, &path);
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
