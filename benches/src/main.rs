//! `cargo run --release -p strongroom-benches`: what the cache costs and saves.
//!
//! Every variant takes its turn in each round, and the medians of the rounds are printed: on a machine that does other things as
//! well a time alone means little, and the ratio of two from one run something.
#![allow(clippy::print_stdout, reason = "it is a program that prints figures")]

mod cache;
mod median;

use strongroom::Result;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.map_err(strongroom::Error::application)?.block_on(cache::run())
}
