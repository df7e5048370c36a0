//! A compaction leaves no trace of what was deleted or overwritten in any file of a store.

use strongroom_core::store::{Fetch, KeyRange, Scan, Store};
use strongroom_core::{Database, Error};

use super::letters::{Letter, fill, open, schema};
use super::support::open_again;
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq};

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
    none_after_compaction(db, site, &[CANARY.into()]).await
}

async fn a_compaction_leaves_no_trace_of_what_was_overwritten(context: Context) -> Checked {
    let (db, site) = open(&context, 1_000).await?;
    put(&db, (0..300).map(telling)).await?;
    put(&db, (0..300).map(Letter::new)).await?;
    none_after_compaction(db, site, &[CANARY.into()]).await
}

/// Also where it is encrypted: the stored key of a deleted letter, which is blinded there, is gone with the row, and so is what was sealed
/// under it.
async fn a_compaction_leaves_no_trace_of_what_was_sealed(context: Context) -> Checked {
    let (db, site) = open(&context, 1_000).await?;
    fill(&db, 0..50).await?;
    put(&db, (1_000..1_020).map(telling)).await?;
    db.close().await?;
    let site = reopened(site).await?;
    let keys = stored_keys(&*site.store).await?;
    let db = open_again(&site, schema()?).await?;
    for key in &keys {
        ensure!(traces(&site, key)? > 0, "a key is found as long as its row is there");
    }
    db.write(|tx| async move {
        for id in 1_000..1_020 {
            tx.delete(&Letter::key(&id)).await?;
        }
        Ok(())
    })
    .await?;
    let left = stored_keys(&*site.store).await?;
    let gone: Vec<Vec<u8>> = keys.into_iter().filter(|key| !left.contains(key)).collect();
    ensure_eq!(gone.len(), 20);
    none_after_compaction(db, site, &gone).await
}

async fn reopened(mut site: Site) -> Checked<Site> {
    site.reopen().await?;
    Ok(site)
}

/// The stored keys of all letters, as they are in the file.
async fn stored_keys(store: &dyn Store) -> Result<Vec<Vec<u8>>, Error> {
    let range = KeyRange::prefix(&[0, 1, 0]);
    let scan = Scan { range, reverse: false, limit: 1_000, max_bytes: usize::MAX, fetch: Fetch::Keys };
    let entries = store.scan(&scan).await?.entries;
    Ok(entries.into_iter().map(|entry| entry.key.as_bytes().to_vec()).collect())
}
