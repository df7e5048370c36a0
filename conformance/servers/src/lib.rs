//! Real servers, for the test of what only a server can say: of S3, whether a request is signed, paged and made conditional
//! as the protocol has it; of PostgreSQL, what is left of a statement when the server or the network fails.
//!
//! A server is a program of this machine, started for the test on a free port of the loopback interface. It keeps nothing:
//! what it stored goes when it stops.
//!
//! ```no_run
//! use strongroom_conformance_servers::{Postgres, Server};
//!
//! # fn main() -> Result<(), String> {
//! Server::moto_available()?;
//! let server = Server::shared_moto()?;
//! println!("{}/{}/{}", server.endpoint(), server.bucket(), server.new_prefix());
//!
//! Postgres::available()?;
//! println!("{}", Postgres::shared()?.url());
//! # Ok(())
//! # }
//! ```
//!
//! - moto is a simulation of AWS, in Python. It is quick to have and strict about the protocol.
//! - garage is a server that people store data on, in Rust. It is built once by hand.
//! - PostgreSQL is the distribution's. It can be stopped, killed and started again, and followed by standbys. A [`Proxy`] in
//!   front of it is a network that fails at a chosen statement.
//!
//! Neither of the first two is AWS. moto does not check signatures; garage does.
//!
//! A server is gone when its value is dropped, and also when the process ends without that, by a signal or by `exit`: a shell
//! stands between the two and ends the server when our end of a pipe closes.

mod garage;
mod http;
mod moto;
mod output;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

pub use postgres::{Mode, Postgres, PostgresOptions};
pub use proxy::{Moment, Proxy};

use process::Process;

/// A running server of S3 with one empty bucket. Dropping it ends it.
pub struct Server {
    address: SocketAddr,
    bucket: String,
    region: &'static str,
    access_key: &'static str,
    secret_key: &'static str,
    prefixes: AtomicU64,
    // In this order, for fields are dropped in order: the folder can go when nothing writes to it.
    process: Process,
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts moto.
    ///
    /// Which: the program that the environment names in `STRONGROOM_MOTO_SERVER`, else the one in the virtual environment
    /// `target/moto` of this repository, else `moto_server` on the path.
    ///
    /// # Errors
    ///
    /// If it is not there, as [`Server::moto_available`] says. If it does not answer within a minute or ends before: with
    /// what it wrote.
    pub fn moto() -> io::Result<Self> {
        moto::start()
    }

    /// The one moto of this process, started by the first caller. Each caller takes a [prefix](Self::new_prefix) of its
    /// own.
    ///
    /// # Errors
    ///
    /// Those of [`Server::moto`], the same for every caller.
    pub fn shared_moto() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
        shared(&SHARED, Server::moto)
    }

    /// Whether there is a moto to start. It is not tried.
    ///
    /// # Errors
    ///
    /// The reason, and in parentheses the command that would help, as one line.
    pub fn moto_available() -> Result<(), String> {
        moto::program().map(drop)
    }

    /// Starts garage, 2.3 or newer: the program that the environment names in `STRONGROOM_GARAGE`, else `garage` on the
    /// path.
    ///
    /// # Errors
    ///
    /// If it is not there, as [`Server::garage_available`] says. If it does not answer within a minute or ends before:
    /// with what it wrote.
    pub fn garage() -> io::Result<Self> {
        garage::start()
    }

    /// The one garage of this process, as [`Server::shared_moto`].
    ///
    /// # Errors
    ///
    /// Those of [`Server::garage`], the same for every caller.
    pub fn shared_garage() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
        shared(&SHARED, Server::garage)
    }

    /// Whether there is a garage to start. It is not tried.
    ///
    /// # Errors
    ///
    /// The reason, and in parentheses the command that would help, as one line.
    pub fn garage_available() -> Result<(), String> {
        garage::program().map(drop)
    }

    /// Where it answers, like `http://127.0.0.1:40123`. Buckets are addressed by path.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of its bucket, empty at the start.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.region
    }

    /// The access key, which may read, write and list the bucket.
    pub fn access_key(&self) -> &str {
        self.access_key
    }

    /// The secret of the access key. It protects nothing.
    pub fn secret_key(&self) -> &str {
        self.secret_key
    }

    /// A prefix of keys that no other caller has from this server, like `7`.
    pub fn new_prefix(&self) -> String {
        self.prefixes.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// The last lines that it wrote, for the message of a test that fails.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

fn shared<T>(
    slot: &'static OnceLock<Result<T, String>>,
    start: impl FnOnce() -> io::Result<T>,
) -> Result<&'static T, String> {
    slot.get_or_init(|| start().map_err(|error| error.to_string())).as_ref().map_err(String::clone)
}
