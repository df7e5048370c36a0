//! Random inputs from the context's seed, shrunk where one fails.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

use crate::{Checked, Context, Failure};

/// Checks so many inputs. A failure shows the smallest input that was found to fail, and the seed.
pub(crate) fn search<S, F>(context: &Context, inputs: u32, strategy: &S, check: F) -> Checked
where
    S: Strategy<Value: Debug>,
    F: AsyncFn(S::Value) -> Checked,
{
    let config = Config { cases: inputs, failure_persistence: None, max_shrink_iters: 5_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed(context.seed())));
    let handle = Handle::current();
    let outcome = runner.run(strategy, |input| {
        let checked = tokio::task::block_in_place(|| handle.block_on(check(input)));
        checked.map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    let seed = context.seed();
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, input)) => {
            Err(Failure::new(format!("{reason}\n  seed {seed}, shrunk to {input:#?}")))
        }
        Err(TestError::Abort(reason)) => Err(Failure::new(format!("seed {seed}: no inputs: {reason}"))),
    }
}

fn seed(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}
