//! PostgreSQL: <https://www.postgresql.org/docs/current/runtime.html>.

mod account;
mod children;
mod options;
mod programs;
mod psql;
mod replication;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use options::PostgresOptions;

use crate::port;
use crate::process::{Ending, Process};
use programs::{Programs, run};

const USER: &str = "strongroom";
const DATABASE: &str = "strongroom";

/// A user that has to say a password. It protects nothing: everybody on this machine is let in as the other user.
const GUARDED_USER: &str = "guarded";
const GUARDED_PASSWORD: &str = "strongroom";

/// Who is let in and how: `pg_hba.conf`.
const ADMISSION: &str = "host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
";

const START_MAX: Duration = Duration::from_secs(60);

/// Somebody else may take a port between our look and the server's.
const ATTEMPTS_MAX: u32 = 3;

/// How a [`Postgres`] is stopped: <https://www.postgresql.org/docs/current/server-shutdown.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Connections are closed, what is running is rolled back, and all is written.
    Fast,
    /// At once. What was committed is recovered from the log at the next start.
    Immediate,
}

/// A running PostgreSQL. Dropping it ends it and removes what it stored.
///
/// It listens on a port of the loopback interface of its own and nowhere else. Everybody on this machine is its superuser.
pub struct Postgres {
    address: SocketAddr,
    programs: Programs,
    // In this order, for fields are dropped in order: the folder can go when nothing writes to it.
    process: Process,
    folder: TempDir,
}

impl Postgres {
    /// Makes a server with an empty database and starts it.
    ///
    /// Which: that of the folder of programs that the environment names in `STRONGROOM_POSTGRES_BIN`, else the newest in
    /// `/usr/lib/postgresql`, else the first on the path. Its folder is in the temporary one. PostgreSQL does not run as root,
    /// so root starts it as the user `postgres`, else `nobody`; if that user may not enter the temporary folder, then in
    /// `/tmp`.
    ///
    /// # Errors
    ///
    /// If it is not there, as [`Postgres::available`] says. If it does not answer within a minute or ends before: with what
    /// it wrote.
    pub fn start(options: &PostgresOptions) -> io::Result<Self> {
        let programs = Programs::find().map_err(io::Error::other)?;
        let folder = programs.account.folder()?;
        let initdb = ["--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync", "--no-instructions"];
        run(programs.command("initdb").args(initdb).args(["-U", USER, "-D"]).arg(data(&folder)))?;
        fs::write(data(&folder).join("pg_hba.conf"), ADMISSION)?;
        let mut configuration = fs::OpenOptions::new().append(true).open(data(&folder).join("postgresql.conf"))?;
        configuration.write_all(options.configuration().as_bytes())?;
        let server = Postgres::launch(programs, folder)?;
        let create = format!("CREATE DATABASE {DATABASE}");
        let guard = format!("CREATE ROLE {GUARDED_USER} SUPERUSER LOGIN PASSWORD '{GUARDED_PASSWORD}'");
        server.psql("postgres", &[&create, &guard])?;
        Ok(server)
    }

    /// The one of this process with the default options, started by the first caller. Each caller takes a schema or a
    /// database of its own.
    ///
    /// # Errors
    ///
    /// Those of [`Postgres::start`], the same for every caller.
    pub fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        crate::shared(&SHARED, || Postgres::start(&PostgresOptions::default()))
    }

    /// Whether there is a PostgreSQL to start. It is not tried.
    ///
    /// # Errors
    ///
    /// The reason, and in parentheses the command that would help, as one line.
    pub fn available() -> Result<(), String> {
        Programs::find().map(drop)
    }

    /// How a client names its database, like `postgres://strongroom@127.0.0.1:20123/strongroom`.
    pub fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// The same database by another address, that of a [`Proxy`](crate::Proxy).
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://{USER}@{address}/{DATABASE}")
    }

    /// The same database for a user who is asked for a password (SCRAM-SHA-256), which is in it.
    pub fn url_with_password(&self) -> String {
        format!("postgres://{GUARDED_USER}:{GUARDED_PASSWORD}@{}/{DATABASE}", self.address)
    }

    /// Where it listens. It stays the same when it is started again.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last lines that it wrote since its last start, for the message of a test that fails.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Stops it and waits for its end. What it stored stays, for [`Postgres::restart`]. Without effect if it is not running.
    ///
    /// # Errors
    ///
    /// If processes of it are left after half a minute.
    pub fn stop(&mut self, mode: Mode) -> io::Result<()> {
        self.process.end(match mode {
            Mode::Fast => "INT",
            Mode::Immediate => "QUIT",
        })
    }

    /// Kills every process of it at once and waits for their end. What it stored stays, for [`Postgres::restart`]. Without
    /// effect if it is not running.
    ///
    /// Where there is no `/proc`, the first process alone is killed, and the others end when they see it.
    ///
    /// # Errors
    ///
    /// As [`Postgres::stop`].
    pub fn kill(&mut self) -> io::Result<()> {
        if self.process.is_running() {
            children::kill(self.process_id()?)?;
        }
        self.process.end("KILL")
    }

    /// Starts it again on the same port with what it stored. If it is running, it is stopped first, [fast](Mode::Fast).
    ///
    /// # Errors
    ///
    /// If it cannot be stopped. If it does not answer within a minute or ends before: with what it wrote.
    pub fn restart(&mut self) -> io::Result<()> {
        self.process.release("INT")?;
        self.process = launch_at(self.address, &self.programs, &self.folder)?;
        Ok(())
    }

    /// Starts a server on what the folder holds, on a free port.
    fn launch(programs: Programs, folder: TempDir) -> io::Result<Self> {
        let mut attempt = 1;
        loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?));
            match launch_at(address, &programs, &folder) {
                Err(_) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error),
                Ok(process) => return Ok(Postgres { address, programs, process, folder }),
            }
        }
    }

    /// That of its first process.
    fn process_id(&self) -> io::Result<i32> {
        let written = fs::read_to_string(data(&self.folder).join("postmaster.pid"))?;
        let number = written.lines().next().and_then(|line| line.trim().parse().ok());
        number.ok_or_else(|| io::Error::other("the file of the server's process has no number"))
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("address", &self.address).finish_non_exhaustive()
    }
}

/// If it does not get ready, it is gone again, and the folder is still there.
fn launch_at(address: SocketAddr, programs: &Programs, folder: &TempDir) -> io::Result<Process> {
    let mut command = programs.command("postgres");
    command.arg("-D").arg(data(folder));
    command.args(["-c", &format!("listen_addresses={}", address.ip()), "-p", &address.port().to_string()]);
    // Told by this signal, it ends its children and waits for them. If it were killed, they would end later than it.
    let mut process = Process::supervise(&command, Ending { signal: "QUIT", folder: Some(folder.path()) })?;
    let deadline = Instant::now() + START_MAX;
    // A standby is ready to accept read-only connections.
    let ready = |line: &str| (line.contains("ready to accept") && line.contains("connections")).then_some(());
    if let Err(error) = process.wait_for(deadline, ready) {
        process.release("QUIT")?;
        return Err(error);
    }
    Ok(process)
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}
