//! The arguments of what moves a whole store: copy, backup, restore and salvage.

use std::path::PathBuf;

use clap::Args;

/// What is to open the store that something is copied into.
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// The key file that is to open the new store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_passphrase_file", "new_plain"])]
    pub(crate) new_key_file: Option<PathBuf>,
    /// A file with the passphrase that is to open the new store, without the line's end behind it
    #[arg(long, value_name = "FILE", conflicts_with = "new_plain")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// No key: make the new store in clear
    #[arg(long)]
    pub(crate) new_plain: bool,
}

/// A plain store becomes an encrypted one, an encrypted one gets another root key and other blinded keys, which a rotation does
/// not change, and a store moves to another engine. The old store stays as it is.
///
/// The copy is of one moment, also if others write to the old store meanwhile, and what was written is read again and compared.
/// Interrupted, the same command with --resume completes it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom copy redb:new.redb --new-key-file new.key --key-file chat.key
  strongroom copy --from redb:plain.redb --to sqlite:chat.db --new-passphrase-file phrase.txt
  strongroom copy 'postgres://chat@db.example/chat?namespace=me' --new-key-file new.key --key-file chat.key")]
pub(crate) struct Copy {
    /// The new store: redb:PATH, sqlite:PATH or postgres://USER@HOST/DATABASE?namespace=NAME
    #[arg(value_name = "URL", required_unless_present = "to_url")]
    pub(crate) target: Option<String>,
    /// The same, by name
    #[arg(long = "to", value_name = "URL", conflicts_with = "target")]
    pub(crate) to_url: Option<String>,
    /// The old store; the one of --store unless given
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) key: NewKey,
    /// Go on with a copy into this store that was interrupted
    #[arg(long)]
    pub(crate) resume: bool,
}

/// The backup is a store like any other, complete or not there: it gets its name when all is written and compared. It is of one moment; a store
/// of SQLite or PostgreSQL may be in use by other programs meanwhile, one of redb is open in one program at a time.
///
/// Without a flag that says otherwise, what opens the store opens the backup. Interrupted, the same command completes it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup redb:backup.redb --key-file chat.key
  strongroom backup sqlite:monday.db --store sqlite:chat.db --new-key-file backup.key --key-file chat.key")]
pub(crate) struct Backup {
    /// The backup: redb:PATH or sqlite:PATH, where there is nothing yet
    #[arg(value_name = "URL")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) key: NewKey,
}

/// The store of --store is made, and must not be there. The key flags are those of the backup; without a flag that says otherwise, they open
/// the new store as well. Interrupted, the same command with --resume completes it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  strongroom restore redb:backup.redb --store redb:chat.redb --key-file chat.key")]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "URL")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) key: NewKey,
    /// Go on with a restore that was interrupted
    #[arg(long)]
    pub(crate) resume: bool,
}

/// What can be read goes into a new store, with new index entries; what cannot is named. An encrypted store must open with its key; of one
/// in clear, say so with --plain. Exit status 1 if something is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  strongroom salvage redb:saved.redb --store redb:damaged.redb --key-file chat.key")]
pub(crate) struct Salvage {
    /// The new store: redb:PATH, sqlite:PATH or postgres://USER@HOST/DATABASE?namespace=NAME, where there is nothing yet
    #[arg(value_name = "URL")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) key: NewKey,
    /// Go on with a salvage that was interrupted
    #[arg(long)]
    pub(crate) resume: bool,
}

impl Copy {
    /// The new store.
    pub(crate) fn to(&self) -> &str {
        self.target.as_deref().or(self.to_url.as_deref()).unwrap_or_default()
    }
}
