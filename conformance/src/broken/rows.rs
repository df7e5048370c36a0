//! Keys and values that are stored as something else.

use bytes::Bytes;
use std::collections::BTreeMap;
use strongroom_core::store::{Batch, Content, Row, StoredKey, Write};

use super::Broken;
use super::changes::Changes;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "keys_end_at_a_zero_byte",
        wrong: "A key is kept as a C string: what follows a zero byte is lost.",
        caught_by: "semantics::keys_that_are_nearly_the_same_have_rows_of_their_own",
        wrap: |inner| {
            let shorten = |key: &StoredKey| cut(key, key.as_bytes().iter().position(|byte| *byte == 0));
            Changes::default()
                .batch(move |batch| rename(batch, shorten))
                .keys(move |keys| each(keys, shorten))
                .on(inner)
        },
    },
    Broken {
        name: "keys_are_cut_at_255_bytes",
        wrong: "A key's length is kept in one byte: longer keys that begin alike are one row.",
        caught_by: "semantics::keys_of_the_maximal_length_are_told_apart_by_their_last_byte",
        wrap: |inner| {
            let shorten = |key: &StoredKey| cut(key, Some(255));
            Changes::default()
                .batch(move |batch| rename(batch, shorten))
                .keys(move |keys| each(keys, shorten))
                .on(inner)
        },
    },
    Broken {
        name: "keys_ignore_case",
        wrong: "Keys that differ in the case of a letter are one row.",
        caught_by: "semantics::keys_that_are_nearly_the_same_have_rows_of_their_own",
        wrap: |inner| {
            let lower = |key: &StoredKey| StoredKey::from(key.as_bytes().to_ascii_lowercase());
            Changes::default().batch(move |batch| rename(batch, lower)).keys(move |keys| each(keys, lower)).on(inner)
        },
    },
    Broken {
        name: "a_long_key_is_found_by_its_beginning",
        wrong: "A get of a key past the limit finds the row whose key is as much of it as the limit allows.",
        caught_by: "semantics::a_key_longer_than_the_limit_has_no_row",
        wrap: |inner| {
            let max = inner.info().limits.key_bytes_max;
            Changes::default().keys(move |keys| each(keys, |key| cut(key, Some(max)))).on(inner)
        },
    },
    Broken {
        name: "an_empty_value_is_absent",
        wrong: "A get of a row whose value is empty answers that there is none.",
        caught_by: "semantics::an_empty_value_is_no_absent_row",
        wrap: |inner| {
            let without = |row: &mut Option<Row>| *row = row.take().filter(|row| !is_empty(&row.content));
            Changes::default().rows(move |_, rows| rows.rows.iter_mut().for_each(without)).on(inner)
        },
    },
    Broken {
        name: "pages_leave_out_empty_values",
        wrong: "A page does not show rows whose value is empty.",
        caught_by: "semantics::an_empty_value_is_no_absent_row",
        wrap: |inner| {
            let empty = |content: &Option<Content>| content.as_ref().is_some_and(is_empty);
            Changes::default().page(move |_, page| page.entries.retain(|entry| !empty(&entry.content))).on(inner)
        },
    },
    Broken {
        name: "values_are_cut_at_64_kib",
        wrong: "A value's length is kept in two bytes.",
        caught_by: "semantics::values_of_every_size_come_back_whole",
        wrap: |inner| {
            Changes::default().batch(|batch| values(batch, |value| value.truncate(value.len() % (1 << 16)))).on(inner)
        },
    },
    Broken {
        name: "values_end_at_a_zero_byte",
        wrong: "A value is kept as text: what follows a zero byte is lost.",
        caught_by: "semantics::a_value_of_the_maximal_size_comes_back_whole",
        wrap: |inner| {
            let end = |value: &Bytes| value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            Changes::default().batch(move |batch| values(batch, |value| value.truncate(end(value)))).on(inner)
        },
    },
];

fn each(keys: &mut [StoredKey], change: impl Fn(&StoredKey) -> StoredKey) {
    keys.iter_mut().for_each(|key| *key = change(key));
}

fn rename(batch: &mut Batch, change: impl Fn(&StoredKey) -> StoredKey) {
    let writes = std::mem::take(&mut batch.writes);
    batch.writes = writes.into_iter().map(|(key, write)| (change(&key), write)).collect::<BTreeMap<_, _>>();
}

fn values(batch: &mut Batch, change: impl Fn(&mut Bytes)) {
    for write in batch.writes.values_mut() {
        if let Write::Put(value) = write {
            change(value);
        }
    }
}

fn cut(key: &StoredKey, at: Option<usize>) -> StoredKey {
    let end = at.unwrap_or(usize::MAX).min(key.len());
    StoredKey::from(key.as_bytes()[..end].to_vec())
}

fn is_empty(content: &Content) -> bool {
    matches!(content, Content::Value(value) if value.is_empty())
}
