//! Everything that a store does, with a distinctive string wherever content, a key, an id, a secret or a path can be.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use serde_json::json;
use strongroom::cache::CacheOptions;
use strongroom::encryption::{Argon2Params, Encrypted, EncryptedObjects, SecretKey, Unlock};
use strongroom::matrix::{
    self, DeviceId, EventId, ImportOptions, Importer, MatrixStore, Message, OneTimeKey, Presence, PresenceState,
    RawEvent, RoomId, UserId,
};
use strongroom::objects::object_store::memory::InMemory;
use strongroom::objects::{Media, NewMedia, SweepOptions};
use strongroom::store::{Batch, Fetch, KeyRange, Scan, Store, Write};
use strongroom::{ChangeCursor, Database, Error, ErrorKind, Json, RetentionPolicy, Trim, open};

/// It is in every string of every record, in keys, passphrases and paths.
pub const CANARY: &str = "canary9d41c7";

fn room() -> RoomId {
    RoomId::from(format!("!{CANARY}:{CANARY}.org").as_str())
}

fn event(number: u64) -> serde_json::Value {
    json!({
        "type": "m.room.message", "room_id": room().to_string(), "event_id": format!("${CANARY}{number}"),
        "sender": format!("@{CANARY}:{CANARY}.org"), "origin_server_ts": 1_700_000_000_000_u64 + number,
        "content": {"msgtype": "m.text", "body": format!("{CANARY} {number}"),
            "m.relates_to": {"rel_type": "m.thread", "event_id": format!("${CANARY}0")}},
        "unsigned": {"transaction_id": format!("{CANARY}{number}")},
    })
}

async fn import(db: &Database) {
    let state = json!({"type": "m.room.member", "room_id": room().to_string(), "event_id": format!("${CANARY}m"),
        "sender": format!("@{CANARY}:{CANARY}.org"), "state_key": format!("@{CANARY}:{CANARY}.org"),
        "origin_server_ts": 1_700_000_000_000_u64, "content": {"membership": "join", "displayname": CANARY}});
    let wrong = json!({"type": CANARY, "event_id": 7, CANARY: CANARY});
    let events = (0..40).map(event).chain([state, wrong]).map(|event| event.to_string());
    let events = events.chain([format!("{{\"{CANARY}")]);
    let events = (1..).zip(events).map(|(position, json)| RawEvent { position, json }).collect();
    let mut importer = Importer::new(db.clone(), ImportOptions { strict: false, ..ImportOptions::default() });
    importer.import(events).await.unwrap();
    assert!(importer.report().stored >= 41, "{:?}", importer.report());
}

async fn message(db: &Database, number: u64) -> Message {
    let key = Message::key(&room(), &EventId::from(format!("${CANARY}{number}").as_str()));
    db.get(&key).await.unwrap().expect("it was imported")
}

async fn read(db: &Database) {
    message(db, 3).await;
    let query = || db.query(Message::PRIMARY);
    assert_eq!(query().limit(10).page().await.unwrap().records.len(), 10);
    assert!(query().first().await.unwrap().is_some());
    assert_eq!(query().stream().try_fold(0, |count, _| async move { Ok(count + 1) }).await.unwrap(), 41);
    assert_eq!(db.count::<Message>().await.unwrap(), 41);
    let view = db.snapshot().await.unwrap();
    view.query(Message::PRIMARY).page().await.unwrap();
    db.stats().await.unwrap();
    db.sizes().await.unwrap();
    assert!(db.verify().await.unwrap().problems.is_empty());
}

async fn fail(db: &Database) {
    let known = message(db, 1).await;
    assert!(db.insert(&known).await.unwrap_err().is_already_exists());
    let unknown = Message { message_id: EventId::from(format!("${CANARY}unknown").as_str()), ..known.clone() };
    assert!(db.update(&unknown).await.unwrap_err().is_not_found());
    let content = serde_json::to_string(&CANARY.repeat((16 << 20) / CANARY.len() + 1)).unwrap().parse().unwrap();
    let large = Message { content, ..known.clone() };
    assert!(db.put(&large).await.unwrap_err().is_limit());
    let refused = db.write(|_| async { Err::<(), _>(Error::application(std::io::Error::other(CANARY))) }).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Application);
    // An attempt that is lost, and one that is given up.
    let (known, runs) = (&known, &AtomicU32::new(0));
    db.write(|tx| async move {
        tx.get(&Message::key(&known.room_id, &known.message_id)).await?;
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            db.put(known).await?;
        }
        tx.put(known).await
    })
    .await
    .unwrap();
    let _given_up = db.put(known).now_or_never();
}

/// Overwrites the first message, below every layer.
async fn damage(store: &dyn Store) {
    let messages = matrix::schema().collections().find(|collection| collection.name == "messages").unwrap().id;
    let [high, low] = messages.to_be_bytes();
    let range = KeyRange::prefix(&[high, low, 0]);
    let scan = Scan { range, reverse: false, limit: 1, max_bytes: 1 << 20, fetch: Fetch::Keys };
    let key = store.scan(&scan).await.unwrap().entries.remove(0).key;
    let writes = [(key, Write::Put(CANARY.into()))].into();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
}

async fn damaged(db: &Database) {
    let query = db.query(Message::PRIMARY).limit(100);
    assert!(query.clone().page().await.is_err());
    assert_eq!(query.skip_damaged().page().await.unwrap().damaged.len(), 1);
    assert!(!db.verify().await.unwrap().problems.is_empty());
}

/// What takes, lists and removes records.
async fn tend(db: &Database) {
    let store = MatrixStore::new(db.clone()).unwrap();
    let (user, device): (UserId, DeviceId) = (format!("@{CANARY}:{CANARY}.org").as_str().into(), CANARY.into());
    let key = OneTimeKey {
        user_id: user.clone(),
        device_id: device.clone(),
        key_id: CANARY.into(),
        key: CANARY.to_owned(),
        algorithm: CANARY.to_owned(),
        created_at: db.now(),
        used_at: None,
    };
    assert_eq!(store.publish_one_time_keys(std::slice::from_ref(&key)).await.unwrap(), 1);
    assert!(store.claim_one_time_key(&user, &device, CANARY).await.unwrap().is_some());
    let unique = |key: &mut OneTimeKey| key.key_id = "another".into();
    assert!(db.query(OneTimeKey::PRIMARY).claim(unique).await.is_err());
    assert!(!db.insert_once(&key).await.unwrap().is_first());
    let presence = Presence {
        user_id: user,
        presence: PresenceState::Online,
        status_msg: Some(CANARY.to_owned()),
        last_active: db.now(),
        currently_active: true,
        proof: Json::null(),
        updated_at: db.now(),
    };
    db.put(&presence).await.unwrap();
    assert_eq!(db.changes(ChangeCursor::START).page().await.unwrap().changes.len(), 1);
    assert_eq!(db.changes(ChangeCursor::START).records::<Presence>().await.unwrap().records.len(), 1);
    assert_eq!(db.trim_changes(Trim::all()).await.unwrap(), 1);
    assert!(db.changes(ChangeCursor::START).page().await.unwrap_err().is_changes_trimmed());
    db.sweep_expired().await.unwrap();
    store.retain_messages(&RetentionPolicy::default(), false).await.unwrap();
}

async fn media(db: &Database, key: &SecretKey) {
    let objects = Arc::new(EncryptedObjects::new(Arc::new(InMemory::new()), key));
    let media = Media::open(db.clone(), objects).await.unwrap();
    let id = format!("mxc://{CANARY}.org/{CANARY}");
    let new = NewMedia::new(room().to_string(), "text/plain").id(id.as_str());
    let stored = media.put(new, CANARY.repeat(1_000).as_bytes()).await.unwrap();
    let content = media.get(&stored.record.media_id).await.unwrap().unwrap();
    assert_eq!(
        content.stream().map(|bytes| bytes.unwrap().len()).fold(0, |sum, len| async move { sum + len }).await,
        12_000
    );
    media.verify(|_| ()).await.unwrap();
    media.sweep(&SweepOptions::default()).await.unwrap();
    media.delete(&stored.record.media_id).await.unwrap();
}

async fn maintain(db: &Database) {
    let copy = Database::open(open("memory:").await.unwrap(), matrix::schema()).await.unwrap();
    db.copy_into(&copy, |_| ()).await.unwrap();
    db.compact().await.unwrap();
}

/// A plain store of this engine.
pub async fn plain(engine: &str, folder: &Path) {
    let url = format!("{engine}:{}/{CANARY}-plain.{engine}", folder.display());
    let store = open(&url).await.unwrap();
    let db = Database::open(store.clone(), matrix::schema()).await.unwrap();
    import(&db).await;
    read(&db).await;
    fail(&db).await;
    tend(&db).await;
    media(&db, &SecretKey::new([7; 32])).await;
    maintain(&db).await;
    damage(&store).await;
    damaged(&db).await;
    db.close().await.unwrap();
    assert!(db.count::<Message>().await.unwrap_err().is_closed());
}

/// An encrypted store of this engine under a cache.
pub async fn sealed(engine: &str, folder: &Path) {
    let url = format!("{engine}:{}/{CANARY}-sealed.{engine}", folder.display());
    let unlock = || Unlock::passphrase(CANARY);
    let opening =
        || open(&url).encrypted(unlock()).label(CANARY).kdf(Argon2Params::FLOOR).cached(CacheOptions::default());
    let store = opening().await.unwrap();
    let layer: &Encrypted<Arc<dyn Store>> = store.inner();
    let db = Database::open(store.clone(), matrix::schema()).await.unwrap();
    import(&db).await;
    read(&db).await;
    // From memory, by now.
    message(&db, 3).await;
    fail(&db).await;
    tend(&db).await;
    media(&db, &layer.objects_key().unwrap()).await;
    maintain(&db).await;
    layer.rotate().await.unwrap();
    layer.reseal(|_| ()).await.unwrap();
    layer.lock();
    assert!(db.count::<Message>().await.is_err());
    layer.unlock(&Unlock::passphrase(format!("{CANARY} wrong"))).await.unwrap_err();
    layer.unlock(&unlock()).await.unwrap();
    damage(&**layer.inner()).await;
    damaged(&db).await;
    db.close().await.unwrap();
    assert!(open(&url).encrypted(Unlock::passphrase(format!("{CANARY} wrong"))).await.is_err());
    let store = opening().await.unwrap();
    let db = Database::open(store.clone(), matrix::schema()).await.unwrap();
    db.query(Message::PRIMARY).skip_damaged().page().await.unwrap();
    store.inner().erase().await.unwrap();
}
