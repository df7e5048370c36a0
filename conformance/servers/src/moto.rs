//! moto: <https://docs.getmoto.org/en/latest/docs/server_mode.html>.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::{Server, http, program};

const BUCKET: &str = "strongroom";
const START_MAX: Duration = Duration::from_secs(60);

/// Where the gate installs it: `.ci/run`.
const ENVIRONMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/moto/bin/moto_server");

pub(crate) fn program() -> Result<PathBuf, String> {
    let help = "pip install 'moto[server]'";
    program::find("STRONGROOM_MOTO_SERVER", &[Path::new(ENVIRONMENT)], "moto_server", help)
}

pub(crate) fn start() -> io::Result<Server> {
    let program = program().map_err(io::Error::other)?;
    let failed = |error: io::Error| io::Error::other(format!("{}: {error}", program.display()));
    let deadline = Instant::now() + START_MAX;
    let process = Process::start(&program, &["-H", "127.0.0.1", "-p", "0"], &[])?;
    let port = process.wait_for(deadline, announced_port).map_err(failed)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    process.wait_for_port(deadline, address).map_err(failed)?;
    http::put(address, &format!("/{BUCKET}")).map_err(failed)?;
    Ok(Server {
        address,
        bucket: BUCKET.into(),
        // The one that a bucket is made in if nobody says. Any keys do: moto does not look.
        region: "us-east-1",
        access_key: "strongroom",
        secret_key: "strongroom",
        prefixes: Default::default(),
        process,
        _folder: None,
    })
}

/// The port in ` * Running on http://127.0.0.1:40123`, with or without colours around it.
fn announced_port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("Running on http://127.0.0.1:")?;
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::announced_port;

    #[test]
    fn the_port_is_read_from_the_announcement_alone() {
        assert_eq!(announced_port(" * Running on http://127.0.0.1:45401"), Some(45401));
        assert_eq!(announced_port("\u{1b}[1m * Running on http://127.0.0.1:45401\u{1b}[0m\r"), Some(45401));
        assert_eq!(announced_port("WARNING: This is a development server."), None);
    }
}
