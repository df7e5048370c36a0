//! Each limit at one less, at itself, and at one more.

use strongroom_core::store::{Batch, KeyPrefix, KeyRange, Limits, Outcome, Revision, Scan, StoredKey};
use strongroom_core::{ErrorKind, Limit};

use super::support::{batch, commit, everything, guarded, key, key_guard, link, put, range_guard, stamped};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    a_store_has_the_limits_it_was_asked_for,
    the_limit_of_bytes_in_a_key_is_exact,
    the_limit_of_bytes_in_a_links_target_is_exact,
    the_limit_of_bytes_in_a_stamped_key_is_exact,
    the_limit_of_bytes_in_a_value_is_exact,
    the_limit_of_bytes_in_a_stamped_value_is_exact,
    the_limit_of_writes_in_a_batch_is_exact,
    the_limit_of_guards_in_a_batch_is_exact,
    the_limit_of_bytes_in_a_batch_is_exact,
    the_limit_of_rows_under_guards_is_exact,
    the_limit_of_keys_in_a_get_is_exact,
    the_limit_of_entries_in_a_page_is_exact,
    a_batch_at_all_of_its_limits_is_taken,
}

const AT: usize = 40;

/// Asks for one less than the limit, for it, and for one more, each between two neighbours.
async fn exact(context: Context, limit: Limit, set: fn(&mut Limits), ask: fn(usize) -> Batch) -> Checked {
    let mut limits = context.limits();
    set(&mut limits);
    let store = context.open_with(limits).await?.store;
    for asked in [AT - 1, AT, AT + 1] {
        let group = vec![batch([("before", put(""))]), ask(asked), batch([("after", put(""))])];
        let outcomes = store.commit(group).await?;
        let [Outcome::Committed(_), tested, Outcome::Committed(_)] = outcomes.as_slice() else {
            return Err(Failure::new(format!("{asked}: a neighbour was harmed: {outcomes:?}")));
        };
        match tested {
            Outcome::Rejected(error) if asked > AT => {
                ensure_eq!(error.kind(), ErrorKind::Limit(limit));
                let message = error.to_string();
                ensure!(message.contains(&AT.to_string()), "the limit is not named: {message}");
            }
            // Nobody can have read rows where there are none: such guards only show that the limit let them pass.
            Outcome::Conflict { .. } if asked <= AT && limit == Limit::GuardRows => {}
            Outcome::Committed(_) if asked <= AT => {}
            other => return Err(Failure::new(format!("{asked} where the limit is {AT}: {other:?}"))),
        }
    }
    Ok(())
}

async fn a_store_has_the_limits_it_was_asked_for(context: Context) -> Checked {
    let limits = Limits { key_bytes_max: 123, value_bytes_max: 4_567, snapshots_max: 8, ..context.limits() };
    ensure_eq!(context.open_with(limits).await?.store.info().limits, limits);
    ensure_eq!(context.open().await?.store.info().limits, context.limits());
    Ok(())
}

async fn the_limit_of_bytes_in_a_key_is_exact(context: Context) -> Checked {
    exact(context, Limit::KeyBytes, |limits| limits.key_bytes_max = AT, |n| batch([(vec![b'k'; n], put(""))])).await
}

async fn the_limit_of_bytes_in_a_links_target_is_exact(context: Context) -> Checked {
    let ask = |n| batch([("link", link(vec![b'k'; n]))]);
    exact(context, Limit::KeyBytes, |limits| limits.key_bytes_max = AT, ask).await
}

async fn the_limit_of_bytes_in_a_stamped_key_is_exact(context: Context) -> Checked {
    exact(context, Limit::KeyBytes, |limits| limits.key_bytes_max = AT, |n| stamped(vec![b'k'; n - 8], "")).await
}

async fn the_limit_of_bytes_in_a_value_is_exact(context: Context) -> Checked {
    exact(context, Limit::ValueBytes, |limits| limits.value_bytes_max = AT, |n| batch([("k", put(vec![0; n]))])).await
}

async fn the_limit_of_bytes_in_a_stamped_value_is_exact(context: Context) -> Checked {
    let ask = |n| Batch { stamped: vec![(KeyPrefix(key("log")), vec![0; n].into())], ..Batch::default() };
    exact(context, Limit::ValueBytes, |limits| limits.value_bytes_max = AT, ask).await
}

async fn the_limit_of_writes_in_a_batch_is_exact(context: Context) -> Checked {
    let ask =
        |n: usize| Batch { stamped: stamped("log", "").stamped, ..batch((1..n).map(|n| (n.to_string(), put("")))) };
    exact(context, Limit::BatchWrites, |limits| limits.batch_writes_max = AT, ask).await
}

async fn the_limit_of_guards_in_a_batch_is_exact(context: Context) -> Checked {
    let ask = |n| guarded((0..n).map(|_| key_guard("none", None)), batch([("k", put(""))]));
    exact(context, Limit::BatchGuards, |limits| limits.batch_guards_max = AT, ask).await
}

async fn the_limit_of_bytes_in_a_batch_is_exact(context: Context) -> Checked {
    let ask = |n| batch([("12", put(vec![0; n - 8])), ("34", link("1234"))]);
    exact(context, Limit::BatchBytes, |limits| limits.batch_bytes_max = AT, ask).await
}

async fn the_limit_of_rows_under_guards_is_exact(context: Context) -> Checked {
    // What the guards say is counted, whether or not it is so.
    let ask = |n| {
        let range = |rows| range_guard(KeyRange::prefix(b"none"), Revision::ZERO, rows);
        guarded([range(n as u64 - 3), range(3)], batch([("k", put(""))]))
    };
    exact(context, Limit::GuardRows, |limits| limits.guard_rows_max = AT as u64, ask).await
}

async fn the_limit_of_keys_in_a_get_is_exact(context: Context) -> Checked {
    let store = context.open_with(Limits { get_keys_max: AT, ..context.limits() }).await?.store;
    commit(&*store, batch((0..60).map(|n| (format!("{n:02}"), put(""))))).await?;
    let names = |count: usize| (0..count).map(|n| key(format!("{n:02}"))).collect::<Vec<StoredKey>>();
    for asked in [AT - 1, AT] {
        ensure_eq!(store.get(&names(asked)).await?.rows.iter().flatten().count(), asked);
    }
    ensure_kind!(store.get(&names(AT + 1)).await, ErrorKind::Limit(Limit::GetKeys));
    Ok(())
}

async fn the_limit_of_entries_in_a_page_is_exact(context: Context) -> Checked {
    let store = context.open_with(Limits { page_entries_max: AT, ..context.limits() }).await?.store;
    commit(&*store, batch((0..60).map(|n| (format!("{n:02}"), put(""))))).await?;
    for limit in [AT - 1, AT] {
        ensure_eq!(store.scan(&Scan { limit, ..everything() }).await?.entries.len(), limit);
    }
    for limit in [AT + 1, usize::MAX] {
        ensure_kind!(store.scan(&Scan { limit, ..everything() }).await, ErrorKind::Limit(Limit::PageEntries));
    }
    Ok(())
}

async fn a_batch_at_all_of_its_limits_is_taken(context: Context) -> Checked {
    let limits = context.limits();
    let store = context.open().await?.store;
    let writes = limits.batch_writes_max;
    let guards = limits.batch_guards_max.min(writes);
    let name = |n: usize| format!("{n:08}");
    let first = guarded((0..guards).map(|n| key_guard(name(n), None)), batch((0..writes).map(|n| (name(n), put("1")))));
    let revision = commit(&*store, first).await?;
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, writes as u64);
    let second = guarded((0..guards).map(|n| key_guard(name(n), Some(revision))), batch([("last", put(""))]));
    commit(&*store, second).await?;
    // One value as large as a value may be, under a key as long as a key may be.
    let longest = vec![0xFF; limits.key_bytes_max];
    let largest = vec![7; limits.value_bytes_max.min(limits.batch_bytes_max - longest.len())];
    let revision = commit(&*store, batch([(&longest, put(&largest))])).await?;
    let found = super::support::row(&*store, &longest).await?;
    ensure!(found == super::support::value(revision, &largest), "the largest value comes back");
    Ok(())
}
