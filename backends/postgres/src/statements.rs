//! Every statement that reads or writes rows, as text. Keys and values are always bound, never written into it.
//!
//! There are few, and they are the same for all namespaces of a schema, so that each connection prepares them once. Each reads
//! the namespace's revision in the same view as the rows, and finds nothing once a newer program has raised its format.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use strongroom_core::store::{Fetch, Scan};

/// Begins to read what does not change.
pub(crate) const BEGIN_VIEW: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The texts for one schema.
#[derive(Debug)]
pub(crate) struct Statements {
    schema: String,
    /// The newest revision. `$1`: namespace.
    pub(crate) newest: SqlStr,
    /// The newest revisions of several. `$1`: namespaces. Columns: namespace, revision.
    pub(crate) newest_of: SqlStr,
    /// The rows of keys. `$2`: keys. Columns: the store's revision; then a row's key, revision, link, value.
    pub(crate) get: SqlStr,
    /// How many rows a range has, and the newest revision among them. `$2`, `$3`: the range.
    pub(crate) summarize: SqlStr,
    /// Guarded batches: `commit.sql`.
    pub(crate) commit: SqlStr,
    /// From its end on commits are announced, for as long as the connection lives.
    pub(crate) listen: SqlStr,
    /// Pages, by what they fetch and by their order.
    scans: [[SqlStr; 2]; 3],
}

impl Statements {
    /// `schema` is a name without quotes in it.
    pub(crate) fn new(schema: &str) -> Self {
        let text = |sql: String| for_schema(&sql, schema);
        let scans = |fetch| [false, true].map(|reverse| text(scan(fetch, reverse)));
        Statements {
            schema: schema.to_owned(),
            newest: text("SELECT revision FROM :schema.namespaces WHERE id = $1 AND format = 1".into()),
            newest_of: text("SELECT id, revision FROM :schema.namespaces WHERE id = ANY($1) AND format = 1".into()),
            get: text(
                "SELECT n.revision, r.key, r.revision, r.link, r.value FROM :schema.namespaces n \
                 LEFT JOIN :schema.rows r ON r.namespace = n.id AND r.key = ANY($2) WHERE n.id = $1 AND n.format = 1"
                    .into(),
            ),
            summarize: text(
                "SELECT n.revision, r.count, r.newest FROM :schema.namespaces n, LATERAL \
                 (SELECT count(*) AS count, max(revision) AS newest FROM :schema.rows \
                 WHERE namespace = n.id AND key >= $2 AND key < $3) r WHERE n.id = $1 AND n.format = 1"
                    .into(),
            ),
            commit: text(
                "SELECT :schema.commit_2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
                 $19, $20, $21, $22, $23, $24, $25)"
                    .into(),
            ),
            listen: text("SELECT pg_advisory_lock_shared(:listeners)".into()),
            scans: [scans(Fetch::Keys), scans(Fetch::Values), scans(Fetch::Targets)],
        }
    }

    /// One page and one row more. `$1`: namespace; `$2`, `$3`: the range; `$4`: rows; `$5`, unless only keys are asked for: bytes of the
    /// longest value that is sent, at least those of a key. Columns: the store's revision; key, revision; unless only keys are asked
    /// for: link, value; with targets: the target's revision, link, value.
    ///
    /// There is one row at least: without a key if the range has none.
    pub(crate) fn scan(&self, scan: &Scan) -> SqlStr {
        let fetch = match scan.fetch {
            Fetch::Keys => 0,
            Fetch::Values => 1,
            Fetch::Targets => 2,
        };
        self.scans[fetch][usize::from(scan.reverse)].clone()
    }

    /// Begins to read; what is seen from here on does not change. Answers with the revision.
    pub(crate) fn begin_view(&self, namespace: i64) -> SqlStr {
        let sql =
            format!("{BEGIN_VIEW}; SELECT revision FROM :schema.namespaces WHERE id = {namespace} AND format = 1");
        self.text(&sql)
    }

    /// Bytes of the tables and their indexes, of all namespaces.
    pub(crate) fn usage(&self) -> SqlStr {
        // Also of partitions.
        self.text(
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class \
             WHERE relnamespace = to_regnamespace(':schema') AND relkind IN ('r', 'p')",
        )
    }

    /// A statement of rare use.
    pub(crate) fn text(&self, sql: &str) -> SqlStr {
        for_schema(sql, &self.schema)
    }

    /// Where commits are announced: one channel for all namespaces of a schema.
    pub(crate) fn channel(&self) -> String {
        format!("strongroom.{}", self.schema)
    }
}

/// The advisory lock of those who wait for commits, where `:listeners` stands.
const LISTENERS: &str = "hashtext('strongroom.listeners'), hashtext(':schema')";

/// A statement with the schema's name where `:schema` stands for it, in quotes: it may be a word of SQL.
fn for_schema(sql: &str, schema: &str) -> SqlStr {
    let sql = sql.replace(":listeners", LISTENERS).replace(":schema", &format!("\"{schema}\""));
    AssertSqlSafe(Arc::<str>::from(sql)).into_sql_str()
}

/// The order of the whole is that of its inside, in all plans that there are. To have it sorted again costs a tenth more, so whoever
/// reads it makes sure.
fn scan(fetch: Fetch, reverse: bool) -> String {
    let order = if reverse { "DESC" } else { "ASC" };
    let (content, target) = match fetch {
        Fetch::Keys => (String::new(), ""),
        Fetch::Values => (short("r"), ""),
        Fetch::Targets => (
            format!("{}, t.revision AS target_revision{}", short("r"), short("t")),
            " LEFT JOIN :schema.rows t ON t.namespace = n.id AND t.key = \
             CASE WHEN r.link >= 0 THEN substr(r.key, r.link + 1) WHEN r.link = -1 THEN r.value END",
        ),
    };
    format!(
        "SELECT n.revision, r.* FROM :schema.namespaces n LEFT JOIN LATERAL (SELECT r.key, r.revision{content} FROM \
         (SELECT * FROM :schema.rows WHERE namespace = n.id AND key >= $2 AND key < $3 ORDER BY key {order} LIMIT $4) r\
         {target}) r ON TRUE WHERE n.id = $1 AND n.format = 1"
    )
}

/// Link and value of a row. A long value, which the server need not read to know its length, is not sent, only how long it is: as
/// a link that no row has.
fn short(row: &str) -> String {
    format!(
        ", CASE WHEN octet_length({row}.value) > $5 THEN -octet_length({row}.value) ELSE {row}.link END AS {row}_link, \
         CASE WHEN octet_length({row}.value) <= $5 THEN {row}.value END AS {row}_value"
    )
}
