//! Servers that follow another and take its place.

use std::thread;
use std::time::{Duration, Instant};

use strongroom_conformance_servers::{Postgres, PostgresOptions};

/// How long a standby may be behind.
const BEHIND_MAX: Duration = Duration::from_secs(30);

/// One after the other, each with what the one before has stored.
const FAILOVERS: usize = 3;

pub(crate) fn a_standby_follows_and_takes_no_writes() {
    let primary = Postgres::start(&PostgresOptions::default()).unwrap();
    let standby = primary.standby("follower").unwrap();
    primary.execute("CREATE TABLE kept AS SELECT 7 AS number").unwrap();
    let deadline = Instant::now() + BEHIND_MAX;
    while !standby.query("SELECT number FROM kept").is_ok_and(|answer| answer == "7") {
        assert!(Instant::now() < deadline, "the standby does not follow: {}", standby.log());
        thread::sleep(Duration::from_millis(10));
    }
    let error = standby.execute("INSERT INTO kept VALUES (8)").unwrap_err().to_string();
    assert!(error.contains("read-only"), "{error}");
}

pub(crate) fn a_commit_waits_for_a_synchronous_standby() {
    let primary = Postgres::start(&PostgresOptions::default()).unwrap();
    primary.execute("CREATE TABLE kept (number int)").unwrap();
    let mut standby = primary.standby("a \"name\"").unwrap();
    primary.make_synchronous(&["a \"name\""]).unwrap();
    let log = "SELECT pg_last_wal_receive_lsn() >= '";
    primary.execute("INSERT INTO kept VALUES (1)").unwrap();
    let confirmed = primary.query("SELECT pg_current_wal_flush_lsn()").unwrap();
    assert_eq!(standby.query(&format!("{log}{confirmed}'")).unwrap(), "t");
    standby.kill().unwrap();
    thread::scope(|scope| {
        let commit = scope.spawn(|| primary.execute("INSERT INTO kept VALUES (2)"));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        let deadline = Instant::now() + BEHIND_MAX;
        while primary.query(waiting).unwrap() == "0" {
            assert!(Instant::now() < deadline && !commit.is_finished(), "the commit does not wait");
        }
        standby.restart().unwrap();
        commit.join().unwrap().unwrap();
    });
    primary.execute("INSERT INTO kept VALUES (3)").unwrap();
    primary.make_synchronous(&[]).unwrap();
    drop(standby);
    primary.execute("INSERT INTO kept VALUES (4)").unwrap();
    assert_eq!(primary.query("SELECT count(*) FROM kept").unwrap(), "4");
}

pub(crate) fn a_standby_takes_the_place_of_a_killed_server_again_and_again() {
    let mut primary = Postgres::start(&PostgresOptions::default()).unwrap();
    primary.execute("CREATE TABLE kept (number int)").unwrap();
    for number in 1..=failovers() {
        let name = format!("standby{number}");
        let standby = primary.standby(&name).unwrap();
        primary.make_synchronous(&[&name]).unwrap();
        primary.execute(&format!("INSERT INTO kept VALUES ({number})")).unwrap();
        primary.kill().unwrap();
        standby.promote().unwrap();
        // It is no standby any more, and waits for none.
        standby.execute("CREATE TABLE IF NOT EXISTS written (number int)").unwrap();
        assert_eq!(standby.query("SELECT count(*) FROM kept").unwrap(), number.to_string());
        primary = standby;
    }
    assert!(primary.promote().is_err(), "it is none");
}

/// `STRONGROOM_FAILOVERS` of them, if that is set.
fn failovers() -> usize {
    std::env::var("STRONGROOM_FAILOVERS").ok().and_then(|number| number.parse().ok()).unwrap_or(FAILOVERS)
}
