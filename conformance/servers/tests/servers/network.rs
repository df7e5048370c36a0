//! What the proxy lets through, and when it does not.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use strongroom_conformance_servers::{Moment, Postgres, Proxy};

use crate::postgres_client::{Client, is_reset};

/// How long a server may take to go on with what it was sent.
const GO_ON_MAX: Duration = Duration::from_secs(30);

type Ask = fn(&mut Client, &str) -> std::io::Result<Vec<u8>>;

/// A statement is executed by a simple query and by its name.
const WAYS: [Ask; 2] = [|client, sql| client.query(sql), |client, _| client.execute("insert")];

pub(crate) fn a_fault_before_a_request_keeps_it_from_the_server() {
    each_way(|table, client, ask| {
        table.proxy.fail_at(Moment::Before, &table.insert);
        let answer = ask(client, &table.insert);
        assert!(is_reset(&answer), "{answer:?}");
        assert_eq!(table.proxy.struck(), 1);
        table.wait_for_idle();
        assert_eq!(table.rows(), "0");
    });
}

/// The statement waits for a lock that we have. So the reset cannot have waited for the answer.
pub(crate) fn a_fault_during_a_request_lets_the_server_go_on() {
    each_way(|table, client, ask| {
        let mut other = Client::connect(table.server.address()).unwrap();
        other.query(&format!("BEGIN; LOCK TABLE {} IN SHARE MODE", table.name)).unwrap();
        table.proxy.fail_at(Moment::During, &table.insert);
        let answer = ask(client, &table.insert);
        assert!(is_reset(&answer), "{answer:?}");
        assert_eq!((table.proxy.struck(), table.rows().as_str()), (1, "0"));
        other.query("COMMIT").unwrap();
        table.wait_for_idle();
        assert_eq!(table.rows(), "1");
    });
}

pub(crate) fn a_fault_after_a_request_keeps_the_answer() {
    each_way(|table, client, ask| {
        table.proxy.fail_at(Moment::After, &table.insert);
        let answer = ask(client, &table.insert);
        assert!(is_reset(&answer), "{answer:?}");
        assert_eq!((table.proxy.struck(), table.rows().as_str()), (1, "1"));
    });
}

pub(crate) fn a_fault_after_the_answer_keeps_nothing() {
    each_way(|table, client, ask| {
        table.proxy.fail_at(Moment::Answered, &table.insert);
        let answer = ask(client, &table.insert).unwrap();
        assert!(answer.ends_with(b"CZ"), "{answer:?}");
        assert_eq!((table.proxy.struck(), table.rows().as_str()), (1, "1"));
        assert!(client.is_closed());
    });
}

pub(crate) fn a_fault_strikes_once_and_its_statement_alone() {
    each_way(|table, client, ask| {
        let mut other = Client::connect(table.proxy.address()).unwrap();
        table.proxy.fail_at(Moment::Before, &table.insert);
        // It is prepared again, and others are executed.
        other.prepare("insert", &table.insert).unwrap();
        other.query("SELECT 1").unwrap();
        assert_eq!(table.proxy.struck(), 0);
        assert!(is_reset(&ask(client, &table.insert)));
        ask(&mut other, &table.insert).unwrap();
        assert_eq!((table.proxy.struck(), table.rows().as_str()), (1, "1"));
        // That of the server is left as it was: a new connection does what the old one did.
        let mut client = table.client();
        ask(&mut client, &table.insert).unwrap();
        assert_eq!(table.rows(), "2");
    });
}

pub(crate) fn a_cut_resets_what_is_open() {
    each_way(|table, client, ask| {
        let mut other = table.client();
        table.proxy.cut();
        for client in [client, &mut other] {
            let answer = ask(client, &table.insert);
            let kind = answer.map_err(|error| error.kind());
            // Of a reset a write is told by another name.
            assert!(matches!(kind, Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{kind:?}");
        }
        ask(&mut table.client(), &table.insert).unwrap();
        table.wait_for_idle();
        assert_eq!((table.proxy.struck(), table.rows().as_str()), (0, "1"));
    });
}

pub(crate) fn connections_are_refused_and_led_elsewhere() {
    each_way(|table, client, ask| {
        table.proxy.refuse(true);
        Client::connect(table.proxy.address()).unwrap_err();
        ask(client, &table.insert).unwrap();
        table.proxy.refuse(false);
        let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        table.proxy.point_to(elsewhere.local_addr().unwrap());
        let mut told = TcpStream::connect(table.proxy.address()).unwrap();
        told.write_all(b"told").unwrap();
        elsewhere.accept().unwrap();
        // The open one stays where it was.
        ask(client, &table.insert).unwrap();
        table.proxy.point_to(table.server.address());
        ask(&mut table.client(), &table.insert).unwrap();
        assert_eq!(table.rows(), "3");
    });
}

/// A table of its own and a way to it.
struct Table {
    server: &'static Postgres,
    proxy: Proxy,
    name: String,
    insert: String,
}

fn each_way(case: impl Fn(&Table, &mut Client, Ask)) {
    for ask in WAYS {
        let table = Table::new();
        let mut client = table.client();
        case(&table, &mut client, ask);
    }
}

impl Table {
    fn new() -> Self {
        static TABLES: AtomicU64 = AtomicU64::new(0);
        let server = Postgres::shared().unwrap();
        let name = format!("table{}", TABLES.fetch_add(1, Ordering::Relaxed));
        server.execute(&format!("CREATE TABLE {name} (number int)")).unwrap();
        let insert = format!("INSERT INTO {name} VALUES (1)");
        Table { server, proxy: Proxy::to(server.address()).unwrap(), name, insert }
    }

    /// One through the proxy that has prepared the statement.
    fn client(&self) -> Client {
        let mut client = Client::connect(self.proxy.address()).unwrap();
        client.prepare("insert", &self.insert).unwrap();
        client
    }

    fn rows(&self) -> String {
        self.server.query(&format!("SELECT count(*) FROM {}", self.name)).unwrap()
    }

    /// Waits until the server does nothing with the table any more.
    fn wait_for_idle(&self) {
        let busy =
            format!("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{}'", self.insert);
        let deadline = Instant::now() + GO_ON_MAX;
        while self.server.query(&busy).unwrap() != "0" {
            assert!(Instant::now() < deadline, "the server does not go on");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
