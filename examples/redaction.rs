//! What was said is taken back for good, also when it comes again: `cargo run --example redaction --features memory`.

use strongroom::Timestamp;
use strongroom::matrix::{EventId, MatrixStore, Message, Redaction, RoomId, schema};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = strongroom::Database::builder(schema()).open(strongroom::open("memory:").await?).await?;
    let store = MatrixStore::new(db)?;
    let (room, ada) = (RoomId::from("!kitchen"), "@ada:example.org");
    let at = |minute: i64| Timestamp::from_millis(1_714_564_800_000 + minute * 60_000);

    let content = r#"{"body":"The code is 4711","m.relates_to":{"rel_type":"m.thread","event_id":"$0"}}"#.parse()?;
    let message = Message::new("!kitchen", "$1", "m.room.message", ada, at(0), content);
    store.save_message(&message).await?;
    let thread = || store.database().query(Message::THREAD).equal(&room).equal(&EventId::from("$0"));
    assert_eq!(thread().count().await?, 1);

    let by = |event: &str, minute| Redaction {
        event_id: event.into(),
        sender: ada.into(),
        timestamp: at(minute),
        reason: Some("wrong room".to_owned()),
    };
    store.redact(&room, &message.message_id, &by("$2", 1)).await?;

    // Content and relation are gone, the reason is kept, and the message left its thread.
    let left = store.database().get(&Message::key(&room, &message.message_id)).await?.ok_or("it has a record")?;
    assert_eq!((left.redacted, left.content.as_str(), left.thread_root), (true, "{}", None));
    assert_eq!(left.redaction_reason.as_deref(), Some("wrong room"));
    assert_eq!(thread().count().await?, 0);

    // The original comes once more: from another server, or an old export.
    store.save_message(&message).await?;
    assert_eq!(thread().count().await?, 0);

    // A redaction may also come before what it redacts.
    let late = Message { message_id: "$3".into(), ..message };
    store.redact(&room, &late.message_id, &by("$4", 3)).await?;
    store.save_message(&late).await?;
    let redacted = store.database().query(Message::REDACTED).equal(&room).equal(&true).count().await?;
    assert_eq!(redacted, 2);
    Ok(())
}
