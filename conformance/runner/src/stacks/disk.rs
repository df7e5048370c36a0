//! The disk of a case, which a process of its own serves.
//!
//! A process must not map files of a disk that it serves itself: when it unmaps them, the kernel holds on to its memory
//! until the disk has answered, which cannot answer then. So this program is started again, to serve the disk and do what
//! it is ordered to, a line each.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{env, fmt};

use strongroom_conformance::{Can, Fault, Folder, Place};
use strongroom_conformance_disk::{Disk, Fault as DiskFault, Options};
use strongroom_core::{Error, ErrorKind, Result};

const VARIABLE: &str = "STRONGROOM_CONFORMANCE_DISK";
/// What the server answers when it has done what it was ordered to.
const DONE: &str = "done";

/// The disks of the cases that are under way, by the folders that they are mounted at.
static DISKS: Mutex<BTreeMap<PathBuf, Weak<ServedDisk>>> = Mutex::new(BTreeMap::new());

/// Whether a disk can be had on this machine.
pub(super) fn can() -> Can {
    Disk::available().map_or_else(Can::Missing, |()| Can::Yes)
}

/// A folder on a new disk, which lasts as long.
pub(super) fn folder() -> io::Result<Folder> {
    let disk = Arc::new(ServedDisk::start()?);
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.retain(|_, disk| disk.strong_count() > 0);
    disks.insert(disk.path.clone(), Arc::downgrade(&disk));
    Ok(Folder::new(disk.path.clone(), disk))
}

/// The disk of a place.
pub(super) fn of(place: &Place) -> Result<Arc<ServedDisk>> {
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    let disk = disks.get(&place.folder).and_then(Weak::upgrade);
    disk.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the place is not on a disk that can be hurt"))
}

/// A disk that another process serves.
pub(super) struct ServedDisk {
    path: PathBuf,
    server: Mutex<Server>,
}

struct Server {
    process: Child,
    /// Closed, it ends the server.
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl ServedDisk {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.env(VARIABLE, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let (orders, answers) = (process.stdin.take(), process.stdout.take());
        let answers = answers.ok_or_else(|| io::Error::other("the disk's server has no output"))?;
        let mut server = Server { process, orders, answers: BufReader::new(answers).lines() };
        let path = server.answer()?.into();
        Ok(ServedDisk { path, server: Mutex::new(server) })
    }

    /// Cuts the power and gives it again. One seed in four keeps nothing that was not synced, one keeps all.
    pub(super) fn cut(&self, seed: u64) -> Result<()> {
        self.order(&format!("cut {seed}"))
    }

    /// Makes the disk fail.
    pub(super) fn inject(&self, fault: Fault) -> Result<()> {
        self.order(&match fault {
            Fault::None => "well".to_owned(),
            Fault::NoSpace => "full".to_owned(),
            Fault::Broken { after } => format!("broken {after}"),
            Fault::SyncOnce { after } => format!("unsynced {after}"),
            Fault::Lie => "lying".to_owned(),
        })
    }

    fn order(&self, order: &str) -> Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let done = server.order(order).and_then(|()| server.answer()).and_then(|answer| match answer.as_str() {
            DONE => Ok(()),
            other => Err(io::Error::other(format!("the disk's server answers: {other}"))),
        });
        done.map_err(|error| Error::new(ErrorKind::Io, "the disk cannot be hurt").with_source(error))
    }
}

impl Server {
    fn order(&mut self, order: &str) -> io::Result<()> {
        match &mut self.orders {
            Some(orders) => writeln!(orders, "{order}"),
            None => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }

    fn answer(&mut self) -> io::Result<String> {
        self.answers.next().unwrap_or_else(|| Err(io::Error::other("the disk's server has ended")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.orders.take());
        // It unmounts the disk before it ends; what went wrong it has said.
        self.process.wait().ok();
    }
}

impl fmt::Debug for ServedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServedDisk").field(&self.path).finish()
    }
}

/// Serves a disk until nobody orders anything any more, if this process was started for that; `false` if it was not.
pub(super) fn serve() -> io::Result<bool> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let disk = Disk::mount(Options::default())?;
    let mut output = io::stdout().lock();
    writeln!(output, "{}", disk.path().display())?;
    for order in io::stdin().lines() {
        let answer = if obey(&disk, &order?).is_some() { DONE } else { "no such order" };
        writeln!(output, "{answer}")?;
    }
    Ok(true)
}

fn obey(disk: &Disk, order: &str) -> Option<()> {
    let mut words = order.split(' ');
    let name = words.next()?;
    let mut number = || words.next()?.parse::<u64>().ok();
    let fault = match name {
        "cut" => {
            let seed = number()?;
            disk.cut(match seed % 4 {
                0 => Disk::KEEPS_NOTHING,
                1 => Disk::KEEPS_EVERYTHING,
                _ => seed,
            });
            disk.power_on();
            return Some(());
        }
        "well" => DiskFault::None,
        "full" => DiskFault::NoSpace,
        "broken" => DiskFault::IoError { after: number()? },
        "unsynced" => DiskFault::SyncError { after: number()?, retried: false },
        "lying" => DiskFault::Lie,
        _ => return None,
    };
    disk.inject(fault);
    Some(())
}
