//! Queries: equality on the first components of an index, then a range or an order on the next.

mod cursor;
mod keys;
mod open;
mod plan;

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use futures_util::stream::{self, Stream};

pub use cursor::Cursor;
pub(super) use keys::live_keys;
pub use open::Damage;
use open::Opener;
pub(super) use plan::Plan;

use super::Database;
use super::context::Context;
use super::keyspace::record_key;
use super::rows::{damaged, record_value};
use super::transaction::Transaction;
use crate::key::{Component, Components};
use crate::observe::operation;
use crate::schema::{Exact, Index, IndexRef, Key, Ordered, Record};
use crate::store::{Fetch, Page as StoredPage, Read, Row, Scan, StoredKey};
use crate::{Result, Timestamp};

/// Bytes after which one page of the store ends; the query goes on with the next.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Records that a stream or a deletion takes at a time.
const CHUNK: usize = 256;

/// Where a query reads: a database, a snapshot or a transaction. Sealed: its methods name a type that cannot be named.
pub trait Source: Clone + Send + Sync + 'static {
    #[doc(hidden)]
    fn context(&self) -> &Arc<Context>;
    #[doc(hidden)]
    fn read(&self) -> &dyn Read;
}

/// What is left of an index's components, as a list of types.
pub trait Matchable {
    /// The next component.
    type Component: Component;
    /// The components behind it.
    type Rest;
}

impl<C: Component, T> Matchable for (Exact<C>, T) {
    type Component = C;
    type Rest = T;
}

impl<C: Component, T> Matchable for (Ordered<C>, T) {
    type Component = C;
    type Rest = T;
}

/// What is left of an index's components, if the next one is ordered.
#[diagnostic::on_unimplemented(
    message = "the next component of this index is not ordered",
    label = "no range or order here",
    note = "match the exact components before it with `.equal(..)`, or declare the component `field: ordered`"
)]
pub trait Sortable {
    /// The component to range over or sort by.
    type Component: Component;
}

impl<C: Component, T> Sortable for (Ordered<C>, T) {
    type Component = C;
}

/// A query that already ranges over or sorts by a component: no equality may follow.
pub struct Sorted<C>(PhantomData<fn() -> C>);

impl<C: Component> Sortable for Sorted<C> {
    type Component = C;
}

/// A query over one order of a collection.
///
/// Without an order it goes through the index forward: ties, and components that are not [`Ordered`], come in an order that is
/// fixed within one store and unspecified between stores. [`descending`](Query::descending) is the exact reverse.
#[must_use = "a query does nothing until `page`, `first`, `count`, `stream` or `delete`"]
pub struct Query<S, R, C> {
    source: S,
    plan: Plan,
    types: PhantomData<fn() -> (R, C)>,
}

/// One page of records.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// The records, in the order asked.
    pub records: Vec<R>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
    /// What could not be read, if the query skips such rows.
    pub damaged: Vec<Damage>,
}

impl<S: Source, R: Record, C> Query<S, R, C> {
    pub(crate) fn new(source: S, index: Index<R, C>) -> Self {
        Query::planned(source, Plan::new(index.index))
    }

    /// All records of a collection, by primary key.
    pub(crate) fn primary(source: S) -> Self {
        Query::new(source, Index::new(IndexRef::Primary))
    }

    /// The query of a plan.
    pub(super) fn planned(source: S, plan: Plan) -> Self {
        Query { source, plan, types: PhantomData }
    }

    /// Where it reads, and what it asks for.
    pub(super) fn into_parts(self) -> (S, Plan) {
        (self.source, self.plan)
    }

    fn typed<D>(self) -> Query<S, R, D> {
        Query { source: self.source, plan: self.plan, types: PhantomData }
    }

    /// Matches the next component for equality. Of an optional or multi component, one value.
    pub fn equal(mut self, value: &<C::Component as Component>::Borrowed) -> Query<S, R, C::Rest>
    where
        C: Matchable,
    {
        self.plan.equal.push::<C::Component>(value);
        self.typed()
    }

    /// Keeps what lies in `range` of the next component, which must be ordered. An inverted range holds nothing; a second call
    /// replaces the ends that it names.
    pub fn range<B>(mut self, range: impl RangeBounds<B>) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable,
        B: Borrow<<C::Component as Component>::Borrowed>,
    {
        let encoded = |bound: Bound<&B>| {
            bound.map(|value| {
                let mut bytes = Vec::new();
                C::Component::encode(value.borrow(), &mut bytes);
                bytes
            })
        };
        // Each call sets only the ends that it names.
        match encoded(range.start_bound()) {
            Bound::Unbounded => {}
            bound => self.plan.lower = bound,
        }
        match encoded(range.end_bound()) {
            Bound::Unbounded => {}
            bound => self.plan.upper = bound,
        }
        self.typed()
    }

    /// Keeps what lies before `value`, exclusive.
    pub fn before<B>(self, value: B) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable,
        B: Borrow<<C::Component as Component>::Borrowed>,
    {
        self.range(..value)
    }

    /// Keeps what lies at `value` or after it.
    pub fn from<B>(self, value: B) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable,
        B: Borrow<<C::Component as Component>::Borrowed>,
    {
        self.range(value..)
    }

    /// Sorts by the next component, the least first: as without an order, said in words.
    pub fn ascending(mut self) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable,
    {
        self.plan.reverse = false;
        self.typed()
    }

    /// Sorts by the next component, the greatest first.
    pub fn descending(mut self) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable,
    {
        self.plan.reverse = true;
        self.typed()
    }

    /// Sorts by the next component, a time, the newest first.
    pub fn newest_first(self) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable<Component = crate::Timestamp>,
    {
        self.descending()
    }

    /// Sorts by the next component, a time, the oldest first.
    pub fn oldest_first(self) -> Query<S, R, Sorted<C::Component>>
    where
        C: Sortable<Component = crate::Timestamp>,
    {
        self.ascending()
    }

    /// Gives at most `records`. Without it, a page has 50 and the others have no limit. 0 gives none.
    pub fn limit(mut self, records: usize) -> Self {
        self.plan.limit = Some(records);
        self
    }

    /// Goes on behind the record at which a page of the same query ended; in the other direction, it goes back from there.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.plan.after = Some(cursor);
        self
    }

    /// Passes over rows that cannot be read, and names them in [`Page::damaged`], instead of failing.
    pub fn skip_damaged(mut self) -> Self {
        self.plan.skip_damaged = true;
        self
    }

    /// Reads one page, of 50 records if no [`limit`](Query::limit) is set.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a cursor of another query, `IndexBuilding` for an index that is not complete yet, `Corrupt`, and those of the
    /// store's `scan`.
    pub async fn page(self) -> Result<Page<R>> {
        read_page(&self.source, &self.plan, self.plan.limit.unwrap_or(50)).await
    }

    /// Reads the first record.
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page).
    pub async fn first(self) -> Result<Option<R>> {
        let limit = self.plan.limit.unwrap_or(1).min(1);
        Ok(read_page(&self.source, &self.plan, limit).await?.records.into_iter().next())
    }

    /// Counts the records (in a multi index whose multi component is not matched: the entries).
    ///
    /// Costs a visit of each row; where records expire, a look at each.
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page).
    pub async fn count(self) -> Result<u64> {
        let context = self.source.context();
        if R::COLLECTION.expiry.is_none() {
            context.complete(self.source.read(), R::COLLECTION, self.plan.index).await?;
            let located = self.plan.locate(context.codec(), R::COLLECTION)?;
            let counted = self.source.read().summarize(&located.range);
            let watch = operation("count").on(R::COLLECTION.name);
            let rows = watch.counting(counted, |summary| summary.rows).await?.rows;
            return Ok(self.plan.limit.map_or(rows, |limit| rows.min(limit as u64)));
        }
        let mut plan = self.plan;
        let mut left = plan.limit.unwrap_or(usize::MAX);
        let mut count = 0;
        while left > 0 {
            let page = read_page::<R>(&self.source, &plan, left.min(CHUNK)).await?;
            count += page.records.len() as u64;
            left -= page.records.len();
            match page.next {
                Some(next) => plan.after = Some(next),
                None => break,
            }
        }
        Ok(count)
    }
}

impl<S: Source + Viewable, R: Record, C> Query<S, R, C> {
    /// Streams the records, page by page, all from one view: what is written meanwhile is neither missed nor met twice.
    ///
    /// The stream is that of the crate `futures-core`; `StreamExt` and `TryStreamExt` of `futures-util` consume it:
    ///
    /// ```
    /// # use strongroom_core::{Database, Result, matrix::Room};
    /// use futures_util::TryStreamExt;
    ///
    /// # async fn example(db: Database) -> Result<()> {
    /// let rooms: Vec<Room> = db.query(Room::PRIMARY).stream().try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page); `SnapshotExpired` if it is consumed slower than the store's snapshots live. The stream ends
    /// with its first error.
    pub fn stream(self) -> impl Stream<Item = Result<R>> + Send + 'static {
        enum State<S: Viewable, R> {
            Begin(S, Plan),
            Going { view: S::View, plan: Plan, ready: VecDeque<R>, left: usize, more: bool },
            Done,
        }
        let begin = State::<S, R>::Begin(self.source, self.plan);
        stream::unfold(begin, |mut state| async move {
            loop {
                state = match state {
                    State::Done => return None,
                    State::Begin(source, plan) => match source.view().await {
                        Err(error) => return Some((Err(error), State::Done)),
                        Ok(view) => {
                            let left = plan.limit.unwrap_or(usize::MAX);
                            State::Going { view, plan, ready: VecDeque::new(), left, more: true }
                        }
                    },
                    State::Going { view, plan, mut ready, left, more } if !ready.is_empty() => {
                        let record = ready.pop_front()?;
                        return Some((Ok(record), State::Going { view, plan, ready, left, more }));
                    }
                    State::Going { left, more, .. } if left == 0 || !more => return None,
                    State::Going { view, mut plan, left, .. } => {
                        match read_page::<R>(&view, &plan, left.min(CHUNK)).await {
                            Err(error) => return Some((Err(error), State::Done)),
                            Ok(page) => {
                                let left = left - page.records.len();
                                let more = page.next.is_some();
                                plan.after = page.next.or(plan.after);
                                State::Going { view, plan, ready: page.records.into(), left, more }
                            }
                        }
                    }
                };
            }
        })
    }
}

impl<R: Record, C> Query<Transaction, R, C> {
    /// Deletes the records, in this transaction; says how many there were.
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page), and at the commit the limits of a batch.
    pub async fn delete(self) -> Result<u64> {
        let mut deletion = Deletion::new(self.plan);
        while let Some((plan, limit)) = deletion.next() {
            let done = delete_chunk::<R>(&self.source, plan, limit).await?;
            deletion.add(done);
        }
        Ok(deletion.deleted)
    }
}

impl<R: Record, C> Query<Database, R, C> {
    /// Deletes the records, in transactions of a few hundred; says how many there were.
    ///
    /// Each transaction is atomic, all of them together are not: what is written meanwhile may or may not be deleted. For one
    /// atomic step use the same query in [`Database::write`], within the limits of a batch.
    ///
    /// # Errors
    ///
    /// As [`page`](Query::page) and [`Database::write`]; what was deleted before stays so.
    pub async fn delete(self) -> Result<u64> {
        let mut deletion = Deletion::new(self.plan);
        while let Some((plan, limit)) = deletion.next() {
            let chunk = self.source.write(|tx| async move { delete_chunk::<R>(&tx, plan, limit).await });
            match chunk.await {
                Ok(done) => deletion.add(done),
                // Records of many entries each: fewer of them at a time.
                Err(error) if error.is_limit() && limit > 1 => deletion.chunk = limit / 2,
                Err(error) => return Err(error),
            }
        }
        Ok(deletion.deleted)
    }
}

/// How far a deletion in chunks has come.
struct Deletion {
    plan: Plan,
    /// Records at a time.
    chunk: usize,
    left: usize,
    more: bool,
    deleted: u64,
}

impl Deletion {
    fn new(plan: Plan) -> Self {
        Deletion { left: plan.limit.unwrap_or(usize::MAX), chunk: CHUNK, plan, more: true, deleted: 0 }
    }

    /// What to delete next, and how many records of it.
    fn next(&self) -> Option<(&Plan, usize)> {
        (self.more && self.left > 0).then_some((&self.plan, self.left.min(self.chunk)))
    }

    fn add(&mut self, (deleted, next): (u64, Option<Cursor>)) {
        self.deleted += deleted;
        self.left = self.left.saturating_sub(usize::try_from(deleted).unwrap_or(usize::MAX));
        self.more = next.is_some();
        self.plan.after = next;
    }
}

async fn delete_chunk<R: Record>(tx: &Transaction, plan: &Plan, limit: usize) -> Result<(u64, Option<Cursor>)> {
    let page = read_page::<R>(tx, plan, limit).await?;
    let mut deleted = 0;
    for record in &page.records {
        // A multi index can show one record several times.
        deleted += u64::from(tx.delete(&Key::of(record)).await?);
    }
    Ok((deleted, page.next))
}

/// A source that can give one unchanging view.
pub trait Viewable: Source {
    /// The view.
    type View: Source;
    #[doc(hidden)]
    fn view(self) -> impl Future<Output = Result<Self::View>> + Send;
}

/// Reads records by key, in the order asked.
pub(crate) async fn read_records<R: Record>(source: &impl Source, keys: &[Key<R>]) -> Result<Vec<Option<R>>> {
    let watch = operation("get").on(R::COLLECTION.name);
    watch.counting(read_by_key(source, keys), |records| records.iter().flatten().count() as u64).await
}

async fn read_by_key<R: Record>(source: &impl Source, keys: &[Key<R>]) -> Result<Vec<Option<R>>> {
    let context = source.context();
    let codec = context.codec();
    let stored =
        keys.iter().map(|key| record_key(codec, R::COLLECTION, &key.components)).collect::<Result<Vec<_>>>()?;
    let now = context.clock.now();
    let mut records = Vec::with_capacity(keys.len());
    let mut asked = keys.iter();
    for keys in stored.chunks(context.store.info().limits.get_keys_max.max(1)) {
        for ((key, row), asked) in keys.iter().zip(source.read().get(keys).await?.rows).zip(&mut asked) {
            records.push(open_row(context, asked, key, row, now)?);
        }
    }
    Ok(records)
}

/// The record of a row that was read by its key, if it lives.
pub(super) fn open_row<R: Record>(
    context: &Context,
    asked: &Key<R>,
    key: &StoredKey,
    row: Option<Row>,
    now: Timestamp,
) -> Result<Option<R>> {
    let Some(Row { content, .. }) = row else { return Ok(None) };
    let value = record_value(content, R::COLLECTION.name, key)?;
    let record: R = context.decode(value, key)?;
    if Key::of(&record) != *asked {
        return Err(damaged(R::COLLECTION.name, "the record of another key", key));
    }
    Ok(Some(record).filter(|record| record.expires_at().is_none_or(|at| at > now)))
}

/// Reads up to `limit` records that live.
pub(super) async fn read_page<R: Record>(source: &impl Source, plan: &Plan, limit: usize) -> Result<Page<R>> {
    let watch = operation("page").on(R::COLLECTION.name);
    let page = read_whole_page(source.context(), source.read(), plan, limit);
    watch.counting(page, |page| page.records.len() as u64).await
}

async fn read_whole_page<R: Record>(context: &Context, read: &dyn Read, plan: &Plan, limit: usize) -> Result<Page<R>> {
    context.complete(read, R::COLLECTION, plan.index).await?;
    let located = plan.locate(context.codec(), R::COLLECTION)?;
    let now = context.clock.now();
    let page_max = context.store.info().limits.page_entries_max;
    let fetch = if plan.index == IndexRef::Primary { Fetch::Values } else { Fetch::Targets };
    let mut opener =
        Opener { context, plan, prefix_len: located.prefix_len, scratch: Components::new(), key: Vec::new() };
    let mut page = Page { records: Vec::with_capacity(limit.min(CHUNK)), next: None, damaged: Vec::new() };
    let mut range = located.range;
    let mut barren = 0;
    while page.records.len() < limit {
        // Where nothing lives (expired or damaged rows) each look takes more, and may then take too many.
        let look = (limit - page.records.len()).max(barren).min(page_max);
        let scan = Scan { range: range.clone(), reverse: plan.reverse, limit: look, max_bytes: PAGE_BYTES_MAX, fetch };
        let StoredPage { entries, mut more, .. } = read.scan(&scan).await?;
        let Some(mut last) = entries.last().map(|entry| entry.key.clone()) else { break };
        barren = entries.len().saturating_mul(2);
        let before = page.records.len();
        for entry in entries {
            if page.records.len() == limit {
                more = true;
                break;
            }
            last = entry.key.clone();
            match opener.open::<R>(entry) {
                Ok(record) if record.expires_at().is_some_and(|at| at <= now) => {}
                Ok(record) => page.records.push(record),
                Err(damage) if plan.skip_damaged && damage.is_of_the_row() => page.damaged.push(damage),
                Err(damage) => return Err(damage.error),
            }
        }
        if page.records.len() > before {
            barren = 0;
        }
        if !more {
            page.next = None;
            break;
        }
        range = range.beyond(&last, plan.reverse);
        page.next = Some(Cursor(last));
    }
    Ok(page)
}

impl<S: Source, R: Record, C> fmt::Debug for Query<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = R::COLLECTION.index(self.plan.index).map_or("primary", |index| index.name);
        write!(f, "Query({}.{index}, {} equal)", R::COLLECTION.name, self.plan.equal.len())
    }
}

impl<S: Clone, R, C> Clone for Query<S, R, C> {
    fn clone(&self) -> Self {
        Query { source: self.source.clone(), plan: self.plan.clone(), types: PhantomData }
    }
}
