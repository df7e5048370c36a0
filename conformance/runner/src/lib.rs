//! What the suite runs on: a [factory](strongroom_conformance::Factory) for each stack of this project.

pub mod stacks;
