//! Each limit at one less, at itself and at one more, with neighbours in the same call.

use strongroom_core::store::{Batch, KeyPrefix, KeyRange, Limits, Revision, Scan, StoredKey, Write};
use strongroom_core::{ErrorKind, Limit};

use super::support::{
    batch, commit, commit_all, committed, conflict, current, everything, fill, key, key_guard, keys, link, put,
    range_guard, rejected, value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    the_limits_are_those_that_were_asked_for,
    the_limit_of_keys_is_exact,
    the_limit_of_keys_is_exact_for_deletes,
    the_limit_of_keys_is_exact_for_the_targets_of_links,
    the_limit_of_keys_is_exact_for_stamped_rows,
    the_limit_of_values_is_exact,
    the_limit_of_values_is_exact_for_stamped_rows,
    the_limit_of_writes_in_a_batch_is_exact,
    the_limit_of_writes_counts_stamped_rows,
    the_limit_of_guards_in_a_batch_is_exact,
    the_limit_of_bytes_in_a_batch_is_exact,
    the_limit_of_bytes_counts_links_and_stamped_rows,
    the_limit_of_rows_under_guards_is_exact,
    the_limit_of_rows_under_guards_is_that_of_all_together,
    limits_are_those_of_one_batch_and_not_of_a_call,
    the_limit_of_keys_in_a_get_is_exact,
    the_limit_of_entries_in_a_page_is_exact,
    a_row_at_all_limits_at_once_is_kept,
}

/// What the limit under test is set to.
const AT: usize = 40;

/// Commits `ask(AT - 1)`, `ask(AT)` and `ask(AT + 1)`, each between two neighbours: the last is past the limit.
async fn exact(context: &Context, limit: Limit, set: fn(&mut Limits, usize), ask: impl Fn(usize) -> Batch) -> Checked {
    let mut limits = context.limits();
    set(&mut limits, AT);
    let site = context.open_with(limits).await?;
    let store = &*site.store;
    for asked in [AT - 1, AT, AT + 1] {
        let group = [batch([("<", put(""))]), ask(asked), Batch::default(), batch([(">", put(""))])];
        let [before, tested, between, after] = commit_all(store, group).await?;
        ensure!(committed(&after)? > committed(&before)?, "the neighbours of one with {asked}");
        if asked <= AT {
            let revision = committed(&tested)?;
            ensure!(revision > committed(&before)?);
        } else {
            rejected(&tested, ErrorKind::Limit(limit))?;
            ensure_eq!(committed(&between)?, committed(&before)?, "the revision after a rejection");
            let found = store.scan(&everything(store)).await?;
            ensure_eq!(keys(&found), [b"<", b">"], "rows of a batch that was rejected");
        }
        let alone = store.commit(vec![ask(asked)]).await?;
        ensure_eq!(alone.iter().map(|outcome| outcome.revision().is_some()).collect::<Vec<_>>(), [asked <= AT]);
        store.drop_range(&KeyRange::ALL, &[]).await?;
    }
    Ok(())
}

async fn the_limits_are_those_that_were_asked_for(context: Context) -> Checked {
    let limits = Limits {
        key_bytes_max: 50,
        value_bytes_max: 500,
        batch_writes_max: 20,
        batch_guards_max: 10,
        batch_bytes_max: 5_000,
        guard_rows_max: 30,
        page_entries_max: 25,
        get_keys_max: 15,
        snapshots_max: 3,
        snapshot_age_ms_max: 1_234,
    };
    ensure_eq!(context.open_with(limits).await?.store.info().limits, limits);
    ensure_eq!(context.open().await?.store.info().limits, context.limits());
    Ok(())
}

fn keys_at(limits: &mut Limits, max: usize) {
    limits.key_bytes_max = max;
}

async fn the_limit_of_keys_is_exact(context: Context) -> Checked {
    exact(&context, Limit::KeyBytes, keys_at, |asked| batch([(vec![b'k'; asked], put("1"))])).await
}

async fn the_limit_of_keys_is_exact_for_deletes(context: Context) -> Checked {
    exact(&context, Limit::KeyBytes, keys_at, |asked| batch([(vec![b'k'; asked], Write::Delete)])).await
}

async fn the_limit_of_keys_is_exact_for_the_targets_of_links(context: Context) -> Checked {
    exact(&context, Limit::KeyBytes, keys_at, |asked| batch([("l", link(vec![b'k'; asked]))])).await
}

fn stamped(prefix: impl AsRef<[u8]>, bytes: usize) -> Batch {
    Batch { stamped: vec![(KeyPrefix(key(prefix)), vec![b'v'; bytes].into())], ..Batch::default() }
}

async fn the_limit_of_keys_is_exact_for_stamped_rows(context: Context) -> Checked {
    exact(&context, Limit::KeyBytes, keys_at, |asked| stamped(vec![b'k'; asked - 8], 1)).await
}

async fn the_limit_of_values_is_exact(context: Context) -> Checked {
    let ask = |asked| batch([("k", put(vec![b'v'; asked]))]);
    exact(&context, Limit::ValueBytes, |limits, max| limits.value_bytes_max = max, ask).await
}

async fn the_limit_of_values_is_exact_for_stamped_rows(context: Context) -> Checked {
    exact(&context, Limit::ValueBytes, |limits, max| limits.value_bytes_max = max, |asked| stamped("log", asked)).await
}

fn rows(count: usize) -> Batch {
    batch((0..count).map(|number| (format!("{number:02}"), if number % 2 == 0 { put("") } else { Write::Delete })))
}

async fn the_limit_of_writes_in_a_batch_is_exact(context: Context) -> Checked {
    exact(&context, Limit::BatchWrites, |limits, max| limits.batch_writes_max = max, rows).await
}

async fn the_limit_of_writes_counts_stamped_rows(context: Context) -> Checked {
    let ask = |asked| {
        let prefixes = ["log", "other"].map(|prefix| (KeyPrefix(key(prefix)), "".into()));
        Batch { stamped: prefixes.to_vec(), ..rows(asked - 2) }
    };
    exact(&context, Limit::BatchWrites, |limits, max| limits.batch_writes_max = max, ask).await
}

async fn the_limit_of_guards_in_a_batch_is_exact(context: Context) -> Checked {
    let ask = |asked| {
        let range = range_guard(KeyRange::prefix(b"none"), Revision::ZERO, 0);
        let guards = (1..asked).map(|number| key_guard(format!("none{number}"), None)).chain([range]);
        Batch { guards: guards.collect(), ..batch([("k", put(""))]) }
    };
    exact(&context, Limit::BatchGuards, |limits, max| limits.batch_guards_max = max, ask).await
}

fn bytes_at(limits: &mut Limits, max: usize) {
    limits.batch_bytes_max = max;
}

async fn the_limit_of_bytes_in_a_batch_is_exact(context: Context) -> Checked {
    let ask = |asked| batch([("12", put(vec![b'v'; asked - 5])), ("345", Write::Delete)]);
    exact(&context, Limit::BatchBytes, bytes_at, ask).await
}

async fn the_limit_of_bytes_counts_links_and_stamped_rows(context: Context) -> Checked {
    let ask = |asked| {
        // 2 and 3 bytes for the link, 3 and 8 and 4 for the stamped row.
        let mut both = batch([("12", link("345")), ("6", put(vec![b'v'; asked - 21]))]);
        both.stamped = stamped("789", 4).stamped;
        both
    };
    exact(&context, Limit::BatchBytes, bytes_at, ask).await
}

/// A batch that guards what it must not cover, in a store with as many rows.
async fn guarded_rows(context: &Context, ranges: &[(&str, usize)]) -> Checked {
    let site = context.open_with(Limits { guard_rows_max: AT as u64, ..context.limits() }).await?;
    let store = &*site.store;
    let mut as_of = current(store).await?;
    for (prefix, count) in ranges {
        let names: Vec<_> = (0..*count).map(|number| format!("{prefix}{number:02}")).collect();
        fill(store, &names).await?;
        as_of = current(store).await?;
    }
    let total: usize = ranges.iter().map(|(_, count)| count).sum();
    let guards =
        ranges.iter().map(|(prefix, count)| range_guard(KeyRange::prefix(prefix.as_bytes()), as_of, *count as u64));
    let guarding = Batch { guards: guards.collect(), ..batch([("written", put(""))]) };
    let [before, tested, after] =
        commit_all(store, [batch([("<", put(""))]), guarding, batch([(">", put(""))])]).await?;
    ensure!(committed(&after)? > committed(&before)?);
    if total <= AT {
        committed(&tested)?;
    } else {
        rejected(&tested, ErrorKind::Limit(Limit::GuardRows))?;
    }
    ensure_eq!(store.get(&[key("written")]).await?.rows[0].is_some(), total <= AT);
    Ok(())
}

async fn the_limit_of_rows_under_guards_is_exact(context: Context) -> Checked {
    for asked in [AT - 1, AT, AT + 1] {
        guarded_rows(&context, &[("a", asked)]).await?;
    }
    // What a guard says is counted, whether or not it is so.
    let site = context.open_with(Limits { guard_rows_max: AT as u64, ..context.limits() }).await?;
    commit(&*site.store, batch([("a", put(""))])).await?;
    for (rows, past) in [(AT as u64 + 1, true), (u64::MAX, true), (AT as u64, false)] {
        let guard = range_guard(KeyRange::prefix(b"a"), Revision::ZERO, rows);
        let [outcome] = commit_all(&*site.store, [Batch { guards: vec![guard], ..batch([("b", put(""))]) }]).await?;
        if past {
            rejected(&outcome, ErrorKind::Limit(Limit::GuardRows))?;
        } else {
            ensure_eq!(conflict(&outcome)?, 0);
        }
    }
    Ok(())
}

async fn the_limit_of_rows_under_guards_is_that_of_all_together(context: Context) -> Checked {
    for first in [AT - 6, AT - 5, AT - 4] {
        guarded_rows(&context, &[("a", first), ("b", 2), ("c", 3)]).await?;
    }
    // So many that their sum has no number.
    let site = context.open().await?;
    let guard = || range_guard(KeyRange::prefix(b"a"), Revision::ZERO, u64::MAX / 2 + 1);
    let [outcome] = commit_all(&*site.store, [Batch { guards: vec![guard(), guard()], ..Batch::default() }]).await?;
    rejected(&outcome, ErrorKind::Limit(Limit::GuardRows))
}

async fn limits_are_those_of_one_batch_and_not_of_a_call(context: Context) -> Checked {
    let small = Limits { batch_writes_max: 2, batch_bytes_max: 20, batch_guards_max: 2, ..context.limits() };
    let site = context.open_with(small).await?;
    let one = |number: u32| Batch {
        guards: vec![key_guard("none", None), key_guard("neither", None)],
        ..batch([(format!("a{number:02}"), put("12345")), (format!("b{number:02}"), put("12345"))])
    };
    for outcome in site.store.commit((0..50).map(one).collect()).await? {
        committed(&outcome)?;
    }
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 100);
    Ok(())
}

async fn the_limit_of_keys_in_a_get_is_exact(context: Context) -> Checked {
    let site = context.open_with(Limits { get_keys_max: AT, ..context.limits() }).await?;
    let names: Vec<_> = (0..=AT).map(|number| format!("{number:02}")).collect();
    fill(&*site.store, &names).await?;
    for asked in [AT - 1, AT, AT + 1] {
        let keys: Vec<StoredKey> = names.iter().take(asked).map(key).collect();
        let answer = site.store.get(&keys).await;
        if asked <= AT {
            ensure_eq!(answer?.rows.iter().flatten().count(), asked);
        } else {
            ensure_kind!(answer, ErrorKind::Limit(Limit::GetKeys));
        }
    }
    // The same key again counts again.
    ensure_kind!(site.store.get(&vec![key("00"); AT + 1]).await, ErrorKind::Limit(Limit::GetKeys));
    Ok(())
}

async fn the_limit_of_entries_in_a_page_is_exact(context: Context) -> Checked {
    let site = context.open_with(Limits { page_entries_max: AT, ..context.limits() }).await?;
    let names: Vec<_> = (0..=AT).map(|number| format!("{number:02}")).collect();
    fill(&*site.store, &names).await?;
    for limit in [AT - 1, AT, AT + 1, usize::MAX] {
        for reverse in [false, true] {
            let answer = site.store.scan(&Scan { limit, reverse, ..everything(&*site.store) }).await;
            if limit <= AT {
                let page = answer?;
                ensure!(page.entries.len() == limit && page.more, "{} entries of {limit}", page.entries.len());
            } else {
                ensure_kind!(answer, ErrorKind::Limit(Limit::PageEntries));
            }
        }
    }
    Ok(())
}

async fn a_row_at_all_limits_at_once_is_kept(context: Context) -> Checked {
    let limits = context.limits();
    let small = Limits {
        key_bytes_max: limits.key_bytes_max.min(500),
        value_bytes_max: limits.value_bytes_max.min(5_000),
        batch_writes_max: 1,
        batch_bytes_max: limits.key_bytes_max.min(500) + limits.value_bytes_max.min(5_000),
        page_entries_max: 1,
        get_keys_max: 1,
        ..limits
    };
    let site = context.open_with(small).await?;
    // Keys of so many 0xFF would be those of layers.
    let (name, bytes) = (vec![0xFE; small.key_bytes_max], vec![0xFF; small.value_bytes_max]);
    commit(&*site.store, batch([(&name, put(&bytes))])).await?;
    let found = site.store.get(&[key(&name)]).await?.rows.remove(0);
    let found = found.ok_or_else(|| Failure::new("the row is gone"))?;
    ensure!(found.content == value(bytes), "another value");
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure!(keys(&page) == [name] && !page.more);
    Ok(())
}
