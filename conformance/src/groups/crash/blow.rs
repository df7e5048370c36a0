//! What strikes a process at work, and how it is known what it had acknowledged.

use std::thread;
use std::time::{Duration, Instant};

use strongroom_core::store::{Durability, Store};

use super::ledger::Kept;
use super::random::Random;
use crate::child::Work;
use crate::{Checked, Child, Context, Failure, Place};

/// Before what a child is struck in, and what it says when it has come through.
pub(in crate::groups) const BEGIN: &str = "begin";
pub(in crate::groups) const END: &str = "end";

/// What ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::groups) enum Blow {
    /// It is killed.
    Kill,
    /// It is killed, and of what its medium had not synced at that moment, a selection is lost or torn.
    Cut,
}

impl Blow {
    /// How often a case strikes.
    pub(in crate::groups) fn rounds(self, context: &Context) -> usize {
        match self {
            Blow::Kill => context.effort().kills,
            Blow::Cut => context.effort().cuts,
        }
    }

    /// What must be left of what was acknowledged.
    pub(super) fn kept(self, store: &dyn Store) -> Kept {
        match (self, store.info().durability) {
            (Blow::Kill, _) | (Blow::Cut, Durability::Power) => Kept::All,
            (Blow::Cut, _) => Kept::Older,
        }
    }

    /// Strikes; gives whether the child was still at work, and what it had said and nobody had heard yet.
    pub(in crate::groups) async fn strike(
        self,
        context: &Context,
        place: &Place,
        child: &mut Child,
        random: &mut Random,
    ) -> Checked<(bool, Vec<String>)> {
        let (was_at_work, rest) = end(child)?;
        context.factory().settle(place).await?;
        match self {
            // One that had ended by itself was not killed.
            Blow::Kill => context.count("kills", was_at_work.into()),
            Blow::Cut => {
                context.factory().crash(place, random.next()).await?;
                context.count("power cuts", 1);
            }
        }
        Ok((was_at_work, rest))
    }
}

/// Ends a child; gives whether it was still at work, and what it had said and nobody had heard yet.
pub(in crate::groups) fn end(child: &mut Child) -> Checked<(bool, Vec<String>)> {
    let was_at_work = child.kill()?;
    let mut rest = Vec::new();
    while let Some(line) = child.next_line()? {
        rest.push(line);
    }
    Ok((was_at_work, rest))
}

/// The next thing that a child says that must not have ended yet.
pub(in crate::groups) fn heard(child: &mut Child) -> Checked<String> {
    match child.next_line()? {
        Some(line) => Ok(line),
        None => Err(Failure::new(format!("the child ended by itself: {:?}", child.wait()))),
    }
}

/// Lets a part of what `usual` takes go by. Where it strikes decides nothing but what is tried.
pub(in crate::groups) fn pause(usual: Duration, random: &mut Random) {
    let part = usual.mul_f64(random.below(1_200) as f64 / 1_000.0);
    let begun = Instant::now();
    while begun.elapsed() < part {
        thread::yield_now();
    }
}

/// Tells a child where in which history it begins.
pub(in crate::groups) fn argument(seed: u32, start: u32) -> u64 {
    u64::from(seed) << 32 | u64::from(start)
}

/// What [`argument`] told: seed and start.
pub(in crate::groups) fn told(work: &Work) -> (u32, u32) {
    ((work.argument >> 32) as u32, work.argument as u32)
}
