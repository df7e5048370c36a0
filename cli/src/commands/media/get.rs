//! `media get ID [--range A-B] [-o FILE]`

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use futures_util::TryStreamExt;
use serde::Serialize;
use strongroom::objects::{Content, Media};
use tempfile::NamedTempFile;

use super::unknown;
use crate::arguments::GetMedia;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::text::counted;
use crate::units::ByteRange;

#[derive(Serialize)]
struct Got<'a> {
    media_id: &'a str,
    bytes: u64,
    output: &'a Path,
}

/// Bytes of a picture make nobody happy on a terminal.
pub(super) fn check(arguments: &GetMedia) -> Result<()> {
    if is_stdout(arguments) && io::stdout().is_terminal() {
        return Err(Failure::WrongUse(
            "the bytes would go to the terminal; name a file with -o FILE, or '>' it".into(),
        ));
    }
    Ok(())
}

pub(super) async fn run(media: &Media, arguments: &GetMedia, output: &mut Output) -> Result<()> {
    let id = arguments.id.as_str();
    if arguments.thumbnail {
        let Some(bytes) = media.get_thumbnail(&id.into()).await? else {
            return Err(Failure::new(
                format!("the medium {id} is not there or has no thumbnail"),
                "see 'strongroom media list'",
            ));
        };
        let mut target = Target::open(arguments)?;
        target.write(&bytes)?;
        return target.done(arguments, bytes.len() as u64, output);
    }
    let content = match arguments.range {
        None => media.get(&id.into()).await?,
        Some(ByteRange::From(first, None)) => media.get_range(&id.into(), first..).await?,
        Some(ByteRange::From(first, Some(last))) => media.get_range(&id.into(), first..=last).await?,
        Some(ByteRange::Last(bytes)) => {
            let Some(stat) = media.stat(&id.into()).await? else { return Err(unknown(id)) };
            media.get_range(&id.into(), stat.record.size.saturating_sub(bytes)..).await?
        }
    };
    let content = content.ok_or_else(|| unknown(id))?;
    let progress = Progress::of_bytes(Some(content.range.end - content.range.start), output.color);
    let copied = tokio::select! {
        copied = copy(content, arguments, &progress) => Some(copied),
        _ = tokio::signal::ctrl_c() => None,
    };
    progress.finish();
    match copied {
        Some(copied) => {
            let (target, bytes) = copied?;
            target.done(arguments, bytes, output)
        }
        None => Err(Failure::Interrupted("interrupted; nothing was written to the file".into())),
    }
}

async fn copy(content: Content, arguments: &GetMedia, progress: &Progress) -> Result<(Target, u64)> {
    let mut target = Target::open(arguments)?;
    let mut stream = content.stream();
    let mut done = 0;
    while let Some(bytes) = stream.try_next().await? {
        target.write(&bytes)?;
        done += bytes.len() as u64;
        progress.bytes(done);
    }
    Ok((target, done))
}

fn is_stdout(arguments: &GetMedia) -> bool {
    arguments.output.as_os_str() == "-"
}

/// Where the bytes go.
enum Target {
    Stdout(io::Stdout),
    /// A file beside the one that was asked for, which takes its place when all is there and was checked.
    File(NamedTempFile),
}

impl Target {
    fn open(arguments: &GetMedia) -> Result<Target> {
        if is_stdout(arguments) {
            return Ok(Target::Stdout(io::stdout()));
        }
        let folder =
            arguments.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".strongroom-").tempfile_in(folder);
        Ok(Target::File(file.map_err(|error| unwritten(&arguments.output, &error))?))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match self {
            Target::Stdout(stdout) => stdout.write_all(bytes),
            Target::File(file) => file.write_all(bytes),
        };
        Ok(written?)
    }

    fn done(self, arguments: &GetMedia, bytes: u64, output: &mut Output) -> Result<()> {
        match self {
            Target::Stdout(mut stdout) => Ok(stdout.flush()?),
            Target::File(file) => {
                let path = &arguments.output;
                file.persist(path).map_err(|error| unwritten(path, &error.error))?;
                if output.format == Format::Json {
                    return output.json(&Got { media_id: &arguments.id, bytes, output: path });
                }
                output.line(format!("{} written to {}", counted(bytes, "byte"), path.display()))
            }
        }
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        format!("{} could not be written: {error}", path.display()),
        "check the path, its permissions and the free space",
    )
}
