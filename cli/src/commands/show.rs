//! `show COLLECTION KEY...`

use serde_json::Value;
use strongroom::matrix::{
    AccountData, DeviceKeys, Invitation, Media, Message, Object, ObjectSpace, OneTimeKey, Presence, Proof, ReadReceipt,
    Room, RoomAlias, RoomMember, RoomState, SendTransaction, Typing, Upload,
};
use strongroom::{Database, Key, Record};

use crate::arguments::Show;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};

/// Refuses, before any store is opened, what names no collection or not all parts of its key.
pub(crate) fn check(arguments: &Show) -> Result<()> {
    let schema = strongroom::matrix::schema();
    let Some(collection) = schema.collection(&arguments.collection) else {
        let known: Vec<&str> = schema.collections().map(|collection| collection.name).collect();
        let what = format!("no collection is called '{}'; there are {}", arguments.collection, known.join(", "));
        return Err(Failure::WrongUse(what));
    };
    if collection.key.len() == arguments.key.len() {
        return Ok(());
    }
    let parts: Vec<String> = collection.key.iter().map(|part| part.field.to_uppercase()).collect();
    let given = arguments.key.len();
    let what = format!("the key of {} has {} parts, not {given}", collection.name, parts.len());
    let next = format!("use 'strongroom show {} {}'", collection.name, parts.join(" "));
    Err(Failure::WrongUse(format!("{what}; {next}")))
}

pub(crate) async fn run(db: &Database, arguments: &Show, output: &mut Output) -> Result<()> {
    let parts: Vec<&str> = arguments.key.iter().map(String::as_str).collect();
    let found = match (arguments.collection.as_str(), parts.as_slice()) {
        ("messages", [room, event]) => one(db, Message::key(&(*room).into(), &(*event).into()), output).await?,
        ("rooms", [room]) => one(db, Room::key(&(*room).into()), output).await?,
        ("room_state", [room, kind, key]) => one(db, RoomState::key(&(*room).into(), kind, key), output).await?,
        ("room_members", [room, user]) => one(db, RoomMember::key(&(*room).into(), &(*user).into()), output).await?,
        ("device_keys", [user, device]) => one(db, DeviceKeys::key(&(*user).into(), &(*device).into()), output).await?,
        ("one_time_keys", [user, device, key]) => {
            one(db, OneTimeKey::key(&(*user).into(), &(*device).into(), &(*key).into()), output).await?
        }
        ("invitations", [room, user]) => one(db, Invitation::key(&(*room).into(), &(*user).into()), output).await?,
        ("presence", [user]) => one(db, Presence::key(&(*user).into()), output).await?,
        ("account_data", [user, kind]) => one(db, AccountData::key(&(*user).into(), kind), output).await?,
        ("read_receipts", [room, user, event]) => {
            one(db, ReadReceipt::key(&(*room).into(), &(*user).into(), &(*event).into()), output).await?
        }
        ("typing", [room, user]) => one(db, Typing::key(&(*room).into(), &(*user).into()), output).await?,
        ("transactions", [id]) => one(db, SendTransaction::key(&(*id).into()), output).await?,
        ("proofs", [id]) => one(db, Proof::key(&(*id).into()), output).await?,
        ("room_aliases", [alias]) => one(db, RoomAlias::key(&(*alias).into()), output).await?,
        ("media", [id]) => one(db, Media::key(&(*id).into()), output).await?,
        ("objects", [id]) => one(db, Object::key(&(*id).into()), output).await?,
        ("uploads", [id]) => one(db, Upload::key(&(*id).into()), output).await?,
        ("object_spaces", [name]) => one(db, ObjectSpace::key(name), output).await?,
        (collection, _) => return Err(Failure::WrongUse(format!("'{collection}' cannot be shown"))),
    };
    if found {
        return Ok(());
    }
    let key = arguments.key.join(" ");
    let next = "the parts are compared as they are stored: check them, and quote them in the shell";
    Err(Failure::new(format!("{} has no record {key}", arguments.collection), next))
}

/// Shows the record, if there is one.
async fn one<R: Record>(db: &Database, key: Key<R>, output: &mut Output) -> Result<bool> {
    let Some(record) = db.get(&key).await? else { return Ok(false) };
    if output.format == Format::Json {
        output.json(&record)?;
        return Ok(true);
    }
    let Value::Object(fields) = serde_json::to_value(&record)? else { return Ok(true) };
    let row = |(name, value): (String, Value)| {
        let value = if let Value::String(text) = value { text } else { value.to_string() };
        [name, value]
    };
    output.table(["FIELD", "VALUE"], fields.into_iter().map(row).collect())?;
    Ok(true)
}
