//! `media sweep [--dry-run] [limits]`

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use serde::Serialize;
use strongroom::objects::{Filter, Media, Retention, RetentionRule, SweepOptions, Swept};

use crate::arguments::SweepMedia;
use crate::failure::Result;
use crate::output::{Format, Output};
use crate::text::count;
use crate::units::show_size;

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    freed_bytes: u64,
    media: BTreeMap<&'static str, Freed>,
    uploads: u64,
    strays: Freed,
}

#[derive(Serialize)]
struct Freed {
    count: u64,
    bytes: u64,
}

impl From<(u64, u64)> for Freed {
    fn from((count, bytes): (u64, u64)) -> Self {
        Freed { count, bytes }
    }
}

fn retention(arguments: &SweepMedia) -> Retention {
    let rule = RetentionRule {
        total_bytes_max: arguments.max_total,
        file_bytes_max: arguments.max_file,
        unused_ms_max: arguments.max_unused,
        age_ms_max: arguments.max_age,
    };
    match &arguments.room {
        Some(room) => Retention { all: RetentionRule::default(), rooms: [(room.as_str().into(), rule)].into() },
        None => Retention { all: rule, rooms: BTreeMap::new() },
    }
}

pub(super) async fn run(media: &Media, arguments: &SweepMedia, output: &mut Output) -> Result<()> {
    let options = SweepOptions { retention: retention(arguments), dry_run: arguments.dry_run };
    if let Some(room) = &arguments.room {
        let mut of_room = media.list(Filter { room_id: Some(room.as_str().into()), ..Filter::default() });
        if of_room.try_next().await?.is_none() {
            output.note(format!("the room {room} has no media, so the limits are for none"))?;
        }
    }
    let swept = media.sweep(&options).await?;
    if output.format == Format::Json {
        let media = swept.media.iter().map(|(reason, freed)| (reason.as_str(), Freed::from(*freed))).collect();
        let (dry_run, freed_bytes, uploads) = (arguments.dry_run, swept.freed_bytes(), swept.uploads);
        return output.json(&Report { dry_run, freed_bytes, media, uploads, strays: swept.strays.into() });
    }
    let verb = if arguments.dry_run { "would be freed" } else { "freed" };
    output.table(["WHAT", "COUNT", "SIZE"], rows(&swept))?;
    output.line(format!("{} {verb}", show_size(swept.freed_bytes())))
}

fn rows(swept: &Swept) -> Vec<[String; 3]> {
    let row = |what: String, (number, bytes): (u64, u64)| [what, count(number), show_size(bytes)];
    let mut rows: Vec<_> =
        swept.media.iter().map(|(reason, freed)| row(format!("media: {}", reason.as_str()), *freed)).collect();
    rows.push(["uploads given up".to_owned(), count(swept.uploads), String::new()]);
    rows.push(row("parts that no record names".to_owned(), swept.strays));
    rows
}
