//! Mounting on Linux, without unguarded code and where it can without helpers.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use fuser::{Config, MountOption, Session, SessionUnmounter};

use crate::filesystem::MachineFilesystem;
use crate::machine::Machine;
use crate::medium::Attributes;

const DEVICE: &str = "/dev/fuse";

/// The bit of `CAP_SYS_ADMIN`, without which only a helper may mount (`capabilities(7)`).
const MAY_MOUNT: u64 = 1 << 21;

/// A mounted machine, until it is dropped.
pub(crate) struct Mount {
    unmounter: SessionUnmounter,
    path: PathBuf,
}

impl Mount {
    pub(crate) fn new(machine: Arc<Mutex<Machine>>, path: &Path) -> io::Result<Self> {
        let mut config = Config::default();
        let name = MountOption::FSName("strongroom-disk".into());
        config.mount_options = vec![name, MountOption::DefaultPermissions, MountOption::NoAtime];
        let mut session = Session::new(MachineFilesystem(machine), path, &config)?;
        let unmounter = session.unmount_callable();
        let mount = Mount { unmounter, path: path.to_owned() };
        // It ends when the kernel has let go of the file system: after the last handle, which may be after the drop.
        thread::Builder::new().name("strongroom-disk".into()).spawn(move || session.run())?;
        Ok(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.unmounter.unmount().is_err() {
            // Somebody still has a file open. It goes out of sight now and away with the last handle. There is nobody to
            // tell of a failure: the mount stays, as `mount` shows.
            let _ = Command::new("umount").arg("--lazy").arg(&self.path).output();
        }
    }
}

/// What the root directory takes over from the folder that it covers.
pub(crate) fn root_attributes(folder: &Path) -> io::Result<Attributes> {
    let metadata = fs::metadata(folder)?;
    let (uid, gid) = (metadata.uid(), metadata.gid());
    Ok(Attributes { mode: metadata.mode() & 0o7777, uid, gid, modified: SystemTime::UNIX_EPOCH })
}

/// Why this machine cannot mount, as far as it can be seen without trying.
pub(crate) fn obstacle() -> Result<(), String> {
    if let Err(error) = OpenOptions::new().read(true).write(true).open(DEVICE) {
        let command = "as root `modprobe fuse`; for a container `--device /dev/fuse --cap-add SYS_ADMIN`";
        return Err(format!("{DEVICE} cannot be opened: {error} ({command})"));
    }
    let may_mount = fs::read_to_string("/proc/self/status").is_ok_and(|status| capabilities(&status) & MAY_MOUNT != 0);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let has_helper = |folder: PathBuf| ["fusermount3", "fusermount"].iter().any(|name| folder.join(name).exists());
    if may_mount || std::env::split_paths(&folders).any(has_helper) {
        Ok(())
    } else {
        Err("the process may not mount and there is no fusermount3 (`apt-get install fuse3`, or run as root)".into())
    }
}

fn capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hexadecimal| u64::from_str_radix(hexadecimal.trim(), 16).ok()).unwrap_or_default()
}
