//! Running a case on random inputs that follow from its seed.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::context::Site;
use crate::{Checked, Context, Failure};

/// Tries `test` on so many inputs, each with a store of its own. The failure shows the smallest input that fails.
pub(super) fn on_random<S: Strategy>(
    context: &Context,
    inputs: usize,
    strategy: &S,
    test: impl AsyncFn(&Site, S::Value) -> Checked,
) -> Checked {
    let cases = u32::try_from(inputs.max(1)).unwrap_or(u32::MAX);
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&context.seed().to_be_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let one = async |input| {
        let site = context.open().await?;
        let checked = test(&site, input).await;
        site.store.close().await?;
        checked
    };
    let runtime = Handle::current();
    let result = block_in_place(|| {
        runner.run(strategy, |input| {
            let checked: Checked = runtime.block_on(one(input));
            checked.map_err(|failure| TestCaseError::fail(failure.to_string()))
        })
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, input) => Failure::new(format!("{reason}, with {input:?}")),
        TestError::Abort(reason) => Failure::new(format!("no input could be made: {reason}")),
    })
}

/// Bytes that no engine can compress.
pub(super) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut noise = Vec::with_capacity(bytes + 8);
    let mut state = seed;
    while noise.len() < bytes {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        noise.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}
