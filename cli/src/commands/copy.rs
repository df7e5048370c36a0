//! `copy`, `restore`

use serde::Serialize;
use strongroom::{CopyPhase, CopyProgress, Database, StoreUrl, matrix};

use crate::access::Access;
use crate::arguments::{Copy, NewKey, Restore};
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::store::Opening;
use crate::text::counted;
use crate::url::{self, check_target};

#[derive(Serialize)]
pub(super) struct Copied {
    pub(super) to: String,
    /// Records that this command wrote.
    pub(super) copied: u64,
    /// Records in the copy.
    pub(super) records: u64,
    pub(super) digest: String,
    /// Media whose bytes are where they were.
    pub(super) media: u64,
}

/// From where to where, and what to do after an interruption.
pub(super) struct Way<'a> {
    pub(super) from: &'a StoreUrl,
    pub(super) to: &'a StoreUrl,
    pub(super) again: &'a str,
}

pub(crate) async fn run(arguments: &Copy, url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    let from = arguments.from.as_deref().map(url::parse).transpose()?;
    let way = Way {
        from: from.as_ref().unwrap_or(url),
        to: &url::parse(arguments.to())?,
        again: "the same command with --resume completes it",
    };
    refuse_itself(&way)?;
    // What has to be asked for comes before any work.
    let source = Opening::of_existing(way.from, access).await?.for_long();
    let target = Opening::target(way.to, &arguments.key, arguments.resume).await?;
    let from = source.database().await?;
    let to = target.database().await?;
    let copied = copied(&way, from, to, output, || Ok(())).await?;
    show(&way, &copied, output)?;
    if output.format != Format::Json && copied.media == 0 {
        let old = way.from;
        output.line(format!(
            "the old store {old} is as it was: check the new one with 'strongroom verify', then delete the old"
        ))?;
    }
    Ok(())
}

pub(crate) async fn restore(arguments: &Restore, url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    let way =
        Way { from: &url::parse(&arguments.from)?, to: url, again: "the same command with --resume completes it" };
    refuse_itself(&way)?;
    let source = Opening::of_existing(way.from, access).await?.for_long();
    let (from, to) = target_like(&way, source, &arguments.key, access, arguments.resume).await?;
    let copied = copied(&way, from, to, output, || Ok(())).await?;
    show(&way, &copied, output)
}

/// Opens the source, then the target: as was said or, if nothing was, by what opens the source.
pub(super) async fn target_like(
    way: &Way<'_>,
    source: Opening<'_>,
    key: &NewKey,
    access: &Access,
    resume: bool,
) -> Result<(Database, Database)> {
    let is_said = key.new_key_file.is_some() || key.new_passphrase_file.is_some() || key.new_plain;
    if is_said {
        let target = Opening::target(way.to, key, resume).await?;
        return Ok((source.database().await?, target.database().await?));
    }
    check_target(way.to, resume).await?;
    let (from, objects_key) = source.database_with_objects_key().await?;
    let target = Opening::target_like(way.to, access, objects_key.is_some())?;
    Ok((from, target.database().await?))
}

/// Copies, closes the target and does what is `then` to be done with it, and closes the source.
pub(super) async fn copied(
    way: &Way<'_>,
    from: Database,
    to: Database,
    output: &Output,
    then: impl FnOnce() -> Result<()>,
) -> Result<Copied> {
    let (mut so_far, mut bar, mut phase, color) = (0, None, None, output.color);
    let done = tokio::select! {
        // First, so that it is listened for before anything begins.
        biased;
        () = interrupt::asked() => None,
        copied = from.copy_into(&to, |at: CopyProgress| {
            if phase.replace(at.phase) != Some(at.phase) {
                let noun = if at.phase == CopyPhase::Verifying { "record compared" } else { "record" };
                let bar: Option<Progress> = bar.replace(Progress::new(Some(at.total), noun, color));
                bar.iter().for_each(Progress::finish);
            }
            if at.phase == CopyPhase::Copying {
                so_far = at.records;
            }
            bar.iter().for_each(|bar| bar.at(at.records, at.records));
        }) => Some(copied),
    };
    bar.iter().for_each(Progress::finish);
    let so_far = counted(so_far, "record");
    let done = match done {
        Some(Ok(done)) => {
            let named = match to.close().await {
                Ok(()) => then(),
                Err(error) => Err(error.into()),
            };
            named.map(|()| done)
        }
        Some(Err(error)) if error.is_already_exists() => {
            Err(Failure::new(error.to_string(), "it is no copy of this store: copy into a new store"))
        }
        Some(Err(error)) => Err(Failure::new(format!("{error} ({so_far} copied)"), way.again)),
        None => Err(Failure::Interrupted(format!("interrupted, {so_far} copied so far; {}", way.again))),
    };
    let done = match done {
        Ok(done) => done,
        Err(failure) => {
            // Why it failed matters more than whether they close.
            let _ = (from.close().await, to.close().await);
            return Err(failure);
        }
    };
    let media = from.count::<matrix::Media>().await;
    from.close().await?;
    let digest = done.digest.to_string();
    Ok(Copied { to: way.to.to_string(), copied: done.written, records: done.records, digest, media: media? })
}

/// Refuses a copy of a store into itself.
fn refuse_itself(way: &Way<'_>) -> Result<()> {
    let same = match (way.from, way.to) {
        (StoreUrl::Redb(from) | StoreUrl::Sqlite(from), StoreUrl::Redb(to) | StoreUrl::Sqlite(to)) => {
            from.canonicalize().ok().is_some_and(|from| to.canonicalize().is_ok_and(|to| from == to)).then_some("file")
        }
        // As far as they are shown: with one password or another it is the same store.
        (from, to) => (from.to_string() == to.to_string()).then_some("store"),
    };
    match same {
        Some(what) => Err(Failure::WrongUse(format!(
            "{} and {} are the same {what}; name another to copy into",
            way.from, way.to
        ))),
        None => Ok(()),
    }
}

pub(super) fn show(way: &Way<'_>, copied: &Copied, output: &mut Output) -> Result<()> {
    if output.format == Format::Json {
        return output.json(copied);
    }
    output.line(format!("{} copied into {}", counted(copied.copied, "record"), copied.to))?;
    output.line(format!(
        "{} there now, compared with the source: digest {}",
        counted(copied.records, "record"),
        copied.digest
    ))?;
    if copied.media > 0 {
        let counted = counted(copied.media, "medium").replace("mediums", "media");
        output.line(format!(
            "{counted} stay behind: their bytes were not copied; 'strongroom media copy {}' brings them. Until then keep the old store {}, and \
             its key",
            copied.to, way.from
        ))?;
    }
    Ok(())
}
