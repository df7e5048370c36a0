//! `media` and what it takes.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::NewKey;
use crate::units;

/// Pictures, voice messages and files: their records are in the store, their bytes in an object store. If the store is encrypted, so
/// are the objects, names included, with a key that follows from the store's.
#[derive(Debug, Args)]
#[command(after_help = "\
Objects:
  file:DIR              files in a folder; without --objects, DIR is the store's path with .media behind it; a store on a server
                        has no path, and --objects must be given
  s3://BUCKET/PREFIX    S3 or what is compatible with it; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT
                        say how it is reached; the metadata service of a machine is never asked

Examples:
  strongroom media put holiday.jpg --room '!room:example.org' --id mxc://example.org/abc --thumbnail
  strongroom media get mxc://example.org/abc -o holiday.jpg
  strongroom media get mxc://example.org/abc --range 0-1023 > first.bin
  strongroom media sweep --max-total 2GiB --max-unused 60d --dry-run")]
pub(crate) struct Media {
    /// Where the bytes are: file:DIR or s3://BUCKET/PREFIX
    #[arg(long, global = true, value_name = "URL", env = "STRONGROOM_OBJECTS")]
    pub(crate) objects: Option<String>,
    #[command(subcommand)]
    pub(crate) command: MediaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MediaCommand {
    /// Store a file; creates the store
    Put(PutMedia),
    /// Read a medium, or some bytes of it
    Get(GetMedia),
    /// List media
    List(ListMedia),
    /// Show what is known of a medium
    Stat {
        /// The medium's id
        id: String,
    },
    /// Delete a medium and its bytes
    Delete {
        /// The medium's id
        id: String,
    },
    /// Remove what has expired, what the limits do not keep, and bytes that no record names
    Sweep(SweepMedia),
    /// Read every medium, and compare it with its SHA-256
    Verify,
    /// Copy the bytes to where a copy of the store, a backup or a restored one looks for them
    Copy(CopyMedia),
    /// Find out what the object store makes of conditional writes; nothing here relies on them
    Probe,
}

/// What 'copy', 'backup' or 'restore' has made of this store knows the same media, and has none of their bytes. Each is compared with its SHA-256
/// on the way, and encrypted as the copy is. Interrupted, the same command goes on. Exit status 1 if something is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom copy sqlite:new.db --new-key-file new.key --key-file chat.key
  strongroom media copy sqlite:new.db --new-key-file new.key --key-file chat.key")]
pub(crate) struct CopyMedia {
    /// The copy of the store
    #[arg(value_name = "URL")]
    pub(crate) to: String,
    /// Where its bytes are to be: file:DIR or s3://BUCKET/PREFIX; beside it unless given, if it is a file
    #[arg(long, value_name = "URL")]
    pub(crate) to_objects: Option<String>,
    #[command(flatten)]
    pub(crate) key: NewKey,
}

/// Interrupted, the same command with the same --id goes on where it was, if the file still begins with what was stored.
#[derive(Debug, Args)]
pub(crate) struct PutMedia {
    /// The file, or - for stdin
    pub(crate) file: PathBuf,
    /// The room it belongs to
    #[arg(long, value_name = "ROOM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) room: String,
    /// The medium's id, like mxc://example.org/abc; a random one unless given
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: Option<String>,
    /// Its kind, like image/jpeg; from the file's name unless given
    #[arg(long, value_name = "TYPE", value_parser = units::mime_type)]
    pub(crate) mime_type: Option<String>,
    /// Store a thumbnail with it; it must be a JPEG, PNG, GIF or WebP image
    #[arg(long)]
    pub(crate) thumbnail: bool,
    /// When it may go: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetMedia {
    /// The medium's id
    pub(crate) id: String,
    /// Only these bytes, both ends inclusive, counted from 0: 100-199, 100- or -50 for the last fifty
    #[arg(long, value_name = "A-B", allow_hyphen_values = true, conflicts_with = "thumbnail")]
    pub(crate) range: Option<units::ByteRange>,
    /// Its thumbnail instead
    #[arg(long)]
    pub(crate) thumbnail: bool,
    /// Where to: a file, which is there only once it is whole, or - for stdout
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListMedia {
    /// Only those of this room
    #[arg(long, value_name = "ROOM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) room: Option<String>,
    /// Only those of this kind: image/png, or image/* for all images
    #[arg(long, value_name = "TYPE")]
    pub(crate) mime_type: Option<String>,
    /// Only those stored at this time or after it: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) since: Option<String>,
    /// Only those stored before this time
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) before: Option<String>,
}

/// Without limits only what has expired goes, and bytes that no record names. Uploads that are under way are never touched.
#[derive(Debug, Args)]
pub(crate) struct SweepMedia {
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The limits are for this room's media alone
    #[arg(long, value_name = "ROOM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) room: Option<String>,
    /// All together, like 2GiB; what was read longest ago goes first
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(crate) max_total: Option<u64>,
    /// One medium, like 100MB
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(crate) max_file: Option<u64>,
    /// Time since it was stored, like 1y or 90d
    #[arg(long, value_name = "TIME", value_parser = units::duration_ms)]
    pub(crate) max_age: Option<u64>,
    /// Time since it was last read, from 2d: that is noted once a day
    #[arg(long, value_name = "TIME", value_parser = units::unused_ms)]
    pub(crate) max_unused: Option<u64>,
}
