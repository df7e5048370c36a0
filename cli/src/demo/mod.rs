//! `demo`: the main job with nothing but this program.

mod random;
mod sample;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Parser;
use strongroom::encryption::{SecretKey, Unlock};
use tempfile::TempDir;

use crate::access::{Access, Source};
use crate::arguments::{Arguments, Demo, Global};
use crate::commands;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::text::counted;
use sample::Sample;

const EXPORT: &str = "export.json";
const STORE: &str = "demo.redb";

pub(crate) async fn run(arguments: &Demo, global: &Global, output: &mut Output) -> Result<()> {
    let access = access(global)?;
    let folder = tempfile::Builder::new().prefix("strongroom-demo-").tempdir().map_err(|error| {
        Failure::new(format!("no temporary folder can be made: {error}"), "set TMPDIR to a folder that can be written")
    })?;
    // Ctrl-C ends it at the next await, so that the folder is removed.
    let result = tokio::select! {
        result = steps(arguments, &access, folder.path(), output) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted("interrupted; the demo can be run again".into())),
    };
    if arguments.keep {
        let kept = folder.keep();
        output.note(format!("kept: {}", kept.display()))?;
    } else if let Err(error) = TempDir::close(folder) {
        output.note(format!("the temporary folder could not be removed: {error}"))?;
    }
    result
}

/// As the flags say; otherwise a key of the demo's own. The variable is not for made-up data: it may be that of a real store.
fn access(global: &Global) -> Result<Access> {
    Ok(match Access::of_flags(global)? {
        Access::Unsaid => {
            let key = SecretKey::random().map_err(strongroom::Error::from)?;
            Access::Key(Source::Memory(Unlock::raw_key(key)))
        }
        said => said,
    })
}

/// What the store opens with, as it is typed behind a command.
fn flag(access: &Access) -> String {
    match access {
        Access::Plain => " --plain".to_owned(),
        Access::Key(Source::Memory(_)) | Access::Unsaid => String::new(),
        Access::Key(source) => format!(" {source}"),
    }
}

async fn steps(arguments: &Demo, access: &Access, folder: &Path, output: &mut Output) -> Result<()> {
    let messages = arguments.messages;
    explain(output, &format!("A room export of {}, made up, in {}", counted(messages, "event"), folder.display()))?;
    let is_kept_in_memory = matches!(access, Access::Key(Source::Memory(_)));
    if is_kept_in_memory {
        explain(
            output,
            "The store is encrypted, with a random key that is in the memory of this program and nowhere else.",
        )?;
    }
    let export = folder.join(EXPORT);
    let writing = tokio::task::spawn_blocking(move || write_export(&export, messages)).await;
    let written = writing.unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
    let sample = written.map_err(|error| {
        Failure::new(format!("the export cannot be written: {error}"), "check the free space of the temporary folder")
    })?;

    let room = sample::ROOM;
    for command in [
        &["import", EXPORT, "--me", sample::ME][..],
        &["import", EXPORT, "--me", sample::ME],
        &["rooms"],
        &["timeline", room, "--limit", "10"],
        &["thread", room, &sample.thread_root],
        &["stats"],
        &["verify"],
    ] {
        step(command, access, folder, output).await?;
    }
    explain(output, "")?;
    let (folder, flag) = (folder.display(), flag(access));
    let next = if !arguments.keep {
        "Next: strongroom key generate chat.key; strongroom import YOUR-EXPORT.json --key-file chat.key".to_owned()
    } else if is_kept_in_memory {
        // Its store has lost its key by then.
        format!("Next: strongroom key generate chat.key; strongroom import {folder}/{EXPORT} --key-file chat.key")
    } else {
        format!("Next: strongroom export '{room}' --store redb:{folder}/{STORE}{flag} | head")
    };
    explain(output, &next)
}

fn write_export(path: &Path, messages: u64) -> io::Result<Sample> {
    sample::write(BufWriter::new(File::create(path)?), messages)
}

/// Names a command, then runs it as if it had been typed in the folder.
async fn step(command: &[&str], access: &Access, folder: &Path, output: &mut Output) -> Result<()> {
    let shown: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    explain(output, "")?;
    explain(output, &format!("$ strongroom {} --store redb:{STORE}{}", shown.join(" "), flag(access)))?;

    let mut words = vec![PathBuf::from("strongroom")];
    words.extend(command.iter().map(|word| if *word == EXPORT { folder.join(word) } else { word.into() }));
    words.push("--store".into());
    words.push(format!("redb:{}", folder.join(STORE).display()).into());
    let arguments = Arguments::try_parse_from(words)
        .map_err(|error| Failure::new(format!("the demo's own command is wrong: {error}"), "please report this"))?;
    // The demo is a command itself, and a future cannot hold itself.
    Box::pin(commands::run(&arguments, access, output)).await
}

/// For people: beside the results, unless those are for a program.
fn explain(output: &mut Output, line: &str) -> Result<()> {
    match output.format {
        Format::Table => output.line(line),
        Format::Json => output.note(line),
    }
}

/// As a shell needs it.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@".contains(char);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
}
