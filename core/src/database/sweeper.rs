//! A background task that sweeps.

use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Database;
use super::sweep::{SweepOptions, Swept, sweep};
use crate::{Error, ErrorKind, Result};

/// A task that sweeps expired records, once when it begins and then at a period.
///
/// It ends when this is dropped or [`stop`](Sweeper::stop)ped, after the step that it is at. An error does not end it: the next sweep tries
/// again. Once the database is closed it ends by itself.
#[derive(Debug)]
pub struct Sweeper {
    status: watch::Receiver<SweeperStatus>,
    /// Dropped to end the task.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// What a [`Sweeper`] has done so far.
#[derive(Clone, Debug, Default)]
pub struct SweeperStatus {
    /// Sweeps that ended, also with an error.
    pub sweeps: u64,
    /// What all of them together removed.
    pub swept: Swept,
    /// How many ended with an error.
    pub errors: u64,
    /// The error of the last sweep, if it ended with one.
    pub last_error: Option<Error>,
}

impl Database {
    /// Begins to sweep expired records in the background, at once and then `every` so often. Keep what it gives: the sweeping ends with it.
    ///
    /// The task belongs to the tokio runtime that this is called in, whose timers must be enabled. The period goes by the runtime's time; what
    /// has expired, by the database's clock.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use strongroom_core::{Database, Result, SweepOptions};
    /// # async fn example(db: Database) -> Result<()> {
    /// let sweeper = db.sweeper(Duration::from_secs(60), SweepOptions::default())?;
    /// // ... the messenger works ...
    /// let done = sweeper.stop().await;
    /// println!("{} records had expired", done.swept.records());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Unsupported` outside of a tokio runtime; `InvalidInput` for a period of less than a millisecond.
    pub fn sweeper(&self, every: Duration, options: SweepOptions) -> Result<Sweeper> {
        if every < Duration::from_millis(1) {
            return Err(Error::new(ErrorKind::InvalidInput, "a sweeper's period is a millisecond or more"));
        }
        let runtime = Handle::try_current()
            .map_err(|_| Error::new(ErrorKind::Unsupported, "a sweeper needs a tokio runtime to run in"))?;
        let (report, status) = watch::channel(SweeperStatus::default());
        let (stop, stopped) = watch::channel(());
        let task = runtime.spawn(keep_sweeping(self.clone(), every, options, report, stopped));
        Ok(Sweeper { status, stop, task })
    }
}

impl Sweeper {
    /// What it has done so far.
    pub fn status(&self) -> SweeperStatus {
        self.status.borrow().clone()
    }

    /// Waits for the end of the next sweep, and tells what was done so far. At once if a sweep has ended since this was last asked; also if
    /// the task has ended.
    pub async fn next_sweep(&mut self) -> SweeperStatus {
        // An error says that the task has ended: there is no next one.
        self.status.changed().await.ok();
        self.status.borrow_and_update().clone()
    }

    /// Ends the task after the step that it is at, and tells what it has done. If this future is dropped, the task ends all the same.
    pub async fn stop(self) -> SweeperStatus {
        let Sweeper { status, stop, task } = self;
        drop(stop);
        // A task that panicked or was cut off with its runtime has ended, too.
        task.await.ok();
        status.borrow().clone()
    }
}

async fn keep_sweeping(
    db: Database,
    every: Duration,
    options: SweepOptions,
    report: watch::Sender<SweeperStatus>,
    mut stopped: watch::Receiver<()>,
) {
    loop {
        let mut swept = Swept::default();
        let ended = sweep(&db, &options, &mut swept, &|| stopped.has_changed().is_ok()).await;
        let closed = ended.as_ref().is_err_and(Error::is_closed);
        report.send_modify(|status| {
            status.sweeps += 1;
            status.swept.add(&swept);
            status.errors += u64::from(ended.is_err());
            status.last_error = ended.err();
        });
        let rest = std::pin::pin!(tokio::time::sleep(every));
        let stop = std::pin::pin!(stopped.changed());
        if closed || matches!(select(rest, stop).await, Either::Right(_)) {
            return;
        }
    }
}
