//! A process is struck in the middle of something else than a commit: when it makes a store, opens, compacts or closes it.

use std::time::{Duration, Instant};

use super::blow::{BEGIN, Blow, END, pause};
use super::history::Style;
use super::writer::{Struck, Writer, rounds};
use crate::child::Work;
use crate::{Checked, Child, Context};

/// Calls that a child makes before it compacts or closes.
const CALLS: usize = 2;
/// Children that one after another are struck while they open a store.
const RECOVERIES: u64 = 3;

/// A child that makes a store and goes on to write to it.
pub(super) async fn create(work: Work) -> Checked {
    let mut writer = Writer::new(&work, Style::Rows);
    let store = writer.within(work.factory.open(&work.place, &work.settings)).await?;
    loop {
        writer.call(&*store).await?;
    }
}

/// A child that opens a store.
pub(super) async fn recover(work: Work) -> Checked {
    let store = Writer::new(&work, Style::Rows).within(work.reopen()).await?;
    Ok(store.close().await?)
}

/// A child that writes and compacts by turns.
pub(super) async fn compact(work: Work) -> Checked {
    let store = work.reopen().await?;
    let mut writer = Writer::new(&work, Style::Large);
    loop {
        for _ in 0..CALLS {
            writer.call(&*store).await?;
        }
        writer.within(store.compact()).await?;
    }
}

/// A child that writes and closes its store.
pub(super) async fn close(work: Work) -> Checked {
    let store = work.reopen().await?;
    let mut writer = Writer::new(&work, Style::Rows);
    for _ in 0..CALLS {
        writer.call(&*store).await?;
    }
    writer.within(store.close()).await
}

/// Strikes a child of this role somewhere between its word that it begins and a little after it has ended.
pub(super) async fn struck_within(context: &Context, blow: Blow, role: &str, style: Style) -> Checked {
    let mut usual = None;
    rounds(context, blow, style, async |struck| {
        let usual = match usual {
            Some(usual) => usual,
            None => *usual.insert(measured(struck, role).await?),
        };
        let mut child = struck.start(role).await?;
        struck.hear(&mut child, BEGIN)?;
        pause(usual, &mut struck.random);
        struck.strike(&mut child).await?;
        struck.check().await
    })
    .await
}

/// Strikes a child that makes a store; then there is one, or it can be made.
pub(super) async fn struck_in_creation(context: &Context, blow: Blow) -> Checked {
    let count = blow.rounds(context);
    let mut first = Struck::nowhere(context, blow, Style::Rows, count);
    let usual = measured(&mut first, "create").await?;
    first.close().await?;
    for round in 0..count {
        let mut struck = Struck::nowhere(context, blow, Style::Rows, round);
        let checked = created(&mut struck, usual).await;
        checked.map_err(|failure| struck.ledger.in_round(round, &failure))?;
    }
    Ok(())
}

async fn created(struck: &mut Struck<'_>, usual: Duration) -> Checked {
    let mut child = struck.start("create").await?;
    struck.hear(&mut child, BEGIN)?;
    pause(usual, &mut struck.random);
    let opened = struck.strike(&mut child).await?.iter().any(|line| line == END);
    let reopened = struck.context.factory().reopen(&struck.place, &struck.settings).await;
    let store = match reopened {
        Ok(store) => store,
        // What was never acknowledged to be there need not be.
        Err(_) if !opened || (struck.blow == Blow::Cut && struck.ledger.is_empty()) => {
            struck.context.factory().open(&struck.place, &struck.settings).await?
        }
        Err(error) => return Err(error.into()),
    };
    struck.check_in(store).await?;
    struck.close().await
}

/// Strikes a child that commits, then those that come to open what it left, one after another.
pub(super) async fn struck_in_recovery(context: &Context, blow: Blow) -> Checked {
    let mut usual = None;
    rounds(context, blow, Style::Rows, async |struck| {
        let usual = match usual {
            Some(usual) => usual,
            None => {
                let mut writer = struck.start("rows").await?;
                struck.listen(&mut writer, 3)?;
                struck.let_go(&mut writer)?;
                *usual.insert(measured(struck, "recover").await?)
            }
        };
        let mut writer = struck.start("rows").await?;
        let calls = 1 + struck.random.below(5);
        pause(struck.listen(&mut writer, calls)?, &mut struck.random);
        struck.strike(&mut writer).await?;
        for _ in 0..1 + struck.random.below(RECOVERIES) {
            let mut child = struck.start("recover").await?;
            struck.hear(&mut child, BEGIN)?;
            pause(usual, &mut struck.random);
            blow.strike(context, &struck.place, &mut child, &mut struck.random).await?;
        }
        struck.check().await
    })
    .await
}

/// How long what a child does takes when nothing strikes it.
async fn measured(struck: &mut Struck<'_>, role: &str) -> Checked<Duration> {
    let mut child: Child = struck.start(role).await?;
    struck.hear(&mut child, BEGIN)?;
    let began = Instant::now();
    struck.hear(&mut child, END)?;
    let usual = began.elapsed();
    struck.let_go(&mut child)?;
    struck.check().await?;
    Ok(usual)
}
