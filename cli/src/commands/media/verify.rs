//! `media verify`

use serde::Serialize;
use strongroom::objects::Media;

use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::text::counted;
use crate::units::show_size;

#[derive(Serialize)]
struct Report<'a> {
    good: u64,
    bytes: u64,
    problems: Vec<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    media_id: &'a str,
    error: String,
}

pub(super) async fn run(media: &Media, output: &mut Output) -> Result<()> {
    let progress = Progress::of_bytes(None, output.color);
    let verified = media.verify(|bytes| progress.bytes(bytes)).await;
    progress.finish();
    let verified = verified?;
    let problems: Vec<Problem<'_>> = verified
        .problems
        .iter()
        .map(|problem| Problem { media_id: problem.media_id.as_str(), error: problem.error.to_string() })
        .collect();
    let failed = !problems.is_empty();
    if output.format == Format::Json {
        output.json(&Report { good: verified.good, bytes: verified.bytes, problems })?;
    } else {
        for problem in &problems {
            output.line(format!("{}: {}", problem.media_id, problem.error))?;
        }
        let good = counted(verified.good, "medium").replace("mediums", "media");
        let bad = counted(problems.len() as u64, "problem");
        output.line(format!("{good} with {} as stored, {bad}", show_size(verified.bytes)))?;
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
