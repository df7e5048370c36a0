//! `salvage`

use serde::Serialize;
use strongroom::Problem;

use crate::access::Access;
use crate::arguments::Salvage;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::store::Opening;
use crate::text::counted;

const AGAIN: &str = "the same command with --resume begins it again";

#[derive(Serialize)]
struct Salvaged<'a> {
    to: &'a str,
    copied: u64,
    digest: String,
    problems: &'a [Problem],
    problems_unlisted: u64,
}

pub(crate) async fn run(arguments: &Salvage, url: &str, access: &Access, output: &mut Output) -> Result<()> {
    // What has to be asked for comes before any work.
    let source = Opening::of_existing(url, access)?.for_long();
    let target = Opening::target(&arguments.to, &arguments.key, arguments.resume)?;
    let from = source.damaged_database().await?;
    let to = target.database().await?;
    let progress = Progress::new(None, "record", output.color);
    let done = tokio::select! {
        biased;
        () = interrupt::asked() => None,
        salvaged = from.salvage_into(&to, |copied| progress.at(copied, copied)) => Some(salvaged),
    };
    progress.finish();
    // A damaged store may not close well either.
    let _ = from.close().await;
    to.close().await?;
    let found = match done {
        Some(Ok(found)) => found,
        Some(Err(error)) if error.is_already_exists() => {
            return Err(Failure::new(error.to_string(), "name a new file"));
        }
        Some(Err(error)) => return Err(Failure::new(error.to_string(), AGAIN)),
        None => return Err(Failure::Interrupted(format!("interrupted; {AGAIN}"))),
    };
    let (copied, digest) = (found.copied, found.digest.to_string());
    let problems = found.problems.len() as u64 + found.problems_unlisted;
    if output.format == Format::Json {
        let (problems, problems_unlisted) = (found.problems.as_slice(), found.problems_unlisted);
        output.json(&Salvaged { to: &arguments.to, copied, digest, problems, problems_unlisted })?;
    } else {
        output.line(format!("{} copied into {}: digest {digest}", counted(copied, "record"), arguments.to))?;
        for problem in &found.problems {
            output.line(format!("{}: {} (row {})", problem.collection, problem.problem, problem.row))?;
        }
    }
    if problems == 0 {
        return Ok(());
    }
    let what = format!("{} named above", counted(problems, "problem"));
    Err(Failure::new(what, "what is missing may be in a backup, or can be imported from exports"))
}
