//! A process of its own for what a process has to itself: its memory, and its death.

use std::process::Stdio;
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};
use strongroom::{Database, Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::machine::peak_bytes;
use crate::stacks::{Layers, database};
use crate::workload::{IMPORT_CHUNK, Workload, import, save};

/// What a child process does.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The store.
    #[arg(long)]
    url: String,
    /// Whether it is encrypted.
    #[arg(long)]
    encrypted: bool,
    /// The number of the first message.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Messages to import.
    #[arg(long)]
    messages: u64,
    /// Saves one message after another when that is done, until it is killed.
    #[arg(long)]
    until_killed: bool,
}

/// What a child is told to do.
#[derive(Clone, Debug)]
pub struct Task(Options);

impl Task {
    /// Imports messages into a store.
    pub fn import(url: &str, encrypted: bool, messages: u64) -> Self {
        Task(Options { url: url.to_owned(), encrypted, first: 0, messages, until_killed: false })
    }

    /// Saves messages, from number `first` on, one after another until it is killed.
    pub fn saves(url: &str, encrypted: bool, first: u64) -> Self {
        Task(Options { url: url.to_owned(), encrypted, first, messages: 0, until_killed: true })
    }
}

/// What a child says when it has imported.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Imported {
    /// The most memory that it has had; 0 where the system does not say.
    pub peak_bytes: u64,
    /// Nanoseconds that the import of one message took, without making it.
    pub message_ns: u64,
}

/// Runs as the child.
///
/// # Errors
///
/// Those of the store.
pub async fn run(options: &Options) -> Result<()> {
    let workload = Workload::default();
    let layers = Layers { encrypted: options.encrypted, cached: false };
    let db = database(&options.url, layers).await?;
    let mut elapsed = std::time::Duration::ZERO;
    let end = options.first + options.messages;
    for begin in (options.first..end).step_by(IMPORT_CHUNK) {
        let messages = workload.messages(begin..end.min(begin + IMPORT_CHUNK as u64))?;
        let begun = Instant::now();
        import(&db, &messages).await?;
        elapsed += begun.elapsed();
    }
    let message_ns = (elapsed.as_nanos() / u128::from(options.messages.max(1))) as u64;
    let imported = Imported { peak_bytes: peak_bytes().unwrap_or_default(), message_ns };
    println!("{}", serde_json::to_string(&imported).map_err(Error::application)?);
    if options.until_killed {
        return save_for_ever(&db, &workload, end).await;
    }
    db.close().await
}

async fn save_for_ever(db: &Database, workload: &Workload, from: u64) -> Result<()> {
    for n in from.. {
        save(db, &workload.message(n)?).await?;
        println!("{n}");
    }
    Ok(())
}

/// Runs a child to its end.
///
/// # Errors
///
/// `Io` if it cannot be started or fails.
pub async fn start(Task(options): &Task) -> Result<Imported> {
    let (mut child, imported, _) = spawn(options).await?;
    let status = child.wait().await.map_err(failed)?;
    if status.success() { Ok(imported) } else { Err(Error::new(ErrorKind::Io, "a child process failed")) }
}

/// Runs a child that saves message after message, and kills it after `saves` of them, in the midst of what comes next.
///
/// # Errors
///
/// As [`start`].
pub async fn crash(Task(options): &Task, saves: usize) -> Result<()> {
    let (mut child, _, mut lines) = spawn(options).await?;
    for _ in 0..saves {
        lines.next_line().await.map_err(failed)?;
    }
    child.kill().await.map_err(failed)
}

type Lines = tokio::io::Lines<BufReader<tokio::process::ChildStdout>>;

async fn spawn(options: &Options) -> Result<(Child, Imported, Lines)> {
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["child", "--url", &options.url, "--messages", &options.messages.to_string()]);
    command.args(["--first", &options.first.to_string()]);
    command.args(options.encrypted.then_some("--encrypted"));
    command.args(options.until_killed.then_some("--until-killed"));
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(failed)?;
    let silent = || Error::new(ErrorKind::Io, "a child process said nothing");
    let mut lines = BufReader::new(child.stdout.take().ok_or_else(silent)?).lines();
    let line = lines.next_line().await.map_err(failed)?.ok_or_else(silent)?;
    let imported = serde_json::from_str(&line).map_err(failed)?;
    Ok((child, imported, lines))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Io, "a child process could not be run").with_source(error)
}
