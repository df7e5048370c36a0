//! The state store of matrix-sdk: SQLite, encrypted.

use std::error::Error;

use matrix_sdk_base::StateStore;
use matrix_sdk_base::ruma::events::{AnySyncStateEvent, StateEventType};
use matrix_sdk_base::ruma::serde::Raw;
use matrix_sdk_base::ruma::{OwnedRoomId, RoomId};
use matrix_sdk_base::store::StateChanges;
use matrix_sdk_sqlite::SqliteStateStore;
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::matrix::{self, RoomState};
use strongroom::{Database, Json, Timestamp};

use crate::rounds::Pair;

const ROOM: &str = "!room:example.org";
const TYPE: &str = "org.example.note";
const MANY: u64 = 100;
const ROUNDS: u64 = 101;

/// A state event: ours as a record, theirs as the event's text.
fn event(n: u64) -> Result<(RoomState, AnySyncStateEvent, Raw<AnySyncStateEvent>), Box<dyn Error + Send + Sync>> {
    let (id, key, sender) = (format!("${n:043}"), format!("key-{n}"), "@ada:example.org");
    let content = format!(r#"{{"note":"{}"}}"#, "x".repeat(60));
    let text = format!(
        r#"{{"type":"{TYPE}","event_id":"{id}","sender":"{sender}","origin_server_ts":{n},"state_key":"{key}","content":{content}}}"#
    );
    let raw: Raw<AnySyncStateEvent> = Raw::from_json_string(text)?;
    let at = Timestamp::from_millis(n as i64);
    let record = RoomState::new(ROOM, TYPE, key, id, sender, at, content.parse::<Json>()?);
    let parsed = raw.deserialize()?;
    Ok((record, parsed, raw))
}

pub(crate) async fn compare() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let url = format!("redb:{}", folder.path().join("ours.redb").display());
    let store = strongroom::open(&url).encrypted(Unlock::raw_key(SecretKey::new([1; 32]))).await?;
    let db = Database::builder(matrix::schema()).open(store).await?;
    let sdk = SqliteStateStore::open_with_key(folder.path().join("sdk"), Some(&[1; 32])).await?;
    let room: OwnedRoomId = RoomId::parse(ROOM)?;

    let (mut one, mut many, mut gets) = (Pair::default(), Pair::default(), Pair::default());
    for round in 0..ROUNDS {
        let first = round * (MANY + 1);
        let (record, parsed, raw) = event(first)?;
        let mut changes = StateChanges::default();
        changes.add_state_event(&room, parsed, raw);
        let (ours, other) = one.time(db.put(&record), sdk.save_changes(&changes)).await;
        ours?;
        other?;

        let events = (first + 1..first + 1 + MANY).map(event).collect::<Result<Vec<_>, _>>()?;
        let mut changes = StateChanges::default();
        for (_, parsed, raw) in &events {
            changes.add_state_event(&room, parsed.clone(), raw.clone());
        }
        let events = &events;
        let ours = db.write(|tx| async move {
            for (record, ..) in events {
                tx.put(record).await?;
            }
            Ok(())
        });
        let (ours, other) = many.time(ours, sdk.save_changes(&changes)).await;
        ours?;
        other?;

        let state_key = format!("key-{}", round * 7_919 % (first + 1));
        let key = RoomState::key(ROOM, TYPE, &state_key);
        let other = sdk.get_state_event(&room, StateEventType::from(TYPE), &state_key);
        let (ours, other) = gets.time(db.get(&key), other).await;
        assert!(ours?.is_some() && other?.is_some(), "both have the event");
    }
    one.print("save of one state event, redb encrypted / matrix-sdk-sqlite encrypted");
    many.print("save of 100 state events at once, redb encrypted / matrix-sdk-sqlite encrypted");
    gets.print("get of one state event, redb encrypted / matrix-sdk-sqlite encrypted");
    db.close().await?;
    Ok(())
}
