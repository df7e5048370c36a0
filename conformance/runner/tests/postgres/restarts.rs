//! A server that is restarted while it is written to.

use std::sync::Arc;

use strongroom_conformance_servers::{Mode, Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::store::Store;
use strongroom_postgres::PostgresOptions;

use crate::load::{Load, judge};
use crate::site::{run, url_at};

const WRITERS: usize = 16;
const RESTARTS: usize = 3;
/// Commits of each writer between two restarts.
const COMMITS: u64 = 5;

pub(crate) fn nothing_acknowledged_is_lost_when_the_server_is_stopped() {
    restarted(|server| server.stop(Mode::Fast).unwrap());
}

pub(crate) fn nothing_acknowledged_is_lost_when_the_server_is_stopped_at_once() {
    restarted(|server| server.stop(Mode::Immediate).unwrap());
}

pub(crate) fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    restarted(|server| server.kill().unwrap());
}

/// Half of the writers share a handle, so that their commits wait for each other; the others have one each.
fn restarted(end: fn(&mut Program)) {
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
        for _ in 0..RESTARTS {
            advance(&loads).await;
            end(&mut server);
            server.restart().unwrap();
        }
        // By themselves, all of them.
        advance(&loads).await;
        let mut attempts = Vec::new();
        for load in loads {
            attempts.extend(load.end().await);
        }
        let verdict = judge(&*shared, &attempts).await;
        verdict.check();
        assert!(verdict.acknowledged >= WRITERS * RESTARTS * COMMITS as usize, "{verdict:?}");
        // A connection that was lost is the reason of all that failed.
        assert!(verdict.unknown + verdict.refused <= WRITERS * RESTARTS * 10, "{verdict:?}");
    });
}

async fn advance(loads: &[Load]) {
    futures_util::future::join_all(loads.iter().map(|load| load.advance(COMMITS))).await;
}
