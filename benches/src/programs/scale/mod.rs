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

/// An engine with what lies above it.
type Stack = (Engine, Layers);

/// The stacks that are measured. Another one is one line more.
const STACKS: [Stack; 6] = [
    (Engine::Redb, Layers::BARE),
    (Engine::Redb, Layers::ENCRYPTED),
    (Engine::Sqlite, Layers::BARE),
    (Engine::Sqlite, Layers::ENCRYPTED),
    (Engine::Postgres, Layers::BARE),
    (Engine::Postgres, Layers::ENCRYPTED),
];
/// What a run does.
#[derive(Args, Clone)]
pub struct Options {
    /// Messages in the smallest stores
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    from: u64,
    /// Messages in the largest stores: ten times as many as in the smallest, and so on up to this
    #[arg(long, default_value_t = 100_000)]
    to: u64,
    /// Only this engine in clear, `redb`, or encrypted, `redb+encrypted`; more than once for several
    #[arg(long = "stack", value_name = "STACK", value_parser = stack)]
    stacks: Vec<Stack>,
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

/// A stack by its name.
fn stack(name: &str) -> std::result::Result<Stack, String> {
    let names = STACKS.map(|(engine, layers)| {
        if layers == Layers::ENCRYPTED { format!("{}+{layers}", engine.name()) } else { engine.name().to_owned() }
    });
    let found = STACKS.into_iter().zip(&names).find_map(|(stack, known)| (known == name).then_some(stack));
    found.ok_or_else(|| format!("there are {}", names.join(", ")))
}

/// Prints a table of every stack at every size, and writes it with its plots if told where.
///
/// # Errors
///
/// Those of the stores and of the file system.
pub async fn run(options: &Options) -> Result<()> {
    let site = Site::new(&options.site).await?;
    let measured = measure(&site, options).await;
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
async fn measure(site: &Site, options: &Options) -> Result<Vec<Series>> {
    let sizes = || {
        std::iter::successors(Some(options.from), |size| size.checked_mul(10)).take_while(|size| *size <= options.to)
    };
    let asked = |stack: &Stack| options.stacks.is_empty() || options.stacks.contains(stack);
    let mut all = Vec::new();
    for (engine, layers) in STACKS.into_iter().filter(|stack| site.has(stack.0) && asked(stack)) {
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
