//! `key` and what it takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Up to eight slots open a store, each with a key file or a passphrase of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom key generate chat.key
  strongroom key list
  strongroom key add phone --new-passphrase-file phone.txt --kdf mobile --key-file chat.key
  strongroom key change main                        asks for the old passphrase, then for the new one
  strongroom key rotate --key-file chat.key")]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key file, which only its owner can read; no file is ever overwritten
    Generate {
        /// Where the file is to be
        file: PathBuf,
    },
    /// List what opens the store; with a key the list is checked as well
    List,
    /// Add a slot: one more key file or passphrase that opens the store
    Add(AddKey),
    /// Remove a slot; copies of the store from before still have it
    Remove {
        /// The slot's label
        label: String,
    },
    /// Give a slot another key file or passphrase; copies of the store from before still have the old one
    Change(AddKey),
    /// Give the values another key: new ones at once, then all others, also while the store is in use
    Rotate(RotateKey),
}

#[derive(Debug, Args)]
pub(crate) struct AddKey {
    /// The slot's label
    pub(crate) label: String,
    #[command(flatten)]
    pub(crate) secret: NewSecret,
}

/// What is to open the slot. Without a flag a passphrase is asked for.
#[derive(Debug, Args)]
pub(crate) struct NewSecret {
    /// The key file that is to open the slot
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_file")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// A file with the passphrase that is to open the slot, without the line's end behind it
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// How dear a guess at the passphrase is
    #[arg(long, value_enum, value_name = "COST", conflicts_with = "new_key_file")]
    pub(crate) kdf: Option<Kdf>,
}

/// How dear a guess at a passphrase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kdf {
    /// 64 MiB of memory, 3 passes.
    Default,
    /// 19 MiB of memory, 2 passes.
    Mobile,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// Make no other key: only go on with a rotation that was interrupted
    #[arg(long)]
    pub(crate) resume: bool,
}
