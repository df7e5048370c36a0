//! What is announced of commits, and when.

use std::sync::Arc;

use sqlx::postgres::PgListener;
use strongroom_conformance_servers::{Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::store::{KeyRange, Revision, Store};
use strongroom_postgres::{PostgresOptions, Server};

use crate::site::{is_listened_to, put, run, until};

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
        until(|| async { is_listened_to(&program) }).await;
        let written = put(&writes, "row").await.unwrap();
        assert_eq!(waiter.await.unwrap().unwrap(), written);

        let awaited = program.query("SELECT id FROM strongroom.namespaces WHERE name = 'awaited'").unwrap();
        assert_eq!(hears.recv().await.unwrap().payload(), awaited, "what nobody waited for was announced");
        writes.drop_range(&KeyRange::prefix(b""), &[]).await.unwrap();
        assert_eq!(hears.recv().await.unwrap().payload(), awaited, "a range that went");
    });
}
