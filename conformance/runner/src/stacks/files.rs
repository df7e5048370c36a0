//! What stacks whose store is a file, with files beside it, have in common: a disk that can be hurt, and files that can.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::{fs, io};

use strongroom_conformance::{Can, Capability, Damage, Fault, Folder, Place};
use strongroom_conformance_disk::{Disk, Fault as DiskFault, Options};
use strongroom_core::{Error, ErrorKind, Result};

/// The disks of the cases that are under way, by the folders that they are mounted at.
static DISKS: Mutex<BTreeMap<PathBuf, Weak<Disk>>> = Mutex::new(BTreeMap::new());

/// Whether a store in files can do this here.
pub(super) fn can(capability: Capability) -> Can {
    static AVAILABLE: OnceLock<Can> = OnceLock::new();
    match capability {
        Capability::Crash | Capability::Inject => AVAILABLE.get_or_init(available).clone(),
        _ => Can::Yes,
    }
}

fn available() -> Can {
    match Disk::available() {
        Ok(()) => Can::Yes,
        Err(reason) => Can::Missing(reason),
    }
}

/// A folder, on a disk of its own where that is going to be hurt.
pub(super) fn folder(needs: &[Capability]) -> io::Result<Folder> {
    if !needs.iter().any(|need| matches!(need, Capability::Crash | Capability::Inject)) {
        return Folder::temporary();
    }
    let disk = Arc::new(Disk::mount(Options::default())?);
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.retain(|_, disk| disk.strong_count() > 0);
    disks.insert(disk.path().to_owned(), Arc::downgrade(&disk));
    Ok(Folder::new(disk.path().to_owned(), disk))
}

/// Cuts the power of the place's disk and gives it again. One seed in four keeps nothing that was not synced, one keeps all.
pub(super) fn crash(place: &Place, seed: u64) -> Result<()> {
    let disk = disk(place)?;
    disk.cut(match seed % 4 {
        0 => Disk::KEEPS_NOTHING,
        1 => Disk::KEEPS_EVERYTHING,
        _ => seed,
    });
    disk.power_on();
    Ok(())
}

/// Makes the place's disk fail.
pub(super) fn inject(place: &Place, fault: Fault) -> Result<()> {
    disk(place)?.inject(match fault {
        Fault::None => DiskFault::None,
        Fault::NoSpace => DiskFault::NoSpace,
        Fault::Broken { after } => DiskFault::IoError { after },
        Fault::SyncOnce { after } => DiskFault::SyncError { after, retried: false },
        Fault::Lie => DiskFault::Lie,
    });
    Ok(())
}

fn disk(place: &Place) -> Result<Arc<Disk>> {
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    let disk = disks.get(&place.folder).and_then(Weak::upgrade);
    disk.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the place is not on a disk that can be hurt"))
}

/// Changes the bytes of the place's file. There need be none for [`Damage::Replace`].
pub(super) fn tamper(place: &Place, damage: &Damage) -> Result<()> {
    if let Damage::Replace(bytes) = damage {
        return fs::write(place.file(), bytes).map_err(failed);
    }
    let mut bytes = fs::read(place.file()).map_err(failed)?;
    damage.apply(&mut bytes);
    fs::write(place.file(), bytes).map_err(failed)
}

/// Puts other bytes at a position of the place's file.
pub(super) fn overwrite(place: &Place, at: u64, bytes: &[u8]) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(place.file()).map_err(failed)?;
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes)).map_err(failed)
}

/// Removes the place's file and those beside it whose names begin with its own.
pub(super) fn destroy(place: &Place) -> Result<()> {
    for entry in fs::read_dir(&place.folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(place.name.as_str()));
        if rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit())) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "the place's files").with_source(error)
}
