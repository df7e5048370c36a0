//! The command line.

mod copy;
mod key;
mod media;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::output::{Color, Format};
use crate::units;
pub(crate) use copy::{Backup, Copy, NewKey, Restore, Salvage};
pub(crate) use key::{AddKey, Kdf, Key, KeyCommand, NewSecret, RotateKey};
pub(crate) use media::{CopyMedia, GetMedia, ListMedia, Media, MediaCommand, PutMedia, SweepMedia};

const AFTER_HELP: &str = "\
Exit status:
  0    done
  1    failed, or problems were found
  2    wrong use
  130  interrupted by Ctrl-C; the store is good, and running the same command again completes it

Results go to stdout; progress, messages and errors go to stderr.

A store is encrypted, unless it was made with --plain. Its key comes from --key-file, --passphrase-file, or the variable
STRONGROOM_PASSPHRASE, which the flags beat; without any of them a passphrase is asked for, if there is a terminal.

A PostgreSQL server's password does not belong on the command line, where other users of the machine see it: put it into
~/.pgpass or the variable PGPASSWORD, or the whole URL into STRONGROOM_STORE. Inside of a part of the URL, / ? # and @ are
written %2F %3F %23 and %40. 'strongroom compact' has nothing to do there: the server does it by itself.

Examples:
  strongroom demo                                  the whole thing, on made-up data
  strongroom key generate chat.key
  strongroom import export.json --me @me:example.org --key-file chat.key
  strongroom timeline '!room:example.org' --limit 20 --key-file chat.key
  strongroom verify --format json --key-file chat.key";

/// What the help puts the flags about keys under.
const KEY: &str = "The store's key";

/// Keeps what a Matrix messenger must remember: imports a room export, pages through it, checks and exports it.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_help = AFTER_HELP, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The store: redb:PATH or sqlite:PATH is a file, postgres://USER@HOST/DATABASE?namespace=NAME is on a server; memory: keeps
    /// nothing, which makes an import a dry run
    // It may have a password in it, which the help would show.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "STRONGROOM_STORE",
        hide_env_values = true,
        default_value = "redb:strongroom.redb"
    )]
    pub(crate) store: String,
    /// The file with the store's key, as 'strongroom key generate' makes it
    #[arg(long, global = true, value_name = "FILE", help_heading = KEY)]
    pub(crate) key_file: Option<PathBuf>,
    /// A file with the store's passphrase, without the line's end behind it
    #[arg(long, global = true, value_name = "FILE", help_heading = KEY)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// No key: make the store in clear, or insist that it is
    #[arg(long, global = true, help_heading = KEY)]
    pub(crate) plain: bool,
    /// How results are written
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Import a room export, or one Matrix event a line; creates the store
    Import(Import),
    /// List the rooms, the latest active first
    Rooms,
    /// Show a page of a room's messages, newest first
    Timeline(Timeline),
    /// Show a thread: its root and the replies, in time order
    Thread(Thread),
    /// Show one record as it is stored
    Show(Show),
    /// Write a room's events as JSON Lines, in time order
    Export(Export),
    /// Delete the messages from before a time
    DeleteBefore(DeleteBefore),
    /// Delete the messages that are too old or too many
    Retain(Retain),
    /// Remove what has expired: typing notices, keys of devices, aliases
    Sweep(Sweep),
    /// Count what is stored
    Stats {
        /// Also the bytes of each collection, before encryption: reads all there is.
        #[arg(long)]
        sizes: bool,
    },
    /// Check every index entry against its record, and back
    Verify,
    /// Give unused space back to the operating system
    Compact,
    /// Copy everything into a new store: encrypted, with other keys, or on another engine
    Copy(Copy),
    /// Back the store up: everything, of one moment, compared, into a store of its own
    Backup(Backup),
    /// Make a store out of a backup
    Restore(Restore),
    /// Copy what can be read out of a damaged store into a new one
    Salvage(Salvage),
    /// Store, read, list and sweep pictures and files
    Media(Media),
    /// Make, list and change the keys of an encrypted store
    Key(Key),
    /// Show what somebody sees who holds the file of an encrypted store, or runs its server, and has no key
    Leakage,
    /// Write a completion script for a shell
    Completions(Completions),
    /// Do all of it on a made-up room, in a temporary folder
    Demo(Demo),
}

/// FILE is Element's room export as JSON, or JSON Lines with one Matrix event a line; which, is found out.
///
/// A new store needs a key, or --plain.
///
/// Importing the same file again stores nothing new, and completes an import that was interrupted. An event that cannot
/// be taken is reported with its position (its place in "messages", or its line), the rest goes on, and the exit status is 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom import export.json --key-file chat.key
  strongroom import - --room '!room:example.org' < events.jsonl
  strongroom import export.json --store memory: --format json      a dry run")]
pub(crate) struct Import {
    /// The file to import, or - for stdin
    pub(crate) file: PathBuf,
    /// The room of events that do not name one
    #[arg(long, value_name = "ROOM")]
    pub(crate) room: Option<String>,
    /// The user whose membership the list of rooms shows
    #[arg(long, value_name = "USER")]
    pub(crate) me: Option<String>,
    /// Stop at the first event that cannot be taken
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom timeline '!room:example.org'
  strongroom timeline '!room:example.org' --before 2024-05-01T00:00:00Z
  strongroom timeline '!room:example.org' --before CURSOR      CURSOR as the page before gave it")]
pub(crate) struct Timeline {
    /// The room's id
    pub(crate) room: String,
    /// How many messages at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) limit: usize,
    /// Go on after a page's cursor; or show only what is strictly before a time (RFC 3339, or milliseconds since 1970)
    #[arg(long, value_name = "CURSOR|TIME", allow_negative_numbers = true)]
    pub(crate) before: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Thread {
    /// The room's id
    pub(crate) room: String,
    /// The thread's root, or any message in the thread
    pub(crate) event: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom show rooms '!room:example.org'
  strongroom show messages '!room:example.org' '$event'
  strongroom show room_state '!room:example.org' m.room.name ''")]
pub(crate) struct Show {
    /// The collection: messages, rooms, room_state, room_members, ...
    pub(crate) collection: String,
    /// The parts of the record's key, in their order
    #[arg(required = true)]
    pub(crate) key: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The room's id
    pub(crate) room: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  strongroom delete-before 2020-01-01T00:00:00Z --room '!room:example.org'")]
pub(crate) struct DeleteBefore {
    /// RFC 3339, or milliseconds since 1970; messages strictly before it go
    #[arg(allow_negative_numbers = true)]
    pub(crate) time: String,
    /// Only in this room
    #[arg(long, value_name = "ROOM")]
    pub(crate) room: Option<String>,
}

/// The oldest go first. Rooms, their state and their members stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom retain --max-age 90d --dry-run
  strongroom retain --max-count 1000 --room '!alerts:example.org' --room '!bots:example.org'")]
pub(crate) struct Retain {
    /// Time since a message was sent, like 1y or 90d; what is older goes
    #[arg(long, value_name = "TIME", value_parser = units::duration_ms, required_unless_present = "max_count")]
    pub(crate) max_age: Option<u64>,
    /// How many of the newest messages stay: of all rooms together, or of each --room
    #[arg(long, value_name = "N")]
    pub(crate) max_count: Option<u64>,
    /// The limits are for this room's messages alone; may be given several times
    #[arg(long, value_name = "ROOM")]
    pub(crate) room: Vec<String>,
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// No command shows what has expired; this frees its space. The bytes of media that have expired go with 'media sweep'.
#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Writes a room export, imports it, shows a timeline, a thread, the stats and verify, and names each command it runs.
///
/// The store is encrypted with a random key that is never written anywhere, unless a flag gives another, or --plain.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom demo
  strongroom demo --keep --messages 300000      a large export to try imports on
  strongroom demo --keep --key-file chat.key    a store to go on with")]
pub(crate) struct Demo {
    /// Keep the folder with the export and the store, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// How many events the export has
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub(crate) messages: u64,
}
