//! The processes that a server started.

use std::io;

/// Kills the children of a process, which is stopped first so that it starts no others. It stays stopped.
#[cfg(unix)]
pub(super) fn kill(parent: i32) -> io::Result<()> {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    kill(Pid::from_raw(parent), Signal::SIGSTOP)?;
    for child in children(parent) {
        // One that has ended meanwhile is as good as killed.
        let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn kill(_: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// None where there is no `/proc`: there they end by themselves when they see that their parent is gone.
#[cfg(unix)]
fn children(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|process| parent_of(*process) == Some(parent)).collect()
}

/// The fourth field of <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>. The second is a name in parentheses, with any
/// character in it.
#[cfg(unix)]
fn parent_of(process: i32) -> Option<i32> {
    let fields = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = fields.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}
