//! `retain [--max-age TIME] [--max-count N] [--room ROOM] [--dry-run]`

use std::collections::BTreeMap;

use serde::Serialize;
use strongroom::matrix::MatrixStore;
use strongroom::{Database, Dropped, RetentionPolicy, RetentionRule};

use crate::arguments::Retain;
use crate::failure::Result;
use crate::output::{Format, Output};
use crate::text::{count, counted};

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    dropped: Dropped,
    rooms: BTreeMap<&'a str, Dropped>,
}

pub(crate) async fn run(db: &Database, arguments: &Retain, output: &mut Output) -> Result<()> {
    let rule = RetentionRule { age_ms_max: arguments.max_age, count_max: arguments.max_count };
    let mut policy = RetentionPolicy::default();
    if arguments.room.is_empty() {
        policy.all = rule;
    }
    for room in &arguments.room {
        policy.groups.insert(super::known_room(db, room).await?, rule);
    }
    let went = MatrixStore::new(db.clone())?.retain_messages(&policy, arguments.dry_run).await?;
    if output.format == Format::Json {
        let rooms = went.groups.iter().map(|(room, dropped)| (room.as_str(), *dropped)).collect();
        return output.json(&Report { dry_run: arguments.dry_run, dropped: went.dropped(), rooms });
    }
    if !went.groups.is_empty() {
        let row = |(room, dropped): (&strongroom::matrix::RoomId, &Dropped)| {
            [room.as_str().to_owned(), count(dropped.age), count(dropped.count + dropped.total)]
        };
        output.table(["ROOM", "TOO OLD", "TOO MANY"], went.groups.iter().map(row).collect())?;
    }
    let verb = if arguments.dry_run { "would be deleted" } else { "deleted" };
    output.line(format!("{} {verb}", counted(went.dropped().records(), "message")))
}
