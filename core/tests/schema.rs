//! The two schemas against their specification, written down by hand in `data/` (the media store's own collections with them); records against their formats.

use std::fmt::Write as _;

use strongroom_core::key::Component;
use strongroom_core::matrix::{self, EventId, Membership, Message};
use strongroom_core::schema::{ComponentDef, IndexDef, Presence, Role};
use strongroom_core::{Json, Record, Schema, Timestamp, engine};

#[test]
fn the_schemas_are_those_of_the_specification() {
    assert_eq!(describe(&matrix::schema()), include_str!("data/matrix-schema.txt"));
    assert_eq!(describe(&engine::schema()), include_str!("data/engine-schema.txt"));
}

fn describe(schema: &Schema) -> String {
    let mut text = format!("schema {}, version {}\n\n", schema.name(), schema.version());
    for collection in schema.collections() {
        writeln!(text, "{} {}: {}", collection.id, collection.name, components(collection.key)).unwrap();
        for index in collection.indexes {
            writeln!(text, "  {} {}: {}", index.id, index.name, index_text(index)).unwrap();
        }
        if let Some(expiry) = collection.expiry {
            let field = expiry.components[0];
            assert_eq!((expiry.components.len(), field.role), (1, Role::Ordered));
            writeln!(text, "  expires: {}", name(&field)).unwrap();
        }
        if collection.changes {
            writeln!(text, "  listed in the change log").unwrap();
        }
        assert!(collection.removed_indexes.is_empty());
    }
    text
}

fn index_text(index: &IndexDef) -> String {
    let unique = if index.unique { "; unique" } else { "" };
    let absent = index.while_absent.map(|field| format!("; while {field} is absent")).unwrap_or_default();
    format!("{}{unique}{absent}", components(index.components))
}

fn components(components: &[ComponentDef]) -> String {
    let text = |component: &ComponentDef| match component.role {
        Role::Exact => name(component),
        Role::Ordered => format!("{} ordered", name(component)),
    };
    components.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn name(component: &ComponentDef) -> String {
    match component.presence {
        Presence::Required => component.field.to_owned(),
        Presence::Optional => format!("{}?", component.field),
        Presence::Multi => format!("{} multi", component.field),
    }
}

fn message() -> Message {
    let (room, event, user) = ("!secret-room", "$secret-event", "@secret:user");
    let content = Json::new(r#"{"body": "secret"}"#).unwrap();
    let message = Message::new(room, event, "m.room.message", user, Timestamp::from_millis(-5), content);
    Message { stored_at: Timestamp::from_millis(7), ..message }
}

#[test]
fn debug_shows_no_content() {
    let message = message();
    let secret = engine::SecretBytes::new(b"secret".to_vec());
    let texts = [
        format!("{message:?}"),
        format!("{:#?}", (&message.room_id, &message.message_id, &message.sender_key, &message.content)),
        format!("{secret:?}"),
        format!("{:?}", strongroom_core::schema::Key::of(&message)),
    ];
    for text in texts {
        assert!(!text.contains("secret") && !text.contains("115"), "{text}");
    }
}

#[test]
fn records_skip_unknown_fields_and_default_missing_ones() {
    let text = r#"{"room_id":"!r","message_id":"$e","event_type":"t","sender_key":"@u","timestamp":1,
        "content":{"a": 1},"redacted":false,"stored_at":2,"from_the_future":[1]}"#;
    let record: Message = serde_json::from_str(text).unwrap();
    assert_eq!(record.content.as_str(), r#"{"a": 1}"#);
    assert_eq!((record.unsigned, record.thread_root, record.via), (None, None, None));
}

#[test]
fn records_keep_their_content_in_message_pack() {
    let record = Message { unsigned: Some(Json::new("{ }").unwrap()), ..message() };
    let bytes = rmp_serde::to_vec_named(&record).unwrap();
    assert!(rmp_serde::from_slice::<Message>(&bytes).unwrap() == record);

    let key = engine::KeyRecord {
        id: "k".into(),
        key: engine::SecretBytes::new((0..=255).collect()),
        created_at: Timestamp::default(),
    };
    let bytes = rmp_serde::to_vec_named(&key).unwrap();
    assert!(bytes.len() < 256 + 40, "bytes are bytes, not a list of numbers: {}", bytes.len());
    assert!(rmp_serde::from_slice::<engine::KeyRecord>(&bytes).unwrap() == key);
}

#[test]
fn words_are_text_in_keys_and_unknown_ones_are_refused() {
    let mut bytes = Vec::new();
    Membership::encode(&Membership::Knock, &mut bytes);
    let mut text = Vec::new();
    String::encode("knock", &mut text);
    assert_eq!(bytes, text);
    assert_eq!(Membership::decode(&mut &bytes[..]).unwrap(), Membership::Knock);

    bytes.clear();
    String::encode("Knock", &mut bytes);
    assert!(Membership::decode(&mut &bytes[..]).unwrap_err().is_corrupt());
    assert!(serde_json::from_str::<Membership>("\"Knock\"").is_err());
    assert!("Knock".parse::<Membership>().is_err());
    assert_eq!(serde_json::to_string(&Membership::Knock).unwrap(), "\"knock\"");
}

#[test]
fn ids_are_opaque() {
    for text in ["", "$a/b+c", "\0", "!no-domain", "@ü:x"] {
        let mut bytes = Vec::new();
        let id = EventId::from(text);
        EventId::encode(&id, &mut bytes);
        assert!(EventId::decode(&mut &bytes[..]).unwrap() == id);
        assert_eq!(id.to_string(), text);
    }
    assert_eq!(Message::COLLECTION.name, "messages");
}
