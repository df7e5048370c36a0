//! How costs grow with the number of messages.

pub mod child;
mod measure;
mod page;
mod plot;

use std::path::PathBuf;

use clap::Args;
use strongroom::{Error, Result};

use crate::machine::Machine;
use crate::stacks::{Engine, Layers};
use measure::{Point, point};

/// The stacks that are measured. Another one is one line more.
const STACKS: [(Engine, Layers); 4] = [
    (Engine::Redb, Layers::BARE),
    (Engine::Redb, Layers::ENCRYPTED),
    (Engine::Sqlite, Layers::BARE),
    (Engine::Sqlite, Layers::ENCRYPTED),
];
const FROM: u64 = 10_000;

/// What a run does.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Messages in the largest stores: 10,000, ten times as many, and so on up to this
    #[arg(long, default_value_t = 100_000)]
    to: u64,
    /// Where the page and its plots are written; nowhere unless given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the stores are made, of which one is there at a time; a temporary folder unless given
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// One stack at all sizes.
struct Series {
    name: String,
    points: Vec<Point>,
}

/// Prints a table of every stack at every size, and writes it with its plots if told where.
///
/// # Errors
///
/// Those of the stores and of the file system.
pub async fn run(options: &Options) -> Result<()> {
    let sizes: Vec<u64> =
        std::iter::successors(Some(FROM), |size| size.checked_mul(10)).take_while(|size| *size <= options.to).collect();
    let mut all = Vec::new();
    for (engine, layers) in STACKS {
        let mut series = Series { name: format!("{}, {layers}", engine.name()), points: Vec::new() };
        for size in &sizes {
            let folder = match &options.folder {
                Some(folder) => tempfile::tempdir_in(folder),
                None => tempfile::tempdir(),
            };
            let folder = folder.map_err(Error::application)?;
            series.points.push(point(folder.path(), engine, layers, *size).await?);
            if let Some(point) = series.points.last() {
                println!("{}: {point:?}", series.name);
            }
        }
        all.push(series);
    }
    let command = format!("cargo run --release -p strongroom-benches -- scale --to {}", options.to);
    let page = page::page(&Machine::this(), &command, &all);
    println!("\n{page}");
    if let Some(out) = &options.out {
        std::fs::create_dir_all(out).map_err(Error::application)?;
        std::fs::write(out.join("scale.md"), page).map_err(Error::application)?;
        plot::write(out, &all)?;
    }
    Ok(())
}
