//! `media copy URL`

use serde::Serialize;
use strongroom::StoreUrl;
use strongroom::objects::{CopiedObjects, Media, ObjectsUrl};

use super::Problem;
use crate::arguments::CopyMedia;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::objects;
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::store::Opening;
use crate::text::counted;
use crate::units::show_size;
use crate::url;

#[derive(Serialize)]
struct Report<'a> {
    to: String,
    copied: u64,
    present: u64,
    bytes: u64,
    problems: Vec<Problem<'a>>,
}

/// The other store and its objects.
pub(super) struct Target {
    url: StoreUrl,
    opening: Opening<'static>,
    objects: ObjectsUrl,
}

/// What cannot be right, and what has to be asked for, comes before anything is opened.
pub(super) async fn check(arguments: &CopyMedia) -> Result<Target> {
    let url = url::parse(&arguments.to)?;
    let objects = objects::place("--to-objects", arguments.to_objects.as_deref(), &url)?;
    Ok(Target { opening: Opening::of_copy(&url, &arguments.key).await?, url, objects })
}

pub(super) async fn run(media: &Media, Target { url, opening, objects }: Target, output: &mut Output) -> Result<()> {
    let target = objects::media(opening, &objects).await?;
    let progress = Progress::of_bytes(None, output.color);
    let copied = tokio::select! {
        // First, so that it is listened for before anything begins.
        biased;
        () = interrupt::asked() => None,
        copied = target.copy_objects_from(media.objects().clone(), |bytes| progress.bytes(bytes)) => Some(copied),
    };
    progress.finish();
    let closed = target.database().close().await;
    let Some(copied) = copied else {
        return Err(Failure::Interrupted("interrupted; the same command goes on".into()));
    };
    let copied = copied?;
    closed?;
    show(&url, &copied, output)
}

fn show(url: &StoreUrl, copied: &CopiedObjects, output: &mut Output) -> Result<()> {
    let problems = Problem::of_all(&copied.problems);
    let (failed, counted_problems) = (!problems.is_empty(), counted(problems.len() as u64, "problem"));
    if output.format == Format::Json {
        let CopiedObjects { copied, present, bytes, .. } = *copied;
        output.json(&Report { to: url.to_string(), copied, present, bytes, problems })?;
    } else {
        Problem::show_all(&problems, output)?;
        let objects = counted(copied.copied, "object");
        let (size, present) = (show_size(copied.bytes), copied.present);
        output.line(format!("{objects} with {size} copied, {present} were there, {counted_problems}"))?;
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
