//! `demo`: the main job with nothing but this program.

mod random;
mod sample;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Parser;
use tempfile::TempDir;

use crate::arguments::{Arguments, Demo};
use crate::commands;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::text::counted;
use sample::Sample;

const EXPORT: &str = "export.json";
const STORE: &str = "demo.redb";

pub(crate) async fn run(arguments: &Demo, output: &mut Output) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("strongroom-demo-").tempdir().map_err(|error| {
        Failure::new(format!("no temporary folder can be made: {error}"), "set TMPDIR to a folder that can be written")
    })?;
    // Ctrl-C ends it at the next await, so that the folder is removed.
    let result = tokio::select! {
        result = steps(arguments, folder.path(), output) => result,
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

async fn steps(arguments: &Demo, folder: &Path, output: &mut Output) -> Result<()> {
    let messages = arguments.messages;
    explain(output, &format!("A room export of {}, made up, in {}", counted(messages, "event"), folder.display()))?;
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
        step(command, folder, output).await?;
    }
    explain(output, "")?;
    let next = if arguments.keep {
        format!("Next: cd {}; strongroom export '{room}' --store redb:{STORE} | head", folder.display())
    } else {
        "Next: strongroom import YOUR-EXPORT.json; or strongroom demo --keep, to go on with this store".to_owned()
    };
    explain(output, &next)
}

fn write_export(path: &Path, messages: u64) -> io::Result<Sample> {
    sample::write(BufWriter::new(File::create(path)?), messages)
}

/// Names a command, then runs it as if it had been typed in the folder.
async fn step(command: &[&str], folder: &Path, output: &mut Output) -> Result<()> {
    let shown: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    explain(output, "")?;
    explain(output, &format!("$ strongroom {} --store redb:{STORE}", shown.join(" ")))?;

    let mut words = vec![PathBuf::from("strongroom")];
    words.extend(command.iter().map(|word| if *word == EXPORT { folder.join(word) } else { word.into() }));
    words.push("--store".into());
    words.push(format!("redb:{}", folder.join(STORE).display()).into());
    let arguments = Arguments::try_parse_from(words)
        .map_err(|error| Failure::new(format!("the demo's own command is wrong: {error}"), "please report this"))?;
    // The demo is a command itself, and a future cannot hold itself.
    Box::pin(commands::run(&arguments, output)).await
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
