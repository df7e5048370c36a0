//! How costs grow with the number of messages.

pub mod child;
mod measure;
mod page;
mod plot;
mod record;

use std::path::PathBuf;

use clap::Args;
use strongroom::{Error, ErrorKind, Result};

use crate::site::{self, Site, of_file};
use crate::stacks::{Engine, Layers};
use measure::point;
use record::Record;

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
    /// Messages in the smallest stores, at least 1,000
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

/// As stacks are called in the conformance suite.
fn name((engine, layers): Stack) -> String {
    if layers == Layers::BARE { engine.name().to_owned() } else { format!("{}+{layers}", engine.name()) }
}

/// A stack by its name.
fn stack(name: &str) -> std::result::Result<Stack, String> {
    let names = STACKS.map(self::name);
    let found = STACKS.into_iter().zip(&names).find_map(|(stack, known)| (known == name).then_some(stack));
    found.ok_or_else(|| format!("there are {}", names.join(", ")))
}

/// Measures and prints, and adds what was measured to the table and the plots of a folder, if told which.
///
/// # Errors
///
/// Those of the stores and of the file system; `InvalidInput` if what is in the folder is of another machine.
pub async fn run(options: &Options) -> Result<()> {
    if options.from > options.to {
        let message = format!("the smallest stores have {} messages, the largest {}", options.from, options.to);
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    if let Some(out) = &options.out {
        std::fs::create_dir_all(out).map_err(|error| of_file(out, &error))?;
    }
    let site = Site::new(&options.site).await?;
    let measured = measure(&site, options).await;
    let left_out = site.left_out();
    let closed = site.close().await;
    let record = measured?;
    closed?;
    let series = record.series(STACKS.into_iter().map(name));
    let page = page::page(&record.machine, left_out, &series);
    println!("\n{page}");
    if let Some(out) = &options.out {
        let file = out.join("scale.md");
        std::fs::write(&file, page).map_err(|error| of_file(&file, &error))?;
        plot::write(out, &series)?;
    }
    Ok(())
}

/// Every stack at every size that is asked for. One store is there at a time.
async fn measure(site: &Site, options: &Options) -> Result<Record> {
    let machine = site.machine().to_string();
    let mut record = match &options.out {
        Some(out) => Record::read(out, machine)?,
        None => Record::new(machine),
    };
    let sizes = || std::iter::successors(Some(options.from), |size| size.checked_mul(10));
    let asked = |stack: &Stack| options.stacks.is_empty() || options.stacks.contains(stack);
    for stack in STACKS.into_iter().filter(|stack| site.has(stack.0) && asked(stack)) {
        for size in sizes().take_while(|size| *size <= options.to) {
            let point = point(site, stack.0, stack.1, size).await?;
            println!("{}: {point:?}", name(stack));
            record.add(&name(stack), point);
            // A long run that is broken off keeps what it has.
            if let Some(out) = &options.out {
                record.write(out)?;
            }
        }
    }
    Ok(record)
}
