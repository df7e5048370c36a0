//! Every collection is written and read.

use strongroom_core::matrix::{
    AccountData, DeviceKeys, Invitation, Media, Membership, Message, Object, ObjectParts, ObjectSpace, OneTimeKey,
    Presence, PresenceState, Proof, ReadReceipt, Room, RoomAlias, RoomMember, RoomState, SendTransaction,
    TransactionStatus, Typing, Upload, schema,
};
use strongroom_core::store::KeyRange;
use strongroom_core::{Database, ErrorKind, Json, Key, Record, Result};

use super::super::support::{at, open_as, sound};
use super::{ME, ROOM, open};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    every_collection_of_the_matrix_schema_is_written_and_read,
    every_collection_of_the_matrix_schema_is_there_after_a_reopen [Reopen],
    a_message_has_one_proof,
    the_oldest_unclaimed_one_time_key_comes_first,
    what_expires_in_the_matrix_schema_expires,
}

/// Calls a macro with one record of each collection.
macro_rules! each_record {
    ($then:ident) => {{
        let (room, me, event) = (|| ROOM.into(), || ME.into(), || "$1".into());
        let json = |text: &str| Json::new(text);
        $then!(Message, Message::new(ROOM, "$1", "m.room.message", ME, at(1), json(r#"{"body": "é"}"#)?));
        $then!(
            Room,
            Room {
                room_id: room(),
                creator: me(),
                version: "11".to_owned(),
                membership: Membership::Join,
                member_count: 2,
                aliases: vec!["#a:x".into(), "#b:x".into()],
                last_event: at(9),
                created_at: at(-1),
            }
        );
        $then!(
            RoomState,
            RoomState {
                room_id: room(),
                r#type: "m.room.member".to_owned(),
                state_key: ME.to_owned(),
                event_id: event(),
                sender: me(),
                timestamp: at(2),
                content: json(r#"{"membership":"join"}"#)?,
                redacted: false,
                prev_state_id: Some("$0".into()),
                prev_content: Some(json("{}")?),
                membership: Some(Membership::Join),
                reason: None,
                stored_at: at(3),
            }
        );
        $then!(
            RoomMember,
            RoomMember {
                room_id: room(),
                user_id: me(),
                membership: Membership::Ban,
                display_name: Some("Me".to_owned()),
                avatar_url: None,
                joined_at: Some(at(1)),
                left_at: Some(at(2)),
                power_level: -5,
                event_id: Some(event()),
                redacted: true,
                proof: None,
                updated_at: at(2),
            }
        );
        $then!(DeviceKeys, device_keys(None)?);
        $then!(OneTimeKey, one_time_key("k", 1));
        $then!(
            Invitation,
            Invitation {
                room_id: room(),
                user_id: me(),
                sender: "@ada:example.org".into(),
                event: json(r#"{"type":"m.room.member"}"#)?,
                proof: Json::null(),
                room_state: Some(json("[]")?),
                received_at: at(4),
            }
        );
        $then!(
            Presence,
            Presence {
                user_id: me(),
                presence: PresenceState::Unavailable,
                status_msg: Some(String::new()),
                last_active: at(5),
                currently_active: false,
                proof: Json::null(),
                updated_at: at(6),
            }
        );
        $then!(
            AccountData,
            AccountData { user_id: me(), r#type: "m.direct".to_owned(), content: json("{}")?, updated_at: at(7) }
        );
        $then!(
            ReadReceipt,
            ReadReceipt {
                room_id: room(),
                user_id: me(),
                event_id: event(),
                receipt_type: "m.read".to_owned(),
                thread_id: Some("main".to_owned()),
                timestamp: at(8),
                proof: Json::null(),
                stored_at: at(9),
            }
        );
        $then!(Typing, typing());
        $then!(
            SendTransaction,
            SendTransaction {
                txn_id: "t".into(),
                room_id: room(),
                message_id: event(),
                status: TransactionStatus::Pending,
                timestamp: at(10),
                finished_at: Some(at(11)),
                metadata: None,
            }
        );
        $then!(Proof, proof("p", "$1"));
        $then!(
            RoomAlias,
            RoomAlias {
                alias: "#a:x".into(),
                room_id: room(),
                creator: me(),
                ipns_record: Some(json("[1]")?),
                proof: Json::null(),
                created_at: at(11),
                expires_at: None,
            }
        );
        $then!(
            Media,
            Media {
                media_id: "m".into(),
                room_id: room(),
                mime_type: "image/jpeg".to_owned(),
                size: u64::MAX,
                data: "o".into(),
                thumbnail: Some("t".into()),
                thumbnail_info: None,
                encryption: Some(json("{}")?),
                uploaded_at: at(12),
                expires_at: None,
            }
        );
        $then!(
            Object,
            Object {
                object_id: "o".into(),
                media_id: "m".into(),
                size: u64::MAX,
                sha256: [7; 32],
                parts: ObjectParts { part_bytes: 65_536, attempts: vec![0, 3] },
                stored_at: at(12),
                last_access: at(13),
            }
        );
        $then!(
            Upload,
            Upload {
                object_id: "u".into(),
                media_id: "m".into(),
                is_thumbnail: true,
                stored: 0,
                hash_state: vec![0, 255],
                parts: ObjectParts { part_bytes: 65_536, attempts: vec![0] },
                expires: at(14),
            }
        );
        $then!(ObjectSpace, ObjectSpace { name: "media".to_owned(), folder: "f".to_owned() });
    }};
}

fn device_keys(expires_at: Option<i64>) -> Result<DeviceKeys> {
    Ok(DeviceKeys {
        user_id: ME.into(),
        device_id: "D".into(),
        keys: Json::new("{}")?,
        algorithms: [("a".to_owned(), "b".to_owned())].into(),
        signatures: Json::null(),
        proof: Json::null(),
        uploaded_at: at(1),
        expires_at: expires_at.map(at),
    })
}

fn one_time_key(id: &str, created_at: i64) -> OneTimeKey {
    OneTimeKey {
        user_id: ME.into(),
        device_id: "D".into(),
        key_id: id.into(),
        key: "key".to_owned(),
        algorithm: "signed_curve25519".to_owned(),
        created_at: at(created_at),
        used_at: None,
    }
}

fn proof(id: &str, message: &str) -> Proof {
    Proof {
        proof_id: id.into(),
        message_id: message.into(),
        circuit_id: "c".into(),
        proof: "proof".to_owned(),
        public_signals: vec!["1".to_owned()],
        generated_at: at(13),
        prover_id: "prover".to_owned(),
        metadata: Json::null(),
        stored_at: at(14),
    }
}

fn typing() -> Typing {
    let expires_at = at(1_700_000_030_000);
    Typing { room_id: ROOM.into(), user_id: ME.into(), typing: true, timeout_ms: 30_000, expires_at }
}

async fn write_all(db: &Database) -> Checked {
    macro_rules! insert {
        ($type:ident, $record:expr) => {
            db.insert::<$type>(&$record).await?
        };
    }
    each_record!(insert);
    Ok(())
}

async fn check_all(db: &Database) -> Checked {
    let mut collections = Vec::new();
    macro_rules! check {
        ($type:ident, $record:expr) => {{
            let (name, record): (_, $type) = ($type::COLLECTION.name, $record);
            collections.push(name);
            ensure!(db.get(&Key::of(&record)).await? == Some(record.clone()), "{name}: by its key");
            ensure!(db.query($type::PRIMARY).page().await?.records == [record], "{name}: by query");
        }};
    }
    each_record!(check);
    let schema: Vec<_> = schema().collections().map(|collection| collection.name).collect();
    ensure_eq!(collections, schema, "every collection was asked");
    sound(db).await
}

async fn every_collection_of_the_matrix_schema_is_written_and_read(context: Context) -> Checked {
    let (db, site): (Database, Site) = open(&context).await?;
    let empty = site.store.summarize(&KeyRange::ALL).await?.rows;
    write_all(&db).await?;
    check_all(&db).await?;
    let stats = db.stats().await?;
    ensure!(stats.collections.values().all(|count| count.records == 1), "{:?}", stats.collections);
    let rows: u64 = stats.collections.values().map(|count| count.records + count.entries).sum();
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, empty + rows + stats.changes);
    macro_rules! delete {
        ($type:ident, $record:expr) => {
            ensure!(db.delete(&Key::<$type>::of(&$record)).await?)
        };
    }
    each_record!(delete);
    let left = site.store.summarize(&KeyRange::ALL).await?.rows;
    ensure_eq!(left, empty + db.stats().await?.changes, "nothing is left of them but what the change log says");
    Ok(())
}

async fn every_collection_of_the_matrix_schema_is_there_after_a_reopen(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    write_all(&db).await?;
    site.reopen().await?;
    check_all(&open_as(&site, schema()).await?).await
}

async fn a_message_has_one_proof(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.insert(&proof("p", "$1")).await?;
    ensure_kind!(db.insert(&proof("q", "$1")).await, ErrorKind::UniqueViolation);
    db.insert(&proof("q", "$2")).await?;
    let found = db.query(Proof::MESSAGE_PROOF).equal(&"$1".into()).page().await?.records;
    ensure!(found == [proof("p", "$1")]);
    sound(&db).await
}

async fn the_oldest_unclaimed_one_time_key_comes_first(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for (id, created_at) in [("b", 2), ("a", 1), ("c", 3)] {
        db.insert(&one_time_key(id, created_at)).await?;
    }
    let (me, device) = (ME.into(), "D".into());
    let unclaimed = || db.query(OneTimeKey::UNCLAIMED).equal(&me).equal(&device).equal("signed_curve25519");
    for expected in ["a", "b", "c"] {
        let Some(mut key) = unclaimed().oldest_first().first().await? else {
            return Err(crate::Failure::new("no key is left"));
        };
        ensure_eq!(key.key_id.as_str(), expected);
        key.used_at = Some(at(9));
        db.update(&key).await?;
    }
    ensure_eq!(unclaimed().count().await?, 0);
    ensure_eq!(db.query(OneTimeKey::DEVICE_KEYS).equal(&me).equal(&device).count().await?, 3);
    sound(&db).await
}

async fn what_expires_in_the_matrix_schema_expires(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let typing = typing();
    db.put(&typing).await?;
    db.put(&device_keys(Some(1_700_000_020_000))?).await?;
    site.clock.set(at(1_700_000_020_000));
    ensure_eq!(db.query(Typing::ROOM_TYPING).equal(&typing.room_id).count().await?, 1);
    ensure_eq!(db.query(DeviceKeys::USER_DEVICES).equal(&typing.user_id).count().await?, 0);
    site.clock.set(typing.expires_at);
    ensure!(db.get(&Key::of(&typing)).await?.is_none());
    ensure_eq!((db.count::<Typing>().await?, db.count::<DeviceKeys>().await?), (0, 0));
    sound(&db).await
}
