//! `media list [--room ROOM] [--mime-type TYPE] [--since TIME] [--before TIME]`

use futures_util::TryStreamExt;
use strongroom::objects::{Filter, Media};

use super::Shown;
use crate::arguments::ListMedia;
use crate::failure::{Failure, Result};
use crate::moment;
use crate::output::{Format, Output};
use crate::text::counted;
use crate::units::show_size;

/// What was asked for.
pub(super) fn filter(arguments: &ListMedia) -> Result<Filter> {
    let time = |text: &Option<String>| text.as_deref().map(moment::parse).transpose().map_err(Failure::WrongUse);
    Ok(Filter {
        room_id: arguments.room.as_deref().map(Into::into),
        mime_type: arguments.mime_type.clone(),
        from: time(&arguments.since)?,
        before: time(&arguments.before)?,
    })
}

/// As JSON, one medium a line.
pub(super) async fn run(media: &Media, arguments: &ListMedia, output: &mut Output) -> Result<()> {
    let mut found = media.list(filter(arguments)?);
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(record) = found.try_next().await? {
        bytes += record.size;
        if output.format == Format::Json {
            output.json(&Shown::of(&record, None))?;
            continue;
        }
        rows.push([
            moment::show(record.uploaded_at),
            record.media_id.to_string(),
            record.mime_type.clone(),
            show_size(record.size),
            record.room_id.to_string(),
        ]);
    }
    if output.format == Format::Json {
        return Ok(());
    }
    let counted = counted(rows.len() as u64, "medium").replace("mediums", "media");
    output.table(["STORED", "ID", "TYPE", "SIZE", "ROOM"], rows)?;
    output.note(format!("{counted}, {}", show_size(bytes)))
}
