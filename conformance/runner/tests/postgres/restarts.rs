//! A server that is restarted, or ends its sessions, while it is written to.

use std::sync::Arc;

use strongroom_conformance_servers::{Mode, Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::store::Store;
use strongroom_postgres::PostgresOptions;

use crate::load::{Load, judge};
use crate::site::{run, url_at};

const WRITERS: usize = 16;
const FAILURES: usize = 3;
/// Commits of each writer between two of them.
const COMMITS: u64 = 5;

pub(crate) fn nothing_acknowledged_is_lost_when_the_server_is_stopped() {
    outlives(|server| {
        server.stop(Mode::Fast).unwrap();
        server.restart().unwrap();
    });
}

pub(crate) fn nothing_acknowledged_is_lost_when_the_server_is_stopped_at_once() {
    outlives(|server| {
        server.stop(Mode::Immediate).unwrap();
        server.restart().unwrap();
    });
}

pub(crate) fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    outlives(|server| {
        server.kill().unwrap();
        server.restart().unwrap();
    });
}

pub(crate) fn nothing_acknowledged_is_lost_when_sessions_are_ended() {
    const SESSIONS: &str = "FROM pg_stat_activity WHERE application_name = 'strongroom'";
    outlives(|server| {
        for end in ["pg_terminate_backend", "pg_cancel_backend"] {
            server.execute(&format!("SELECT {end}(pid) {SESSIONS}")).unwrap();
        }
    });
}

/// Half of the writers share a handle, so that their commits wait for each other; the others have one each.
fn outlives(fail: fn(&mut Program)) {
    run(async move {
        let mut server = Program::start(&ProgramOptions::default()).unwrap();
        let open = || async {
            let store = PostgresOptions::default().open(&url_at(&server, server.address())).await.unwrap();
            Arc::new(store) as Arc<dyn Store>
        };
        let shared = open().await;
        let mut loads = vec![Load::start(&shared, WRITERS / 2, "shared")];
        for number in 0..WRITERS / 2 {
            loads.push(Load::start(&open().await, 1, &format!("own{number}")));
        }
        for _ in 0..FAILURES {
            advance(&loads).await;
            fail(&mut server);
        }
        // By themselves, all of them.
        advance(&loads).await;
        let mut attempts = Vec::new();
        for load in loads {
            attempts.extend(load.end().await);
        }
        let verdict = judge(&*shared, &attempts).await;
        verdict.check();
        assert!(verdict.acknowledged >= WRITERS * FAILURES * COMMITS as usize, "{verdict:?}");
        // A connection that was lost is the reason of all that failed.
        assert!(verdict.unknown + verdict.refused <= WRITERS * FAILURES * 10, "{verdict:?}");
    });
}

async fn advance(loads: &[Load]) {
    futures_util::future::join_all(loads.iter().map(|load| load.advance(COMMITS))).await;
}
