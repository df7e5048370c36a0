//! Every figure that Strongroom reports, of whatever crate, so that one list describes them all.

/// What kind of figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Many numbers, of which the distribution is of interest.
    Histogram,
}

/// One figure.
#[derive(Debug)]
pub struct Metric {
    /// Its name, after the conventions of Prometheus: the unit at the end, `_total` for a counter.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts or measures in: `seconds`, `bytes`, or what is counted.
    pub unit: &'static str,
    /// The names of its labels. A label that has nothing to say is left out.
    pub labels: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
}

const fn counter(
    name: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, unit, labels, meaning }
}

const fn histogram(
    name: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram, unit, labels, meaning }
}

/// How long operations took.
pub static OPERATION_DURATION: Metric = histogram(
    "strongroom_operation_duration_seconds",
    "seconds",
    &["operation", "collection", "outcome"],
    "How long an operation of the database or of a layer took, with all attempts and waiting",
);
/// Records that operations gave.
pub static OPERATION_RECORDS: Metric = counter(
    "strongroom_operation_records_total",
    "records",
    &["operation", "collection"],
    "Records that operations read, copied or counted",
);
/// Attempts that were lost.
pub static CONFLICTS: Metric = counter(
    "strongroom_conflicts_total",
    "attempts",
    &["collection"],
    "Attempts of transactions that were lost to a concurrent commit, by the collection that it had changed",
);
/// Batches that wait.
pub static COMMIT_QUEUE_DEPTH: Metric = Metric {
    name: "strongroom_commit_queue_depth",
    kind: Kind::Gauge,
    unit: "batches",
    labels: &[],
    meaning: "Batches that wait for a commit group now",
};
/// How long batches waited.
pub static COMMIT_WAIT: Metric = histogram(
    "strongroom_commit_wait_seconds",
    "seconds",
    &[],
    "How long a batch waited before its commit group began",
);
/// Batches in a group.
pub static COMMIT_GROUP_BATCHES: Metric =
    histogram("strongroom_commit_group_batches", "batches", &[], "Batches that went together in one commit group");
/// Bytes in a group.
pub static COMMIT_GROUP_BYTES: Metric =
    histogram("strongroom_commit_group_bytes", "bytes", &[], "Bytes of keys and values in one commit group");
/// How long calls of a store took.
pub static STORE_CALL_DURATION: Metric = histogram(
    "strongroom_store_call_duration_seconds",
    "seconds",
    &["layer", "backend", "call", "outcome"],
    "How long a call of a store took, at the layer where it is observed",
);
/// Rows that calls of a store gave or wrote.
pub static STORE_ROWS: Metric = counter(
    "strongroom_store_rows_total",
    "rows",
    &["layer", "backend", "call"],
    "Rows that were read or written by calls of a store",
);
/// Keys that caches were asked for.
pub static CACHE_KEYS: Metric = counter(
    "strongroom_cache_keys_total",
    "keys",
    &["answer"],
    "Keys that caches were asked for: hit, miss, or bypass where no cache may answer",
);
/// Values that went through the encryption.
pub static ENCRYPTION_VALUES: Metric = counter(
    "strongroom_encryption_values_total",
    "values",
    &["action"],
    "Values that were sealed (seal), opened (open), or did not open (refuse)",
);
/// How often the keyring was read.
pub static ENCRYPTION_KEYRING_READS: Metric = counter(
    "strongroom_encryption_keyring_reads_total",
    "reads",
    &[],
    "How often the keyring was read again, since a rotation may have gone on elsewhere",
);

/// All of them.
pub static ALL: [&Metric; 12] = [
    &OPERATION_DURATION,
    &OPERATION_RECORDS,
    &CONFLICTS,
    &COMMIT_QUEUE_DEPTH,
    &COMMIT_WAIT,
    &COMMIT_GROUP_BATCHES,
    &COMMIT_GROUP_BYTES,
    &STORE_CALL_DURATION,
    &STORE_ROWS,
    &CACHE_KEYS,
    &ENCRYPTION_VALUES,
    &ENCRYPTION_KEYRING_READS,
];
