//! The schema `matrix` on this store: the import of an export, what a client asks of it, and every collection.

mod collections;
mod import;
mod timeline;

use strongroom_core::matrix::{ImportOptions, ImportReport, Importer, RawEvent, schema};
use strongroom_core::{Database, Result};

use super::support::{at, open_as};
use crate::context::Site;
use crate::{Case, Checked, Context};

pub(super) fn cases() -> Vec<Case> {
    [import::CASES, timeline::CASES, collections::CASES].concat()
}

const ROOM: &str = "!kitchen:example.org";
const ME: &str = "@me:example.org";

async fn open(context: &Context) -> Checked<(Database, Site)> {
    let site = context.open().await?;
    // When what is imported is stored.
    site.clock.set(at(1_700_000_000_000));
    let db = open_as(&site, schema()).await?;
    Ok((db, site))
}

/// Imports events, so many at a time.
async fn import(db: &Database, events: &[String], batch: usize) -> Result<ImportReport> {
    let options = ImportOptions { room: Some(ROOM.into()), me: Some(ME.into()), strict: false };
    let mut importer = Importer::new(db.clone(), options);
    let events: Vec<_> = (1..).zip(events).map(|(position, json)| RawEvent { position, json: json.clone() }).collect();
    for batch in events.chunks(batch) {
        importer.import(batch.to_vec()).await?;
    }
    Ok(importer.report().clone())
}

/// A message with this text.
fn message(id: &str, time: i64, sender: &str, content: &str) -> String {
    format!(
        r#"{{"type":"m.room.message","event_id":"{id}","room_id":"{ROOM}","sender":"{sender}","origin_server_ts":{time},"content":{content}}}"#
    )
}
