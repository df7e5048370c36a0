//! The medium fails under an open store: at every access in turn, or in one sync.

use std::sync::Arc;

use strongroom_core::store::Store;
use strongroom_core::{Error, ErrorKind};

use super::history::{History, Style};
use super::ledger::{Kept, Ledger};
use super::random::Random;
use super::seen::see;
use crate::case::cases;
use crate::{Checked, Context, Failure, Fault, Site, ensure};

cases! { Crash;
    a_commit_that_meets_a_broken_medium_at_any_access_is_told [Reopen, Inject] random true,
    a_failed_sync_is_told_and_loses_nothing_acknowledged [Reopen, Inject] random true,
    an_opening_on_a_broken_medium_is_told_and_loses_nothing [Reopen, Inject] random true,
    a_compaction_on_a_broken_medium_loses_nothing [Reopen, Compact, Inject] random true,
    a_close_on_a_broken_medium_loses_nothing [Reopen, Inject] random true,
}

/// Calls that are made while the medium fails.
const CALLS: usize = 2;
/// Faults that are met for each cut that the effort is worth.
const FAULTS_A_CUT: u64 = 4;
/// More accesses than these calls can need.
const ACCESSES_MAX: u64 = 1 << 16;

/// A store on a medium that fails, and what is known of it.
struct Failing {
    context: Context,
    site: Site,
    store: Arc<dyn Store>,
    ledger: Ledger,
}

impl Failing {
    async fn new(context: &Context) -> Checked<Self> {
        let site = context.open().await?;
        let seed = Random::new(context.seed(), 0).next() as u32;
        let mut ledger = Ledger::new(History::new(seed, Style::Rows, &site.settings.limits));
        let store = site.store.clone();
        for _ in 0..CALLS {
            ledger.go_on(&*store).await?;
        }
        Ok(Failing { context: context.clone(), site, store, ledger })
    }

    async fn inject(&self, fault: Fault) -> Checked {
        Ok(self.context.factory().inject(&self.site.place, fault).await?)
    }

    /// Makes the next call; says whether it was acknowledged. An error must tell what is known.
    async fn attempt(&mut self) -> Checked<bool> {
        let numbers = self.ledger.next_call();
        match self.ledger.history().make(&*self.store, &numbers).await {
            Ok(revisions) => {
                self.ledger.acknowledged(&numbers, &revisions)?;
                return Ok(true);
            }
            Err(error) if error.kind() == ErrorKind::CommitUnknown => self.ledger.unknown(numbers),
            Err(error) => {
                self.told(Err(&error))?;
                self.ledger.refused(&numbers);
            }
        }
        Ok(false)
    }

    /// Whether a call succeeded. If not, it must say what a medium that fails may be answered with.
    fn told(&self, result: Result<(), &Error>) -> Checked<bool> {
        match result.map_err(|error| (error.kind(), error)) {
            Ok(()) => Ok(true),
            Err((ErrorKind::Io | ErrorKind::CommitUnknown | ErrorKind::Corrupt, _)) => Ok(false),
            Err((kind, error)) => Err(Failure::new(format!("a medium that fails was answered with {kind:?}: {error}"))),
        }
    }

    /// Reads all, which may fail while the medium does, but must not be wrong.
    async fn look(&mut self) -> Checked {
        match see(&*self.store).await {
            Ok(seen) => self.ledger.judge(&seen, Kept::All).map(drop),
            Err(error) => self.told(Err(&error)).map(drop),
        }
    }

    /// The medium is well again: the store goes on, or it does so when it has been opened again.
    async fn recover(&mut self) -> Checked {
        self.inject(Fault::None).await?;
        if !self.attempt().await? {
            self.store.close().await.ok();
            self.reopen().await?;
        }
        self.ledger.check(&*self.store, Kept::All).await
    }

    async fn reopen(&mut self) -> Checked {
        self.store = self.context.reopen(&self.site.place, &self.site.settings).await?;
        Ok(())
    }

    /// The medium is well again, and the store was closed, well or not.
    async fn recover_closed(&mut self) -> Checked {
        self.inject(Fault::None).await?;
        self.reopen().await?;
        self.ledger.check(&*self.store, Kept::All).await
    }

    /// Makes some calls under a fault, looks after each, and recovers; says whether all were acknowledged.
    async fn calls_under(&mut self, fault: Fault) -> Checked<bool> {
        self.inject(fault).await?;
        let mut whole = true;
        for _ in 0..CALLS {
            whole &= self.attempt().await?;
            self.look().await?;
        }
        self.recover().await?;
        Ok(whole)
    }
}

/// Meets faults that come after more and more accesses, up to one that comes too late: all of them, or with little effort a
/// part, spread by the seed.
async fn each_in_turn(
    context: &Context,
    fault: impl Fn(u64) -> Fault,
    mut meet: impl AsyncFnMut(Fault) -> Checked<bool>,
) -> Checked {
    let mut too_late = async |after| {
        let fault = fault(after);
        meet(fault).await.map_err(|failure| Failure::new(format!("{fault:?}: {failure}")))
    };
    let mut end = 1;
    while !too_late(end).await? {
        end *= 2;
        ensure!(end < ACCESSES_MAX, "a fault after {end} accesses was still met");
    }
    let stride = (end / (FAULTS_A_CUT * context.effort().cuts as u64)).max(1);
    let first = Random::new(context.seed(), end).below(stride);
    let mut met = 0;
    for after in (first..end).step_by(stride as usize) {
        met += u64::from(!too_late(after).await?);
    }
    ensure!(met > 0, "no fault was met");
    context.count("faults", met);
    context.count("lost", 0);
    Ok(())
}

async fn a_commit_that_meets_a_broken_medium_at_any_access_is_told(context: Context) -> Checked {
    let mut failing = Failing::new(&context).await?;
    each_in_turn(&context, |after| Fault::Broken { after }, async |fault| failing.calls_under(fault).await).await
}

async fn a_failed_sync_is_told_and_loses_nothing_acknowledged(context: Context) -> Checked {
    let mut failing = Failing::new(&context).await?;
    each_in_turn(&context, |after| Fault::SyncOnce { after }, async |fault| failing.calls_under(fault).await).await
}

async fn an_opening_on_a_broken_medium_is_told_and_loses_nothing(context: Context) -> Checked {
    let mut failing = Failing::new(&context).await?;
    each_in_turn(
        &context,
        |after| Fault::Broken { after },
        async |fault| {
            // So that there is something to be done when it is opened.
            failing.inject(Fault::Broken { after: 0 }).await?;
            failing.store.close().await.ok();
            failing.inject(fault).await?;
            let opened = failing.context.reopen(&failing.site.place, &failing.site.settings).await;
            let whole = failing.told(opened.as_ref().map(drop))?;
            if let Ok(store) = opened {
                store.close().await.ok();
            }
            failing.recover_closed().await?;
            Ok(whole)
        },
    )
    .await
}

async fn a_compaction_on_a_broken_medium_loses_nothing(context: Context) -> Checked {
    let mut failing = Failing::new(&context).await?;
    each_in_turn(
        &context,
        |after| Fault::Broken { after },
        async |fault| {
            for _ in 0..CALLS {
                failing.ledger.go_on(&*failing.store).await?;
            }
            failing.inject(fault).await?;
            let compacted = failing.store.compact().await;
            let whole = failing.told(compacted.as_ref().map(drop))?;
            failing.look().await?;
            failing.recover().await?;
            Ok(whole)
        },
    )
    .await
}

async fn a_close_on_a_broken_medium_loses_nothing(context: Context) -> Checked {
    let mut failing = Failing::new(&context).await?;
    each_in_turn(
        &context,
        |after| Fault::Broken { after },
        async |fault| {
            failing.inject(fault).await?;
            let closed = failing.store.close().await;
            let whole = failing.told(closed.as_ref().map(drop))?;
            failing.recover_closed().await?;
            Ok(whole)
        },
    )
    .await
}
