//! What the fuzzer calls: one function a target of `encryption/fuzz`. Built under `--cfg fuzzing` and for tests, never else.

mod envelope;

pub use envelope::envelope;
