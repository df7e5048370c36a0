//! A program that ends with us, however we end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::output::Output;

/// Runs its arguments but the first two until its input ends or has a line. We hold the other end of that input; the kernel
/// closes it, whatever ends us.
///
/// The server alone keeps the output, so that its end is the server's. At the end of the input it gets the signal of the first
/// argument. Then it is waited for, so that it is gone when the shell is, and the folder of the second argument is removed, if
/// there is one. A line is the name of another signal; the folder is then removed at the end of the input, or kept if there is
/// one more line. That the server is gone is told by a line of our own.
const SUPERVISOR: &str = r#"signal=$1 folder=$2; shift 2; "$@" 2>&1 & exec >/dev/null; trap '' PIPE
read -r order; kill -s "${order:-$signal}" $! 2>/dev/null; wait; echo >&2; [ -z "$order" ] || read -r order
[ -n "$order" ] || [ -z "$folder" ] || rm -rf -- "$folder""#;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a program and its children may take to end.
const END_MAX: Duration = Duration::from_secs(30);

/// A running program. Dropping it ends it.
pub(crate) struct Process {
    supervisor: Child,
    output: Output,
}

/// How a program ends if nobody says how.
pub(crate) struct Ending<'a> {
    /// The name of a signal, like `KILL`.
    pub(crate) signal: &'a str,
    /// What is removed when the program is gone.
    pub(crate) folder: Option<&'a Path>,
}

impl Ending<'_> {
    /// It is killed, not asked: what it stores is thrown away.
    pub(crate) const KILL: Ending<'static> = Ending { signal: "KILL", folder: None };
}

impl Process {
    /// Starts a program with these arguments and additions to the environment.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().copied());
        Process::supervise(&command, Ending::KILL)
    }

    /// Starts a command: its arguments, its folder and its environment count, but for `env_clear`.
    pub(crate) fn supervise(supervised: &Command, ending: Ending<'_>) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh", ending.signal]).arg(ending.folder.unwrap_or(Path::new("")));
        command.arg(supervised.get_program()).args(supervised.get_args());
        if let Some(folder) = supervised.get_current_dir() {
            command.current_dir(folder);
        }
        for (name, value) in supervised.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Out of the reach of Ctrl-C: it would end the shell and not the server, which the shell keeps from such signals.
        #[cfg(unix)]
        command.process_group(0);
        let mut supervisor = command.spawn()?;
        let output = supervisor.stdout.take().map(Output::of).unwrap_or_default();
        Ok(Process { supervisor, output })
    }

    /// Waits until it writes a line as wanted.
    ///
    /// # Errors
    ///
    /// If it ends or the time is over before, with what it wrote.
    pub(crate) fn wait_for<T>(&self, deadline: Instant, wanted: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        self.output.wait_for(deadline, wanted)
    }

    /// Waits until something listens there.
    ///
    /// # Errors
    ///
    /// As [`Process::wait_for`].
    pub(crate) fn wait_for_port(&self, deadline: Instant, address: SocketAddr) -> io::Result<()> {
        while let Err(error) = TcpStream::connect(address) {
            if self.output.has_ended() || Instant::now() > deadline {
                let written = self.output.text();
                return Err(io::Error::other(format!("nothing listens on {address}: {error}; written:\n{written}")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Sends it a signal, like `INT`, and waits for its end and that of its children. The folder stays for as long as this
    /// value. Without effect if it is not running.
    ///
    /// # Errors
    ///
    /// If children of it are still there half a minute after that.
    pub(crate) fn end(&mut self, signal: &str) -> io::Result<()> {
        if let Some(input) = self.supervisor.stdin.as_mut().filter(|_| !self.output.has_ended()) {
            writeln!(input, "{signal}")?;
            if let Some(told) = self.supervisor.stderr.as_mut() {
                told.read_exact(&mut [0])?;
            }
        }
        // Whoever has the output open is one of them.
        self.output.wait_for_end(Instant::now() + END_MAX)
    }

    /// Ends it and leaves the folder to the caller.
    ///
    /// # Errors
    ///
    /// As [`Process::end`].
    pub(crate) fn release(&mut self, signal: &str) -> io::Result<()> {
        self.end(signal)?;
        if let Some(mut input) = self.supervisor.stdin.take() {
            // If it ended by itself, the first line is for the signal, which then reaches nobody.
            input.write_all(b"KILL\nkeep\n")?;
        }
        self.supervisor.wait().map(drop)
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.output.has_ended()
    }

    /// The last lines that it wrote.
    pub(crate) fn log(&self) -> String {
        self.output.text()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        // There is nothing to do about a failure, and nothing that depends on it.
        let _ = self.supervisor.wait();
    }
}
