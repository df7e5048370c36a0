//! How costs grow with the number of messages.

pub mod child;
mod measure;
mod page;
mod plot;

use std::path::PathBuf;

use clap::Args;
use strongroom::{Error, Result};

use crate::site::{self, Site};
use crate::stacks::{Engine, Layers};
use measure::{Point, point};

/// The stacks that are measured. Another one is one line more.
const STACKS: [(Engine, Layers); 6] = [
    (Engine::Redb, Layers::BARE),
    (Engine::Redb, Layers::ENCRYPTED),
    (Engine::Sqlite, Layers::BARE),
    (Engine::Sqlite, Layers::ENCRYPTED),
    (Engine::Postgres, Layers::BARE),
    (Engine::Postgres, Layers::ENCRYPTED),
];
const FROM: u64 = 10_000;

/// What a run does.
#[derive(Args, Clone)]
pub struct Options {
    /// Messages in the largest stores: 10,000, ten times as many, and so on up to this
    #[arg(long, default_value_t = 100_000)]
    to: u64,
    /// Where the page and its plots are written; nowhere unless given
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    site: site::Options,
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
    let site = Site::new(&options.site).await?;
    let measured = measure(&site, options.to).await;
    let closed = site.close().await;
    let all = measured?;
    closed?;
    let command = format!("cargo run --release -p strongroom-benches -- scale --to {}", options.to);
    let page = page::page(&site, &command, &all);
    println!("\n{page}");
    if let Some(out) = &options.out {
        std::fs::create_dir_all(out).map_err(Error::application)?;
        std::fs::write(out.join("scale.md"), page).map_err(Error::application)?;
        plot::write(out, &all)?;
    }
    Ok(())
}

/// Every stack at every size. One store is there at a time.
async fn measure(site: &Site, to: u64) -> Result<Vec<Series>> {
    let sizes = || std::iter::successors(Some(FROM), |size| size.checked_mul(10)).take_while(|size| *size <= to);
    let mut all = Vec::new();
    for (engine, layers) in STACKS.into_iter().filter(|(engine, _)| site.has(*engine)) {
        let mut series = Series { name: format!("{}, {layers}", engine.name()), points: Vec::new() };
        for size in sizes() {
            let point = point(site, engine, layers, size).await?;
            println!("{}: {point:?}", series.name);
            series.points.push(point);
        }
        all.push(series);
    }
    Ok(all)
}
