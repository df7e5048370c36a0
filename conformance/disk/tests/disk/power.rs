//! What is left when power goes.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;

use strongroom_conformance_disk::{Disk, Options};

use crate::support::{assert_off, names, restart, sync_directory, write_synced};

const SECTOR: usize = 512;

const PAGE: usize = 4096;

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
