//! `sweep [--dry-run]`

use std::collections::BTreeMap;

use serde::Serialize;
use strongroom::{Database, SweepOptions};

use crate::arguments::Sweep;
use crate::failure::Result;
use crate::output::{Format, Output};
use crate::text::{count, counted};

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    records: u64,
    collections: &'a BTreeMap<String, u64>,
    damaged: u64,
}

pub(crate) async fn run(db: &Database, arguments: &Sweep, output: &mut Output) -> Result<()> {
    let dry_run = arguments.dry_run;
    let swept = db.sweep(&SweepOptions { dry_run, ..SweepOptions::default() }).await?;
    if output.format == Format::Json {
        let (records, collections, damaged) = (swept.records(), &swept.collections, swept.damaged);
        return output.json(&Report { dry_run, records, collections, damaged });
    }
    if !swept.collections.is_empty() {
        let rows = swept.collections.iter().map(|(name, records)| [name.clone(), count(*records)]);
        output.table(["COLLECTION", "RECORDS"], rows.collect())?;
    }
    if swept.damaged > 0 {
        let damaged = counted(swept.damaged, "expired record");
        output.note(format!("{damaged} cannot be read and stayed; 'strongroom verify' names what is wrong"))?;
    }
    let verb = if dry_run { "would be removed" } else { "removed" };
    output.line(format!("{} {verb}", counted(swept.records(), "expired record")))
}
