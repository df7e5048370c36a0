//! What is *not* detected yet, as the threat model says: going back to what was true before, and taking away.
//!
//! Each holds what is seen instead, so that the day on which it is detected the documentation is changed with it.

use std::fmt::{self, Debug};

use futures_util::future::LocalBoxFuture;
use strongroom_core::store::{LinkTo, StoredKey, Write};
use strongroom_core::{Database, ErrorKind};

use super::{Draft, Letter, RECORDS, STRUCK, Strike, as_write, letter, older_letter, replace, room, tag};
use crate::{Checked, Failure, ensure, ensure_eq, ensure_kind};

/// Something that somebody without the key can do and nobody sees.
#[derive(Clone, Copy)]
pub struct Undetected {
    /// Its name, in snake case: unique.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub does: &'static str,
    /// Does it.
    pub strike: Strike,
    /// What is seen of it.
    pub seen: for<'d> fn(&'d Database) -> LocalBoxFuture<'d, Checked>,
}

impl Debug for Undetected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.does)
    }
}

/// All of them.
pub fn undetected() -> &'static [Undetected] {
    ALL
}

const ALL: &[Undetected] = &[
    Undetected {
        name: "a_row_rolled_back",
        does: "A record as it was before it was amended.",
        strike: |evil| {
            Box::pin(async move {
                let key = &evil.struck().record;
                let older = evil.scene.older.get(key).ok_or_else(|| Failure::new("it was there before"))?;
                evil.write(key, as_write(key, older)?).await
            })
        },
        seen: |db| {
            Box::pin(async move {
                ensure_eq!(found(db, STRUCK).await?, Some(older_letter()));
                sound(db).await
            })
        },
    },
    Undetected {
        name: "the_file_rolled_back",
        does: "Every row as it was before a record was amended.",
        strike: |evil| Box::pin(async move { replace(&**evil.raw, &evil.scene.older).await }),
        seen: |db| {
            Box::pin(async move {
                ensure_eq!(found(db, STRUCK).await?, Some(older_letter()));
                sound(db).await
            })
        },
    },
    Undetected {
        name: "a_record_deleted",
        does: "A record is gone, its entries are not: a read by key does not find it, whoever comes by an entry is told.",
        strike: |evil| Box::pin(async move { evil.delete(&[&evil.struck().record]).await }),
        seen: |db| {
            Box::pin(async move {
                ensure_eq!(found(db, STRUCK).await?, None);
                ensure_kind!(db.query(Letter::TAG).equal(&tag()).page().await, ErrorKind::Corrupt);
                let page = db.query(Letter::TAG).equal(&tag()).skip_damaged().page().await?;
                ensure_eq!((page.records.len(), page.damaged.len()), (RECORDS as usize - 1, 1));
                ensure!(!db.verify().await?.problems.is_empty(), "verify names what is left");
                Ok(())
            })
        },
    },
    Undetected {
        name: "a_record_deleted_with_its_entries",
        does: "A record and all its entries are gone.",
        strike: |evil| {
            Box::pin(async move {
                let keys = evil.struck();
                let all: Vec<_> = keys.entries.values().flatten().chain([&keys.record]).collect();
                evil.delete(&all).await
            })
        },
        seen: |db| {
            Box::pin(async move {
                ensure_eq!(found(db, STRUCK).await?, None);
                ensure_eq!(db.query(Letter::TAG).equal(&tag()).page().await?.records.len(), RECORDS as usize - 1);
                sound(db).await
            })
        },
    },
    Undetected {
        name: "an_entry_deleted",
        does: "One entry of a record is gone: that index does not lead to it, and verify says so.",
        strike: |evil| Box::pin(async move { evil.delete(&[&evil.struck().entry(1)?]).await }),
        seen: |db| {
            Box::pin(async move {
                ensure_eq!(found(db, STRUCK).await?, Some(letter(STRUCK)));
                let page = db.query(Letter::BY_TIME).equal(&room()).page().await?;
                ensure_eq!(page.records.len(), RECORDS as usize - 1);
                ensure!(!db.verify().await?.problems.is_empty(), "verify names the record");
                Ok(())
            })
        },
    },
    Undetected {
        name: "an_entry_planted_is_counted",
        does: "An entry that no record has: a count visits no record and counts it, whoever reads it is told.",
        strike: |evil| {
            Box::pin(async move {
                let entry = evil.scene.drafts[STRUCK as usize].entry(1)?;
                let mut planted = entry.as_bytes().to_vec();
                // Its time, which stands before the record's key.
                let at = entry.len() - evil.scene.drafts[STRUCK as usize].record.len();
                planted[at - 1] ^= 0x40;
                let at = u16::try_from(at).map_err(|error| Failure::new(error.to_string()))?;
                evil.write(&StoredKey::from(planted), Write::Link(LinkTo::Suffix(at))).await
            })
        },
        seen: |db| {
            Box::pin(async move {
                let query = || db.query(Draft::BY_TIME).equal(&room());
                ensure_eq!(query().count().await?, u64::from(RECORDS) + 1);
                ensure_kind!(query().page().await, ErrorKind::IndexMismatch);
                ensure!(!db.verify().await?.problems.is_empty(), "verify names the entry");
                Ok(())
            })
        },
    },
    Undetected {
        name: "stamped_rows_swapped",
        does: "Two rows that were stamped under one prefix, each under the key of the other: see the format.",
        strike: |evil| {
            Box::pin(async move {
                let [one, other] = &evil.scene.stamped;
                evil.copy(evil.scene, one, other).await?;
                evil.copy(evil.scene, other, one).await
            })
        },
        seen: |db| {
            Box::pin(async move {
                ensure_eq!(found(db, STRUCK).await?, Some(letter(STRUCK)));
                sound(db).await
            })
        },
    },
];

async fn found(db: &Database, id: u32) -> Checked<Option<Letter>> {
    Ok(db.get(&Letter::key(&room(), &id)).await?)
}

async fn sound(db: &Database) -> Checked {
    let problems = db.verify().await?.problems;
    ensure!(problems.is_empty(), "{problems:?}");
    Ok(())
}
