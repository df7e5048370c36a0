//! A program that ends with us, however we end.

use std::io;
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::output::Output;

/// Runs its arguments until its input ends. We hold the other end of that input; the kernel closes it, whatever ends us.
///
/// The server alone keeps the output, so that its end is the server's. It is killed, not asked: what it stores is thrown
/// away. Then it is waited for, so that it is gone when the shell is.
const SUPERVISOR: &str = r#""$@" 2>&1 & exec >/dev/null 2>&1; read -r _; kill -9 $!; wait"#;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(10);

/// A running program. Dropping it kills it.
pub(crate) struct Process {
    supervisor: Child,
    output: Output,
}

impl Process {
    /// Starts a program with these arguments and additions to the environment.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(program).args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
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
