//! Reads and changes as tasks of the store's runtime.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::poll_immediate;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::task::JoinHandle;

use crate::{Error, ErrorKind, Result};

const ENDED: &str = "the runtime in which the store was opened has ended";

/// What changes the store, when it is one's turn to do so.
pub type Turn<W> = OwnedMutexGuard<W>;

/// Runs a read where it goes on though nobody polls it: one that is parked half way must not keep its connection from others.
/// Dropped, it ends.
///
/// # Errors
///
/// Those of the read; `Closed`: the runtime has ended.
pub async fn read<T: Send + 'static>(
    runtime: &Handle,
    read: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = Task(runtime.spawn(read));
    match (&mut task.0).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(Error::from_panic(&*error.into_panic())),
        Err(error) => Err(Error::new(ErrorKind::Closed, ENDED).with_source(error)),
    }
}

struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for one's turn, and runs `work` with it in the store's runtime, where it is completed even if the wait for it is
/// given up.
///
/// # Errors
///
/// Those of the work. If the runtime ends: `Closed` when the work has not begun, `CommitUnknown` when it has, as after a panic.
pub async fn complete<W, T, F>(
    runtime: &Handle,
    turns: &Arc<Mutex<W>>,
    work: impl FnOnce(Turn<W>) -> F + Send + 'static,
) -> Result<T>
where
    W: Send + 'static,
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    // In line from the first poll on: whatever is begun later comes later, also the end of the store.
    let mut line = Box::pin(turns.clone().lock_owned());
    let turn = poll_immediate(&mut line).await;
    let (began, mut has_begun) = oneshot::channel();
    let done = runtime.spawn(async move {
        let turn = match turn {
            Some(turn) => turn,
            None => line.await,
        };
        began.send(()).ok();
        work(turn).await
    });
    done.await.unwrap_or_else(|error| {
        let kind = if has_begun.try_recv().is_ok() { ErrorKind::CommitUnknown } else { ErrorKind::Closed };
        let what = if error.is_panic() { "the backend panicked while it changed the store" } else { ENDED };
        Err(Error::new(kind, what).with_source(error))
    })
}
