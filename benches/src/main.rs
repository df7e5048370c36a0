//! The programs that measure: `cargo run --release -p strongroom-benches -- --help`.
#![allow(clippy::print_stderr, reason = "it is a program")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use strongroom_benches::programs::{cache, changes, encryption, media, paging, ratios, scale};

/// Measures what Strongroom costs.
#[derive(Parser)]
#[command(name = "strongroom-benches")]
struct Arguments {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// Ours next to hand-written code, in turns, with the limit of each figure
    Ratios(ratios::Options),
    /// Costs by the number of messages, memory, bytes on disk and reopening, as tables and plots
    Scale(scale::Options),
    /// One message into memory, to see how much of it a process takes: `scale` and `ratios` start this
    #[command(hide = true)]
    Child(scale::child::Options),
    /// What the cache costs and saves
    Cache,
    /// What it costs to list a collection's changes
    Changes,
    /// What encryption costs: each engine encrypted and bare
    Encryption(encryption::Options),
    /// A large file into encrypted media and out again
    Media {
        /// Size of the file in MiB
        #[arg(default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..))]
        mib: u64,
    },
    /// A page in a small room and in a large one: cold, among the newest, and anywhere
    Paging {
        /// Messages in the large room
        #[arg(default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(20_000..))]
        messages: u64,
        /// Pages of redb that are kept in memory, in MiB
        #[arg(default_value_t = 64)]
        cache_mib: usize,
    },
}

fn main() -> ExitCode {
    let program = Arguments::parse().program;
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match program {
            Program::Ratios(options) => ratios::run(&options).await,
            Program::Scale(options) => scale::run(&options).await,
            Program::Child(options) => scale::child::run(&options).await,
            Program::Cache => cache::run().await,
            Program::Changes => changes::run().await,
            Program::Encryption(options) => encryption::run(&options).await,
            Program::Media { mib } => media::run(mib).await,
            Program::Paging { messages, cache_mib } => paging::run(messages, cache_mib).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
