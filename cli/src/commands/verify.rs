//! `verify`

use strongroom::matrix::MatrixStore;
use strongroom::{Database, Verification};

use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::text::{count, counted};

pub(crate) async fn run(db: &Database, output: &mut Output) -> Result<()> {
    // What rooms say of their members and messages is looked at as well, where there are rooms.
    let found = match MatrixStore::new(db.clone()) {
        Ok(store) => store.verify().await?,
        Err(_) => db.verify().await?,
    };
    let shown = show(&found, output);
    let problems = found.problems.len() as u64 + found.problems_unlisted;
    if problems == 0 {
        return shown;
    }
    // Also when nobody read the list to its end.
    let what = format!("{} found", counted(problems, "problem"));
    Err(Failure::new(what, "restore a backup, or import the exports into a new store"))
}

fn show(found: &Verification, output: &mut Output) -> Result<()> {
    if output.format == Format::Json {
        return output.json(found);
    }
    super::stats::counts(&found.collections, output)?;
    for problem in &found.problems {
        let index = problem.index.as_deref().map(|index| format!(".{index}")).unwrap_or_default();
        output.line(format!("{}{index}: {} (row {})", problem.collection, problem.problem, problem.row))?;
    }
    if !found.problems.is_empty() {
        return Ok(());
    }
    let records: u64 = found.collections.values().map(|held| held.records).sum();
    let entries: u64 = found.collections.values().map(|held| held.entries).sum();
    output.line(format!("no problems in {} and {} index entries", counted(records, "record"), count(entries)))
}
