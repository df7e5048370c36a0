//! What is announced of commits, and when.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use strongroom_conformance_servers::{Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::store::{KeyRange, Revision, Store};
use strongroom_postgres::{PostgresOptions, Server};

use crate::site::{is_listened_to, put, run, until};

/// After which nothing comes any more.
const HEARD_MAX: Duration = Duration::from_secs(30);

/// An announcement costs a transaction. The channel is the schema's, so a listener of our own hears whatever is sent.
pub(crate) fn commits_are_announced_from_when_somebody_waits_on() {
    run(async {
        let program = Program::start(&ProgramOptions::default()).unwrap();
        let server = Server::connect(&program.url()).await.unwrap();
        let alone = server.namespace("alone").await.unwrap();
        let mut hears = PgListener::connect(&program.url()).await.unwrap();
        hears.listen("strongroom.strongroom").await.unwrap();
        put(&alone, "row").await.unwrap();
        alone.drop_range(&KeyRange::prefix(b""), &[]).await.unwrap();
        // What is still to be announced is, before it closes.
        server.close().await;

        // Nobody looks by the clock.
        let patient = PostgresOptions { poll_ms: 600_000, ..PostgresOptions::default() };
        let waits = patient.connect(&program.url()).await.unwrap();
        let waits = Arc::new(waits.namespace("awaited").await.unwrap());
        let server = Server::connect(&program.url()).await.unwrap();
        let writes = server.namespace("awaited").await.unwrap();
        let waiter = tokio::spawn({
            let waits = waits.clone();
            async move { waits.changed(Revision::ZERO).await }
        });
        listened_to(&program).await;
        let written = put(&writes, "row").await.unwrap();
        assert_eq!(waiter.await.unwrap().unwrap(), written);

        let awaited = program.query("SELECT id FROM strongroom.namespaces WHERE name = 'awaited'").unwrap();
        assert_eq!(heard(&mut hears).await, awaited, "what nobody waited for was announced");
        writes.drop_range(&KeyRange::prefix(b""), &[]).await.unwrap();
        assert_eq!(heard(&mut hears).await, awaited, "a range that went");
    });
}

/// It looks so often that some look falls into the moment in which the connection is made anew.
pub(crate) fn who_waits_is_announced_to_again_after_restarts() {
    run(async {
        let mut program = Program::start(&ProgramOptions::default()).unwrap();
        let options = PostgresOptions { poll_ms: 5, ..PostgresOptions::default() };
        let waits = Arc::new(options.connect(&program.url()).await.unwrap().namespace("awaited").await.unwrap());
        let waiter = tokio::spawn({
            let waits = waits.clone();
            async move { waits.changed(Revision::ZERO).await }
        });
        for _ in 0..3 {
            listened_to(&program).await;
            program.restart().unwrap();
        }
        listened_to(&program).await;
        let written = put(&*waits, "row").await.unwrap();
        assert_eq!(waiter.await.unwrap().unwrap(), written);
    });
}

async fn listened_to(program: &Program) {
    tokio::time::timeout(HEARD_MAX, until(|| async { is_listened_to(program) })).await.expect("nobody listens");
}

async fn heard(hears: &mut PgListener) -> String {
    let heard = tokio::time::timeout(HEARD_MAX, hears.recv()).await.expect("nothing was announced");
    heard.unwrap().payload().to_owned()
}
