//! One file a command.

pub(crate) mod backup;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod delete_before;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod leakage;
pub(crate) mod media;
mod message;
pub(crate) mod retain;
pub(crate) mod rooms;
pub(crate) mod salvage;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod sweep;
pub(crate) mod thread;
pub(crate) mod timeline;
pub(crate) mod verify;

use strongroom::Database;
use strongroom::matrix::{Room, RoomId};

use crate::access::Access;
use crate::arguments::{Arguments, Command, Key, KeyCommand};
use crate::demo;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::store::Opening;
use crate::url;

/// Runs the command that was asked for, and sends off what it wrote, also what it wrote before it failed.
pub(crate) async fn run(arguments: &Arguments, access: &Access, output: &mut Output) -> Result<()> {
    let result = dispatch(arguments, access, output).await;
    match output.flush() {
        Ok(()) => result,
        Err(unwritten) => result.and(Err(unwritten)),
    }
}

async fn dispatch(arguments: &Arguments, access: &Access, output: &mut Output) -> Result<()> {
    match &arguments.command {
        Command::Completions(arguments) => return completions::run(arguments, output),
        Command::Leakage => return leakage::run(output),
        Command::Demo(demo) => return demo::run(demo, &arguments.global, output).await,
        Command::Key(Key { command: KeyCommand::Generate { file } }) => return key::generate(file, output),
        _ => {}
    }
    let url = &url::parse(&arguments.global.store)?;
    match &arguments.command {
        Command::Import(arguments) => return import::run(arguments, url, access, output).await,
        Command::Copy(arguments) => return copy::run(arguments, url, access, output).await,
        Command::Backup(arguments) => return backup::run(arguments, url, access, output).await,
        Command::Restore(arguments) => return copy::restore(arguments, url, access, output).await,
        Command::Salvage(arguments) => return salvage::run(arguments, url, access, output).await,
        Command::Key(arguments) => return key::run(arguments, url, access, output).await,
        Command::Media(arguments) => return media::run(arguments, url, access, output).await,
        Command::Show(arguments) => show::check(arguments)?,
        Command::DeleteBefore(arguments) => _ = delete_before::time(arguments)?,
        _ => {}
    }
    let db = Opening::of_existing(url, access).await?.database().await?;
    let result = match &arguments.command {
        Command::Rooms => rooms::run(&db, output).await,
        Command::Timeline(arguments) => timeline::run(&db, arguments, output).await,
        Command::Thread(arguments) => thread::run(&db, arguments, output).await,
        Command::Show(arguments) => show::run(&db, arguments, output).await,
        Command::Export(arguments) => export::run(&db, arguments, output).await,
        Command::DeleteBefore(arguments) => delete_before::run(&db, arguments, output).await,
        Command::Retain(arguments) => retain::run(&db, arguments, output).await,
        Command::Sweep(arguments) => sweep::run(&db, arguments, output).await,
        Command::Stats { sizes } => stats::run(&db, url, *sizes, output).await,
        Command::Verify => verify::run(&db, output).await,
        Command::Compact => compact::run(&db, output).await,
        Command::Backup(_)
        | Command::Completions(_)
        | Command::Copy(_)
        | Command::Demo(_)
        | Command::Import(_)
        | Command::Key(_)
        | Command::Leakage
        | Command::Media(_)
        | Command::Restore(_)
        | Command::Salvage(_) => Ok(()),
    };
    let closed = db.close().await;
    result.and(closed.map_err(Failure::from))
}

/// The room of that id, which must be in the store.
async fn known_room(db: &Database, id: &str) -> Result<RoomId> {
    match db.get(&Room::key(&id.into())).await? {
        Some(room) => Ok(room.room_id),
        None => Err(Failure::new(format!("no room {id} in this store"), "'strongroom rooms' lists those there are")),
    }
}
