//! An export is imported, and exported again.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use strongroom_core::matrix::{
    AccountData, EventId, Membership, Message, Presence, PresenceState, ReadReceipt, Room, RoomAlias, RoomMember,
    RoomState, Typing, UserId, export_event, schema,
};
use strongroom_core::store::{KeyRange, Limits};
use strongroom_core::{Database, Record};

use super::super::support::{at, open_as, some, sound};
use super::{ME, ROOM, import, message, open};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Typed;
    imported_events_become_the_records_of_their_collections,
    importing_again_changes_nothing,
    an_import_in_batches_of_any_size_and_order_ends_in_the_same_records,
    an_event_that_cannot_be_stored_is_reported_and_the_rest_goes_on,
    a_redaction_takes_content_and_relations,
    an_export_imported_elsewhere_gives_the_same_records,
}

/// A small export of one room, one event a line.
const EXPORT: &str = r##"
{"type":"m.room.create","state_key":"","event_id":"$create","sender":"@ada:example.org","origin_server_ts":100,"content":{"room_version":"11"}}
{"type":"m.room.member","state_key":"@ada:example.org","event_id":"$ada","sender":"@ada:example.org","origin_server_ts":110,"content":{"membership":"join","displayname":"Ada"}}
{"type":"m.room.power_levels","state_key":"","event_id":"$power","sender":"@ada:example.org","origin_server_ts":120,"content":{"users":{"@ada:example.org":100},"users_default":0}}
{"type":"m.room.name","state_key":"","event_id":"$name","sender":"@ada:example.org","origin_server_ts":130,"content":{"name":"Kitchen"}}
{"type":"m.room.name","state_key":"","event_id":"$name2","sender":"@ada:example.org","origin_server_ts":140,"content":{"name":"The kitchen"},"unsigned":{"replaces_state":"$name","prev_content":{"name":"Kitchen"}}}
{"type":"m.room.canonical_alias","state_key":"","event_id":"$alias","sender":"@ada:example.org","origin_server_ts":150,"content":{"alias":"#kitchen:example.org"}}
{"type":"m.room.member","state_key":"@me:example.org","event_id":"$me","sender":"@me:example.org","origin_server_ts":160,"content":{"membership":"join"}}
{"type":"m.room.member","state_key":"@bob:example.org","event_id":"$bob","sender":"@bob:example.org","origin_server_ts":170,"content":{"membership":"join"}}
{"type":"m.room.message","event_id":"$1","sender":"@ada:example.org","origin_server_ts":1000,"content":{"msgtype":"m.text","body":"Who has the keys?"}}
{"type":"m.room.message","event_id":"$2","sender":"@bob:example.org","origin_server_ts":1010,"content":{"msgtype":"m.text","body":"I do \u00e9","m.relates_to":{"rel_type":"m.thread","event_id":"$1"}}}
{"type":"m.room.message","event_id":"$3","sender":"@me:example.org","origin_server_ts":1010,"content":{"msgtype":"m.text","body":"secret","m.relates_to":{"rel_type":"m.thread","event_id":"$1"}}}
{"type":"m.reaction","event_id":"$4","sender":"@me:example.org","origin_server_ts":1020,"content":{"m.relates_to":{"rel_type":"m.annotation","event_id":"$2","key":"+1"}}}
{"type":"m.room.redaction","event_id":"$5","sender":"@me:example.org","origin_server_ts":1030,"redacts":"$3","content":{"reason":"typo"}}
{"type":"m.room.member","state_key":"@bob:example.org","event_id":"$bob2","sender":"@bob:example.org","origin_server_ts":1040,"content":{"membership":"leave"}}
"##;

/// What has no id, and so no place in the timeline.
const EPHEMERAL: [&str; 4] = [
    r#"{"type":"m.receipt","content":{"$2":{"m.read":{"@ada:example.org":{"ts":1050}}}}}"#,
    r#"{"type":"m.typing","content":{"user_ids":["@bob:example.org"]}}"#,
    r#"{"type":"m.presence","sender":"@bob:example.org","content":{"presence":"online","last_active_ago":5}}"#,
    r#"{"type":"m.direct","content":{"@bob:example.org":["!kitchen:example.org"]}}"#,
];

fn export() -> Vec<String> {
    EXPORT.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The records of a collection as JSON, sorted.
async fn records<R: Record>(db: &Database, records: impl AsRef<[R]>) -> Checked<Vec<String>> {
    sound(db).await?;
    let json = records.as_ref().iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
    let mut json = json.map_err(|error| crate::Failure::new(error.to_string()))?;
    json.sort();
    Ok(json)
}

/// Everything that room events leave, by collection.
async fn dump(db: &Database) -> Checked<BTreeMap<&'static str, Vec<String>>> {
    let mut all = BTreeMap::new();
    macro_rules! collect {
        ($($record:ident),+) => {$(
            let found: Vec<$record> = db.query($record::PRIMARY).stream().try_collect().await?;
            all.insert($record::COLLECTION.name, records(db, found).await?);
        )+};
    }
    collect!(Message, Room, RoomState, RoomMember, RoomAlias);
    Ok(all)
}

async fn imported_events_become_the_records_of_their_collections(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let mut events = export();
    events.extend(EPHEMERAL.map(str::to_owned));
    let report = import(&db, &events, 500).await?;
    ensure_eq!((report.read, report.stored, report.failed.len()), (18, 18, 0), "{report:?}");
    let room = ROOM.into();
    ensure_eq!(db.count::<Message>().await?, 14);
    let kitchen = some(db.get(&Room::key(&room)).await?)?;
    ensure_eq!((kitchen.member_count, kitchen.membership, &*kitchen.version), (2, Membership::Join, "11"));
    ensure!(kitchen.creator == UserId::from("@ada:example.org") && kitchen.last_event == at(1040));
    let by_alias = db.query(Room::ALIAS).equal(&"#kitchen:example.org".into());
    ensure!(some(by_alias.first().await?)? == kitchen);
    ensure!(some(db.get(&RoomAlias::key(&"#kitchen:example.org".into())).await?)?.room_id == room);
    let name = some(db.get(&RoomState::key(&room, "m.room.name", "")).await?)?;
    ensure_eq!(name.content.as_str(), r#"{"name":"The kitchen"}"#);
    ensure!(name.prev_state_id == Some("$name".into()));
    ensure_eq!(db.query(RoomState::ROOM_TYPE).equal(&room).equal("m.room.member").count().await?, 3);
    let ada = some(db.get(&RoomMember::key(&room, &"@ada:example.org".into())).await?)?;
    ensure_eq!((ada.membership, ada.power_level, ada.display_name.as_deref()), (Membership::Join, 100, Some("Ada")));
    let joined = db.query(RoomMember::MEMBERSHIP).equal(&room).equal(&Membership::Join);
    ensure_eq!(joined.count().await?, 2);
    let receipt = db.query(ReadReceipt::ROOM_RECEIPTS).equal(&room).equal(&"$2".into()).first().await?;
    ensure!(some(receipt)?.timestamp == at(1050));
    ensure_eq!(db.query(Typing::ROOM_TYPING).equal(&room).count().await?, 1);
    ensure_eq!(db.query(Presence::PRESENCE).equal(&PresenceState::Online).count().await?, 1);
    ensure_eq!(db.query(AccountData::USER_DATA).equal(&ME.into()).count().await?, 1);
    sound(&db).await
}

async fn importing_again_changes_nothing(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    import(&db, &export(), 500).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let report = import(&db, &export(), 3).await?;
    ensure_eq!((report.read, report.stored, report.unchanged), (14, 0, 14), "{report:?}");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before, "no row was written");
    Ok(())
}

async fn an_import_in_batches_of_any_size_and_order_ends_in_the_same_records(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    import(&db, &export(), 500).await?;
    let expected = dump(&db).await?;
    let mut reversed = export();
    reversed.reverse();
    let mut turned = export();
    turned.rotate_left(6);
    for (events, batch) in [(export(), 1), (reversed, 2), (turned, 5)] {
        let (db, _site) = open(&context).await?;
        import(&db, &events, batch).await?;
        ensure!(dump(&db).await? == expected, "in batches of {batch}");
    }
    Ok(())
}

async fn an_event_that_cannot_be_stored_is_reported_and_the_rest_goes_on(context: Context) -> Checked {
    let site = context.open_with(Limits { value_bytes_max: 60_000, ..context.limits() }).await?;
    let db = open_as(&site, schema()).await?;
    let mut events = export();
    let large = format!(r#"{{"body":"{}"}}"#, "x".repeat(70_000));
    events.insert(2, "{".to_owned());
    events.insert(5, message("$large", 1, "@ada:example.org", &large));
    events.insert(9, message("$1", 1000, "@ada:example.org", r#"{"body":"another"}"#));
    let report = import(&db, &events, 500).await?;
    let failed: Vec<u64> = report.failed.iter().map(|failure| failure.position).collect();
    ensure_eq!((report.read, report.stored), (17, 14), "{report:?}");
    ensure!(failed.contains(&3) && failed.contains(&6) && failed.len() == 3, "{failed:?}");
    ensure_eq!(db.count::<Message>().await?, 14);
    sound(&db).await
}

async fn a_redaction_takes_content_and_relations(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let (room, events) = (ROOM.into(), export());
    // The message and its place in the thread, then the redaction.
    import(&db, &events[..12], 500).await?;
    let thread = || db.query(Message::THREAD).equal(&room).equal(&EventId::from("$1"));
    ensure_eq!(thread().count().await?, 2);
    let key = Message::key(&room, &"$3".into());
    ensure!(some(db.get(&key).await?)?.content.as_str().contains("secret"));
    import(&db, &events[12..], 500).await?;
    let redacted = some(db.get(&key).await?)?;
    ensure_eq!((redacted.content.as_str(), redacted.redacted), ("{}", true));
    ensure_eq!(redacted.redaction_reason.as_deref(), Some("typo"));
    ensure!(redacted.thread_root.is_none() && redacted.relates_to.is_none());
    ensure_eq!(thread().count().await?, 1);
    let flagged = db.query(Message::REDACTED).equal(&room).equal(&true).page().await?.records;
    ensure!(flagged.len() == 1 && flagged[0].message_id == EventId::from("$3"));
    sound(&db).await
}

async fn an_export_imported_elsewhere_gives_the_same_records(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    import(&db, &export(), 500).await?;
    let lines = async |db: &Database| -> Checked<Vec<String>> {
        let messages: Vec<Message> =
            db.query(Message::ROOM_TIMESTAMP).equal(&ROOM.into()).oldest_first().stream().try_collect().await?;
        let mut lines = Vec::new();
        for message in &messages {
            lines.push(export_event(message)?.as_str().to_owned());
        }
        Ok(lines)
    };
    let exported = lines(&db).await?;
    ensure_eq!(exported.len(), 14);
    let (fresh, _site) = open(&context).await?;
    let report = import(&fresh, &exported, 4).await?;
    ensure_eq!((report.stored, report.failed.len()), (14, 0), "{report:?}");
    ensure!(dump(&fresh).await? == dump(&db).await?);
    let (mut again, mut first) = (lines(&fresh).await?, exported);
    again.sort();
    first.sort();
    ensure_eq!(again, first);
    Ok(())
}
