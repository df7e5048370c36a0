//! One file or folder a program; `main` calls their `run`.

pub mod cache;
pub mod changes;
pub mod encryption;
pub mod media;
pub mod paging;
pub mod ratios;
pub mod scale;
