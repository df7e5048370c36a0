//! What every connection is set to, once it is made. Poolers refuse settings that come with that.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::options::PostgresOptions;

/// A server lets go of a snapshot that nobody has asked for so long beyond its age: its client is gone.
const VIEW_SPARE: Duration = Duration::from_secs(30);
/// The same of a transaction that commits, in which nobody ever waits for anything else.
const COMMIT_IDLE: Duration = Duration::from_secs(30);
/// The longest that the server takes: 24 days.
const MS_MAX: u128 = i32::MAX as u128;

const FIXED: [(&str, &str); 13] = [
    // Commits need it. A read is one statement, or says what it needs.
    ("default_transaction_isolation", "read committed"),
    ("search_path", "pg_catalog"),
    // The way to every row is through the one index. Plans are made once, and not by statistics of what lies there today.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_indexscan", "on"),
    ("enable_nestloop", "on"),
    ("enable_sort", "on"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
];

/// For reads and commits.
pub(crate) fn of_commits(options: &PostgresOptions) -> SqlStr {
    statement(options, COMMIT_IDLE)
}

/// For snapshots.
pub(crate) fn of_views(options: &PostgresOptions) -> SqlStr {
    statement(options, Duration::from_millis(options.limits.snapshot_age_ms_max).saturating_add(VIEW_SPARE))
}

fn statement(options: &PostgresOptions, idle: Duration) -> SqlStr {
    let times = [
        ("statement_timeout", Duration::from_millis(options.statement_timeout_ms)),
        ("lock_timeout", Duration::from_millis(options.lock_timeout_ms)),
        ("idle_in_transaction_session_timeout", idle),
    ];
    let mut sql = String::new();
    for (name, value) in FIXED {
        sql += &format!("SET {name} = '{value}';");
    }
    for (name, time) in times {
        sql += &format!("SET {name} = {};", time.as_millis().min(MS_MAX));
    }
    // From version 14 on: a statement whose client is gone ends soon.
    sql += "SELECT set_config(name, '5000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";
    AssertSqlSafe(sql).into_sql_str()
}
