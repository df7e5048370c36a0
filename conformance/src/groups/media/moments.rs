//! Moments of transfers, and hooks that are called at each: to count, to fail, to wait, or to do something in between.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use strongroom_core::store::{Batch, Outcome, Store};
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{
    self, GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, PutResult,
};

use crate::objects::{ObjectTwist, TwistedObjects};
use crate::twist::{Twist, Twisted};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Put,
    Get,
    Delete,
    List,
    /// Of the store of the records.
    Commit,
}

/// Before a call is made, or after it came to an end and before its caller hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// A moment: the calls of one kind are numbered from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) call: Call,
    pub(super) when: When,
    pub(super) number: u64,
}

type Hook = dyn Fn(Moment) -> BoxFuture<'static, bool> + Send + Sync;

/// What is called at each moment. If it answers `false`, the call fails.
pub(super) struct Hooks {
    hook: Box<Hook>,
    counts: [AtomicU64; 5],
}

/// Hooks that call this.
pub(super) fn hooks<F, A>(hook: F) -> Arc<Hooks>
where
    F: Fn(Moment) -> A + Send + Sync + 'static,
    A: Future<Output = bool> + Send + 'static,
{
    Arc::new(Hooks { hook: Box::new(move |moment| Box::pin(hook(moment))), counts: Default::default() })
}

/// Hooks that fail, at once, where this says so.
pub(super) fn fails(at: impl Fn(Moment) -> bool + Send + Sync + 'static) -> Arc<Hooks> {
    hooks(move |moment| std::future::ready(!at(moment)))
}

impl Hooks {
    /// Hooks that only count.
    pub(super) fn counting() -> Arc<Self> {
        fails(|_| false)
    }

    /// How many calls of this kind were made so far.
    pub(super) fn count(&self, call: Call) -> u64 {
        self.counts[call as usize].load(Ordering::SeqCst)
    }

    /// `objects`, with these hooks.
    pub(super) fn on(self: &Arc<Self>, objects: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(TwistedObjects::new(objects.clone(), self.clone()))
    }

    /// `store`, with these hooks at its commits, which cannot be made to fail.
    pub(super) fn on_commits_of(self: &Arc<Self>, store: &Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Twisted::new(store.clone(), self.clone()))
    }

    async fn around<T>(
        &self,
        call: Call,
        made: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let number = self.counts[call as usize].fetch_add(1, Ordering::SeqCst);
        let moment = |when| Moment { call, when, number };
        if !(self.hook)(moment(When::Before)).await {
            return Err(unavailable());
        }
        let made = made.await;
        if (self.hook)(moment(When::After)).await { made } else { Err(unavailable()) }
    }
}

/// As a client says that a server has answered 500 or 503 too often.
pub(super) fn unavailable() -> object_store::Error {
    let source = std::io::Error::other("503 Service Unavailable");
    object_store::Error::Generic { store: "suite", source: Box::new(source) }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("counts", &self.counts).finish_non_exhaustive()
    }
}

#[async_trait]
impl ObjectTwist for Hooks {
    async fn put(
        &self,
        inner: &Arc<dyn ObjectStore>,
        path: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.around(Call::Put, inner.put_opts(path, bytes, options)).await
    }

    async fn get(
        &self,
        inner: &Arc<dyn ObjectStore>,
        path: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.around(Call::Get, inner.get_opts(path, options)).await
    }

    async fn delete(&self, inner: &Arc<dyn ObjectStore>, path: &Path) -> object_store::Result<()> {
        self.around(Call::Delete, inner.delete(path)).await
    }

    async fn list(&self, inner: &Arc<dyn ObjectStore>, prefix: Option<&Path>) -> object_store::Result<Vec<ObjectMeta>> {
        self.around(Call::List, inner.list(prefix).try_collect()).await
    }
}

#[async_trait]
impl Twist for Hooks {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> strongroom_core::Result<Vec<Outcome>> {
        let number = self.counts[Call::Commit as usize].fetch_add(1, Ordering::SeqCst);
        let moment = |when| Moment { call: Call::Commit, when, number };
        (self.hook)(moment(When::Before)).await;
        let outcomes = inner.commit(batches).await;
        (self.hook)(moment(When::After)).await;
        outcomes
    }
}
