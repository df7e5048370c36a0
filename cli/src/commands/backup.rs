//! `backup`

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use strongroom::{Database, StoreUrl};
use tempfile::TempPath;

use super::copy::{Way, copied, show, target_like};
use crate::access::Access;
use crate::arguments::Backup;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::store::Opening;
use crate::url::{self, check_target};

pub(crate) async fn run(arguments: &Backup, url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    let to_url = url::parse(&arguments.to)?;
    if let StoreUrl::Postgres(_) = to_url {
        let what = "a backup is a file, which is complete or not there";
        return Err(Failure::WrongUse(format!("{what}; name one, like redb:PATH, or 'strongroom copy' into {to_url}")));
    }
    check_target(&to_url, false).await?;
    let (unfinished, beside, path) = unfinished(&to_url)?;
    refuse_leftovers(&path)?;
    let way = Way { from: url, to: &unfinished, again: "the same command completes it" };
    let source = Opening::of_existing(url, access).await?.for_long();
    // What an interrupted backup wrote is gone on with.
    let (from, to) = target_like(&way, source, &arguments.key, access, true).await?;
    if is_complete(&to).await? {
        // It was broken off before it got its name, and is of a moment that is gone.
        let _ = (from.close().await, to.close().await);
        remove(&beside)?;
        let what = format!("{} was a backup that had not got its name; it is removed", beside.display());
        return Err(Failure::new(what, "the same command makes a new one"));
    }
    let named = || {
        refuse_leftovers(&beside)?;
        refuse_leftovers(&path)?;
        name(&beside, &path).map_err(|error| {
            let what = format!("the backup cannot be named {}: {error}", path.display());
            Failure::new(what, format!("it is complete in {}", beside.display()))
        })
    };
    let mut copied = copied(&way, from, to, output, named).await?;
    copied.to = to_url.to_string();
    show(&way, &copied, output)
}

/// Whether it has records, and is no unfinished copy.
async fn is_complete(to: &Database) -> Result<bool> {
    if to.is_unfinished_copy().await? {
        return Ok(false);
    }
    Ok(to.stats().await?.collections.values().any(|collection| collection.records > 0))
}

/// What SQLite may have beside a file: it would take a log that is there for the new file's own.
fn companions(path: &Path) -> impl Iterator<Item = PathBuf> {
    ["-wal", "-shm", "-journal"].into_iter().map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

fn refuse_leftovers(path: &Path) -> Result<()> {
    match companions(path).find(|companion| companion.exists()) {
        None => Ok(()),
        Some(companion) => {
            let what = format!("{} is there, a log of another file of that name", companion.display());
            Err(Failure::new(what, "remove it if nobody needs it, or name another file"))
        }
    }
}

/// Removes what an earlier backup left.
fn remove(beside: &Path) -> Result<()> {
    for path in companions(beside).chain([beside.to_owned()]) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::new(
                    format!("{} cannot be removed: {error}", path.display()),
                    "remove it yourself",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where a backup is written before it has its name: its URL, its path and the path that it is to have.
fn unfinished(url: &StoreUrl) -> Result<(StoreUrl, PathBuf, PathBuf)> {
    let (of, path): (fn(PathBuf) -> StoreUrl, _) = match url {
        StoreUrl::Redb(path) => (StoreUrl::Redb, path),
        StoreUrl::Sqlite(path) => (StoreUrl::Sqlite, path),
        _ => return Err(Failure::WrongUse(format!("{url} is no file; name one, like redb:PATH"))),
    };
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".unfinished");
    let beside = path.with_file_name(name);
    Ok((of(beside.clone()), beside, path.clone()))
}

/// Gives a file that is complete and closed its name, for good, unless something else has it by now.
fn name(beside: &Path, path: &Path) -> io::Result<()> {
    File::open(beside)?.sync_all()?;
    if let Err(error) = TempPath::try_from_path(beside)?.persist_noclobber(path) {
        // It is not to go with the attempt.
        error.path.keep()?;
        return Err(error.error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every system lets a folder be opened; there it syncs it by itself.
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}
