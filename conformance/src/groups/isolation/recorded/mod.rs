//! Tasks that run free. What each asked and was answered is recorded, and judged by [`adya`], which knows nothing of this
//! project: it infers from the answers alone which transaction must have come before which, and looks for cycles.
//!
//! Everything is to be strictly serializable: in one order, which keeps to real time.

mod judge;
mod tasks;
mod ways;

use proptest::prelude::*;

use super::support::handles;
use crate::case::cases;
use crate::groups::model::search::sample;
use crate::{Checked, Context};
use tasks::{Ask, KEYS, Kind};
use ways::{Lists, Records, Registers, Rows, Way};

cases! { Isolation;
    recorded_lists_are_strictly_serializable random true,
    recorded_lists_within_an_index_are_strictly_serializable random true,
    recorded_registers_are_strictly_serializable random true,
    recorded_batches_of_the_waist_are_strictly_serializable random true,
}

async fn recorded_lists_are_strictly_serializable(context: Context) -> Checked {
    recorded::<Records>(&context, Kind::Lists).await
}

async fn recorded_lists_within_an_index_are_strictly_serializable(context: Context) -> Checked {
    recorded::<Lists>(&context, Kind::Lists).await
}

async fn recorded_registers_are_strictly_serializable(context: Context) -> Checked {
    recorded::<Registers>(&context, Kind::Registers).await
}

async fn recorded_batches_of_the_waist_are_strictly_serializable(context: Context) -> Checked {
    recorded::<Rows>(&context, Kind::Lists).await
}

/// Operations of one transaction, on average.
const OPERATIONS_EACH: usize = 3;

/// Random transactions, run by tasks of all handles that the place may have.
async fn recorded<W: Way>(context: &Context, kind: Kind) -> Checked {
    let site = context.open().await?;
    let mut ways = Vec::new();
    for store in handles(&site).await? {
        ways.push(W::open(store).await?);
    }
    let ask = prop_oneof![
        1 => (0..KEYS).prop_map(Ask::Read),
        1 => (0..KEYS).prop_map(Ask::Write),
    ];
    let reads = prop::collection::vec((0..KEYS).prop_map(Ask::Read), 2..4);
    let transaction = prop_oneof![3 => prop::collection::vec(ask, 2..5), 1 => reads];
    let count = (context.effort().operations / OPERATIONS_EACH).max(100);
    let transactions = sample(context.seed(), &prop::collection::vec(transaction, count))?;
    let tasks = sample(context.seed(), &(4..9_usize))?;
    let history = tasks::run(ways, transactions, tasks, kind).await?;
    judge::judge(&history, kind)
}
