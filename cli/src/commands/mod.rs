//! One file a command.

pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod delete_before;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod rooms;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod thread;
pub(crate) mod timeline;
pub(crate) mod verify;

use crate::arguments::{Arguments, Command};
use crate::demo;
use crate::failure::Result;
use crate::output::Output;
use crate::store::{create, existing};

/// Runs the command that was asked for.
pub(crate) async fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    let url = &arguments.global.store;
    match &arguments.command {
        Command::Completions(arguments) => return completions::run(arguments, output),
        Command::Demo(arguments) => return demo::run(arguments, output).await,
        Command::Import(arguments) => return import::run(arguments, url, output).await,
        _ => {}
    }
    let db = existing(url).await?;
    let result = match &arguments.command {
        Command::Rooms => rooms::run(&db, output).await,
    };
    result
}
