//! garage: <https://garagehq.deuxfleurs.fr/documentation/reference-manual/configuration/>.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::Process;
use crate::{Server, port, program};

const BUCKET: &str = "strongroom";
const REGION: &str = "garage";
const START_MAX: Duration = Duration::from_secs(60);

/// Somebody else may take a port between our look and the server's.
const ATTEMPTS_MAX: u32 = 3;

/// Keys have a form here. They protect nothing: the server is on this machine, for the time of a test.
const ACCESS_KEY: &str = "GK000000000000000000000001";
const SECRET_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000001";

pub(crate) fn program() -> Result<PathBuf, String> {
    program::find("STRONGROOM_GARAGE", &[], "garage", "cargo install garage --locked")
}

pub(crate) fn start() -> io::Result<Server> {
    let program = program().map_err(io::Error::other)?;
    let mut attempt = 1;
    loop {
        match start_once(&program) {
            Err(_) if attempt < ATTEMPTS_MAX => attempt += 1,
            Err(error) => return Err(io::Error::other(format!("{}: {error}", program.display()))),
            Ok(server) => return Ok(server),
        }
    }
}

fn start_once(program: &Path) -> io::Result<Server> {
    let deadline = Instant::now() + START_MAX;
    let folder = tempfile::Builder::new().prefix("strongroom-garage-").tempdir()?;
    let (port, port_between_nodes) = (port::free()?, port::free()?);
    let configuration = write_configuration(&folder, port, port_between_nodes)?;
    let process = Process::start(
        program,
        &["-c", &configuration, "server", "--single-node", "--default-bucket"],
        &[
            ("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY),
            ("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY),
            ("GARAGE_DEFAULT_BUCKET", BUCKET),
        ],
    )?;
    // It listens when the bucket is made, not before.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    process.wait_for_port(deadline, address)?;
    Ok(Server {
        address,
        bucket: BUCKET.into(),
        region: REGION,
        access_key: ACCESS_KEY,
        secret_key: SECRET_KEY,
        prefixes: Default::default(),
        process,
        _folder: Some(folder),
    })
}

fn write_configuration(folder: &TempDir, port: u16, port_between_nodes: u16) -> io::Result<String> {
    let path = folder.path().join("garage.toml");
    let place = folder.path().display();
    let configuration = format!(
        r#"metadata_dir = "{place}/metadata"
data_dir = "{place}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{port_between_nodes}"
rpc_secret = "{SECRET_KEY}"

[s3_api]
s3_region = "{REGION}"
api_bind_addr = "127.0.0.1:{port}"
"#
    );
    fs::write(&path, configuration)?;
    Ok(path.display().to_string())
}
