//! `stats`

use std::collections::BTreeMap;

use serde::Serialize;
use strongroom::{CollectionCount, CollectionSize, Database, StoreUrl};

use crate::failure::Result;
use crate::output::{Format, Output};
use crate::text::count;

#[derive(Serialize)]
struct Stats<'a> {
    store: String,
    revision: u64,
    bytes: u64,
    collections: &'a BTreeMap<String, CollectionCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sizes: Option<&'a BTreeMap<String, CollectionSize>>,
}

pub(crate) async fn run(db: &Database, store: &StoreUrl, sizes: bool, output: &mut Output) -> Result<()> {
    let stats = db.stats().await?;
    let sizes = if sizes { Some(db.sizes().await?) } else { None };
    if output.format == Format::Json {
        return output.json(&Stats {
            store: store.to_string(),
            revision: stats.revision.0,
            bytes: stats.bytes,
            collections: &stats.collections,
            sizes: sizes.as_ref(),
        });
    }
    output.line(format!("{store}: {} bytes, revision {}", count(stats.bytes), stats.revision.0))?;
    match &sizes {
        None => counts(&stats.collections, output),
        Some(sizes) => self::sizes(sizes, output),
    }
}

/// The collections that hold something, with their bytes.
fn sizes(collections: &BTreeMap<String, CollectionSize>, output: &mut Output) -> Result<()> {
    let held = collections.iter().filter(|(_, held)| held.records > 0 || held.entries > 0);
    let rows: Vec<_> = held
        .map(|(name, held)| {
            let figures = [held.records, held.record_bytes, held.entries, held.entry_bytes].map(count);
            let [records, record_bytes, entries, entry_bytes] = figures;
            [name.clone(), records, record_bytes, entries, entry_bytes]
        })
        .collect();
    if rows.is_empty() {
        return output.line("nothing is stored");
    }
    output.table(["COLLECTION", "RECORDS", "BYTES", "INDEX ENTRIES", "BYTES"], rows)
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
