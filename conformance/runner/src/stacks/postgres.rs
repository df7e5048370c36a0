//! PostgreSQL: a namespace of a real server on this machine.

use std::process::{self, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, io};

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Factory, Folder, Place, Settings};
use strongroom_conformance_servers::Postgres as Program;
use strongroom_core::store::{Limits, Store};
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_postgres::{PostgresOptions, Server};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;
use url::Url;

/// Stores on a PostgreSQL server, in a namespace each.
#[derive(Clone, Copy, Debug)]
pub struct PostgresFactory;

/// In the folder of the places: where the server is that the process of the suite has started, for its children as well.
const SERVER: &str = "postgres-server";

/// A statement that has begun ends at last with the server's own limit.
const SETTLE_MAX: Duration = Duration::from_secs(60);

fn server(place: &Place) -> Result<String> {
    fs::read_to_string(place.folder.join(SERVER)).map_err(|error| failed(&error))
}

/// No two places have the same one, since every folder has a name of its own.
fn namespace(place: &Place) -> String {
    place.file().display().to_string()
}

/// What the clients of the suite are called, each with its process's number behind it.
const CLIENT: &str = "conformance ";

/// Connections of one process, for all cases that run in it beside each other.
const CONNECTIONS_MAX: u32 = 32;
const SNAPSHOTS_MAX: usize = 256;

/// The server's URL, with what this process is called there.
fn url(place: &Place) -> Result<Url> {
    let mut url = Url::parse(&server(place)?).map_err(|error| failed(&error))?;
    url.query_pairs_mut().append_pair("application_name", &format!("{CLIENT}{}", process::id()));
    Ok(url)
}

/// The server as this process is connected to it. A connection costs more than most cases, so all cases share some. They are driven
/// by a runtime of their own, since each case ends with its runtime.
async fn connected(place: &Place) -> Result<&'static Server> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    static CONNECTED: OnceCell<Server> = OnceCell::const_new();

    let connect = || async {
        let url = url(place)?;
        let limits = Limits { snapshots_max: SNAPSHOTS_MAX, ..PostgresOptions::default().limits };
        let options = PostgresOptions { limits, connections_max: CONNECTIONS_MAX, ..PostgresOptions::default() };
        let made = || Builder::new_multi_thread().worker_threads(2).enable_all().build();
        RUNTIME
            .get_or_init(made)
            .as_ref()
            .map_err(|error| failed(error))?
            .spawn(async move { options.connect(url.as_str()).await })
            .await
            .map_err(|error| failed(&error))?
    };
    CONNECTED.get_or_try_init(connect).await
}

fn is_alive(process: &str) -> bool {
    let asked = Command::new("kill").args(["-0", process]).stderr(Stdio::null()).status();
    asked.is_ok_and(|answer| answer.success())
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("the place's server: {error}"))
}

#[async_trait]
impl Factory for PostgresFactory {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Compact => Can::No("the server does it by itself".into()),
            Capability::Files => Can::No("the rows are on a server".into()),
            Capability::Crash | Capability::Inject | Capability::Tamper => {
                Can::No("the medium is a server's; what becomes of one is tested in runner/tests/postgres".into())
            }
            _ => match Program::available() {
                Ok(()) => Can::Yes,
                Err(reason) => Can::Missing(reason),
            },
        }
    }

    fn limits(&self) -> Limits {
        PostgresOptions::default().limits
    }

    fn folder(&self, _: &[Capability]) -> io::Result<Folder> {
        let folder = Folder::temporary()?;
        let server = Program::shared().map_err(io::Error::other)?;
        fs::write(folder.path().join(SERVER), server.url())?;
        Ok(folder)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let server = connected(place).await?.with_limits(settings.limits, settings.clock.clone());
        Ok(Arc::new(server.namespace(&namespace(place)).await?))
    }

    /// By its URL, with connections of its own, as a program with one store does it.
    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let mut url = url(place)?;
        url.query_pairs_mut().append_pair("namespace", &namespace(place));
        let (limits, clock) = (settings.limits, settings.clock.clone());
        let options = PostgresOptions { limits, clock, connections_max: 2, ..PostgresOptions::default() };
        Ok(Arc::new(options.open(url.as_str()).await?))
    }

    async fn settle(&self, _: &Place) -> Result<()> {
        let server = Program::shared().map_err(|error| failed(&error))?;
        let begun = Instant::now();
        loop {
            // A server's process ends when it has done what was asked and sees that its client is gone. Those of all cases' children
            // are waited for: which is whose is not known.
            let clients = server
                .query("SELECT DISTINCT application_name FROM pg_stat_activity")
                .map_err(|error| failed(&error))?;
            let mut processes = clients.lines().filter_map(|client| client.strip_prefix(CLIENT));
            if processes.all(is_alive) {
                return Ok(());
            }
            if begun.elapsed() > SETTLE_MAX {
                return Err(failed(&"a killed process's statement does not end"));
            }
        }
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        connected(place).await?.remove(&namespace(place)).await.map(drop)
    }
}
