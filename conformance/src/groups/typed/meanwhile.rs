//! Something that happens in the middle of an operation.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use strongroom_core::Result;
use strongroom_core::store::{Guard, KeyRange, Outcome, Read, Rows, Store, StoredKey};

use crate::twist::Twist;
use crate::{Checked, Failure};

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// After the next `get` has read.
    AfterGet,
    /// Before the next `drop_range`.
    BeforeDropRange,
}

/// A twist that lets something happen once, in the middle of an operation.
pub(super) struct Meanwhile {
    moment: Moment,
    event: Mutex<Option<BoxFuture<'static, Checked>>>,
    became: Mutex<Option<Checked>>,
}

impl Meanwhile {
    pub(super) fn new(moment: Moment) -> Self {
        Meanwhile { moment, event: Mutex::default(), became: Mutex::default() }
    }

    /// What happens at the next such moment.
    pub(super) fn then(&self, event: impl Future<Output = Checked> + Send + 'static) {
        *lock(&self.event) = Some(Box::pin(event));
    }

    /// That it did happen, and succeeded.
    pub(super) fn happened(&self) -> Checked {
        lock(&self.became).take().unwrap_or_else(|| Err(Failure::new("what had to happen meanwhile did not")))
    }

    async fn reached(&self, moment: Moment) {
        let event = if moment == self.moment { lock(&self.event).take() } else { None };
        if let Some(event) = event {
            let became = event.await;
            *lock(&self.became) = Some(became);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meanwhile({:?})", self.moment)
    }
}

#[async_trait]
impl Twist for Meanwhile {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let rows = inner.get(keys).await;
        self.reached(Moment::AfterGet).await;
        rows
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.reached(Moment::BeforeDropRange).await;
        inner.drop_range(range, guards).await
    }
}
