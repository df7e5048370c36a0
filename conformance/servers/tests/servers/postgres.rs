//! How a PostgreSQL starts and ends, and what is left.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use strongroom_conformance_servers::{Mode, Postgres, PostgresOptions};

use crate::postgres_client::Client;

/// Makes a process of this program one that starts a server and waits to be killed.
const KILLED: &str = "STRONGROOM_TEST_KILLED_POSTGRES";

/// A server that nobody waits for may take this long to go.
const GONE_MAX: Duration = Duration::from_secs(30);

pub(crate) fn answers_with_its_options() {
    let options = PostgresOptions::default().max_connections(50).shared_buffers_mib(32).setting("work_mem", "5MB");
    let server = Postgres::start(&options).unwrap();
    for (setting, value) in [
        ("max_connections", "50"),
        ("shared_buffers", "32MB"),
        ("work_mem", "5MB"),
        ("fsync", "off"),
        ("synchronous_commit", "on"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
    ] {
        assert_eq!(server.query(&format!("SHOW {setting}")).unwrap(), value, "{setting}");
    }
    assert_eq!(server.query("SELECT current_user, current_database()").unwrap(), "strongroom|strongroom");
    assert_eq!(server.query("SELECT * FROM generate_series(1, 2)").unwrap(), "1\n2");
    let error = server.execute("SELECT nothing").unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
    let durable = Postgres::start(&PostgresOptions::default().durable(true)).unwrap();
    assert_eq!(durable.query("SELECT current_setting('fsync'), current_setting('full_page_writes')").unwrap(), "on|on");
    assert_ne!(durable.url(), server.url());
}

pub(crate) fn asks_for_a_password_where_the_url_has_one() {
    let server = Postgres::shared().unwrap();
    let (open, guarded) = (server.url(), server.url_with_password());
    assert_eq!(open, format!("postgres://strongroom@{}/strongroom", server.address()));
    assert_eq!(guarded, format!("postgres://guarded:strongroom@{}/strongroom", server.address()));
    assert_eq!(Client::authentication(server.address(), "strongroom").unwrap(), 0);
    assert_eq!(Client::authentication(server.address(), "guarded").unwrap(), 10);
    let stored = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'guarded'";
    assert_eq!(server.query(stored).unwrap(), "t");
}

pub(crate) fn leaves_nothing_after_its_drop() {
    let server = Postgres::start(&PostgresOptions::default()).unwrap();
    let (address, left) = (server.address(), Left::of(&server));
    assert!(left.processes.len() > 2 && left.processes.iter().all(|process| lives(*process)));
    drop(server);
    assert!(TcpStream::connect(address).is_err());
    assert!(left.nothing(), "{left:?}");
}

pub(crate) fn leaves_nothing_after_the_kill_of_the_test() {
    let mut process = Command::new(env::current_exe().unwrap());
    let mut process = process.env(KILLED, "1").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut told).unwrap();
    let left = Left::parse(told.trim());
    assert!(left.processes.len() > 2 && left.processes.iter().all(|process| lives(*process)));
    process.kill().unwrap();
    process.wait().unwrap();
    let deadline = Instant::now() + GONE_MAX;
    while !left.nothing() {
        assert!(Instant::now() < deadline, "something is still there: {left:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn keeps_what_it_stored_over_a_restart() {
    let mut server = Postgres::start(&PostgresOptions::default()).unwrap();
    let address = server.address();
    server.execute("CREATE TABLE kept (number int)").unwrap();
    for (number, mode) in (1..).zip([Mode::Fast, Mode::Immediate]) {
        server.execute(&format!("INSERT INTO kept VALUES ({number})")).unwrap();
        let left = Left::of(&server);
        server.stop(mode).unwrap();
        assert!(left.no_process(), "{left:?}");
        assert!(server.query("SELECT 1").is_err(), "it is stopped");
        server.stop(mode).unwrap();
        server.restart().unwrap();
        assert_eq!(server.query("SELECT max(number) FROM kept").unwrap(), number.to_string());
    }
    // While it runs, too.
    server.restart().unwrap();
    assert_eq!(server.query("SELECT count(*) FROM kept").unwrap(), "2");
    assert_eq!(server.address(), address);
}

pub(crate) fn recovers_from_a_kill() {
    let mut server = Postgres::start(&PostgresOptions::default()).unwrap();
    server.execute("CREATE TABLE kept (number int)").unwrap();
    for number in 1..=3 {
        server.execute(&format!("INSERT INTO kept VALUES ({number})")).unwrap();
        let left = Left::of(&server);
        server.kill().unwrap();
        assert!(left.no_process(), "{left:?}");
        // Nobody else is killed if its number is another's by now.
        server.kill().unwrap();
        server.restart().unwrap();
        assert!(server.log().contains("was interrupted"), "it was not killed: {}", server.log());
        assert_eq!(server.query("SELECT count(*) FROM kept").unwrap(), number.to_string());
    }
}

pub(crate) fn serve_if_to_be_killed() {
    if env::var_os(KILLED).is_none() {
        return;
    }
    let server = Postgres::start(&PostgresOptions::default()).unwrap();
    let mut output = io::stdout();
    output.write_all(format!("{}\n", Left::of(&server).told()).as_bytes()).unwrap();
    output.flush().unwrap();
    loop {
        thread::park();
    }
}

/// What must not be left of a server.
#[derive(Debug)]
struct Left {
    folder: String,
    processes: Vec<i32>,
}

impl Left {
    fn of(server: &Postgres) -> Self {
        let folder = server.query("SHOW data_directory").unwrap();
        let first = fs::read_to_string(Path::new(&folder).join("postmaster.pid")).unwrap();
        let others = "SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'";
        let others = server.query(others).unwrap();
        let numbers = first.lines().take(1).chain(others.lines());
        let processes = numbers.map(|number| number.trim().parse().unwrap()).collect();
        Left { folder, processes }
    }

    fn told(&self) -> String {
        self.processes.iter().fold(self.folder.clone(), |told, process| format!("{told} {process}"))
    }

    fn parse(told: &str) -> Self {
        let (folder, processes) = told.split_once(' ').unwrap();
        Left {
            folder: folder.to_owned(),
            processes: processes.split(' ').map(|process| process.parse().unwrap()).collect(),
        }
    }

    fn nothing(&self) -> bool {
        self.no_process() && !Path::new(&self.folder).parent().unwrap().exists()
    }

    /// The kernel may need a moment for those that were killed and are nobody's children.
    fn no_process(&self) -> bool {
        let deadline = Instant::now() + Duration::from_millis(200);
        while self.processes.iter().any(|process| lives(*process)) {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// One that has ended may still have an entry, until its parent has asked for its end.
fn lives(process: i32) -> bool {
    if !cfg!(target_os = "linux") {
        let signal = ["-0", &process.to_string()];
        return Command::new("kill").args(signal).stderr(Stdio::null()).status().unwrap().success();
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}
