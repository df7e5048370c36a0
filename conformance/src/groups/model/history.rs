//! One operation after another, alone and in transactions.

use std::sync::Arc;

use futures_util::future::{Either, pending, select};
use proptest::prelude::*;
use strongroom_core::store::{KeyRange, Summary};
use strongroom_core::{Database, Error, ErrorKind, ManualClock, Timestamp};
use tokio::sync::Notify;

use super::map::Map;
use super::records::{Note, database, ensure_sound};
use super::search::search;
use super::steps::{Answer, Look, ROOMS, Step, TAGS, Ties, step, take_alone, take_within};
use crate::case::cases;
use crate::{Checked, Context, Failure, Site, ensure, ensure_eq};

cases! { Model;
    operations_alone_and_in_transactions_answer_like_a_map random true,
    transactions_answer_like_a_map_across_reopening [Reopen] random true,
    an_aborted_transaction_leaves_nothing random true,
}

#[derive(Clone, Debug)]
enum Command {
    Alone(Step),
    Transaction(Vec<Step>, End),
    Tick(i64),
    Reopen,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    /// With an error of the closure's own.
    Error,
    /// Its future is dropped.
    Drop,
}

/// Commands, where so many of 16 transactions do not commit.
fn command(alone: u32, transactions: u32, reopen: u32, aborted: u32) -> impl Strategy<Value = Command> {
    let end = prop_oneof![
        16 - aborted => Just(End::Commit),
        aborted.div_ceil(2) => Just(End::Error),
        aborted / 2 => Just(End::Drop),
    ];
    let steps = prop::collection::vec(step(Ties::Some), 1..20);
    prop_oneof![
        alone => step(Ties::Some).prop_map(Command::Alone),
        transactions => (steps, end).prop_map(|(steps, end)| Command::Transaction(steps, end)),
        2 => (0..8_i64).prop_map(Command::Tick),
        reopen => Just(Command::Reopen),
    ]
}

async fn histories(context: &Context, commands: impl Strategy<Value = Command>) -> Checked {
    search(context, prop::collection::vec(commands, 1..60), async |commands| run(context, commands).await).await
}

async fn operations_alone_and_in_transactions_answer_like_a_map(context: Context) -> Checked {
    histories(&context, command(8, 12, 0, 3)).await
}

async fn transactions_answer_like_a_map_across_reopening(context: Context) -> Checked {
    histories(&context, command(4, 16, 1, 3)).await
}

async fn an_aborted_transaction_leaves_nothing(context: Context) -> Checked {
    histories(&context, command(2, 18, 0, 10)).await
}

/// A database and the map that it must be like.
struct Run {
    site: Site,
    db: Database,
    clock: Arc<ManualClock>,
    map: Map,
    operations: usize,
}

async fn run(context: &Context, commands: Vec<Command>) -> Checked<usize> {
    let site = context.open().await?;
    let map = Map { now: 1_000, ..Map::default() };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(map.now)));
    let db = database(&site.store, clock.clone()).await?;
    let mut run = Run { site, db, clock, map, operations: 0 };
    for command in &commands {
        run.obey(command).await?;
    }
    compare(&run.db, &run.map).await?;
    run.db.close().await?;
    Ok(run.operations)
}

impl Run {
    async fn obey(&mut self, command: &Command) -> Checked {
        match command {
            Command::Alone(step) => {
                self.operations += 1;
                self.map.take(step, &take_alone(&self.db, step).await?)
            }
            Command::Transaction(steps, end) => {
                self.operations += steps.len();
                match end {
                    End::Commit => self.commit(steps).await,
                    End::Error => self.unchanged(fail(&self.db, steps)).await,
                    End::Drop => self.unchanged(abandon(&self.db, steps)).await,
                }
            }
            Command::Tick(millis) => {
                self.map.tick(*millis);
                self.clock.set(Timestamp::from_millis(self.map.now));
                Ok(())
            }
            Command::Reopen => {
                self.site.reopen().await?;
                self.db = database(&self.site.store, self.clock.clone()).await?;
                compare(&self.db, &self.map).await
            }
        }
    }

    async fn commit(&mut self, steps: &[Step]) -> Checked {
        let answers = self.db.write(|tx| async move {
            let mut answers: Vec<Answer> = Vec::new();
            for step in steps {
                answers.push(take_within(&tx, step).await?);
            }
            Ok(answers)
        });
        for (step, answer) in steps.iter().zip(answers.await?) {
            self.map.take(step, &answer)?;
        }
        Ok(())
    }

    /// Nothing is committed by it.
    async fn unchanged(&self, aborted: impl Future<Output = Checked>) -> Checked {
        let before = everything(&self.site).await?;
        aborted.await?;
        ensure_eq!(everything(&self.site).await?, before, "the rows after an aborted transaction");
        Ok(())
    }
}

async fn everything(site: &Site) -> Checked<Summary> {
    Ok(site.store.summarize(&KeyRange::ALL).await?)
}

async fn fail(db: &Database, steps: &[Step]) -> Checked {
    let failed = db.write(|tx| async move {
        for step in steps {
            take_within(&tx, step).await?;
        }
        Err::<(), _>(Error::application(std::fmt::Error))
    });
    crate::ensure_kind!(failed.await, ErrorKind::Application);
    Ok(())
}

/// Drops the transaction's future when its closure has taken all steps.
async fn abandon(db: &Database, steps: &[Step]) -> Checked {
    let at_the_end = &Notify::new();
    let transaction = db.write(|tx| async move {
        for step in steps {
            take_within(&tx, step).await?;
        }
        at_the_end.notify_one();
        pending::<strongroom_core::Result<()>>().await
    });
    match select(Box::pin(transaction), Box::pin(at_the_end.notified())).await {
        Either::Left((Err(error), _)) => Err(error.into()),
        Either::Left((Ok(()), _)) => Err(Failure::new("a transaction ended before its closure")),
        Either::Right(_) => Ok(()),
    }
}

/// Every record and every index, whole.
pub(super) async fn compare(db: &Database, map: &Map) -> Checked {
    ensure_eq!(db.count::<Note>().await?, map.notes.len() as u64);
    let mut looks = vec![Look::All];
    for text in TAGS {
        looks.extend([Look::Tag(text), Look::Slug(text)]);
        looks.extend(ROOMS.map(|room| Look::Thread { room, thread: text }));
    }
    for room in ROOMS {
        looks.extend([Look::Open { room }, Look::ByTime { room, from: i64::MIN, to: i64::MAX }]);
    }
    let mut map = map.clone();
    for look in looks {
        for reverse in [false, true] {
            let walk = Step::Walk { look: look.clone(), reverse, page: 1_000 };
            let answer = take_alone(db, &walk).await?;
            map.take(&walk, &answer)?;
        }
    }
    ensure!(db.now().as_millis() == map.now, "the clock stands where the map's does");
    ensure_sound(db).await
}
