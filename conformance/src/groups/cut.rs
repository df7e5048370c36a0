//! A program that ends in the middle of its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Store};
use strongroom_core::{Error, ErrorKind, Result};

use crate::twist::{Twist, Twisted};

/// Fails every change after a number of them, as if the program had ended there. The first that fails may have happened all
/// the same: then only its answer is lost.
#[derive(Debug)]
pub(super) struct Cut {
    after: usize,
    late: bool,
    asked: AtomicUsize,
}

impl Cut {
    /// Fails after so many changes; `late`: the first that fails happens.
    pub(super) fn new(after: usize, late: bool) -> Self {
        Cut { after, late, asked: AtomicUsize::new(0) }
    }

    /// The store as that program has it.
    pub(super) fn over(self, store: &Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Twisted::new(store.clone(), Arc::new(self)))
    }

    async fn change<T>(&self, change: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        if number < self.after {
            return change.await;
        }
        if self.late && number == self.after {
            change.await?;
            return Err(Error::new(ErrorKind::CommitUnknown, "the answer is lost"));
        }
        Err(Error::new(ErrorKind::Io, "cut off"))
    }
}

#[async_trait]
impl Twist for Cut {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.change(inner.commit(batches)).await
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.change(inner.drop_range(range, guards)).await
    }
}
