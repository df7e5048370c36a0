//! A twist made of small functions, so that a broken store is the line that is wrong with it.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use strongroom_core::Result;
use strongroom_core::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

use crate::twist::{Twist, Twisted};

type Ask<Q> = Option<Box<dyn Fn(&mut Q) + Send + Sync>>;
type Answer<Q, A> = Option<Box<dyn Fn(&Q, &mut A) + Send + Sync>>;
type Call<Q, A> = Option<Box<dyn Fn(Arc<dyn Store>, Q) -> BoxFuture<'static, Result<A>> + Send + Sync>>;

/// What is changed: of reads the question, the answer or both; of the other methods the call.
#[derive(Default)]
pub(super) struct Changes {
    info: Option<StoreInfo>,
    keys: Ask<Vec<StoredKey>>,
    rows: Answer<[StoredKey], Rows>,
    scan: Ask<Scan>,
    page: Answer<Scan, Page>,
    range: Ask<KeyRange>,
    summary: Answer<KeyRange, Summary>,
    commit: Call<Vec<Batch>, Vec<Outcome>>,
    drop_range: Call<(KeyRange, Vec<Guard>), Outcome>,
    snapshot: Call<(), Box<dyn Snapshot>>,
    changed: Call<Revision, Revision>,
    compact: Call<(), Compaction>,
    usage: Call<(), Usage>,
    close: Call<(), ()>,
}

/// One method for each field.
macro_rules! setters {
    (ask $($ask:ident: $asked:ty),*; answer $($answer:ident: $question:ty => $answered:ty),*;
     call $($call:ident: $argument:ty => $result:ty),* $(,)?) => {
        impl Changes {
            $(pub(super) fn $ask(mut self, change: impl Fn(&mut $asked) + Send + Sync + 'static) -> Self {
                self.$ask = Some(Box::new(change));
                self
            })*
            $(pub(super) fn $answer(
                mut self,
                change: impl Fn(&$question, &mut $answered) + Send + Sync + 'static,
            ) -> Self {
                self.$answer = Some(Box::new(change));
                self
            })*
            $(pub(super) fn $call<F: Future<Output = Result<$result>> + Send + 'static>(
                mut self,
                call: impl Fn(Arc<dyn Store>, $argument) -> F + Send + Sync + 'static,
            ) -> Self {
                self.$call = Some(Box::new(move |inner, argument| Box::pin(call(inner, argument))));
                self
            })*
        }
    };
}

setters! {
    ask keys: Vec<StoredKey>, scan: Scan, range: KeyRange;
    answer rows: [StoredKey] => Rows, page: Scan => Page, summary: KeyRange => Summary;
    call commit: Vec<Batch> => Vec<Outcome>, drop_range: (KeyRange, Vec<Guard>) => Outcome,
        snapshot: () => Box<dyn Snapshot>, changed: Revision => Revision, compact: () => Compaction, usage: () => Usage,
        close: () => ()
}

impl Changes {
    /// Changes what the store says of itself.
    pub(super) fn info(mut self, inner: &dyn Store, change: impl FnOnce(&mut StoreInfo)) -> Self {
        change(self.info.get_or_insert_with(|| inner.info().clone()));
        self
    }

    /// Changes the range of scans and summaries.
    pub(super) fn ranges(self, change: impl Fn(&mut KeyRange) + Clone + Send + Sync + 'static) -> Self {
        let of_scan = change.clone();
        self.scan(move |scan| of_scan(&mut scan.range)).range(change)
    }

    /// Changes each batch of a commit.
    pub(super) fn batch(self, change: impl Fn(&mut Batch) + Send + Sync + 'static) -> Self {
        self.commit(move |inner, mut batches| {
            batches.iter_mut().for_each(&change);
            async move { inner.commit(batches).await }
        })
    }

    /// Changes the outcomes of a commit, given its batches.
    pub(super) fn outcome(self, change: impl Fn(&Batch, &mut Outcome) + Clone + Send + Sync + 'static) -> Self {
        self.commit(move |inner, batches| {
            let change = change.clone();
            async move {
                let mut outcomes = inner.commit(batches.clone()).await?;
                batches.iter().zip(&mut outcomes).for_each(|(batch, outcome)| change(batch, outcome));
                Ok(outcomes)
            }
        })
    }

    /// The store that these changes make of a correct one.
    pub(super) fn on(self, inner: Arc<dyn Store>) -> Arc<dyn Store> {
        twisted(inner, self)
    }
}

/// The store that a twist makes of a correct one.
pub(super) fn twisted(inner: Arc<dyn Store>, twist: impl Twist) -> Arc<dyn Store> {
    Arc::new(Twisted::new(inner, Arc::new(twist)))
}

impl Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Twist for Changes {
    fn info<'a>(&'a self, inner: &'a Arc<dyn Store>) -> &'a StoreInfo {
        self.info.as_ref().unwrap_or_else(|| inner.info())
    }

    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let mut asked = keys.to_vec();
        self.keys.iter().for_each(|change| change(&mut asked));
        let mut rows = inner.get(&asked).await?;
        self.rows.iter().for_each(|change| change(keys, &mut rows));
        Ok(rows)
    }

    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let mut asked = scan.clone();
        self.scan.iter().for_each(|change| change(&mut asked));
        let mut page = inner.scan(&asked).await?;
        self.page.iter().for_each(|change| change(scan, &mut page));
        Ok(page)
    }

    async fn summarize(&self, inner: &dyn Read, range: &KeyRange) -> Result<Summary> {
        let mut asked = range.clone();
        self.range.iter().for_each(|change| change(&mut asked));
        let mut summary = inner.summarize(&asked).await?;
        self.summary.iter().for_each(|change| change(range, &mut summary));
        Ok(summary)
    }

    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        match &self.snapshot {
            Some(call) => call(inner.clone(), ()).await,
            None => inner.snapshot().await,
        }
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        match &self.commit {
            Some(call) => call(inner.clone(), batches).await,
            None => inner.commit(batches).await,
        }
    }

    async fn changed(&self, inner: &Arc<dyn Store>, after: Revision) -> Result<Revision> {
        match &self.changed {
            Some(call) => call(inner.clone(), after).await,
            None => inner.changed(after).await,
        }
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        match &self.drop_range {
            Some(call) => call(inner.clone(), (range.clone(), guards.to_vec())).await,
            None => inner.drop_range(range, guards).await,
        }
    }

    async fn compact(&self, inner: &Arc<dyn Store>) -> Result<Compaction> {
        match &self.compact {
            Some(call) => call(inner.clone(), ()).await,
            None => inner.compact().await,
        }
    }

    async fn usage(&self, inner: &Arc<dyn Store>) -> Result<Usage> {
        match &self.usage {
            Some(call) => call(inner.clone(), ()).await,
            None => inner.usage().await,
        }
    }

    async fn close(&self, inner: &Arc<dyn Store>) -> Result<()> {
        match &self.close {
            Some(call) => call(inner.clone(), ()).await,
            None => inner.close().await,
        }
    }
}
