//! The keys that a query meets, without its records where these need not be looked at.

use super::open::Opener;
use super::plan::Plan;
use super::{Cursor, PAGE_BYTES_MAX, Source};
use crate::Result;
use crate::key::Components;
use crate::schema::Record;
use crate::store::{Fetch, Scan, StoredKey};

/// Up to `limit` stored keys of a plan whose records live, in its order, and where to go on if there is more; there may be more also behind no key.
///
/// The records are looked at only if they can have expired. Whether an entry is one that its record has is not checked: whoever acts on a record
/// reads it first.
pub(in crate::database) async fn live_keys<R: Record>(
    source: &impl Source,
    plan: &Plan,
    limit: usize,
) -> Result<(Vec<StoredKey>, Option<Cursor>)> {
    let context = source.context();
    context.complete(source.read(), R::COLLECTION, plan.index).await?;
    let located = plan.locate(context.codec(), R::COLLECTION)?;
    let limit = limit.min(context.store.info().limits.page_entries_max);
    let expires = R::COLLECTION.expiry.is_some();
    let fetch = if expires { Fetch::Targets } else { Fetch::Keys };
    let scan = Scan { range: located.range, reverse: plan.reverse, limit, max_bytes: PAGE_BYTES_MAX, fetch };
    let page = source.read().scan(&scan).await?;
    let next = page.entries.last().filter(|_| page.more).map(|last| Cursor(last.key.clone()));
    let now = context.clock.now();
    let mut opener =
        Opener { context, plan, prefix_len: located.prefix_len, scratch: Components::new(), key: Vec::new() };
    let mut keys = Vec::with_capacity(page.entries.len());
    for entry in page.entries {
        let key = entry.key.clone();
        let lives = !expires
            || match opener.open::<R>(entry) {
                Ok(record) => record.expires_at().is_none_or(|at| at > now),
                Err(damage) if plan.skip_damaged && damage.is_of_the_row() => false,
                Err(damage) => return Err(damage.error),
            };
        if lives {
            keys.push(key);
        }
    }
    Ok((keys, next))
}
