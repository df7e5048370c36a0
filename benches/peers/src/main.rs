//! Strongroom next to what one would pick instead, on the operations that both have, in turns in one process:
//! `cargo run --release --manifest-path benches/peers/Cargo.toml`.
//!
//! Every store is durable. Ours is redb, encrypted where the other is: SQLite of this workspace and of matrix-sdk cannot be in one program,
//! since their bindings differ in version.

mod native;
mod rounds;
mod state;

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("| operation | ours | the other | ours / the other |\n|---|---|---|---|");
    native::compare().await?;
    state::compare().await
}
