//! What stacks whose store is a file, with files beside it, have in common.

use std::sync::OnceLock;
use std::{fs, io};

use strongroom_conformance::{Can, Capability, Damage, Folder, Place};
use strongroom_core::{Error, ErrorKind, Result};

use super::disk;

/// Whether a store in files can do this here.
pub(super) fn can(capability: Capability) -> Can {
    static HURT: OnceLock<Can> = OnceLock::new();
    match capability {
        Capability::Crash | Capability::Inject => HURT.get_or_init(disk::can).clone(),
        _ => Can::Yes,
    }
}

/// A folder, on a disk of its own where that is going to be hurt.
pub(super) fn folder(needs: &[Capability]) -> io::Result<Folder> {
    if needs.iter().any(|need| matches!(need, Capability::Crash | Capability::Inject)) {
        disk::folder()
    } else {
        Folder::temporary()
    }
}

/// Does damage to the place's file. There need be none for [`Damage::Replace`].
pub(super) fn tamper(place: &Place, damage: &Damage) -> Result<()> {
    match damage {
        Damage::Replace(bytes) => fs::write(place.file(), bytes).map_err(failed),
        damage => change(place, |bytes| damage.apply(bytes)),
    }
}

/// Changes the bytes of the place's file.
pub(super) fn change(place: &Place, change: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let mut bytes = fs::read(place.file()).map_err(failed)?;
    change(&mut bytes);
    fs::write(place.file(), bytes).map_err(failed)
}

/// Removes the place's file and those beside it whose names begin with its own.
pub(super) fn destroy(place: &Place) -> Result<()> {
    for entry in fs::read_dir(&place.folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(place.name.as_str()));
        if rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit())) {
            match fs::remove_file(entry.path()) {
                // The engine's thread may still be at the end of a connection that failed, and removes its own.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "the place's files").with_source(error)
}
