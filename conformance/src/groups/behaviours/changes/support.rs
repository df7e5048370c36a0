//! Records that are followed and one that is not, and short words for what a feed brings.

use serde::{Deserialize, Serialize};
use strongroom_core::store::{Entry, Fetch, KeyRange, Scan, Store};
use strongroom_core::{Change, ChangeCursor, ChangeKind, Database, Record, Result, Schema, Timestamp};

use super::super::support::open_again;
use crate::context::Site;
use crate::{Checked, Context, ensure};

pub(super) use strongroom_core::ChangeKind::{Delete, Put};

/// A record that is followed, with a unique index and an expiry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record, Serialize, Deserialize)]
#[record(id = 1, name = "tracks", key(room, id), expires = expires_at, changes)]
#[index(id = 1, name = "slug", on(slug), unique)]
pub(super) struct Track {
    pub(super) room: String,
    pub(super) id: u32,
    pub(super) slug: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) text: String,
}

impl Track {
    pub(super) fn new(id: u32) -> Track {
        Track { room: "r".to_owned(), id, slug: None, expires_at: None, text: format!("track {id}") }
    }
}

/// Another one that is followed.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 2, name = "covers", key(id), changes)]
pub(super) struct Cover {
    pub(super) id: u32,
}

/// One that is not.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 3, name = "drafts", key(id))]
pub(super) struct Draft {
    pub(super) id: u32,
}

pub(super) fn schema() -> Result<Schema> {
    Schema::builder("tracks", 1).collection::<Track>().collection::<Cover>().collection::<Draft>().build()
}

pub(super) async fn open(context: &Context) -> Checked<(Database, Site)> {
    let site = context.open().await?;
    let db = open_again(&site, schema()?).await?;
    Ok((db, site))
}

/// What a change is, in a form that can be compared: a track's id is less than 1,000, 5,000 stands for another record.
pub(super) fn told(change: &Change) -> (ChangeKind, u32) {
    let id = change.key::<Track>().map_or(5_000, |key| {
        let ids = (0..1_000).find(|id| Track::key("r", id) == key);
        ids.unwrap_or(5_000)
    });
    (change.kind(), id)
}

/// All changes behind a place, page by page.
pub(super) async fn all(db: &Database, since: &ChangeCursor, limit: usize) -> Checked<Vec<Change>> {
    let (mut since, mut changes) = (since.clone(), Vec::new());
    loop {
        let page = db.changes(since).limit(limit).page().await?;
        ensure!(page.changes.len() <= limit, "{} changes in a page of {limit}", page.changes.len());
        changes.extend(page.changes);
        ensure!(changes.len() < 100_000, "changes without end");
        since = page.next;
        if !page.more {
            return Ok(changes);
        }
    }
}

/// All changes from the first on, as [`told`].
pub(super) async fn story(db: &Database) -> Checked<Vec<(ChangeKind, u32)>> {
    Ok(all(db, &ChangeCursor::START, 500).await?.iter().map(told).collect())
}

/// The rows of the change log, as they are stored.
pub(super) async fn log_rows(store: &dyn Store) -> Checked<Vec<Entry>> {
    let limit = store.info().limits.page_entries_max;
    let range = KeyRange::prefix(&[0, 0, 3]);
    let scan = Scan { range, reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
    let page = store.scan(&scan).await?;
    ensure!(!page.more, "more than a page of rows in the log");
    Ok(page.entries)
}
