//! A process that looks at a store while another one writes to it and is killed.

use strongroom_core::store::{Revision, Sharing};

use super::blow::{Blow, heard, told};
use super::history::{History, Style};
use super::ledger::look as look_at;
use super::writer::rounds;
use crate::child::Work;
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq};

/// Said when the store is another process's alone.
const BUSY: &str = "busy";
/// Before the revision that was seen.
const SAW: &str = "saw ";

/// A child that opens the store as soon as it may, and looks at all of it again and again.
pub(super) async fn look(work: Work) -> Checked {
    let (seed, _) = told(&work);
    let history = History::new(seed, Style::Rows, &work.settings.limits);
    let store = loop {
        match work.reopen().await {
            Ok(store) => break store,
            Err(error) if error.is_busy() => work.say(BUSY)?,
            Err(error) => return Err(error.into()),
        }
    };
    loop {
        let seen = look_at(&history, &*store).await?;
        work.say(format_args!("{SAW}{seen}"))?;
    }
}

/// Kills a writer beside an onlooker, then the onlooker.
pub(super) async fn writer_killed_beside_an_onlooker(context: &Context) -> Checked {
    rounds(context, Blow::Kill, Style::Rows, async |struck| {
        let sharing = struck.store.as_ref().map(|store| store.info().sharing);
        let mut writer = struck.start("rows").await?;
        struck.listen(&mut writer, 1)?;
        let mut onlooker = struck.start("look").await?;
        match sharing {
            Some(Sharing::Exclusive) => ensure_eq!(heard(&mut onlooker)?, BUSY, "the second process"),
            _ => drop(saw(&heard(&mut onlooker)?)?),
        }
        let calls = 1 + struck.random.below(8);
        struck.listen(&mut writer, calls)?;
        struck.strike(&mut writer).await?;
        // What it is looking at now it may have begun to look at before.
        next_seen(&mut onlooker)?;
        let seen = next_seen(&mut onlooker)?;
        let acknowledged = struck.ledger.newest();
        ensure!(seen >= acknowledged, "the onlooker sees {seen}, but {acknowledged} was acknowledged before it looked");
        onlooker.kill()?;
        struck.check().await
    })
    .await
}

fn next_seen(onlooker: &mut Child) -> Checked<Revision> {
    loop {
        let line = heard(onlooker)?;
        if line != BUSY {
            return saw(&line);
        }
    }
}

fn saw(line: &str) -> Checked<Revision> {
    let revision = line.strip_prefix(SAW).and_then(|revision| revision.parse().ok());
    revision.map(Revision).ok_or_else(|| Failure::new(format!("the onlooker says: {line}")))
}
