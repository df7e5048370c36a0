//! `compact`

use serde::Serialize;
use strongroom::Database;

use crate::failure::Result;
use crate::output::{Format, Output};
use crate::text::count;

#[derive(Serialize)]
struct Compacted {
    bytes_before: u64,
    bytes_after: u64,
}

pub(crate) async fn run(db: &Database, output: &mut Output) -> Result<()> {
    let done = db.compact().await?;
    if output.format == Format::Json {
        return output.json(&Compacted { bytes_before: done.bytes_before, bytes_after: done.bytes_after });
    }
    let freed = done.bytes_before.saturating_sub(done.bytes_after);
    let (before, after) = (count(done.bytes_before), count(done.bytes_after));
    output.line(format!("{before} bytes before, {after} after: {} given back", count(freed)))
}
