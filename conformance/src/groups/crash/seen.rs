//! Everything that a store shows, and whether it agrees with itself.

use strongroom_core::store::{Content, Entry, Fetch, KeyRange, Page, Revision, Row, Scan, Store, Summary};

use super::history::Model;
use crate::{Checked, Failure, ensure, ensure_eq};

/// Entries in one page.
const PAGE: usize = 1_000;
/// Bytes after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

/// What one snapshot of a store showed.
pub(super) struct Seen {
    as_of: Revision,
    pages: Vec<Page>,
    summary: Summary,
}

/// Looks at every row, in one view.
pub(super) async fn see(store: &dyn Store) -> strongroom_core::Result<Seen> {
    let limit = PAGE.min(store.info().limits.page_entries_max);
    let snapshot = store.snapshot().await?;
    let (mut pages, mut range) = (Vec::new(), KeyRange::ALL);
    loop {
        let scan = Scan { range, reverse: false, limit, max_bytes: PAGE_BYTES, fetch: Fetch::Targets };
        let page = snapshot.scan(&scan).await?;
        let last = page.entries.last().map(|last| scan.range.beyond(&last.key, false));
        let more = page.more;
        pages.push(page);
        match last {
            Some(rest) if more => range = rest,
            _ => break,
        }
    }
    let summary = snapshot.summarize(&KeyRange::ALL).await?;
    Ok(Seen { as_of: snapshot.revision(), pages, summary })
}

impl Seen {
    /// The revision that was seen.
    pub(super) fn as_of(&self) -> Revision {
        self.as_of
    }

    /// All rows: of one revision, each once, the targets of links among them, and as the summary says.
    pub(super) fn rows(&self) -> Checked<Model> {
        let mut rows = Model::new();
        for page in &self.pages {
            ensure_eq!(page.as_of, self.as_of, "the revision of a page");
            for Entry { key, revision, content, .. } in &page.entries {
                let content = content.clone().ok_or_else(|| Failure::new("an entry has no content"))?;
                ensure!(*revision <= self.as_of, "a row has revision {revision}, newer than {}", self.as_of);
                let earlier = rows.insert(key.clone(), Row { revision: *revision, content });
                ensure!(earlier.is_none(), "a key was given twice");
            }
        }
        ensure!(self.pages.last().is_none_or(|page| !page.more), "a page without entries says that more follow");
        for Entry { content, target, .. } in self.pages.iter().flat_map(|page| &page.entries) {
            if let Some(Content::Link(to)) = content {
                ensure!(rows.get(to) == target.as_ref(), "a link's target is not the row that it points to");
            }
        }
        let newest = rows.values().map(|row| row.revision).max().unwrap_or_default();
        let summary = Summary { as_of: self.as_of, rows: rows.len() as u64, newest };
        ensure_eq!(self.summary, summary, "the summary");
        Ok(rows)
    }
}
