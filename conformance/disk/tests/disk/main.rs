//! The disk as programs see it: mounted, through the kernel.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

/// The disk of a test, with the options if there are any, or the end of the test where none can be mounted.
macro_rules! disk {
    () => {
        disk!(Options::default())
    };
    ($options:expr) => {
        match $crate::support::mount($options) {
            Some(disk) => disk,
            None => return,
        }
    };
}

mod faults;
mod files;
mod mounts;
mod power;
mod support;
