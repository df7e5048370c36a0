//! `copy`

use serde::Serialize;

use crate::access::Access;
use crate::arguments::Copy;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::store::Opening;
use crate::text::counted;

/// What to do after an interruption.
const AGAIN: &str = "the same command with --resume completes it";

#[derive(Serialize)]
struct Copied<'a> {
    to: &'a str,
    copied: u64,
    /// Media whose bytes are where they were.
    media: u64,
}

pub(crate) async fn run(arguments: &Copy, url: &str, access: &Access, output: &mut Output) -> Result<()> {
    // What has to be asked for comes before any work.
    let (source, target) = (Opening::of_existing(url, access)?, Opening::target(arguments)?);
    let (from, to) = (source.database().await?, target.database().await?);
    let progress = Progress::new(None, "record", output.color);
    let mut so_far = 0;
    let copied = tokio::select! {
        // First, so that it is listened for before anything begins.
        biased;
        () = interrupt::asked() => None,
        copied = from.copy_into(&to, |copied| {
            so_far = copied;
            progress.at(copied, copied);
        }) => Some(copied),
    };
    progress.finish();
    let media = from.stats().await.map(|stats| stats.collections.get("media").map_or(0, |media| media.records));
    from.close().await?;
    to.close().await?;
    let copied = match copied {
        Some(Ok(copied)) => copied,
        Some(Err(error)) if error.is_already_exists() => {
            let what = format!("{error}; {} were written into it before", counted(so_far, "record"));
            return Err(Failure::new(what, "it is no copy of this store: copy into a new file"));
        }
        Some(Err(error)) => return Err(Failure::new(format!("{error} ({} copied)", counted(so_far, "record")), AGAIN)),
        None => {
            let what = format!("interrupted, {} copied so far; {AGAIN}", counted(so_far, "record"));
            return Err(Failure::Interrupted(what));
        }
    };
    let media = media?;
    if output.format == Format::Json {
        return output.json(&Copied { to: &arguments.to, copied, media });
    }
    output.line(format!("{} copied into {}", counted(copied, "record"), arguments.to))?;
    if media > 0 {
        let counted = counted(media, "medium").replace("mediums", "media");
        return output.line(format!(
            "{counted} stay behind: the bytes were not copied, and those of an encrypted store are encrypted with a key that follows \
             from it. The old store {url} is as it was: keep it, and its key, for them"
        ));
    }
    output.line(format!(
        "the old store {url} is as it was: check the new one with 'strongroom verify', then delete the old"
    ))
}
