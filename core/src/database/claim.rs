//! Taking the first record of a query, so that nobody else takes it.
//!
//! Only the claimed record is guarded: what is written beside it at the same time, before it or after it, makes no claim fail. Claimers
//! that are after the same record conflict by nature, so each waits for its turn after its first conflict.

use super::Database;
use super::query::{Plan, Query, read_page};
use super::transaction::Transaction;
use super::write::{Base, run};
use crate::observe::operation;
use crate::schema::{IndexRef, Key, Record};
use crate::{Error, ErrorKind, Result};

impl<R: Record, C> Query<Database, R, C> {
    /// Takes the first record of the query and writes what `mark` makes of it, in one atomic step. Gives the record as it was
    /// written, or `None` if the query has none.
    ///
    /// However many claim at the same time, in however many processes, no two are given the same record, if `mark` takes it out of the
    /// query: for an index, by a change of one of its components or of its `while_absent`. It must leave the primary key as it is: a claim that changes it fails. `mark` may be
    /// called several times, of which one counts.
    ///
    /// A claim takes what is first when it reads. A record that is written before it at that same moment does not make it start over.
    ///
    /// ```
    /// # use strongroom_core::{Database, Result, Timestamp, matrix::OneTimeKey};
    /// # async fn example(db: Database, now: Timestamp) -> Result<()> {
    /// let unclaimed = db.query(OneTimeKey::UNCLAIMED).equal(&"@ada:example.org".into()).equal(&"PHONE".into());
    /// let unclaimed = unclaimed.equal("signed_curve25519");
    /// let key = unclaimed.oldest_first().claim(|key| key.used_at = Some(now)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page) and [`Database::update`]: `InvalidInput` if `mark` changed the primary key, `Conflict` after 64 attempts.
    /// After `CommitUnknown` the record may be marked, and given to nobody.
    pub async fn claim(self, mark: impl Fn(&mut R) + Send + Sync) -> Result<Option<R>> {
        let (db, plan) = self.into_parts();
        let (plan, mark) = (&plan, &mark);
        let claimed = run(&db.context, Base::Contended, |tx| async move {
            let first = first(&tx, plan).await?;
            if plan.index != IndexRef::Primary {
                tx.release_ranges()?;
            }
            marked(&tx, first, mark).await
        });
        let claimed =
            operation("claim").on(R::COLLECTION.name).counting(claimed, |claimed| claimed.value.iter().count() as u64);
        Ok(claimed.await.map_err(|error| error.during("claim"))?.value)
    }
}

impl<R: Record, C> Query<Transaction, R, C> {
    /// Takes the first record of the query and writes what `mark` makes of it, in this transaction. Gives the record as it was written,
    /// or `None` if the query has none.
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page) and [`Transaction::update`], and `InvalidInput` if `mark` changed the primary key.
    pub async fn claim(self, mark: impl Fn(&mut R) + Send + Sync) -> Result<Option<R>> {
        let (tx, plan) = self.into_parts();
        let first = first(&tx, &plan).await?;
        marked(&tx, first, &mark).await
    }
}

async fn first<R: Record>(tx: &Transaction, plan: &Plan) -> Result<Option<R>> {
    let limit = plan.limit.unwrap_or(1).min(1);
    Ok(read_page(tx, plan, limit).await?.records.pop())
}

async fn marked<R: Record>(tx: &Transaction, record: Option<R>, mark: &(impl Fn(&mut R) + Sync)) -> Result<Option<R>> {
    let Some(mut record) = record else { return Ok(None) };
    let key = Key::of(&record);
    mark(&mut record);
    // It would be written over whatever has the other key, and the claimed one would stay as it was.
    if Key::of(&record) != key {
        let message = format!("the mark of a claim changed the primary key, in collection {}", R::COLLECTION.name);
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    tx.update(&record).await?;
    Ok(Some(record))
}
