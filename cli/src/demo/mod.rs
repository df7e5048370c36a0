//! `demo`: the main job with nothing but this program.

mod random;
mod sample;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Parser;
use tempfile::TempDir;

use crate::arguments::{Arguments, Command, Demo};
use crate::commands;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::text::count;
use sample::Sample;

const EXPORT: &str = "export.json";
const STORE: &str = "demo.redb";

pub(crate) async fn run(arguments: &Demo, output: &mut Output) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("strongroom-demo-").tempdir().map_err(|error| {
        Failure::new(format!("no temporary folder can be made: {error}"), "set TMPDIR to a folder that can be written")
    })?;
    // Ctrl-C ends at the next await, so that the folder is removed.
    let result = tokio::select! {
        result = all(arguments, folder.path(), output) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted("interrupted; the demo can be run again".into())),
    };
    if arguments.keep {
        let kept = TempDir::keep(folder);
        output.note(format!("Kept: {}", kept.display()))?;
    }
    result
}
