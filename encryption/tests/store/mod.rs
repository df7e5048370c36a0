//! The encrypted store from outside, over memory: what it keeps, what it refuses, and what happens beside each other.

mod canaries;
mod change_log;
mod damaged;
mod databases;
mod interrupted;
mod kept_open;
mod limits;
mod locking;
mod providers;
mod races;
mod refused;
mod rolled_back;
mod rotation;
mod slots;
mod support;
mod yielding;
