//! What Strongroom costs: one workload, the hand-written code that it is compared with, and the programs that measure.
//!
//! Every variant takes its turn in each round, and the medians of the rounds are printed: on a machine that does other things as
//! well a time alone means little, and the ratio of two from one run something.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is for programs that print figures")]

pub mod baselines;
pub mod figures;
pub mod machine;
pub mod media;
pub mod programs;
pub mod rounds;
pub mod sink;
pub mod site;
pub mod stacks;
pub mod workload;
