//! A read as a task of the store's runtime.

use std::future::Future;

use strongroom_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Runs a read where it goes on though nobody polls it: one that is parked half way must not keep its connection from others.
/// Dropped, it ends.
pub(crate) async fn read<T: Send + 'static>(
    runtime: &Handle,
    read: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = Task(runtime.spawn(read));
    match (&mut task.0).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(Error::from_panic(&*error.into_panic())),
        Err(error) => {
            let message = "the runtime in which the store was opened has ended";
            Err(Error::new(ErrorKind::Closed, message).with_source(error))
        }
    }
}

struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
