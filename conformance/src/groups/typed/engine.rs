//! The schema `engine` and the operations of the storage engine over it.

use strongroom_core::engine::{
    Before, KeyRecord, Message, MessageStatus, Metadata, Paging, SecretBytes, Session, StorageEngine, ZkProof, schema,
};
use strongroom_core::{Database, ErrorKind, Json, Result};

use super::support::{Counter, at, one, open_as, put_all, sound};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    the_engine_reads_what_it_saved_and_saving_again_replaces_it,
    a_conversation_is_paged_newest_first_without_loss_or_repeat,
    a_conversation_before_a_time_is_exclusive,
    the_engine_deletes_messages_before_a_time,
    the_engine_deletes_proofs_before_a_time,
    the_engine_compacts [Compact],
    the_engine_counts_and_closes,
    the_engine_takes_a_database_of_its_own_schema_alone,
}

async fn engine(context: &Context) -> Checked<(StorageEngine, Site)> {
    let site = context.open().await?;
    let engine = StorageEngine::new(open_as(&site, schema()).await?)?;
    Ok((engine, site))
}

fn message(id: &str, conversation: &str, time: i64) -> Result<Message> {
    Ok(Message {
        id: id.to_owned(),
        conversation_id: conversation.to_owned(),
        sender: "ada".to_owned(),
        recipient: None,
        timestamp: at(time),
        status: MessageStatus::Sent,
        content: Json::new(r#"{"body": "é"}"#)?,
        proof_id: None,
    })
}

fn proof(id: &str, time: i64) -> ZkProof {
    ZkProof {
        proof_id: id.to_owned(),
        circuit_id: "circuit".to_owned(),
        timestamp: at(time),
        proof: vec![0, 255, 1],
        public_signals: vec!["1".to_owned(), String::new()],
        metadata: Json::null(),
    }
}

async fn the_engine_reads_what_it_saved_and_saving_again_replaces_it(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    let first = message("m", "c", 1)?;
    engine.save_message(&first).await?;
    ensure!(engine.message("m").await? == Some(first.clone()));
    let second = Message { status: MessageStatus::Read, conversation_id: "d".to_owned(), ..first };
    engine.save_message(&second).await?;
    ensure!(engine.message("m").await? == Some(second));
    ensure!(engine.messages_of_conversation("c", Paging::default()).await?.records.is_empty());
    ensure_eq!(engine.messages_of_conversation("d", Paging::default()).await?.records.len(), 1);
    ensure_eq!(engine.database().query(Message::STATUS).equal(&MessageStatus::Read).count().await?, 1);
    ensure_eq!(engine.database().query(Message::STATUS).equal(&MessageStatus::Sent).count().await?, 0);

    let (id, peer_id, key_id) = ("s".to_owned(), "p".to_owned(), "k".to_owned());
    let state = SecretBytes::new(vec![0, 1, 255]);
    let session = Session { id, peer_id, key_id, created_at: at(-1), last_activity: at(2), state };
    engine.save_session(&session).await?;
    ensure!(engine.session("s").await? == Some(session));
    engine.save_proof(&proof("p", 3)).await?;
    ensure!(engine.proof("p").await? == Some(proof("p", 3)));
    let key = KeyRecord { id: "k".to_owned(), key: vec![7; 32].into(), created_at: at(4) };
    engine.save_key(&key).await?;
    ensure!(engine.key("k").await? == Some(key));
    let metadata = Metadata { key: String::new(), value: Json::new("[1, 2]")? };
    engine.save_metadata(&metadata).await?;
    ensure!(engine.metadata("").await? == Some(metadata));

    ensure!(engine.message("M").await?.is_none() && engine.session("").await?.is_none());
    ensure!(engine.proof("k").await?.is_none() && engine.key("p").await?.is_none());
    ensure!(engine.metadata("k").await?.is_none());
    sound(engine.database()).await
}

/// 120 messages at 12 times, ten each; another conversation's between them.
async fn a_conversation_is_paged_newest_first_without_loss_or_repeat(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    let mut messages = Vec::new();
    for number in 0..120_i64 {
        messages.push(message(&format!("m{number:03}"), "c", number % 12)?);
        messages.push(message(&format!("x{number:03}"), "c2", number % 12)?);
    }
    put_all(engine.database(), &messages).await?;
    let first = engine.messages_of_conversation("c", Paging::default()).await?;
    ensure_eq!(first.records.len(), 50, "the default");
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = engine.messages_of_conversation("c", Paging { limit: 7, before }).await?;
        ensure!(page.records.len() == 7 || page.next.is_none());
        all.extend(page.records);
        ensure!(all.len() < 1_000, "pages without end");
        // A cursor survives as text.
        let Some(next) = page.next else { break };
        before = Some(Before::Cursor(next.to_string().parse()?));
    }
    ensure!(all[..50] == first.records, "the same order in pages of any size");
    ensure!(all.is_sorted_by_key(|message| std::cmp::Reverse(message.timestamp)));
    let mut ids: Vec<_> = all.iter().map(|message| message.id.clone()).collect();
    ids.sort();
    ensure_eq!(ids, (0..120).map(|number| format!("m{number:03}")).collect::<Vec<_>>());
    Ok(())
}

async fn a_conversation_before_a_time_is_exclusive(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    for (id, time) in [("a", -5), ("b", 10), ("c", 10), ("d", 11)] {
        engine.save_message(&message(id, "c", time)?).await?;
    }
    for (time, count) in [(-5, 0), (-4, 1), (10, 1), (11, 3), (12, 4)] {
        let paging = Paging { before: Some(at(time).into()), ..Paging::default() };
        ensure_eq!(engine.messages_of_conversation("c", paging).await?.records.len(), count, "before {time}");
    }
    let none = engine.messages_of_conversation("c", Paging { limit: 0, before: None }).await?;
    ensure!(none.records.is_empty() && none.next.is_none());
    let page = engine.messages_of_conversation("c", Paging { limit: 2, before: None }).await?;
    let other = Paging { limit: 2, before: page.next.map(Before::Cursor) };
    ensure_kind!(engine.messages_of_conversation("d", other).await, ErrorKind::InvalidInput);
    Ok(())
}

async fn the_engine_deletes_messages_before_a_time(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    let messages: Result<Vec<_>> = (0..600).map(|time| message(&time.to_string(), "c", time)).collect();
    put_all(engine.database(), &messages?).await?;
    ensure_eq!(engine.delete_messages_before(at(0)).await?, 0);
    ensure_eq!(engine.delete_messages_before(at(590)).await?, 590);
    ensure_eq!(engine.delete_messages_before(at(590)).await?, 0);
    let left = engine.messages_of_conversation("c", Paging::default()).await?.records;
    let left: Vec<_> = left.iter().map(|message| message.timestamp.as_millis()).collect();
    ensure_eq!(left, (590..600).rev().collect::<Vec<_>>(), "those at the time stay");
    sound(engine.database()).await
}

async fn the_engine_deletes_proofs_before_a_time(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    for time in 0..5 {
        engine.save_proof(&proof(&time.to_string(), time)).await?;
    }
    ensure_eq!(engine.delete_proofs_before(at(3)).await?, 3);
    ensure!(engine.proof("2").await?.is_none() && engine.proof("3").await?.is_some());
    ensure_eq!(engine.database().query(ZkProof::CIRCUIT).equal("circuit").count().await?, 2);
    sound(engine.database()).await
}

async fn the_engine_compacts(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    let messages: Result<Vec<_>> = (0..600).map(|time| message(&time.to_string(), "c", time)).collect();
    put_all(engine.database(), &messages?).await?;
    engine.delete_messages_before(at(590)).await?;
    let compaction = engine.compact().await?;
    ensure!(compaction.bytes_after <= compaction.bytes_before, "{compaction:?}");
    ensure_eq!(engine.messages_of_conversation("c", Paging::default()).await?.records.len(), 10);
    sound(engine.database()).await?;
    engine.close().await?;
    ensure_kind!(engine.compact().await, ErrorKind::Closed);
    Ok(())
}

async fn the_engine_counts_and_closes(context: Context) -> Checked {
    let (engine, _site) = engine(&context).await?;
    engine.save_message(&message("m", "c", 1)?).await?;
    let stats = engine.stats().await?;
    ensure_eq!((stats.collections["messages"].records, stats.collections["messages"].entries), (1, 3));
    ensure_eq!(stats.collections.len(), 5);
    ensure!(stats.bytes > 0);
    let other = engine.clone();
    engine.close().await?;
    ensure_kind!(other.message("m").await, ErrorKind::Closed);
    ensure_kind!(other.save_message(&message("n", "c", 1)?).await, ErrorKind::Closed);
    Ok(())
}

async fn the_engine_takes_a_database_of_its_own_schema_alone(context: Context) -> Checked {
    let site = context.open().await?;
    let db: Database = open_as(&site, one::<Counter>(1)?).await?;
    ensure_kind!(StorageEngine::new(db), ErrorKind::SchemaMismatch);
    ensure_kind!(open_as(&site, schema()).await, ErrorKind::SchemaMismatch);
    Ok(())
}
