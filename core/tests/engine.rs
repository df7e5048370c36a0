//! Every operation of the storage engine.

use std::sync::Arc;

use strongroom_core::engine::{
    self, Before, KeyRecord, Message, MessageStatus, Metadata, Paging, SecretBytes, Session, StorageEngine, ZkProof,
};
use strongroom_core::{Cursor, Database, ErrorKind, Json, ManualClock, Timestamp, matrix};
use strongroom_memory::Memory;

async fn engine() -> StorageEngine {
    StorageEngine::open(Memory::new()).await.unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn message(id: &str, conversation: &str, time: i64) -> Message {
    Message {
        id: id.into(),
        conversation_id: conversation.into(),
        sender: "alice".into(),
        recipient: Some("bob".into()),
        timestamp: at(time),
        status: MessageStatus::Sent,
        content: Json::new(r#"{ "text": "hi" }"#).unwrap(),
        proof_id: None,
    }
}

fn proof(id: &str, time: i64) -> ZkProof {
    ZkProof {
        proof_id: id.into(),
        circuit_id: "c".into(),
        timestamp: at(time),
        proof: vec![0, 255],
        public_signals: vec!["1".into()],
        metadata: Json::null(),
    }
}

async fn ids(engine: &StorageEngine, conversation: &str, paging: Paging) -> (Vec<String>, Option<Cursor>) {
    let page = engine.messages_of_conversation(conversation, paging).await.unwrap();
    assert!(page.damaged.is_empty());
    (page.records.into_iter().map(|message| message.id).collect(), page.next)
}

#[tokio::test]
async fn what_is_saved_is_read_and_saving_again_replaces_it() {
    let engine = engine().await;
    let first = message("m", "c", 1);
    engine.save_message(&first).await.unwrap();
    assert!(engine.message("m").await.unwrap() == Some(first.clone()));
    let second = Message { status: MessageStatus::Read, conversation_id: "d".into(), ..first };
    engine.save_message(&second).await.unwrap();
    assert!(engine.message("m").await.unwrap() == Some(second));
    assert_eq!(ids(&engine, "c", Paging::default()).await.0, [""; 0]);
    assert_eq!(ids(&engine, "d", Paging::default()).await.0, ["m"]);
    let read = engine.database().query(Message::STATUS).equal(&MessageStatus::Read);
    assert_eq!(read.count().await.unwrap(), 1);

    let session = Session {
        id: "s".into(),
        peer_id: "p".into(),
        key_id: "k".into(),
        created_at: at(-1),
        last_activity: at(2),
        state: SecretBytes::new(vec![0, 1, 255]),
    };
    engine.save_session(&session).await.unwrap();
    assert!(engine.session("s").await.unwrap() == Some(session));
    let proof = proof("p", 3);
    engine.save_proof(&proof).await.unwrap();
    assert!(engine.proof("p").await.unwrap() == Some(proof));
    let key = KeyRecord { id: "k".into(), key: vec![7; 32].into(), created_at: at(4) };
    engine.save_key(&key).await.unwrap();
    let read = engine.key("k").await.unwrap().unwrap();
    assert!(read == key && read.key.expose() == [7; 32]);
    let metadata = Metadata { key: "".into(), value: Json::new("[1, 2]").unwrap() };
    engine.save_metadata(&metadata).await.unwrap();
    assert!(engine.metadata("").await.unwrap() == Some(metadata));

    assert!(engine.message("M").await.unwrap().is_none());
    assert!(engine.session("").await.unwrap().is_none());
    assert!(engine.proof("k").await.unwrap().is_none());
    assert!(engine.key("p").await.unwrap().is_none());
    assert!(engine.metadata("k").await.unwrap().is_none());
    assert!(engine.database().verify().await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_conversation_is_paged_newest_first_without_loss_or_repeat_at_ties() {
    let engine = engine().await;
    // 120 messages at 12 times, ten each; another conversation's between them.
    for number in 0..120_i64 {
        engine.save_message(&message(&format!("m{number:03}"), "c", number % 12)).await.unwrap();
        engine.save_message(&message(&format!("x{number:03}"), "c2", number % 12)).await.unwrap();
    }
    let (first, next) = ids(&engine, "c", Paging::default()).await;
    assert_eq!(first.len(), 50, "the default");
    assert!(next.is_some());

    let mut all = Vec::new();
    let mut before = None;
    loop {
        let (page, next) = ids(&engine, "c", Paging { limit: 7, before }).await;
        assert!(page.len() == 7 || next.is_none());
        all.extend(page);
        // A cursor survives as text.
        let Some(next) = next else { break };
        before = Some(Before::Cursor(next.to_string().parse().unwrap()));
    }
    assert_eq!(first, all[..50]);
    let mut distinct = all.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((all.len(), distinct.len()), (120, 120));
    let time = |id: &String| id[1..].parse::<i64>().unwrap() % 12;
    assert!(all.is_sorted_by_key(|id| -time(id)) && all.iter().all(|id| id.starts_with('m')));
}

#[tokio::test]
async fn a_bare_time_is_exclusive_and_a_limit_of_zero_gives_none() {
    let engine = engine().await;
    for (id, time) in [("a", -5), ("b", 10), ("c", 10), ("d", 11)] {
        engine.save_message(&message(id, "c", time)).await.unwrap();
    }
    let before = |time| Paging { before: Some(at(time).into()), ..Paging::default() };
    assert_eq!(ids(&engine, "c", before(10)).await.0, ["a"]);
    assert_eq!(ids(&engine, "c", before(11)).await.0.len(), 3);
    assert_eq!(ids(&engine, "c", before(i64::MAX)).await.0.len(), 4);
    assert_eq!(ids(&engine, "c", before(i64::MIN)).await.0.len(), 0);
    assert_eq!(ids(&engine, "c", Paging { limit: 0, before: None }).await.0, [""; 0]);
    assert_eq!(ids(&engine, "nobody", Paging::default()).await, (Vec::new(), None));

    let (_, next) = ids(&engine, "c", Paging { limit: 1, before: None }).await;
    let other = Paging { before: next.map(Before::Cursor), ..Paging::default() };
    let error = engine.messages_of_conversation("other", other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn deleting_before_a_time_is_strict() {
    let engine = engine().await;
    for number in 0..600 {
        engine.save_message(&message(&format!("m{number}"), "c", number)).await.unwrap();
        engine.save_proof(&proof(&format!("p{number}"), number)).await.unwrap();
    }
    assert_eq!(engine.delete_messages_before(at(0)).await.unwrap(), 0);
    assert_eq!(engine.delete_messages_before(at(500)).await.unwrap(), 500);
    assert_eq!(engine.delete_messages_before(at(500)).await.unwrap(), 0);
    assert!(engine.message("m499").await.unwrap().is_none());
    assert!(engine.message("m500").await.unwrap().is_some());
    assert_eq!(ids(&engine, "c", Paging { limit: 1_000, before: None }).await.0.len(), 100);

    assert!(engine.proof("p0").await.unwrap().is_some(), "the proofs have their own deletion");
    assert_eq!(engine.delete_proofs_before(at(1_000)).await.unwrap(), 600);
    let stats = engine.stats().await.unwrap();
    assert_eq!((stats.collections["messages"].records, stats.collections["messages"].entries), (100, 300));
    assert_eq!((stats.collections["proofs"].records, stats.collections["proofs"].entries), (0, 0));
    assert!(engine.database().verify().await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn it_compacts_and_closes() {
    let engine = engine().await;
    engine.save_message(&message("m", "c", 1)).await.unwrap();
    let compaction = engine.compact().await.unwrap();
    assert!(compaction.bytes_after <= compaction.bytes_before);

    let other = engine.clone();
    engine.close().await.unwrap();
    assert!(other.message("m").await.unwrap_err().is_closed());
    assert!(other.save_message(&message("n", "c", 1)).await.unwrap_err().is_closed());
    assert!(other.messages_of_conversation("c", Paging::default()).await.unwrap_err().is_closed());
    assert!(other.delete_messages_before(at(9)).await.unwrap_err().is_closed());
    assert!(other.stats().await.unwrap_err().is_closed());
}

#[tokio::test]
async fn it_takes_a_database_with_its_own_schema_alone() {
    let clock = Arc::new(ManualClock::default());
    let builder = || Database::builder(engine::schema()).clock(clock.clone());
    let db = builder().open(Arc::new(Memory::new())).await.unwrap();
    StorageEngine::new(db).unwrap().save_message(&message("m", "c", 1)).await.unwrap();
    let other = Database::open(Memory::new(), matrix::schema()).await.unwrap();
    assert_eq!(StorageEngine::new(other).unwrap_err().kind(), ErrorKind::SchemaMismatch);
}

#[tokio::test]
async fn its_futures_can_be_spawned() {
    let engine = engine().await;
    let task = {
        let engine = engine.clone();
        tokio::spawn(async move {
            engine.save_message(&message("m", "c", 1)).await?;
            engine.messages_of_conversation("c", Paging::default()).await?;
            engine.delete_messages_before(at(2)).await
        })
    };
    assert_eq!(task.await.unwrap().unwrap(), 1);
}
