//! `key generate|list|add|remove|change|rotate`

mod list;
mod rotate;
mod slots;

use std::path::Path;

use serde::Serialize;
use strongroom::encryption::KeyFile;
use strongroom::{ErrorKind, StoreUrl};

use crate::access::Access;
use crate::arguments::{Key, KeyCommand};
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::store::Opening;

pub(crate) async fn run(arguments: &Key, url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    if let KeyCommand::List = &arguments.command {
        return list::run(url, access, output).await;
    }
    let store = Opening::of_existing(url, access).await?.encrypted().await?;
    let result = match &arguments.command {
        KeyCommand::Add(arguments) => slots::add(&store, arguments, output).await,
        KeyCommand::Remove { label } => slots::remove(&store, label, output).await,
        KeyCommand::Change(arguments) => slots::change(&store, arguments, output).await,
        KeyCommand::Rotate(arguments) => rotate::run(&store, arguments, output).await,
        KeyCommand::Generate { .. } | KeyCommand::List => Ok(()),
    };
    let closed = strongroom::store::Store::close(&*store).await;
    result.and(closed.map_err(Failure::from))
}

#[derive(Serialize)]
struct Generated<'a> {
    generated: &'a Path,
}

/// `key generate`: without any store.
pub(crate) fn generate(file: &Path, output: &mut Output) -> Result<()> {
    KeyFile::generate(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotFound => Failure::Failed(error.to_string()),
        _ => Failure::new(error.to_string(), "check the path, its permissions and the free space"),
    })?;
    match output.format {
        Format::Json => output.json(&Generated { generated: file }),
        Format::Table => {
            output.line(format!("a new key is in {}, readable by you alone", file.display()))?;
            output.note("keep a copy of it in another place: without it nobody can open what it encrypts")
        }
    }
}
