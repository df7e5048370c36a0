//! A compaction leaves no trace of what was deleted or overwritten in any file of a store.

use strongroom_core::Database;
use strongroom_core::store::{Content, Entry, Fetch, KeyRange, Scan, StoredKey};

use super::letters::{Letter, fill, open, schema};
use super::support::open_again;
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Behaviours;
    a_compaction_leaves_no_trace_of_what_was_deleted [Compact, Reopen, Files],
    a_compaction_leaves_no_trace_of_what_was_overwritten [Compact, Reopen, Files],
    a_compaction_leaves_no_trace_of_what_was_sealed [Compact, Reopen, Files],
}

/// What is looked for. No record that stays has it.
const CANARY: &str = "canary-8d1f0c";

/// A letter with the canary in its value and in the keys of its index entries.
fn telling(id: u32) -> Letter {
    Letter {
        room: format!("{CANARY} room"),
        slug: Some(format!("{CANARY} {id}")),
        tags: vec![format!("{CANARY} tag")],
        text: format!("{CANARY} ").repeat(1 + id as usize % 40),
        ..Letter::new(id)
    }
}

/// In how many of the files the bytes are.
fn traces(site: &Site, bytes: &[u8]) -> Checked<usize> {
    let files = site.place.files()?;
    ensure!(!files.is_empty(), "there are no files to look into");
    Ok(files.iter().filter(|file| file.windows(bytes.len()).any(|window| window == bytes)).count())
}

/// Looks for the canary where nothing was compacted yet: it is there, unless the stack seals what it keeps.
fn canary_before_compaction(context: &Context, site: &Site) -> Checked {
    let is_sealed = context.factory().below_seal().is_some();
    ensure_eq!(
        traces(site, CANARY.as_bytes())? > 0,
        !is_sealed,
        "whether a file has what was deleted, before a compaction"
    );
    Ok(())
}

/// Compacts, and looks for traces while the store is open, when it is closed, and when it was opened again and closed.
async fn none_after_compaction(db: Database, mut site: Site, traces_of: &[Vec<u8>]) -> Checked {
    let expected = db.digest().await?;
    db.compact().await?;
    let none = |site: &Site, when: &str| {
        for bytes in traces_of {
            ensure_eq!(traces(site, bytes)?, 0, "files with a trace, {when}");
        }
        Ok(())
    };
    none(&site, "while the store is open")?;
    db.close().await?;
    none(&site, "when it is closed")?;
    site.reopen().await?;
    let db = open_again(&site, schema()?).await?;
    ensure_eq!(db.digest().await?, expected);
    let found = db.verify().await?;
    ensure!(found.problems.is_empty(), "{:?}", found.problems);
    db.put(&Letter::new(5_000)).await?;
    db.close().await?;
    none(&site, "after another write")
}

async fn put(db: &Database, letters: impl Iterator<Item = Letter>) -> Checked {
    let letters: Vec<Letter> = letters.collect();
    for some in letters.chunks(100) {
        db.write(|tx| async move {
            for letter in some {
                tx.put(letter).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn a_compaction_leaves_no_trace_of_what_was_deleted(context: Context) -> Checked {
    let (db, site) = open(&context, 1_000).await?;
    fill(&db, 0..300).await?;
    put(&db, (1_000..1_300).map(telling)).await?;
    db.write(|tx| async move {
        for id in 1_000..1_300 {
            tx.delete(&Letter::key(&id)).await?;
        }
        Ok(())
    })
    .await?;
    canary_before_compaction(&context, &site)?;
    none_after_compaction(db, site, &[CANARY.into()]).await
}

async fn a_compaction_leaves_no_trace_of_what_was_overwritten(context: Context) -> Checked {
    let (db, site) = open(&context, 1_000).await?;
    put(&db, (0..300).map(telling)).await?;
    put(&db, (0..300).map(Letter::new)).await?;
    canary_before_compaction(&context, &site)?;
    none_after_compaction(db, site, &[CANARY.into()]).await
}

/// Also where it is encrypted: the stored key of a deleted letter, which is blinded there, is gone with the row, and so is what was sealed
/// under it.
async fn a_compaction_leaves_no_trace_of_what_was_sealed(context: Context) -> Checked {
    let (db, mut site) = open(&context, 1_000).await?;
    fill(&db, 0..50).await?;
    put(&db, (1_000..1_020).map(telling)).await?;
    db.close().await?;
    let rows = rows_in_the_files(&context, &site).await?;
    site.store = context.reopen(&site.place, &site.settings).await?;
    let db = open_again(&site, schema()?).await?;
    for part in rows.iter().flatten() {
        ensure!(traces(&site, part)? > 0, "a key or value is found as long as its row is there");
    }
    db.write(|tx| async move {
        for id in 1_000..1_020 {
            tx.delete(&Letter::key(&id)).await?;
        }
        Ok(())
    })
    .await?;
    let scan = Scan { fetch: Fetch::Keys, ..all_letters() };
    let left: Vec<StoredKey> = site.store.scan(&scan).await?.entries.into_iter().map(|entry| entry.key).collect();
    let is_gone = |row: &[Vec<u8>; 2]| left.iter().all(|key| key.as_bytes() != row[0]);
    let gone: Vec<Vec<u8>> = rows.into_iter().filter(is_gone).flatten().collect();
    ensure_eq!(gone.len(), 2 * 20);
    let mut remains = 0;
    for part in &gone {
        remains += traces(&site, part)?;
    }
    ensure!(remains > 0, "something remains until the compaction");
    none_after_compaction(db, site, &gone).await
}

/// Bytes of a value that are looked for: an engine may keep a long one in parts.
const VALUE_BYTES: usize = 64;

fn all_letters() -> Scan {
    let range = KeyRange::prefix(&[0, 1, 0]);
    Scan { range, reverse: false, limit: 1_000, max_bytes: usize::MAX, fetch: Fetch::Values }
}

/// The keys and the beginnings of the values of all letters, as they are in the files of a place whose stores are closed.
async fn rows_in_the_files(context: &Context, site: &Site) -> Checked<Vec<[Vec<u8>; 2]>> {
    let factory = context.factory();
    let store = factory.below_seal().unwrap_or(&**factory).reopen(&site.place, &site.settings).await?;
    let entries = store.scan(&all_letters()).await?.entries;
    store.close().await?;
    let row = |entry: Entry| match entry.content {
        Some(Content::Value(value)) => {
            Ok([entry.key.as_bytes().to_vec(), value[..value.len().min(VALUE_BYTES)].to_vec()])
        }
        _ => Err(Failure::new("a letter has no value")),
    };
    entries.into_iter().map(row).collect()
}
