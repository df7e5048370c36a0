//! x
mod reader;
fn main() {}
