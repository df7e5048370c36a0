//! Snapshots: connections that hold on to what the store was.

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{KeyRange, Limits, Page, Read, Rows, Scan, StoredKey, Summary};
use tokio::sync::Mutex;

use crate::connection::Reader;
use crate::read;

/// What a snapshot sees. One read at a time; dropped, its connection goes back.
///
/// After some failures (I/O, memory) SQLite has ended the transaction, and shows what is there now.
pub(crate) struct View {
    reader: Mutex<Reader>,
    limits: Limits,
}

impl View {
    pub(crate) fn new(reader: Reader, limits: Limits) -> Self {
        View { reader: Mutex::new(reader), limits }
    }
}

#[async_trait]
impl Read for View {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        read::get(&mut **self.reader.lock().await, keys, &self.limits).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        read::scan(&mut **self.reader.lock().await, scan, &self.limits).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        read::summarize(&mut **self.reader.lock().await, range).await
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::ErrorKind;
    use strongroom_core::store::tasks::Held;
    use strongroom_core::store::{Batch, Fetch, Outcome, Store, Write};

    use super::*;
    use crate::Sqlite;
    use crate::error::NAME;

    async fn write(store: &Sqlite, value: &'static [u8]) -> Result<Vec<Outcome>> {
        let writes = [(StoredKey::from(b"a".to_vec()), Write::Put(value.into()))];
        store.commit(vec![Batch { writes: writes.into(), ..Batch::default() }]).await
    }

    /// SQLite ends a transaction by itself when some calls fail, of the medium or for memory.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_that_the_engine_let_go_expires_and_does_not_move()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let store = Sqlite::open(folder.path().join("store")).await?;
        write(&store, b"old").await?;
        let (inner, keys) = (store.inner.clone(), [StoredKey::from(b"a".to_vec())]);
        let (reader, revision) = inner.readers.take_view().await?;
        let view = View::new(reader, inner.info.limits);
        let held = Held::new(view, revision, &inner.snapshots, &inner.runtime, NAME)?;
        assert_eq!(held.get(&keys).await?.as_of, revision);
        sqlx::query("ROLLBACK").execute(&mut **held.view()?.reader.lock().await).await?;
        // Nothing was committed since: what it shows is still what it was.
        assert_eq!(held.get(&keys).await?.as_of, revision);
        write(&store, b"new").await?;
        let scan = Scan { range: KeyRange::ALL, reverse: false, limit: 10, max_bytes: 1_000, fetch: Fetch::Values };
        for _ in 0..2 {
            let kinds = [
                held.get(&keys).await.map(drop).map_err(|error| error.kind()),
                held.scan(&scan).await.map(drop).map_err(|error| error.kind()),
                held.summarize(&KeyRange::ALL).await.map(drop).map_err(|error| error.kind()),
            ];
            assert_eq!(kinds, [Err(ErrorKind::SnapshotExpired); 3]);
        }
        drop(held);
        Ok(store.close().await?)
    }
}
