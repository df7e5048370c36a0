//! `key add`, `key remove`, `key change`: each is one row of the store.

use serde_json::json;
use strongroom::encryption::Argon2Params;

use crate::arguments::{AddKey, Kdf, NewSecret};
use crate::failure::Result;
use crate::output::{Format, Output};
use crate::secret;
use crate::store::EncryptedStore;

/// What copies of the store from before still are.
const COPIES: &str = "copies of the store from before still open with the old key";

pub(super) async fn add(store: &EncryptedStore, arguments: &AddKey, output: &mut Output) -> Result<()> {
    let label = &arguments.label;
    let unlock = secret::for_slot(label, &arguments.secret)?;
    store.add_slot(label, &unlock, kdf(&arguments.secret)).await?;
    match output.format {
        Format::Json => output.json(&json!({ "added": label })),
        Format::Table => output.line(format!("slot {label} added")),
    }
}

pub(super) async fn remove(store: &EncryptedStore, label: &str, output: &mut Output) -> Result<()> {
    store.remove_slot(label).await?;
    match output.format {
        Format::Json => output.json(&json!({ "removed": label })),
        Format::Table => {
            output.line(format!("slot {label} removed"))?;
            output.note(COPIES)
        }
    }
}

pub(super) async fn change(store: &EncryptedStore, arguments: &AddKey, output: &mut Output) -> Result<()> {
    let label = &arguments.label;
    let unlock = secret::for_slot(label, &arguments.secret)?;
    store.replace_slot(label, &unlock, kdf(&arguments.secret)).await?;
    match output.format {
        Format::Json => output.json(&json!({ "changed": label })),
        Format::Table => {
            output.line(format!("slot {label} changed"))?;
            output.note(COPIES)
        }
    }
}

fn kdf(new: &NewSecret) -> Argon2Params {
    match new.kdf {
        None | Some(Kdf::Default) => Argon2Params::DEFAULT,
        Some(Kdf::Mobile) => Argon2Params::MOBILE,
    }
}
