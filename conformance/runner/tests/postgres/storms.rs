//! Other clients that make commits fail, or wait, and settings of the server that would.

use std::sync::Arc;

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Read as _, Revision, Store as _};
use strongroom_postgres::PostgresOptions;

use crate::site::{NAMESPACE, Site, commit, failed, get, keys, put, puts, run, stamped, until, with};

/// A trigger of another program that counts the attempts at a commit, and breaks off those of which `when` is true.
fn break_off(site: &Site, code: &str, when: &str) {
    site.execute(&format!(
        "DROP TRIGGER IF EXISTS storm ON :schema.namespaces; DROP SEQUENCE IF EXISTS :schema.attempts;
        CREATE SEQUENCE :schema.attempts;
        CREATE OR REPLACE FUNCTION :schema.storm() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE attempt bigint; BEGIN
            attempt := nextval(':schema.attempts');
            IF {when} THEN RAISE EXCEPTION 'a storm' USING ERRCODE = '{code}'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER storm BEFORE UPDATE ON :schema.namespaces FOR EACH ROW EXECUTE FUNCTION :schema.storm()"
    ));
}

fn attempts(site: &Site) -> u64 {
    site.query("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM :schema.attempts").parse().unwrap()
}

/// Neither lost nor doubled: each batch has a row with a revision of its own.
pub(crate) fn commits_that_others_break_off_are_made_again() {
    const COMMITS: u64 = 40;
    run(async {
        for code in ["40001", "40P01"] {
            let site = Site::new();
            let stores = [site.open().await, site.beside().await];
            for (round, when, more) in [(0, "attempt <= 5", 5), (1, "attempt % 2 = 1", COMMITS)] {
                break_off(&site, code, when);
                let before = stores[0].get(&[]).await.unwrap().as_of;
                let log = format!("log{round}/");
                let commits = (0..COMMITS).map(|at| commit(&stores[at as usize % 2], stamped(&log)));
                let mut revisions: Vec<_> = join_all(commits).await.into_iter().map(Result::unwrap).collect();
                revisions.sort_unstable();
                let expected: Vec<_> = (1..=COMMITS).map(|at| Revision(before.0 + at)).collect();
                assert_eq!(revisions, expected);
                assert_eq!(stores[0].summarize(&KeyRange::prefix(log.as_bytes())).await.unwrap().rows, COMMITS);
                assert_eq!(attempts(&site), COMMITS + more, "{code}");
            }
            // A range that goes takes several statements.
            break_off(&site, code, "attempt <= 3");
            stores[0].drop_range(&KeyRange::prefix(b"log0/"), &[]).await.unwrap();
            let rows = stores[0].summarize(&KeyRange::ALL).await.unwrap().rows;
            assert_eq!(rows, COMMITS);
        }
    });
}

pub(crate) fn a_commit_that_is_always_broken_off_is_busy_after_its_attempts() {
    run(async {
        let site = Site::new();
        let options = PostgresOptions { attempts_max: 4, ..PostgresOptions::default() };
        let store = options.open(&site.direct_url(NAMESPACE)).await.unwrap();
        for code in ["40001", "40P01"] {
            let before = put(&store, "before").await.unwrap();
            break_off(&site, code, "TRUE");
            let error = failed(store.commit(vec![puts(["a"]), puts(["b"])]).await, ErrorKind::Busy, "commit");
            assert!(error.is_retryable());
            assert_eq!(attempts(&site), 4);
            assert!(failed(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Busy, "drop_range").is_retryable());
            assert_eq!((attempts(&site), store.get(&[]).await.unwrap().as_of), (8, before));
            assert_eq!(keys(&store, "").await.unwrap(), ["before"]);
            break_off(&site, code, "FALSE");
            put(&store, "before").await.unwrap();
        }
        // What cannot become better is not tried again.
        break_off(&site, "53100", "TRUE");
        failed(put(&store, "a").await, ErrorKind::Io, "commit");
        assert_eq!(attempts(&site), 1);
    });
}

/// The server has answered what the call gives, and fails when it comes to the end of the transaction.
pub(crate) fn a_commit_that_fails_at_its_very_end_is_not_acknowledged() {
    run(async {
        let site = Site::new();
        let options = PostgresOptions { attempts_max: 4, ..PostgresOptions::default() };
        let store = options.open(&site.direct_url(NAMESPACE)).await.unwrap();
        put(&store, "row").await.unwrap();
        let defer = |when: &str| {
            break_off(&site, "40001", when);
            site.execute(
                "DROP TRIGGER storm ON :schema.namespaces;
                CREATE CONSTRAINT TRIGGER storm AFTER UPDATE ON :schema.namespaces
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION :schema.storm()",
            );
        };
        defer("TRUE");
        failed(put(&store, "new").await, ErrorKind::Busy, "commit");
        failed(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Busy, "drop_range");
        assert_eq!((attempts(&site), keys(&store, "").await.unwrap()), (8, vec!["row".to_owned()]));
        defer("attempt <= 3");
        assert_eq!(put(&store, "new").await.unwrap(), Revision(2));
        assert_eq!((attempts(&site), keys(&store, "").await.unwrap().len()), (4, 2));
    });
}

/// Another program takes a row, then the namespace's; a commit takes them the other way round.
pub(crate) fn a_real_deadlock_is_survived() {
    run(async {
        let site = Site::new();
        let store = Arc::new(site.beside().await);
        let before = put(&*store, "row").await.unwrap();
        let mut other = site.session().await;
        // It is not the one that finds the deadlock.
        execute(&mut other, &site, "SET deadlock_timeout = '1min'").await;
        execute(&mut other, &site, "BEGIN; UPDATE :schema.rows SET value = value WHERE key = 'row'").await;
        let committing = store.clone();
        let committed = tokio::spawn(async move { put(&*committing, "row").await });
        until(|| async { waiting(&site) > 0 }).await;
        execute(&mut other, &site, "UPDATE :schema.namespaces SET revision = revision + 100; COMMIT").await;
        assert_eq!(committed.await.unwrap().unwrap(), Revision(before.0 + 101));
        assert_ne!(site.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), "0");
    });
}

/// Statements of the store that wait for a lock. Those of other schemas do not count.
fn waiting(site: &Site) -> usize {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%commit_2%'";
    site.query(waiting).parse().unwrap()
}

async fn execute(session: &mut PgConnection, site: &Site, sql: &str) {
    session.execute(AssertSqlSafe(site.sql(sql))).await.unwrap();
}

pub(crate) fn who_keeps_the_namespace_locked_makes_commits_busy() {
    run(async {
        let site = Site::new();
        let beside = Arc::new(site.beside().await);
        let before = put(&*beside, "row").await.unwrap();
        let options = PostgresOptions { lock_timeout_ms: 50, ..PostgresOptions::default() };
        let store = options.open(&site.direct_url(NAMESPACE)).await.unwrap();
        let mut other = site.session().await;
        execute(&mut other, &site, "BEGIN; SELECT FROM :schema.namespaces FOR UPDATE").await;
        assert!(failed(put(&store, "row/2").await, ErrorKind::Busy, "commit").is_retryable());
        failed(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Busy, "drop_range");
        // Who reads does not wait.
        assert_eq!(keys(&store, "").await.unwrap(), ["row"]);
        assert_eq!(store.snapshot().await.unwrap().revision(), before);
        // Who is more patient comes when the other has gone.
        let patient = beside.clone();
        let patient = tokio::spawn(async move { put(&*patient, "row/3").await });
        until(|| async { waiting(&site) > 0 }).await;
        execute(&mut other, &site, "ROLLBACK").await;
        assert_eq!(patient.await.unwrap().unwrap(), before.next());
        put(&store, "row/4").await.unwrap();
        assert_eq!(keys(&store, "row/").await.unwrap(), ["row/3", "row/4"]);
    });
}

pub(crate) fn a_statement_may_take_so_long_and_no_longer() {
    run(async {
        let site = Site::new();
        site.beside().await;
        let options = PostgresOptions { statement_timeout_ms: 100, lock_timeout_ms: 0, ..PostgresOptions::default() };
        let store = options.open(&site.direct_url(NAMESPACE)).await.unwrap();
        put(&store, "row").await.unwrap();
        let mut other = site.session().await;
        execute(&mut other, &site, "BEGIN; LOCK TABLE :schema.rows IN ACCESS EXCLUSIVE MODE").await;
        failed(put(&store, "row").await, ErrorKind::Busy, "commit");
        failed(get(&store, "row").await, ErrorKind::Busy, "get");
        execute(&mut other, &site, "ROLLBACK").await;
        assert_eq!(get(&store, "row").await.unwrap().unwrap().revision, Revision(1));
        other.close().await.unwrap();
    });
}

pub(crate) fn what_the_database_and_the_role_are_set_to_does_not_matter() {
    const SETTINGS: [(&str, &str); 5] = [
        ("default_transaction_isolation", "serializable"),
        ("search_path", "nowhere"),
        ("statement_timeout", "1"),
        ("lock_timeout", "1"),
        ("bytea_output", "escape"),
    ];
    run(async {
        let site = Site::new();
        site.server.execute("CREATE DATABASE strict").unwrap();
        site.server.execute("CREATE ROLE strict SUPERUSER LOGIN").unwrap();
        for (name, value) in SETTINGS {
            site.server.execute(&format!("ALTER DATABASE strict SET {name} = '{value}'")).unwrap();
            site.server.execute(&format!("ALTER ROLE strict SET {name} = '{value}'")).unwrap();
        }
        let url = format!("postgres://strict@{}/strict", site.server.address());
        // Nor what the URL says of what a commit needs.
        let chosen = with(&url, &[("options[default_transaction_isolation]", "serializable")]);
        for url in [url, chosen] {
            let stores = [
                PostgresOptions::default().open(&with(&url, &[("namespace", NAMESPACE)])).await.unwrap(),
                PostgresOptions::default().open(&with(&url, &[("namespace", NAMESPACE)])).await.unwrap(),
            ];
            let before = stores[0].get(&[]).await.unwrap().as_of;
            let commits = (0..40).map(|at| put(&stores[at % 2], "row"));
            let newest = join_all(commits).await.into_iter().map(Result::unwrap).max().unwrap();
            assert_eq!(newest, Revision(before.0 + 40));
            let snapshot = stores[0].snapshot().await.unwrap();
            put(&stores[1], "later").await.unwrap();
            assert_eq!(keys(&*snapshot, "row").await.unwrap().len(), 1);
            assert!(get(&*snapshot, "later").await.unwrap().is_none_or(|row| row.revision <= newest));
            stores[1].drop_range(&KeyRange::ALL, &[]).await.unwrap();
        }
    });
}
