//! The feed as a stream that waits for what comes.

use std::collections::VecDeque;

use futures_util::{Stream, stream};

use super::{Change, Changes};
use crate::Result;
use crate::store::Revision;

/// What a stream has, between two of its changes.
struct Watch {
    changes: Changes,
    ready: VecDeque<Change>,
    /// All up to this revision was looked at: nothing comes before there is a newer one.
    seen: Option<Revision>,
    /// After an error it gives no more.
    ended: bool,
}

impl Changes {
    /// The changes as a stream: first what there is, then what is being written, also by other processes, without a gap between the two.
    ///
    /// It holds one page and never a view, and hinders no writer, however slow its reader is. Dropped, it can be begun again from the
    /// [cursor](Change::cursor) of the last change. Commits that write nothing of what is asked for wake it, and give no item.
    ///
    /// # Errors
    ///
    /// Those of [`page`](Changes::page), and `Closed` when the database is closed. The stream ends with its first error.
    pub fn watch(self) -> impl Stream<Item = Result<Change>> + Send + use<> {
        let watch = Watch { changes: self, ready: VecDeque::new(), seen: None, ended: false };
        stream::unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            watch.ended = next.is_err();
            Some((next, watch))
        })
    }
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Change>> {
        if self.ended {
            return None;
        }
        while self.ready.is_empty() {
            if let Err(error) = self.look().await {
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }

    /// Waits until there may be something, and looks.
    async fn look(&mut self) -> Result<()> {
        if let Some(seen) = self.seen {
            self.changes.db.changed(seen).await?;
        }
        let page = self.changes.page().await?;
        self.seen = (!page.more).then_some(page.next.revision);
        self.changes.since = page.next;
        self.ready = page.changes.into();
        Ok(())
    }
}
