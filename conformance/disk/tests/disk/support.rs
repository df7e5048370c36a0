//! What the tests share.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use strongroom_conformance_disk::{Disk, Options};

/// `EIO`, for which there is no `ErrorKind`.
const EIO: i32 = 5;

/// A disk, or nothing where none can be mounted: there the test says that it is skipped, and in CI it fails.
pub(crate) fn mount(options: Options) -> Option<Disk> {
    if let Err(reason) = Disk::available() {
        assert_ne!(std::env::var("STRONGROOM_CI").as_deref(), Ok("1"), "in CI nothing may be skipped: {reason}");
        // Not by `eprintln!`, which the test harness would keep to itself.
        io::stderr().write_all(format!("\nSKIPPED: {reason}\n").as_bytes()).unwrap();
        return None;
    }
    Some(Disk::mount(options).unwrap())
}

pub(crate) fn write_synced(path: &Path, data: &[u8]) -> File {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    file.write_all(data).unwrap();
    file.sync_all().unwrap();
    file
}

pub(crate) fn sync_directory(path: &Path) {
    File::open(path).unwrap().sync_all().unwrap();
}

pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.collect::<BTreeSet<_>>().into_iter().collect()
}

pub(crate) fn restart(disk: &Disk, seed: u64) {
    disk.cut(seed);
    disk.power_on();
}

/// Asks for the error that a machine without power answers.
pub(crate) fn assert_off<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().raw_os_error(), Some(EIO));
}

pub(crate) fn mounts_at(path: &Path) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.split(' ').nth(4) == path.to_str()).count()
}
