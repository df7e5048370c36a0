//! `media stat ID`

use serde::Serialize;
use strongroom::objects::Media;

use super::{Shown, unknown};
use crate::failure::Result;
use crate::moment;
use crate::output::{Format, Output};

#[derive(Serialize)]
struct Stat<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    last_access: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_bytes: Option<u64>,
}

pub(super) async fn run(media: &Media, id: &str, output: &mut Output) -> Result<()> {
    let Some(stat) = media.stat(&id.into()).await? else { return Err(unknown(id)) };
    let shown = Shown::of(&stat.record, Some(&stat.sha256));
    if output.format == Format::Json {
        let (last_access, thumbnail_bytes) = (stat.last_access.as_millis(), stat.thumbnail_bytes);
        return output.json(&Stat { shown, last_access, thumbnail_bytes });
    }
    let mut rows = shown.rows();
    rows.push(["last_access".to_owned(), moment::show(stat.last_access)]);
    output.table(["FIELD", "VALUE"], rows)
}
