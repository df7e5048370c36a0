//! `backup`

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use strongroom::StoreUrl;

use super::copy::{Way, copied, show, target_like};
use crate::access::Access;
use crate::arguments::Backup;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::store::Opening;

pub(crate) async fn run(arguments: &Backup, url: &str, access: &Access, output: &mut Output) -> Result<()> {
    Opening::check_target(&arguments.to, false)?;
    let (unfinished, beside, path) = unfinished(&arguments.to)?;
    let way = Way { from: url, to: &unfinished, again: "the same command completes it" };
    let source = Opening::of_existing(url, access)?.for_long();
    // What an interrupted backup wrote is gone on with.
    let (from, to) = target_like(&way, source, &arguments.key, access, true).await?;
    let mut copied = copied(&way, from, to, output).await?;
    name(&beside, &path).map_err(|error| {
        Failure::new(format!("the backup cannot be named {}: {error}", path.display()), "the same command tries again")
    })?;
    copied.to = &arguments.to;
    show(&way, &copied, output)
}

/// Where a backup is written before it has its name: its URL, its path and the path that it is to have.
fn unfinished(url: &str) -> Result<(String, PathBuf, PathBuf)> {
    let (scheme, path) = match url.parse() {
        Ok(StoreUrl::Redb(path)) => ("redb", path),
        Ok(StoreUrl::Sqlite(path)) => ("sqlite", path),
        _ => return Err(Failure::WrongUse(format!("{url} is no file; name one, like redb:PATH"))),
    };
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".unfinished");
    let beside = path.with_file_name(name);
    Ok((format!("{scheme}:{}", beside.display()), beside, path))
}

/// Gives a file that is complete and closed its name, for good.
fn name(beside: &Path, path: &Path) -> io::Result<()> {
    File::open(beside)?.sync_all()?;
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else has that name by now"));
    }
    fs::rename(beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every system lets a folder be opened; there it syncs it by itself.
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}
