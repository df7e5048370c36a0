//! `verify`

use strongroom::Database;

use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::text::{count, counted};

pub(crate) async fn run(db: &Database, output: &mut Output) -> Result<()> {
    let found = db.verify().await?;
    let problems = found.problems.len() as u64 + found.problems_unlisted;
    if output.format == Format::Json {
        output.json(&found)?;
    } else {
        super::stats::counts(&found.collections, output)?;
        for problem in &found.problems {
            let index = problem.index.as_deref().map(|index| format!(".{index}")).unwrap_or_default();
            output.line(format!("{}{index}: {} (row {})", problem.collection, problem.problem, problem.row))?;
        }
        if problems == 0 {
            let records: u64 = found.collections.values().map(|held| held.records).sum();
            let entries: u64 = found.collections.values().map(|held| held.entries).sum();
            output.line(format!("no problems in {} records and {} index entries", count(records), count(entries)))?;
        }
    }
    if problems == 0 {
        return Ok(());
    }
    output.flush()?;
    let what = format!("{} found", counted(problems, "problem"));
    Err(Failure::new(what, "restore a backup, or import the exports into a new store"))
}
