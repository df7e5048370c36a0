//! `media get ID [--range A-B] [-o FILE]`

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use serde::Serialize;
use strongroom::objects::{Content, Media};
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::unknown;
use crate::arguments::GetMedia;
use crate::failure::{Failure, Result};
use crate::interrupt;
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
    let got = tokio::select! {
        // First, so that it is listened for before anything begins.
        biased;
        () = interrupt::asked() => None,
        got = fetch(media, arguments, output.color) => Some(got),
    };
    let Some(got) = got else {
        return Err(Failure::Interrupted("interrupted; what came out, if anything did, is not whole".into()));
    };
    let bytes = got?;
    if is_stdout(arguments) {
        return Ok(());
    }
    let path = &arguments.output;
    if output.format == Format::Json {
        return output.json(&Got { media_id: &arguments.id, bytes, output: path });
    }
    output.line(format!("{} written to {}", counted(bytes, "byte"), path.display()))
}

/// Fetches all of it, and says how many bytes that was.
async fn fetch(media: &Media, arguments: &GetMedia, color: bool) -> Result<u64> {
    if arguments.thumbnail {
        let bytes = thumbnail(media, &arguments.id).await?;
        let mut target = Target::open(arguments).await?;
        target.write(bytes.as_ref()).await?;
        target.complete().await?;
        return Ok(bytes.as_ref().len() as u64);
    }
    let content = content(media, arguments).await?;
    let progress = Progress::of_bytes(Some(content.range.end - content.range.start), color);
    let copied = copy(content, arguments, &progress).await;
    progress.finish();
    copied
}

async fn thumbnail(media: &Media, id: &str) -> Result<impl AsRef<[u8]>> {
    match media.get_thumbnail(&id.into()).await? {
        Some(bytes) => Ok(bytes),
        None if media.stat(&id.into()).await?.is_none() => Err(unknown(id)),
        None => Err(Failure::new(format!("the medium {id} has no thumbnail"), "leave out --thumbnail")),
    }
}

async fn content(media: &Media, arguments: &GetMedia) -> Result<Content> {
    let id = arguments.id.as_str();
    let content = match arguments.range {
        None => media.get(&id.into()).await?,
        Some(range) => {
            let Some(stat) = media.stat(&id.into()).await? else { return Err(unknown(id)) };
            let size = stat.record.size;
            let (first, last) = match range {
                ByteRange::From(first, last) => (first, last.unwrap_or(u64::MAX)),
                ByteRange::Last(bytes) => (size.saturating_sub(bytes), u64::MAX),
            };
            if first >= size {
                let what = format!("the medium {id} has {}, none of them in this range", counted(size, "byte"));
                return Err(Failure::new(what, "ask for bytes before its end, counted from 0"));
            }
            media.get_range(&id.into(), first..=last).await?
        }
    };
    content.ok_or_else(|| unknown(id))
}

async fn copy(content: Content, arguments: &GetMedia, progress: &Progress) -> Result<u64> {
    let mut target = Target::open(arguments).await?;
    let mut stream = content.stream();
    let mut done = 0;
    while let Some(bytes) = stream.try_next().await? {
        target.write(&bytes).await?;
        done += bytes.len() as u64;
        progress.bytes(done);
    }
    target.complete().await?;
    Ok(done)
}

fn is_stdout(arguments: &GetMedia) -> bool {
    arguments.output.as_os_str() == "-"
}

/// Where the bytes go. All of it is written by threads of its own: a pipe that is full keeps nobody from Ctrl-C.
enum Target {
    /// Stdout, a pipe or a device, which nothing can take the place of.
    Direct(PathBuf, File),
    /// A file beside the one that was asked for, which takes its place when all is there and was checked.
    Beside(PathBuf, File, TempPath),
}

impl Target {
    async fn open(arguments: &GetMedia) -> Result<Target> {
        if is_stdout(arguments) {
            let path = PathBuf::from("stdout");
            let file = stdout().map_err(|error| unwritten(&path, &error))?;
            return Ok(Target::Direct(path, file));
        }
        let path = &arguments.output;
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(Failure::new(format!("{} is a folder", path.display()), "name a file in it"));
            }
            Ok(found) if !found.is_file() => {
                let file = File::options().write(true).open(path).await.map_err(|error| unwritten(path, &error))?;
                return Ok(Target::Direct(path.clone(), file));
            }
            _ => {}
        }
        let path = behind_links(path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".strongroom-").tempfile_in(folder);
        let (file, beside) = file.map_err(|error| unwritten(&path, &error))?.into_parts();
        Ok(Target::Beside(path, File::from_std(file), beside))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let (Target::Direct(path, file) | Target::Beside(path, file, _)) = self;
        file.write_all(bytes).await.map_err(|error| unwritten(path, &error))
    }

    async fn complete(self) -> Result<()> {
        match self {
            Target::Direct(path, mut file) => file.flush().await.map_err(|error| unwritten(&path, &error)),
            Target::Beside(path, mut file, beside) => {
                let failed = |error: io::Error| unwritten(&path, &error);
                file.flush().await.map_err(failed)?;
                // Before it takes a name that another file may have: after a loss of power there is the old one or the new one.
                file.sync_all().await.map_err(failed)?;
                beside.persist(&path).map_err(|error| failed(error.error))
            }
        }
    }
}

/// Stdout by a handle of its own: a write that waits for its reader must not hold the lock that the end of the command takes.
fn stdout() -> io::Result<File> {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?;
    Ok(File::from_std(handle.into()))
}

/// The file that a link leads to, which is the one that is written; also where it is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as Linux follows: links in a circle are refused when the file is made.
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::ReaderGone;
    }
    Failure::new(
        format!("{} could not be written: {error}", path.display()),
        "check the path, its permissions and the free space",
    )
}
