//! Random inputs, each with a store of its own.

use std::fmt::Debug;

use proptest::strategy::Strategy;

use crate::context::Site;
use crate::random::search;
use crate::{Checked, Context};

/// Tries `test` on so many inputs, each with a store of its own. The failure shows the smallest input that fails.
pub(super) fn on_random<S>(
    context: &Context,
    inputs: usize,
    strategy: &S,
    test: impl AsyncFn(&Site, S::Value) -> Checked,
) -> Checked
where
    S: Strategy<Value: Debug>,
{
    let inputs = u32::try_from(inputs.max(1)).unwrap_or(u32::MAX);
    search(context, inputs, strategy, async |input| {
        let site = context.open().await?;
        let checked = test(&site, input).await;
        site.store.close().await?;
        checked
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
