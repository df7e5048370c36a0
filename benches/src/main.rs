//! `cargo run --release -p strongroom-benches -- cache`: what the cache costs and saves.
//!
//! `cargo run --release -p strongroom-benches -- media [MiB]`: a large file into encrypted media and out again.
//!
//! `cargo run --release -p strongroom-benches -- changes`: what it costs to list a collection's changes.
//!
//! Every variant takes its turn in each round, and the medians of the rounds are printed: on a machine that does other things as
//! well a time alone means little, and the ratio of two from one run something.
#![allow(clippy::print_stdout, reason = "it is a program that prints figures")]

mod cache;
mod changes;
mod media;
mod median;

use strongroom::Result;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let mut arguments = std::env::args().skip(1);
    let (program, size) = (arguments.next(), arguments.next());
    let runtime = runtime.map_err(strongroom::Error::application)?;
    match program.as_deref() {
        Some("cache") => runtime.block_on(cache::run()),
        Some("changes") => runtime.block_on(changes::run()),
        Some("media") => runtime.block_on(media::run(size.and_then(|size| size.parse().ok()).unwrap_or(1_024))),
        _ => {
            println!("name one: cache, changes, or media with the size of the file in MiB");
            Ok(())
        }
    }
}
