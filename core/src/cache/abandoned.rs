//! Commits whose callers did not wait for the end. The store completes them all the same, so somebody has to learn what became of them.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Commits whose callers went away, polled whenever somebody comes by.
#[derive(Default)]
pub(super) struct Abandoned {
    some: AtomicBool,
    commits: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Abandoned {
    /// Learns of those that have ended.
    pub(super) fn look(&self) {
        if !self.some.load(Ordering::Relaxed) {
            return;
        }
        let mut commits = self.lock();
        // One that panics has ended as well: it was dropped unsettled.
        commits.retain_mut(|commit| {
            let mut commit = std::panic::AssertUnwindSafe(commit).catch_unwind();
            Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())).is_pending()
        });
        self.some.store(!commits.is_empty(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BoxFuture<'static, ()>>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, commit: BoxFuture<'static, ()>) {
        let mut commits = self.lock();
        commits.push(commit);
        self.some.store(true, Ordering::Relaxed);
    }
}

/// A call that is handed over if its caller goes away.
pub(super) struct Finishing<'a, T: Send + 'static> {
    call: Option<BoxFuture<'static, T>>,
    abandoned: &'a Abandoned,
}

impl<'a, T: Send + 'static> Finishing<'a, T> {
    pub(super) fn new(call: impl Future<Output = T> + Send + 'static, abandoned: &'a Abandoned) -> Self {
        Finishing { call: Some(call.boxed()), abandoned }
    }
}

impl<T: Send + 'static> Future for Finishing<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Out of its place meanwhile, so that one that panics is not handed over.
        let Some(mut call) = self.call.take() else { return Poll::Pending };
        let answer = call.as_mut().poll(context);
        if answer.is_pending() {
            self.call = Some(call);
        }
        answer
    }
}

impl<T: Send + 'static> Drop for Finishing<'_, T> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.abandoned.add(call.map(drop).boxed());
        }
    }
}
