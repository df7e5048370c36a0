//! Ours: which engine and layers stand next to a peer, and where.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom::redb::RedbOptions;
use strongroom::{Database, matrix};
use strongroom_benches::stacks::{Engine, Layers, database};

use crate::Result;

/// One of ours: engine, layers, and how it commits.
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    /// What the table calls it.
    pub name: &'static str,
    engine: Engine,
    layers: Layers,
    /// Of redb: whether a commit saves what a reopening after a crash needs, as ours does unless told otherwise.
    quick_repair: bool,
}

/// redb.
pub(crate) const REDB: Stack =
    Stack { name: "redb, open", engine: Engine::Redb, layers: Layers::BARE, quick_repair: true };
/// redb as it commits by itself.
pub(crate) const REDB_WITHOUT_REPAIR: Stack =
    Stack { name: "redb, open, without quick-repair", quick_repair: false, ..REDB };
/// redb, encrypted.
pub(crate) const REDB_ENCRYPTED: Stack = Stack { name: "redb, encrypted", layers: Layers::ENCRYPTED, ..REDB };
/// SQLite.
pub(crate) const SQLITE: Stack = Stack { name: "SQLite, open", engine: Engine::Sqlite, ..REDB };
/// SQLite, encrypted.
pub(crate) const SQLITE_ENCRYPTED: Stack = Stack { name: "SQLite, encrypted", layers: Layers::ENCRYPTED, ..SQLITE };

impl Stack {
    /// Opens it in a folder of its own inside `folder`.
    async fn open(self, folder: &Path) -> Result<Database> {
        let folder = self.folder(folder);
        fs::create_dir_all(&folder)?;
        Ok(if self.quick_repair {
            database(&format!("{}:{}", self.engine.name(), folder.join("store").display()), self.layers).await?
        } else {
            let options = RedbOptions { quick_repair: false, ..RedbOptions::default() };
            Database::open(options.open(folder.join("store.redb"))?, matrix::schema()).await?
        })
    }

    fn folder(self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }
}

/// Opens all of them.
pub(crate) async fn open_all(stacks: &[Stack], folder: &Path) -> Result<Vec<Database>> {
    let mut opened = Vec::with_capacity(stacks.len());
    for stack in stacks {
        opened.push(stack.open(folder).await?);
    }
    Ok(opened)
}

/// Closes all of them, compacted, and says how many bytes each takes.
pub(crate) async fn close_all(opened: Vec<Database>, stacks: &[Stack], folder: &Path) -> Result<Vec<u64>> {
    for db in opened {
        db.compact().await?;
        db.close().await?;
    }
    stored_bytes(stacks, folder)
}

/// How many bytes each takes on the disk.
pub(crate) fn stored_bytes(stacks: &[Stack], folder: &Path) -> Result<Vec<u64>> {
    stacks.iter().map(|stack| folder_bytes(&stack.folder(folder))).collect()
}

/// The bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
