//! Strongroom next to what one would pick instead, on the operations that both have, in turns in one process:
//! `cargo run --release --manifest-path benches/peers/Cargo.toml`.
//!
//! Every commit of every store is on the medium when it returns. What is compared and how stands in `docs/benchmarks/peers.md`.

mod messages;
mod native;
mod ours;
mod room;
mod state;
mod table;
mod timeline;

use clap::{Parser, ValueEnum};
use strongroom_benches::figures::Report;
use strongroom_benches::machine::Machine;
use strongroom_benches::workload::Workload;

/// An error of any library here.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Strongroom next to what one would pick instead.
#[derive(Parser)]
#[command(name = "strongroom-peers")]
struct Options {
    /// Messages in each store; a room has a tenth as many members
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Rounds of what takes about a millisecond; others take their part or a multiple of it
    #[arg(long, default_value_t = 101)]
    rounds: usize,
    /// Prints JSON in place of tables
    #[arg(long)]
    json: bool,
    /// Measures one peer alone
    #[arg(long, value_enum)]
    only: Option<Peer>,
}

/// What is compared with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// native_db.
    Native,
    /// The state store of matrix-sdk-sqlite.
    State,
    /// The event cache of matrix-sdk-sqlite.
    Timeline,
}

/// What all measurements share.
struct Run {
    workload: Workload,
    messages: u64,
    rounds: usize,
}

impl Run {
    /// Numbers of stored messages for single reads, spread over all of them.
    fn anywhere(&self) -> impl Iterator<Item = u64> {
        (0..5 * self.rounds as u64).map(|n| n.wrapping_mul(7_919) % self.messages)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    // As many threads as the other programs of the benchmarks have.
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let run =
        Run { workload: Workload::default(), messages: options.messages.max(1_000), rounds: options.rounds.max(1) };
    let mut tables = Vec::new();
    for peer in Peer::value_variants().iter().filter(|peer| options.only.is_none_or(|only| only == **peer)) {
        match peer {
            Peer::Native => tables.push(messages::compare(&run).await?),
            Peer::State => tables.extend([state::compare(&run, true).await?, state::compare(&run, false).await?]),
            Peer::Timeline => {
                tables.extend([timeline::compare(&run, true).await?, timeline::compare(&run, false).await?]);
            }
        }
    }
    if options.json {
        let figures = tables.iter().flat_map(table::Table::figures).collect();
        let what = serde_json::json!({ "messages": run.messages });
        println!("{:#}", Report { machine: Machine::this(), figures, left_out: None, run: what }.json());
    } else {
        println!("{} messages, medians of one run\n{}\n", run.messages, Machine::this());
        tables.iter().for_each(|table| println!("{table}"));
    }
    Ok(())
}

/// The version of a crate that this was built with, as the lock file has it.
fn version(name: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap_or_default();
    package.split_once('"').map_or("of an unknown version", |(version, _)| version)
}
