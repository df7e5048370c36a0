//! `media put FILE --room ROOM`

use std::io::{Read, Seek};
use std::path::Path;

use strongroom::Timestamp;
use strongroom::objects::{Media, NewMedia, THUMBNAIL_SOURCE_BYTES_MAX, Thumbnail, thumbnail};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Shown;
use crate::arguments::PutMedia;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::moment;
use crate::output::{Format, Output};
use crate::progress::Progress;

/// Pixels of a thumbnail's longer edge: what clients show in a timeline on a dense screen.
const THUMBNAIL_EDGE: u32 = 640;

/// What was checked before anything was opened.
pub(super) struct Checked {
    file: Option<std::fs::File>,
    size: Option<u64>,
    expires: Option<Timestamp>,
    thumbnail: Option<Thumbnail>,
}

pub(super) fn check(arguments: &PutMedia) -> Result<Checked> {
    let expires = arguments.expires.as_deref().map(moment::parse).transpose().map_err(Failure::WrongUse)?;
    let path = &arguments.file;
    let only_once = || {
        let what = format!("--thumbnail needs a file, and {} can be read only once", path.display());
        Failure::WrongUse(format!("{what}; leave out --thumbnail, or store it as a file first"))
    };
    if is_stdin(path) {
        if arguments.thumbnail {
            return Err(only_once());
        }
        return Ok(Checked { file: None, size: None, expires, thumbnail: None });
    }
    // Before it is opened, which of a pipe takes until somebody writes.
    if arguments.thumbnail && std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Err(only_once());
    }
    let opened = std::fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(Failure::new(format!("{} is a folder", path.display()), "name a file"));
    }
    let size = metadata.is_file().then_some(metadata.len());
    let thumbnail = match (arguments.thumbnail, size) {
        (true, None) => return Err(only_once()),
        (true, Some(_)) => Some(thumbnail_of(&file, path)?),
        (false, _) => None,
    };
    Ok(Checked { file: Some(file), size, expires, thumbnail })
}

pub(super) async fn run(media: &Media, arguments: &PutMedia, checked: Checked, output: &mut Output) -> Result<()> {
    let mime_type = arguments.mime_type.clone().unwrap_or_else(|| kind(&arguments.file));
    let mut new = NewMedia::new(arguments.room.as_str(), mime_type);
    if let Some(id) = &arguments.id {
        new = new.id(id.as_str());
    }
    if let Some(expires) = checked.expires {
        new = new.expires_at(expires);
    }
    if let Some(thumbnail) = &checked.thumbnail {
        new = new.thumbnail(thumbnail.clone());
    }
    let progress = Progress::of_bytes(checked.size, output.color);
    let stored = tokio::select! {
        // First, so that it is listened for before anything begins.
        biased;
        () = interrupt::asked() => None,
        stored = store(media, new, checked, arguments, &progress) => Some(stored),
    };
    progress.finish();
    let Some(stored) = stored else {
        let again = match &arguments.id {
            Some(_) => "the same command goes on where it was",
            None => "with --id, the same command could go on where it was",
        };
        return Err(Failure::Interrupted(format!(
            "interrupted; {again}, and 'strongroom media sweep' removes what was uploaded after a day"
        )));
    };
    let stored = stored?;
    if output.format == Format::Json {
        return output.json(&Shown::of(&stored.record, Some(&stored.sha256)));
    }
    output.table(["FIELD", "VALUE"], Shown::of(&stored.record, Some(&stored.sha256)).rows())?;
    if stored.was_there {
        output.note("it was stored already, with the same content; room, kind, thumbnail and expiry are as they were")
    } else {
        Ok(())
    }
}

async fn store(
    media: &Media,
    new: NewMedia,
    checked: Checked,
    arguments: &PutMedia,
    progress: &Progress,
) -> Result<strongroom::objects::Stored> {
    match checked.file {
        // A pipe has no beginning to go back to.
        Some(file) if arguments.id.is_some() && checked.size.is_some() => {
            let mut begun = false;
            let at = |bytes: u64| {
                if !std::mem::replace(&mut begun, true) && bytes > 0 {
                    progress.begin_at(bytes);
                }
                progress.bytes(bytes);
            };
            Ok(media.put_resumable(new, File::from_std(file), at).await?)
        }
        Some(file) => upload(media, new, File::from_std(file), progress).await,
        None => upload(media, new, tokio::io::stdin(), progress).await,
    }
}

async fn upload(
    media: &Media,
    new: NewMedia,
    mut source: impl AsyncRead + Unpin,
    progress: &Progress,
) -> Result<strongroom::objects::Stored> {
    let mut upload = media.upload(new).await?;
    let mut done = 0;
    loop {
        let mut piece = Vec::with_capacity(256 << 10);
        let read = source.read_buf(&mut piece).await;
        let read = read.map_err(|error| Failure::new(format!("the file could not be read: {error}"), "try again"))?;
        if read == 0 {
            return Ok(upload.finish().await?);
        }
        done += read as u64;
        upload.write(piece.into()).await?;
        progress.bytes(done);
    }
}

/// Of the file that is open, so that the thumbnail and what is stored are of one.
fn thumbnail_of(mut file: &std::fs::File, path: &Path) -> Result<Thumbnail> {
    let mut bytes = Vec::new();
    let read = file.take(THUMBNAIL_SOURCE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    let rewound = read.and_then(|_| file.rewind());
    rewound.map_err(|error| unreadable(path, &error))?;
    if bytes.len() > THUMBNAIL_SOURCE_BYTES_MAX {
        let what = format!("{} is too large for a thumbnail", path.display());
        return Err(Failure::new(what, "leave out --thumbnail"));
    }
    // Nothing else is under way that could wait for it.
    thumbnail(&bytes, THUMBNAIL_EDGE)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "leave out --thumbnail"))
}

/// The kind that a file's name tells.
fn kind(file: &Path) -> String {
    mime_guess::from_path(file).first_or_octet_stream().essence_str().to_owned()
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} could not be read: {error}", file.display()), "check the path and its permissions")
}
