//! Mounting on Linux, without unguarded code and where it can without helpers.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use fuser::{Config, MountOption, Session, SessionUnmounter};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::close;

use crate::filesystem::MachineFilesystem;
use crate::machine::Machine;
use crate::medium::Attributes;

const DEVICE: &str = "/dev/fuse";

/// The bit of `CAP_SYS_ADMIN`, without which only a helper may mount (`capabilities(7)`).
const MAY_MOUNT: u64 = 1 << 21;

/// A mounted machine, until it is dropped.
pub(crate) struct Mount {
    /// Never sends: the server unmounts when this is gone.
    until: Option<Sender<Infallible>>,
    server: Option<JoinHandle<()>>,
}

impl Mount {
    pub(crate) fn new(machine: Arc<Mutex<Machine>>, path: &Path) -> io::Result<Self> {
        let (until, dropped) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let path = path.to_owned();
        let serve = move || match mount(MachineFilesystem(machine), &path) {
            Ok(unmounter) => {
                let _ = tell.send(Ok(()));
                let _ = dropped.recv();
                unmount(unmounter, &path);
            }
            Err(error) => drop(tell.send(Err(error))),
        };
        let server = thread::Builder::new().name("strongroom-disk".into()).spawn(serve)?;
        let ended = |_| Err(io::Error::other("the server of the disk has ended"));
        told.recv().unwrap_or_else(ended)?;
        Ok(Mount { until: Some(until), server: Some(server) })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(self.until.take());
        if let Some(server) = self.server.take() {
            // It has nothing to say but a panic, which was printed.
            let _ = server.join();
        }
    }
}

/// Mounts and starts to answer the kernel, from a thread made for it.
///
/// This thread and those that it starts have file descriptors of their own. If they shared them, a process that uses its
/// own disk could not be killed: the thread that answers would be gone, and one that waits for an answer would keep the
/// device open, so that the kernel would wait with it. Now the device closes with the threads here, and that ends every
/// wait.
fn mount(filesystem: MachineFilesystem, path: &Path) -> io::Result<SessionUnmounter> {
    unshare(CloneFlags::CLONE_FILES)?;
    close_copies()?;
    let mut config = Config::default();
    let name = MountOption::FSName("strongroom-disk".into());
    config.mount_options = vec![name, MountOption::DefaultPermissions, MountOption::NoAtime];
    let mut session = Session::new(filesystem, path, &config)?;
    let unmounter = session.unmount_callable();
    // It ends when the kernel has let go of the file system: after the last handle, which may be after the unmount.
    thread::Builder::new().name("strongroom-disk".into()).spawn(move || session.run())?;
    Ok(unmounter)
}

/// Closes this thread's copies of the descriptors of the process, but for the three standard streams. Otherwise a pipe,
/// a lock or a file would stay open here that the process closes.
fn close_copies() -> io::Result<()> {
    let entries = fs::read_dir("/proc/thread-self/fd")?;
    let copies: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).collect();
    for copy in copies.into_iter().filter(|copy| *copy > 2) {
        // One of them was that of the listing, which is closed by now.
        let _ = close(copy);
    }
    Ok(())
}

fn unmount(mut unmounter: SessionUnmounter, path: &Path) {
    if unmounter.unmount().is_err() {
        // Somebody still has a file open. It goes out of sight now and away with the last handle. There is nobody to
        // tell of a failure: the mount stays, as `mount` shows.
        let _ = umount2(path, MntFlags::MNT_DETACH);
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
