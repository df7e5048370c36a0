//! `stats`

use std::collections::BTreeMap;

use serde::Serialize;
use strongroom::{CollectionCount, Database};

use crate::failure::Result;
use crate::output::{Format, Output};
use crate::text::count;

#[derive(Serialize)]
struct Stats<'a> {
    store: &'a str,
    revision: u64,
    bytes: u64,
    collections: &'a BTreeMap<String, CollectionCount>,
}

pub(crate) async fn run(db: &Database, store: &str, output: &mut Output) -> Result<()> {
    let stats = db.stats().await?;
    if output.format == Format::Json {
        return output.json(&Stats {
            store,
            revision: stats.revision.0,
            bytes: stats.bytes,
            collections: &stats.collections,
        });
    }
    output.line(format!("{store}: {} bytes, revision {}", count(stats.bytes), stats.revision.0))?;
    counts(&stats.collections, output)
}

/// The collections that hold something.
pub(super) fn counts(collections: &BTreeMap<String, CollectionCount>, output: &mut Output) -> Result<()> {
    let held = collections.iter().filter(|(_, held)| held.records > 0 || held.entries > 0);
    let rows: Vec<_> = held.map(|(name, held)| [name.clone(), count(held.records), count(held.entries)]).collect();
    if rows.is_empty() {
        return output.line("nothing is stored");
    }
    output.table(["COLLECTION", "RECORDS", "INDEX ENTRIES"], rows)
}
