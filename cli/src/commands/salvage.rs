//! `salvage`

use serde::Serialize;
use strongroom::{Problem, StoreUrl};

use crate::access::Access;
use crate::arguments::Salvage;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::store::Opening;
use crate::text::counted;
use crate::url;

const AGAIN: &str = "the same command with --resume begins it again";

#[derive(Serialize)]
struct Salvaged<'a> {
    to: String,
    copied: u64,
    digest: String,
    problems: &'a [Problem],
    problems_unlisted: u64,
}

pub(crate) async fn run(arguments: &Salvage, from_url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    // What has to be asked for comes before any work.
    let to_url = url::parse(&arguments.to)?;
    let source = Opening::of_existing(from_url, access).await?.for_long();
    let target = Opening::target(&to_url, &arguments.key, arguments.resume).await?;
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
            return Err(Failure::new(error.to_string(), "name a new store"));
        }
        Some(Err(error)) => return Err(Failure::new(error.to_string(), AGAIN)),
        None => return Err(Failure::Interrupted(format!("interrupted; {AGAIN}"))),
    };
    let (to, copied, digest) = (to_url.to_string(), found.copied, found.digest.to_string());
    let problems = found.problems.len() as u64 + found.problems_unlisted;
    if output.format == Format::Json {
        let (problems, problems_unlisted) = (found.problems.as_slice(), found.problems_unlisted);
        output.json(&Salvaged { to, copied, digest, problems, problems_unlisted })?;
    } else {
        output.line(format!("{} copied into {to}: digest {digest}", counted(copied, "record")))?;
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
