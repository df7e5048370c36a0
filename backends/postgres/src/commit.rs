//! Commits: one call of the function in the server, what to do when it fails, and when nobody knows whether it has.
//!
//! A call that is a transaction of its own is one round trip, so its COMMIT is under way from the moment on it is sent. If the
//! connection is lost then, it may have happened: `CommitUnknown`. If the server says that it failed, and stays, it has not.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, PgConnection, Row as _};
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::time::sleep;

use crate::connections::LONG;
use crate::error::{damaged, from_engine, is_answer, is_lost, is_transient, removed};
use crate::group::{Call, Group, outcome};
use crate::store::Place;

/// Before another attempt, at most, times the attempts so far: others are in the way, who should not come back together.
const PAUSE_US_MAX: u64 = 2_000;

/// What became of batches, and whether somebody may wait for it.
pub(crate) struct Committed<T> {
    pub(crate) outcome: T,
    pub(crate) awaited: bool,
}

/// [`Store::commit`](strongroom_core::store::Store::commit): one transaction for all batches.
pub(crate) async fn commit(place: &Place, batches: &[Batch]) -> Result<Committed<Vec<Outcome>>> {
    let group = Group::of(batches, &place.limits);
    let answered = match group.calls.as_slice() {
        [] => Committed { outcome: Vec::new(), awaited: false },
        [call] => place.attempts(Step::Alone(call)).await?,
        calls => place.attempts(Step::Together(calls)).await?,
    };
    Ok(Committed { outcome: group.outcomes(answered.outcome)?, awaited: answered.awaited })
}

/// [`Store::drop_range`](strongroom_core::store::Store::drop_range): one transaction, so all or nothing.
pub(crate) async fn drop_range(place: &Place, range: &KeyRange, guards: &[Guard]) -> Result<Committed<Outcome>> {
    if let Err(error) = place.limits.check_guards(guards) {
        return Ok(Committed { outcome: Outcome::Rejected(error), awaited: false });
    }
    let call = Call::dropping(range, guards);
    let answered = place.attempts(Step::Together(std::slice::from_ref(&call))).await?;
    let outcome = outcome(*answered.outcome.first().ok_or_else(damaged)?)?;
    Ok(Committed { outcome, awaited: answered.awaited })
}

/// What is done in one transaction.
#[derive(Clone, Copy)]
enum Step<'c> {
    /// One call, in one round trip.
    Alone(&'c Call<'c>),
    /// Calls between a BEGIN and a COMMIT, which may take long.
    Together(&'c [Call<'c>]),
}

impl Place {
    /// Makes the transaction, again if the server broke it off or went away before anything had happened.
    async fn attempts(&self, step: Step<'_>) -> Result<Committed<Vec<i64>>> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(step).await {
                Ok(answered) => return Ok(answered),
                Err(error) => error,
            };
            let again = error.kind() != ErrorKind::CommitUnknown && (is_transient(&error) || is_lost(&error));
            if !again || attempt >= self.server.attempts_max {
                return Err(error);
            }
            sleep(Duration::from_micros(fastrand::u64(0..=PAUSE_US_MAX * u64::from(attempt)))).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, step: Step<'_>) -> Result<Committed<Vec<i64>>> {
        let mut connection = self.server.connections.take().await?;
        let done = async {
            // So that what is sent next is the call itself, and what fails until then has not happened.
            let prepare = async {
                let prepared = connection.prepare(self.server.statements.commit.clone()).await;
                prepared.map(drop).map_err(from_engine)
            };
            self.server.connections.answer(prepare).await?;
            match step {
                Step::Alone(call) => self.alone(&mut connection, call).await,
                Step::Together(calls) => self.together(&mut connection, calls).await,
            }
        };
        let done = done.await;
        if let Err(error) = &done {
            // Whatever state it is in: a transaction may be open.
            connection.close_on_drop();
            if is_lost(error) || error.kind() == ErrorKind::CommitUnknown {
                self.server.connections.doubt();
            }
        }
        done
    }

    async fn alone(&self, connection: &mut PgConnection, call: &Call<'_>) -> Result<Committed<Vec<i64>>> {
        let answer = self.server.connections.answer(self.committed(connection, call)).await;
        answer.map_err(|error| if is_failure(&error) { error } else { unknown(error) })
    }

    async fn committed(&self, connection: &mut PgConnection, call: &Call<'_>) -> Result<Committed<Vec<i64>>> {
        let query = call.query(&self.server.statements, self.namespace);
        let mut answered = None;
        let mut results = connection.fetch_many(query);
        // To the end: the answer comes before the commit.
        loop {
            match results.try_next().await {
                Ok(Some(Either::Right(row))) => answered = Some(numbers(&row)?),
                Ok(Some(Either::Left(_))) => {}
                Ok(None) => return answered.ok_or_else(damaged),
                Err(error) => return Err(from_engine(error)),
            }
        }
    }

    async fn together(&self, connection: &mut PgConnection, calls: &[Call<'_>]) -> Result<Committed<Vec<i64>>> {
        let begin = format!("BEGIN; SET LOCAL statement_timeout = {}", LONG.as_millis());
        let begin = async { connection.execute(AssertSqlSafe(begin)).await.map(drop).map_err(from_engine) };
        self.server.connections.answer(begin).await?;
        let mut answered = Committed { outcome: Vec::new(), awaited: false };
        for call in calls {
            let query = call.query(&self.server.statements, self.namespace);
            let row = async { query.fetch_one(&mut *connection).await.map_err(from_engine) };
            let of_call = numbers(&self.server.connections.answer_within(LONG, row).await?)?;
            answered.outcome.extend(of_call.outcome);
            answered.awaited |= of_call.awaited;
        }
        let commit = async { connection.execute("COMMIT").await.map(drop).map_err(from_engine) };
        let committed = self.server.connections.answer_within(LONG, commit).await;
        committed.map_err(|error| if is_failure(&error) { error } else { unknown(error) })?;
        Ok(answered)
    }
}

/// What the function answered.
fn numbers(row: &sqlx::postgres::PgRow) -> Result<Committed<Vec<i64>>> {
    let numbers: Option<Vec<i64>> = row.try_get(0).map_err(from_engine)?;
    let mut outcome = numbers.ok_or_else(removed)?;
    let awaited = outcome.pop().ok_or_else(damaged)? != 0;
    Ok(Committed { outcome, awaited })
}

/// Whether a transaction that ended with this error surely has not happened: the server says so, and is still there. What says that
/// the connection ends may come from a pooler, or after the commit.
fn is_failure(error: &Error) -> bool {
    // There was nothing to commit to.
    let is_removed = error.kind() == ErrorKind::Closed;
    !is_lost(error) && (is_answer(error) || is_removed)
}

fn unknown(error: Error) -> Error {
    let message = "the connection was lost in a commit, which may or may not have happened";
    Error::new(ErrorKind::CommitUnknown, message).with_source(error)
}
