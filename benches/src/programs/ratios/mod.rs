//! Ours next to hand-written code on the same rows, in turns, in one process.

mod bulk;
mod media;
mod pages;
mod parts;
mod postgres;
mod saves;
mod size;

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use serde_json::json;
use strongroom::Result;

use crate::figures::{Figure, Report};
use crate::site::{self, Site};
use crate::workload::{Rooms, Skew, Workload};

/// What a run does.
#[derive(Args, Clone)]
pub struct Options {
    /// Prints JSON in place of a table
    #[arg(long)]
    json: bool,
    /// A smoke test: few rounds of little. Its figures mean nothing
    #[arg(long, conflicts_with_all = ["messages", "large"])]
    quick: bool,
    /// Measures a part alone
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Messages in each store before anything is measured
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    messages: u64,
    /// Messages in the large store, for paging and memory; the limits are for 10,000,000 and 1,000,000
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    large: u64,
    /// Rooms
    #[arg(long, default_value = "100")]
    rooms: NonZeroUsize,
    /// How unequal the rooms are
    #[arg(long, value_enum, default_value = "zipf")]
    skew: Skew,
    /// Seed of the workload
    #[arg(long, default_value_t = 7)]
    seed: u64,
    #[command(flatten)]
    site: site::Options,
}

/// A part of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Durable saves.
    Saves,
    /// What stands above the engine.
    Parts,
    /// Pages.
    Pages,
    /// Imports.
    Bulk,
    /// What grows with the number of messages.
    Size,
    /// PostgreSQL.
    Postgres,
    /// Media.
    Media,
}

/// What all measurements of a run share.
struct Run {
    workload: Workload,
    /// Messages in a store.
    messages: u64,
    /// Messages in the large one.
    large: u64,
    /// Rounds of what takes about a millisecond; others take their part or a multiple of it.
    rounds: usize,
    /// Whether it is a smoke test.
    quick: bool,
    site: Site,
}

/// Prints every figure of the table of limits.
///
/// # Errors
///
/// Those of the stores and of the file system.
pub async fn run(options: &Options) -> Result<()> {
    let mut run = Run {
        workload: Workload::new(Rooms::new(options.rooms.get(), options.skew), options.seed),
        messages: options.messages,
        large: options.large.max(options.messages),
        rounds: 201,
        quick: options.quick,
        site: Site::new(&options.site).await?,
    };
    if options.quick {
        (run.messages, run.large, run.rounds) = (3_000, 6_000, 5);
    }
    let measured = measure(&run, options.only).await;
    let closed = run.site.close().await;
    let Options { rooms, skew, seed, .. } = options;
    let what = json!({
        "quick": run.quick, "messages": run.messages, "large": run.large, "rooms": rooms,
        "skew": format!("{skew:?}"), "seed": seed,
    });
    let report = Report { machine: run.site.machine(), figures: measured?, left_out: run.site.left_out(), run: what };
    closed?;
    if options.json {
        println!("{:#}", report.json());
    } else {
        if run.quick {
            println!("A smoke test: these figures mean nothing.");
        }
        println!("{} messages, {rooms} rooms ({skew:?}), seed {seed}, medians of one run", run.messages);
        println!("{report}");
    }
    Ok(())
}

async fn measure(run: &Run, only: Option<Part>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for part in Part::value_variants().iter().filter(|part| only.is_none_or(|only| only == **part)) {
        figures.extend(match part {
            Part::Saves => saves::measure(run).await?,
            Part::Parts => parts::measure(run).await?,
            Part::Pages => pages::measure(run).await?,
            Part::Bulk => bulk::measure(run).await?,
            Part::Size => size::measure(run).await?,
            Part::Postgres => postgres::measure(run).await?,
            Part::Media => media::measure(run).await?,
        });
    }
    Ok(figures)
}

impl Run {
    /// A path in the folder of the run.
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.site.path(name)
    }
}
