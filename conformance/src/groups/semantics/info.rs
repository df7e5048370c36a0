//! What a store says of itself, and what it does not say of its rows.

use std::sync::Arc;

use strongroom_core::store::{Batch, Durability, Fetch, KeyCodec, KeyRange, Limits, Revision, Scan, Store};
use strongroom_core::{Error, ErrorKind, Limit, Timestamp};

use super::support::{
    batch, commit, commit_all, everything, key, key_guard, link, log, put, range_guard, rejection, suffix,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    the_name_is_one_of_a_url,
    info_never_changes,
    what_opens_again_is_not_volatile [Reopen],
    the_codec_is_deterministic_and_appends,
    the_codec_tells_components_apart,
    nothing_that_can_be_printed_shows_keys_or_values,
    errors_show_no_keys_or_values,
    every_error_names_its_backend_and_operation,
    errors_name_the_limit_that_was_passed,
}

async fn the_name_is_one_of_a_url(context: Context) -> Checked {
    let site = context.open().await?;
    let name = site.store.info().name;
    ensure!(name.starts_with(|first: char| first.is_ascii_lowercase()), "'{name}'");
    let allowed = |byte: char| byte.is_ascii_lowercase() || byte.is_ascii_digit() || "+-.".contains(byte);
    ensure!(name.chars().all(allowed), "'{name}'");
    Ok(())
}

async fn info_never_changes(context: Context) -> Checked {
    let site = context.open().await?;
    let info = || format!("{:?}", site.store.info());
    let before = info();
    commit(&*site.store, batch([("a", put("1"))])).await?;
    let snapshot = site.store.snapshot().await?;
    ensure_eq!(info(), before);
    site.store.drop_range(&KeyRange::ALL, &[]).await?;
    drop(snapshot);
    ensure_eq!(info(), before);
    Ok(())
}

async fn what_opens_again_is_not_volatile(context: Context) -> Checked {
    let site = context.open().await?;
    let durability = site.store.info().durability;
    ensure!(durability != Durability::Volatile, "{durability:?}, but its factory opens it again");
    Ok(())
}

/// How `codec` stores a component behind `front`.
fn stored(codec: &Arc<dyn KeyCodec>, front: &[u8], component: &[u8]) -> Checked<Vec<u8>> {
    let mut key = front.to_vec();
    codec.exact(component, &mut key)?;
    ensure!(key.starts_with(front), "what was before a component is not there any more");
    Ok(key[front.len()..].to_vec())
}

/// Components of one length, as keys of a text of nine bytes are: plainly stored, none is the front of another.
fn components() -> Vec<[u8; 9]> {
    let ends = [0_u8, 1, b'a', 0xFE, 0xFF];
    ends.iter().flat_map(|first| ends.map(|last| [*first, 0, 0, 0, 0, 0, 0, 0, last])).collect()
}

async fn the_codec_is_deterministic_and_appends(context: Context) -> Checked {
    let (one, other) = (context.open().await?, context.open().await?);
    for component in components() {
        for front in [&b""[..], b"front", b"\0\xFF"] {
            let first = stored(&one.store.info().codec, front, &component)?;
            ensure_eq!(stored(&one.store.info().codec, front, &component)?, first, "the second time");
            let again = stored(&other.store.info().codec, front, &component)?;
            ensure_eq!(again.len(), first.len(), "in another store");
        }
    }
    Ok(())
}

async fn the_codec_tells_components_apart(context: Context) -> Checked {
    let site = context.open().await?;
    let codec = &site.store.info().codec;
    let forms = components().iter().map(|one| stored(codec, b"front", one)).collect::<Checked<Vec<_>>>()?;
    for (number, one) in forms.iter().enumerate() {
        for (other_number, other) in forms.iter().enumerate() {
            ensure_eq!(one.starts_with(other), number == other_number, "component {number} against {other_number}");
        }
    }
    Ok(())
}

/// Bytes that must not be seen, as text, as numbers or in hexadecimal.
const CANARY: &str = "canary";

fn shows(text: &str) -> bool {
    let lower = text.to_lowercase();
    let spread = lower.split_whitespace().collect::<String>();
    lower.contains(CANARY) || spread.contains("99,97,110") || spread.contains("63616e617279")
}

async fn nothing_that_can_be_printed_shows_keys_or_values(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &site.store;
    let canaries = || {
        let mut all = batch([("canary", put("canary")), ("canary link", link("canary")), ("canary tail", suffix(7))]);
        all.stamped = log([("canary log", "canary")]).stamped;
        all.guards = vec![key_guard("canary", None), range_guard(KeyRange::prefix(b"canary"), Revision::ZERO, 0)];
        all
    };
    let mut shown = format!("{:?} {:#?}", canaries(), canaries());
    let outcomes = store.commit(vec![canaries(), canaries()]).await?;
    let snapshot = store.snapshot().await?;
    let scan = Scan { fetch: Fetch::Targets, ..everything(&**store) };
    let page = store.scan(&scan).await?;
    ensure_eq!(page.entries.len(), 4);
    let rows = store.get(&["canary", "canary link"].map(key)).await?;
    shown += &format!("{outcomes:?} {outcomes:#?} {store:?} {store:#?} {snapshot:?} {snapshot:#?} {:?}", store.info());
    shown += &format!("{page:?} {page:#?} {rows:?} {rows:#?} {scan:?} {:?}", store.summarize(&KeyRange::ALL).await?);
    drop(snapshot);
    store.drop_range(&KeyRange::prefix(b"canary"), &[]).await?;
    shown += &format!("{store:?} {store:#?}");
    ensure!(!shows(&shown), "the bytes of a row are shown");
    ensure!(shows("Canary") && shows("[99, 97, 110, 97]") && shows("0x63616E617279"), "this case sees nothing");
    Ok(())
}

fn texts(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!("{error} {error:?}");
        source = error.source();
    }
    text
}

async fn errors_show_no_keys_or_values(context: Context) -> Checked {
    let limits = Limits { key_bytes_max: 40, value_bytes_max: 40, ..context.limits() };
    let site = context.open_with(limits).await?;
    let store = &*site.store;
    let long = CANARY.repeat(10);
    let mut twice = log([("canary", "canary"), ("canary", "canary")]);
    twice.writes = batch([("canary", put("canary"))]).writes;
    let group = [
        batch([(long.as_str(), put("canary"))]),
        batch([("canary", put(&long))]),
        batch([("canary", link(&long))]),
        batch([("canary", suffix(100))]),
        twice,
    ];
    for outcome in commit_all(store, group).await? {
        let error = rejection(&outcome)?;
        ensure!(!shows(&texts(error)), "an error shows the bytes of a row");
    }
    commit(store, batch([("canary", put("canary"))])).await?;
    let conflicting = Batch { guards: vec![key_guard("canary", None)], ..batch([("canary", put("canary"))]) };
    ensure!(!shows(&format!("{:?}", store.commit(vec![conflicting]).await?)));
    store.close().await?;
    for error in [
        ensure_kind!(store.get(&[key("canary")]).await, ErrorKind::Closed),
        ensure_kind!(store.commit(vec![batch([("canary", put("canary"))])]).await, ErrorKind::Closed),
        ensure_kind!(store.drop_range(&KeyRange::prefix(b"canary"), &[]).await, ErrorKind::Closed),
    ] {
        ensure!(!shows(&texts(&error)), "an error shows the bytes of a row");
    }
    Ok(())
}

async fn every_error_names_its_backend_and_operation(context: Context) -> Checked {
    let small = Limits {
        page_entries_max: 5,
        get_keys_max: 5,
        snapshots_max: 1,
        snapshot_age_ms_max: 1_000,
        ..context.limits()
    };
    let site = context.open_with(small).await?;
    let store: &dyn Store = &*site.store;
    let (six, long) = (vec![key("a"); 6], Scan { limit: 6, ..everything(store) });
    let snapshot = store.snapshot().await?;
    let mut errors = vec![
        ensure_kind!(store.get(&six).await, ErrorKind::Limit(_)),
        ensure_kind!(store.scan(&long).await, ErrorKind::Limit(_)),
        ensure_kind!(store.snapshot().await, ErrorKind::Limit(_)),
        ensure_kind!(snapshot.get(&six).await, ErrorKind::Limit(_)),
        ensure_kind!(snapshot.scan(&long).await, ErrorKind::Limit(_)),
    ];
    site.clock.set(Timestamp::from_millis(1_000));
    errors.push(ensure_kind!(snapshot.get(&[]).await, ErrorKind::SnapshotExpired));
    errors.push(ensure_kind!(snapshot.scan(&everything(store)).await, ErrorKind::SnapshotExpired));
    errors.push(ensure_kind!(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::SnapshotExpired));
    let snapshot = store.snapshot().await?;
    store.close().await?;
    errors.extend([
        ensure_kind!(store.get(&[]).await, ErrorKind::Closed),
        ensure_kind!(store.scan(&everything(store)).await, ErrorKind::Closed),
        ensure_kind!(store.summarize(&KeyRange::ALL).await, ErrorKind::Closed),
        ensure_kind!(store.snapshot().await, ErrorKind::Closed),
        ensure_kind!(store.commit(vec![batch([("a", put(""))])]).await, ErrorKind::Closed),
        ensure_kind!(store.changed(Revision::ZERO).await, ErrorKind::Closed),
        ensure_kind!(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Closed),
        ensure_kind!(store.compact().await, ErrorKind::Closed),
        ensure_kind!(store.usage().await, ErrorKind::Closed),
        ensure_kind!(snapshot.get(&[]).await, ErrorKind::Closed),
        ensure_kind!(snapshot.scan(&everything(store)).await, ErrorKind::Closed),
        ensure_kind!(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::Closed),
    ]);
    for error in errors {
        ensure_eq!(error.backend(), Some(store.info().name), "the backend of: {error}");
        ensure!(error.operation().is_some_and(|name| !name.is_empty()), "no operation: {error}");
    }
    Ok(())
}

async fn errors_name_the_limit_that_was_passed(context: Context) -> Checked {
    let small =
        Limits { page_entries_max: 17, get_keys_max: 17, value_bytes_max: 17, snapshots_max: 1, ..context.limits() };
    let site = context.open_with(small).await?;
    let store = &*site.store;
    let held = store.snapshot().await?;
    let [outcome] = commit_all(store, [batch([("a", put([0; 18]))])]).await?;
    let errors = [
        (ensure_kind!(store.get(&vec![key("a"); 18]).await, ErrorKind::Limit(Limit::GetKeys)), "17", "18"),
        (
            ensure_kind!(
                store.scan(&Scan { limit: 18, ..everything(store) }).await,
                ErrorKind::Limit(Limit::PageEntries)
            ),
            "17",
            "18",
        ),
        (ensure_kind!(store.snapshot().await, ErrorKind::Limit(Limit::Snapshots)), "1", "2"),
        (rejection(&outcome)?.clone(), "17", "18"),
    ];
    drop(held);
    for (error, most, asked) in errors {
        ensure!(error.is_limit());
        let text = error.to_string();
        ensure!(text.contains(most) && text.contains(asked), "neither the limit nor what was asked: {text}");
    }
    Ok(())
}
