//! `media verify`

use serde::Serialize;
use strongroom::objects::Media;

use super::Problem;
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

pub(super) async fn run(media: &Media, output: &mut Output) -> Result<()> {
    let progress = Progress::of_bytes(None, output.color);
    let verified = media.verify(|bytes| progress.bytes(bytes)).await;
    progress.finish();
    let verified = verified?;
    let problems = Problem::of_all(&verified.problems);
    let failed = !problems.is_empty();
    if output.format == Format::Json {
        output.json(&Report { good: verified.good, bytes: verified.bytes, problems })?;
    } else {
        Problem::show_all(&problems, output)?;
        let good = counted(verified.good, "medium").replace("mediums", "media");
        let bad = counted(problems.len() as u64, "problem");
        output.line(format!("{good} with {} as stored, {bad}", show_size(verified.bytes)))?;
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
