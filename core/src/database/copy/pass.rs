//! A pass over the source: from its beginning, or from where an interrupted one was, to a target that was verified.

use super::super::context::Context;
use super::super::digest::{Digest, digest};
use super::super::rows::{Erased, record_value};
use super::super::walk::Walk;
use super::records::{Arrival, differs, place, remove};
use super::target::{Mark, Target};
use super::{Copied, CopyPhase, CopyProgress, count};
use crate::store::{Snapshot, StoredKey};
use crate::{Error, ErrorKind, Result};

/// Passes that are begun before the copy is given up, since others write faster than the source can be read in one view.
const PASSES_MAX: usize = 8;

type Progress<'p> = &'p mut (dyn FnMut(CopyProgress) + Send);

/// How a pass ended.
enum Ended {
    Complete(Copied),
    /// The view expired, and others had written since.
    Overtaken(Error),
    /// It went on from where another had been, and what was there before was not what it should be.
    NotAsMarked,
}

/// Copies until the target is what one view of the source was.
pub(super) async fn until_complete(from: &Context, mut target: Target<'_>, progress: Progress<'_>) -> Result<Copied> {
    let (mut written, mut last) = (0, None);
    for _ in 0..PASSES_MAX {
        match attempt(from, &mut target, progress, &mut written).await {
            Ok(Ended::Complete(copied)) => return Ok(copied),
            Ok(Ended::Overtaken(error)) => last = Some(error),
            Ok(Ended::NotAsMarked) => target.mark = Mark::default(),
            // The commit of a copy that was given up may have come in between: then there still is a mark, and it is gone on with.
            Err(error) if error.is_conflict() => match Target::begin(target.context).await? {
                Some(again) => (target, last) = (again, Some(error)),
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(differs))
}

async fn attempt(from: &Context, target: &mut Target<'_>, progress: Progress<'_>, written: &mut u64) -> Result<Ended> {
    let mut pass = Pass { from, view: from.store.snapshot().await? };
    let ended = pass.run(target, progress, written).await?;
    if let Ended::Complete(_) = ended {
        target.finish().await?;
    }
    Ok(ended)
}

/// The view that a pass is of.
struct Pass<'c> {
    from: &'c Context,
    view: Box<dyn Snapshot>,
}

impl Pass<'_> {
    /// Another view of the same, if there is one: nobody has written since.
    async fn renew(&mut self) -> Result<bool> {
        let next = self.from.store.snapshot().await?;
        let same = next.revision() == self.view.revision();
        self.view = next;
        Ok(same)
    }

    async fn run(&mut self, target: &mut Target<'_>, progress: Progress<'_>, written: &mut u64) -> Result<Ended> {
        let revision = self.view.revision();
        let mark = target.mark.clone();
        let goes_on = mark.source == revision.0 && !mark.last.is_empty();
        let (mut walk, mut done) = (Walk::new(self.from), Digest::default());
        // Up to its mark, what was copied is taken for right until all is compared.
        let mut copied_up_to = goes_on.then(|| StoredKey::from(mark.last));
        walk.limit = walk.limit.min(target.context.store.info().limits.get_keys_max).max(1);
        // To count may take longer than a view lives. The next read finds out whether there is another of the same.
        let mut total = match count(self.from, &*self.view).await {
            Err(error) if is_expired(&error) => 0,
            total => total?,
        };
        loop {
            let page = match walk.next(&*self.view).await {
                Err(error) if is_expired(&error) => match self.renew().await? {
                    true => continue,
                    false => return Ok(Ended::Overtaken(error)),
                },
                page => page?,
            };
            let Some(page) = page else { break };
            let mut arrivals = Vec::with_capacity(page.entries.len());
            for entry in page.entries {
                let arrival = Arrival::of_row(target, self.from, page.erased, entry)?;
                done.add(page.erased.collection.id, &arrival.value);
                match &copied_up_to {
                    None => arrivals.push(arrival),
                    Some(last) if *last == arrival.from => copied_up_to = None,
                    Some(_) => {}
                }
            }
            let mut mark = |at: usize| Mark::new(revision, &arrivals[at].from);
            *written += place(target, &arrivals, &mut mark).await?;
            total = total.max(done.records());
            progress(CopyProgress { phase: CopyPhase::Copying, records: done.records(), total });
        }
        // All that the source has is there: what is more than that is too much.
        if count(target.context, &*target.context.store).await? > done.records()
            && let Some(expired) = self.remove_what_is_too_much(target).await?
        {
            return Ok(Ended::Overtaken(expired));
        }
        let mut verified = |records| progress(CopyProgress { phase: CopyPhase::Verifying, records, total });
        if digest(target.context, &mut verified).await? == done {
            let copied = Copied { records: done.records(), written: *written, digest: done, revision };
            return Ok(Ended::Complete(copied));
        }
        if goes_on { Ok(Ended::NotAsMarked) } else { Err(differs()) }
    }

    /// Removes the records of the target that the source does not have. Gives the error of a view that expired.
    async fn remove_what_is_too_much(&mut self, target: &mut Target<'_>) -> Result<Option<Error>> {
        let mut walk = Walk::new(target.context);
        walk.limit = walk.limit.min(self.from.store.info().limits.get_keys_max).max(1);
        while let Some(page) = walk.next(&*target.context.store).await? {
            let mut here = Vec::with_capacity(page.entries.len());
            for entry in page.entries {
                let place = page.erased.collection.name;
                let Some(content) = entry.content else { continue };
                let value = record_value(content, place, &entry.key)?;
                let inspected = target.context.schema.inspect(page.erased, self.from.codec(), value, &entry.key)?;
                here.push((entry.key, inspected.key));
            }
            let keys: Vec<StoredKey> = here.iter().map(|(_, key)| key.clone()).collect();
            let there = loop {
                match self.view.get(&keys).await {
                    Err(error) if is_expired(&error) => match self.renew().await? {
                        true => {}
                        false => return Ok(Some(error)),
                    },
                    rows => break rows?.rows,
                }
            };
            let of_nobody = here.into_iter().zip(there).filter(|(_, there)| there.is_none());
            let of_nobody: Vec<(Erased, StoredKey)> = of_nobody.map(|((key, _), _)| (*page.erased, key)).collect();
            remove(target, &of_nobody).await?;
        }
        Ok(None)
    }
}

fn is_expired(error: &Error) -> bool {
    error.kind() == ErrorKind::SnapshotExpired
}
