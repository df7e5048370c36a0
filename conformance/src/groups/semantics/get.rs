//! `get`.

use strongroom_core::store::{Content, Revision, Row, StoredKey, Write};

use super::support::{batch, commit, key, link, put, row, small_keys, value};
use crate::case::cases;
use crate::{Checked, Context, ensure_eq};

cases! { Semantics;
    get_on_an_empty_store_finds_nothing,
    get_answers_in_the_order_asked,
    get_answers_a_key_twice_if_asked_twice,
    get_of_no_keys_gives_the_current_revision,
    get_answers_ten_thousand_keys,
    an_empty_value_is_not_absent,
    a_key_longer_than_the_limit_has_no_row,
    the_empty_key_is_a_key,
    keys_with_zero_bytes_and_ff_are_kept_apart,
    long_keys_that_differ_at_the_end_are_kept_apart,
    values_of_every_size_come_back,
    values_of_every_byte_come_back,
    a_deleted_key_has_no_row,
    a_row_carries_the_revision_that_wrote_it_last,
}

async fn get_on_an_empty_store_finds_nothing(context: Context) -> Checked {
    let store = context.open().await?.store;
    let rows = store.get(&[key("a"), key("")]).await?;
    ensure_eq!((rows.as_of, rows.rows), (Revision::ZERO, vec![None, None]));
    Ok(())
}

async fn get_answers_in_the_order_asked(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("b", put("2")), ("a", put("1")), ("l", link("nowhere"))])).await?;
    let rows = store.get(&["b", "none", "a", "l"].map(key)).await?;
    let to_nowhere = Some(Row { revision, content: Content::Link(key("nowhere")) });
    ensure_eq!(rows.rows, vec![value(revision, "2"), None, value(revision, "1"), to_nowhere]);
    ensure_eq!(rows.as_of, revision);
    Ok(())
}

async fn get_answers_a_key_twice_if_asked_twice(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", put("1")), ("b", put("2"))])).await?;
    let rows = store.get(&["a", "b", "a", "none", "none", "a"].map(key)).await?.rows;
    let (a, b) = (value(revision, "1"), value(revision, "2"));
    ensure_eq!(rows, vec![a.clone(), b, a.clone(), None, None, a]);
    Ok(())
}

async fn get_of_no_keys_gives_the_current_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", put("1"))])).await?;
    let none = store.get(&[]).await?;
    ensure_eq!((none.as_of, none.rows), (revision, Vec::new()));
    Ok(())
}

async fn get_answers_ten_thousand_keys(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch((0..5_000).map(|n| (format!("{n:05}"), put(n.to_string()))))).await?;
    // From the last to the first, every second one missing.
    let count = context.limits().get_keys_max.min(10_000);
    let asked: Vec<StoredKey> = (0..count).rev().map(|n| key(format!("{n:05}"))).collect();
    let rows = store.get(&asked).await?.rows;
    ensure_eq!(rows.len(), count);
    for (n, found) in (0..count).rev().zip(rows) {
        ensure_eq!(found, if n < 5_000 { value(revision, n.to_string()) } else { None }, "key {n}");
    }
    Ok(())
}

async fn an_empty_value_is_not_absent(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", put(""))])).await?;
    ensure_eq!(row(&*store, "a").await?, value(revision, ""));
    ensure_eq!(row(&*store, "b").await?, None);
    Ok(())
}

async fn a_key_longer_than_the_limit_has_no_row(context: Context) -> Checked {
    let store = context.open().await?.store;
    let longest = vec![b'k'; context.limits().key_bytes_max];
    let revision = commit(&*store, batch([(&longest, put("1"))])).await?;
    let longer = [&longest[..], b"k"].concat();
    let rows = store.get(&[key(&longest), key(longer), key(vec![b'k'; 100_000])]).await?.rows;
    ensure_eq!(rows, vec![value(revision, "1"), None, None]);
    Ok(())
}

async fn the_empty_key_is_a_key(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("", put("1")), ("\0", put("2"))])).await?;
    ensure_eq!(row(&*store, "").await?, value(revision, "1"));
    commit(&*store, batch([("", Write::Delete)])).await?;
    ensure_eq!(row(&*store, "").await?, None);
    ensure_eq!(row(&*store, "\0").await?, value(revision, "2"));
    Ok(())
}

async fn keys_with_zero_bytes_and_ff_are_kept_apart(context: Context) -> Checked {
    let store = context.open().await?.store;
    let names = small_keys();
    let revision = commit(&*store, batch(names.iter().map(|name| (name, put(name))))).await?;
    for name in &names {
        ensure_eq!(row(&*store, name).await?, value(revision, name), "{name:?}");
    }
    Ok(())
}

async fn long_keys_that_differ_at_the_end_are_kept_apart(context: Context) -> Checked {
    let store = context.open().await?.store;
    let front = vec![0xFF; context.limits().key_bytes_max - 1];
    let names: Vec<Vec<u8>> = (0..=255_u8).map(|last| [&front[..], &[last]].concat()).collect();
    let revision = commit(&*store, batch(names.iter().zip(0_u8..=255).map(|(name, n)| (name, put([n]))))).await?;
    let rows = store.get(&names.iter().map(key).collect::<Vec<_>>()).await?.rows;
    for (found, n) in rows.into_iter().zip(0_u8..=255) {
        ensure_eq!(found, value(revision, [n]), "the key that ends in {n}");
    }
    ensure_eq!(row(&*store, front).await?, None);
    Ok(())
}

async fn values_of_every_size_come_back(context: Context) -> Checked {
    let store = context.open().await?.store;
    let most = context.limits().value_bytes_max;
    for size in [0, 1, 127, 128, 255, 256, 4_095, 4_096, 4_097, 65_535, 65_536, 1 << 20, most] {
        let size = size.min(most);
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let revision = commit(&*store, batch([("a", put(&bytes))])).await?;
        ensure_eq!(row(&*store, "a").await? == value(revision, &bytes), true, "{size} bytes");
    }
    Ok(())
}

async fn values_of_every_byte_come_back(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch((0..=255_u8).map(|byte| ([byte], put([byte, 0, byte]))))).await?;
    for byte in 0..=255_u8 {
        ensure_eq!(row(&*store, [byte]).await?, value(revision, [byte, 0, byte]));
    }
    Ok(())
}

async fn a_deleted_key_has_no_row(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1")), ("b", link("a")), ("c", put("3"))])).await?;
    commit(&*store, batch([("a", Write::Delete), ("b", Write::Delete), ("none", Write::Delete)])).await?;
    let rows = store.get(&["a", "b", "none"].map(key)).await?.rows;
    ensure_eq!(rows, vec![None, None, None]);
    ensure_eq!(row(&*store, "c").await?.is_some(), true);
    Ok(())
}

async fn a_row_carries_the_revision_that_wrote_it_last(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a", put("1")), ("b", put("1"))])).await?;
    let second = commit(&*store, batch([("b", put("1"))])).await?;
    // The same value again is still a write.
    ensure_eq!(row(&*store, "a").await?, value(first, "1"));
    ensure_eq!(row(&*store, "b").await?, value(second, "1"));
    Ok(())
}
