//! A standby that takes the place of a server that was killed, while it is written to.

use std::sync::Arc;

use strongroom_conformance_servers::{Mode, Postgres as Program, PostgresOptions as ProgramOptions, Proxy};
use strongroom_core::store::Store;
use strongroom_postgres::Postgres;

use crate::load::{Load, judge};
use crate::site::{run, url_at};

const WRITERS: usize = 16;
/// Commits of each writer between two failovers.
const COMMITS: u64 = 5;
/// Unless `STRONGROOM_FAILOVERS` says how many.
const FAILOVERS: usize = 3;

fn failovers() -> usize {
    std::env::var("STRONGROOM_FAILOVERS").ok().and_then(|number| number.parse().ok()).unwrap_or(FAILOVERS)
}

async fn open(server: &Program, proxy: &Proxy) -> Arc<dyn Store> {
    Arc::new(Postgres::open(&url_at(server, proxy.address())).await.unwrap())
}

#[allow(clippy::print_stderr, reason = "figures for whoever asks for many")]
pub(crate) fn nothing_acknowledged_is_lost_when_a_synchronous_standby_takes_over() {
    run(async {
        let mut primary = Program::start(&ProgramOptions::default()).unwrap();
        let proxy = Proxy::to(primary.address()).unwrap();
        let store = open(&primary, &proxy).await;
        let others = open(&primary, &proxy).await;
        let loads = [Load::start(&store, WRITERS / 2, "one"), Load::start(&others, WRITERS / 2, "other")];
        for number in 0..failovers() {
            let name = format!("standby{number}");
            let standby = primary.standby(&name).unwrap();
            primary.make_synchronous(&[&name]).unwrap();
            for load in &loads {
                load.advance(COMMITS).await;
            }
            primary.kill().unwrap();
            standby.promote().unwrap();
            proxy.point_to(standby.address());
            proxy.cut();
            primary = standby;
            for load in &loads {
                load.advance(COMMITS).await;
            }
        }
        let mut attempts = Vec::new();
        for load in loads {
            attempts.extend(load.end().await);
        }
        let verdict = judge(&*store, &attempts).await;
        verdict.check();
        eprintln!(
            "{} failovers: {} acknowledged, {} unknown ({} of them there), {} refused: {:#?}",
            failovers(),
            verdict.acknowledged,
            verdict.unknown,
            verdict.unknown_there,
            verdict.refused,
            verdict.errors
        );
    });
}

/// What the test above would see if commits were lost.
pub(crate) fn an_asynchronous_standby_loses_what_was_acknowledged_and_it_is_noticed() {
    run(async {
        let mut primary = Program::start(&ProgramOptions::default()).unwrap();
        let proxy = Proxy::to(primary.address()).unwrap();
        let store = open(&primary, &proxy).await;
        let mut standby = primary.standby("behind").unwrap();
        standby.stop(Mode::Fast).unwrap();
        let load = Load::start(&store, WRITERS, "one");
        load.advance(COMMITS).await;
        primary.kill().unwrap();
        standby.restart().unwrap();
        standby.promote().unwrap();
        proxy.point_to(standby.address());
        proxy.cut();
        load.advance(COMMITS).await;
        let verdict = judge(&*store, &load.end().await).await;
        assert!(verdict.lost.len() >= WRITERS * COMMITS as usize, "{verdict:?}");
        assert!(verdict.denied.is_empty() && verdict.torn.is_empty(), "{verdict:?}");
    });
}
