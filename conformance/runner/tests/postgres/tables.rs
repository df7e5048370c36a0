//! What can be found in the database instead of what was left there.

use strongroom_core::ErrorKind;
use strongroom_core::store::{Revision, Store};
use strongroom_postgres::Postgres;

use crate::site::child::Child;
use crate::site::{NAMESPACE, Site, failed, get, keys, put, run};

/// Everything that a schema has.
fn content(site: &Site) -> String {
    site.query(
        "SELECT (SELECT string_agg(concat(relname, relkind), ',' ORDER BY relname) FROM pg_class WHERE relnamespace = ':schema'::regnamespace),
        (SELECT count(*) FROM pg_proc WHERE pronamespace = ':schema'::regnamespace)",
    )
}

async fn open(site: &Site) -> strongroom_core::Result<Postgres> {
    Postgres::open(&site.direct_url(NAMESPACE)).await
}

pub(crate) fn tables_of_another_program_are_not_touched() {
    run(async {
        for foreign in [
            "CREATE TABLE :schema.people (name text)",
            "CREATE VIEW :schema.people AS SELECT 1 AS one",
            "CREATE TABLE :schema.rows (name text)",
        ] {
            let site = Site::new();
            site.execute(&format!("CREATE SCHEMA :schema; {foreign}"));
            let before = content(&site);
            failed(open(&site).await, ErrorKind::NotAStore, "open");
            assert_eq!(content(&site), before, "{foreign}");
        }
    });
}

pub(crate) fn a_newer_format_is_refused() {
    run(async {
        let site = Site::new();
        let store = open(&site).await.unwrap();
        put(&store, "row").await.unwrap();
        let all = "SELECT * FROM :schema.namespaces, :schema.rows";
        for (format, kind) in [(2, ErrorKind::UnsupportedVersion), (0, ErrorKind::Corrupt)] {
            site.execute(&format!("UPDATE :schema.namespaces SET format = {format}"));
            let before = site.query(all);
            failed(open(&site).await, kind, "open");
            assert_eq!(site.query(all), before);
        }
        site.execute("UPDATE :schema.namespaces SET format = 1");
        assert_eq!(keys(&open(&site).await.unwrap(), "").await.unwrap(), ["row"]);
    });
}

pub(crate) fn a_function_that_was_dropped_is_made_again() {
    run(async {
        let site = Site::new();
        put(&open(&site).await.unwrap(), "row").await.unwrap();
        site.execute("DROP FUNCTION :schema.commit_2");
        let store = open(&site).await.unwrap();
        assert_eq!(put(&store, "row").await.unwrap(), Revision(2));
    });
}

pub(crate) fn tables_that_are_not_ours_are_corrupt() {
    run(async {
        for wrong in [
            "DROP TABLE :schema.rows",
            "ALTER TABLE :schema.rows DROP COLUMN value",
            "ALTER TABLE :schema.rows ALTER COLUMN revision TYPE text",
            "ALTER TABLE :schema.rows RENAME COLUMN namespace TO name",
        ] {
            let site = Site::new();
            let store = open(&site).await.unwrap();
            put(&store, "row").await.unwrap();
            site.execute(wrong);
            failed(get(&open(&site).await.unwrap(), "row").await, ErrorKind::Corrupt, "get");
        }
        for wrong in [
            "ALTER TABLE :schema.namespaces DROP COLUMN format",
            "ALTER TABLE :schema.namespaces ALTER COLUMN format TYPE text",
            "ALTER TABLE :schema.namespaces ALTER COLUMN revision TYPE text",
        ] {
            let site = Site::new();
            put(&open(&site).await.unwrap(), "row").await.unwrap();
            site.execute(wrong);
            failed(open(&site).await, ErrorKind::Corrupt, "open");
        }
    });
}

pub(crate) fn sixteen_processes_that_open_a_new_schema_all_open_it() {
    const PROCESSES: usize = 16;
    run(async {
        let site = Site::new();
        let url = site.direct_url(NAMESPACE);
        let mut children: Vec<_> = (0..PROCESSES).map(|_| Child::start("open", &url)).collect();
        for child in &mut children {
            assert_eq!(child.next_line().as_deref(), Some("ready"));
        }
        children.iter_mut().for_each(Child::go_on);
        for child in children {
            assert_eq!(child.rest(), ["opened"]);
        }
        assert_eq!(site.query("SELECT count(*), max(revision) FROM :schema.namespaces"), format!("1|{PROCESSES}"));
        assert_eq!(keys(&open(&site).await.unwrap(), "log/").await.unwrap().len(), PROCESSES);
    });
}

pub(crate) fn a_role_without_the_right_to_create_opens_what_is_there() {
    run(async {
        let site = Site::new();
        put(&open(&site).await.unwrap(), "row").await.unwrap();
        site.execute(
            "CREATE ROLE limited LOGIN; GRANT USAGE ON SCHEMA :schema TO limited;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :schema TO limited",
        );
        let limited = |site: &Site, namespace: &str| site.direct_url(namespace).replace("strongroom@", "limited@");
        let store = Postgres::open(&limited(&site, NAMESPACE)).await.unwrap();
        assert_eq!(keys(&store, "").await.unwrap(), ["row"]);
        assert_eq!(put(&store, "row").await.unwrap(), Revision(2));
        put(&Postgres::open(&limited(&site, "another")).await.unwrap(), "row").await.unwrap();
        let error = failed(Postgres::open(&limited(&Site::new(), NAMESPACE)).await, ErrorKind::Io, "open");
        assert!(error.to_string().contains("lacks a permission"), "{error}");
    });
}

/// In a schema of its own: where others write and remove, their space is used again first.
pub(crate) fn usage_is_that_of_all_tables() {
    run(async {
        let site = Site::new();
        let store = open(&site).await.unwrap();
        let empty = store.usage().await.unwrap().bytes;
        let namespaces = "SELECT pg_total_relation_size(':schema.namespaces') + pg_total_relation_size(':schema.rows')";
        assert_eq!(empty.to_string(), site.query(namespaces));
        put(&store, "row").await.unwrap();
        let one = store.usage().await.unwrap().bytes;
        assert!(one > empty, "{one} bytes after {empty}");
        assert_eq!(one.to_string(), site.query(namespaces));
    });
}
