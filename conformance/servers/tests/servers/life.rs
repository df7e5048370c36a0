//! How a server starts and ends.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};

use crate::Kind;
use crate::objects::{client, run};

/// Makes a process of this program one that starts the server named here and waits to be killed.
const KILLED: &str = "STRONGROOM_TEST_KILLED";

/// A server that nobody waits for may take this long to go.
const GONE_MAX: Duration = Duration::from_secs(30);

pub(crate) fn is_gone_after_its_drop(kind: Kind) {
    let server = (kind.start)().unwrap();
    let address = address(&server.endpoint());
    assert!(listens(address));
    drop(server);
    assert!(!listens(address));
}

pub(crate) fn two_do_not_collide(kind: Kind) {
    let one = thread::spawn(kind.start);
    let two = (kind.start)().unwrap();
    let one = one.join().unwrap().unwrap();
    assert_ne!(one.endpoint(), two.endpoint());
    let key = Path::from("key");
    run(async {
        client(&one).put(&key, "one".into()).await.unwrap();
        assert!(matches!(client(&two).head(&key).await, Err(Error::NotFound { .. })));
    });
}

pub(crate) fn is_gone_after_a_kill(kind: Kind) {
    let mut process = Command::new(env::current_exe().unwrap());
    let mut process = process.env(KILLED, kind.name).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut endpoint = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut endpoint).unwrap();
    let address = address(endpoint.trim());
    assert!(listens(address));
    process.kill().unwrap();
    process.wait().unwrap();
    let deadline = Instant::now() + GONE_MAX;
    while listens(address) {
        assert!(Instant::now() < deadline, "the server is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What this process is to start and be killed with.
pub(crate) fn to_be_killed(kinds: &[Kind]) -> Option<Kind> {
    let name = env::var(KILLED).ok()?;
    kinds.iter().find(|kind| kind.name == name).copied()
}

pub(crate) fn serve_until_killed(kind: Kind) -> ! {
    let server = (kind.start)().unwrap();
    let mut output = io::stdout();
    output.write_all(format!("{}\n", server.endpoint()).as_bytes()).unwrap();
    output.flush().unwrap();
    loop {
        thread::park();
    }
}

fn address(endpoint: &str) -> SocketAddr {
    endpoint.strip_prefix("http://").unwrap().parse().unwrap()
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}
