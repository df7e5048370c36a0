//! A process is struck while it builds an index over the records that are there.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::schema::Schema;
use strongroom_core::{Database, Record, Result};

use super::blow::{BEGIN, Blow, END, heard, pause};
use super::ledger::Kept;
use super::random::Random;
use crate::child::Work;
use crate::{Checked, Child, Context, Failure, Place, Settings, ensure, ensure_eq};

/// Records over which the index is built: several batches.
const RECORDS: u32 = 1_100;
/// Children that are struck in the building of one index, at most.
const BUILDERS: u64 = 3;
/// Children for each round that may come through before they are struck.
const LATE_MAX: usize = 20;

macro_rules! item {
    ($name:ident $(, $index:meta)*) => {
        #[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
        #[record(id = 1, name = "items", key(id), crate = strongroom_core)]
        $(#[$index])*
        struct $name {
            id: u32,
            color: String,
            code: String,
        }
    };
}

item!(Before, index(id = 1, name = "color", on(color)));
item!(
    After,
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "color_code", on(color, code: ordered)),
    index(id = 3, name = "code", on(code), unique)
);

fn color(id: u32) -> String {
    format!("color {}", id % 3)
}

fn code(id: u32) -> String {
    format!("code {}", id.reverse_bits())
}

/// A child that opens the database with the newer schema.
pub(super) async fn build(work: Work) -> Checked {
    let store = work.reopen().await?;
    work.say(BEGIN)?;
    let db = Database::builder(newer()?).open(store).await?;
    work.say(END)?;
    Ok(db.close().await?)
}

fn newer() -> Result<Schema> {
    Schema::builder("builds", 2).collection::<After>().build()
}

/// Strikes such children one after another; then whoever opens the database finds the indexes complete.
pub(super) async fn struck_at_a_build(context: &Context, blow: Blow) -> Checked {
    let mut random = Random::new(context.seed(), 0);
    let settings = Settings::new(context.limits());
    let usual = measured(context, &settings).await?;
    let rounds = blow.rounds(context);
    let (mut round, mut late) = (0, 0);
    while round < rounds {
        let place = filled(context, &settings).await?;
        for _ in 0..1 + random.below(BUILDERS) {
            let mut child = Child::start(context, "build", &place, 0)?;
            ensure_eq!(heard(&mut child)?, BEGIN, "the child");
            pause(usual, &mut random);
            let (was_at_work, _) = blow.strike(context, &place, &mut child, &mut random).await?;
            if !was_at_work {
                // The index is built: another one is for the next to be struck at.
                late += 1;
                break;
            }
            round += 1;
        }
        ensure!(late <= LATE_MAX * rounds, "{late} children had built the index before they were struck");
        let store = context.factory().reopen(&place, &settings).await?;
        let kept = blow.kept(&*store);
        let db = Database::builder(newer()?).open(store).await?;
        let checked = complete(&db, kept).await;
        checked.map_err(|failure| Failure::new(format!("after {round} rounds: {failure}")))?;
        db.close().await?;
    }
    Ok(())
}

/// How long a build takes that nothing strikes.
async fn measured(context: &Context, settings: &Settings) -> Checked<Duration> {
    let place = filled(context, settings).await?;
    let mut child = Child::start(context, "build", &place, 0)?;
    ensure_eq!(heard(&mut child)?, BEGIN, "the child");
    let began = Instant::now();
    ensure_eq!(heard(&mut child)?, END, "the child");
    let usual = began.elapsed();
    child.wait()?;
    Ok(usual)
}

/// A place with a closed store of records, which lack the newer indexes.
async fn filled(context: &Context, settings: &Settings) -> Checked<Place> {
    let place = context.place();
    let store = context.factory().open(&place, settings).await?;
    let schema = Schema::builder("builds", 1).collection::<Before>().build()?;
    fill(&Database::builder(schema).open(store.clone()).await?).await?;
    store.close().await?;
    Ok(place)
}

async fn fill(db: &Database) -> Result<()> {
    let records = &db.info().limits.batch_writes_max.saturating_sub(1) / 2;
    let ids: Vec<u32> = (0..RECORDS).collect();
    for ids in ids.chunks(records.clamp(1, 600)) {
        db.write(|tx| async move {
            for id in ids {
                tx.insert(&Before { id: *id, color: color(*id), code: code(*id) }).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn complete(db: &Database, kept: Kept) -> Checked {
    let verification = db.verify().await?;
    ensure!(verification.problems.is_empty(), "{:?}", verification.problems);
    if kept == Kept::Older {
        return Ok(());
    }
    let mut expected: Vec<(String, u32)> = (0..RECORDS).filter(|id| id % 3 == 1).map(|id| (code(id), id)).collect();
    expected.sort();
    let found: Vec<After> = db.query(After::COLOR_CODE).equal(&color(1)).ascending().stream().try_collect().await?;
    let found: Vec<_> = found.into_iter().map(|item| (item.code, item.id)).collect();
    ensure!(found == expected, "{} records by the built index, expected {}", found.len(), expected.len());
    for id in (0..RECORDS).step_by(97) {
        let found = db.query(After::CODE).equal(&code(id)).first().await?;
        ensure_eq!(found.map(|item| item.id), Some(id), "the record with code {id}");
    }
    Ok(())
}
