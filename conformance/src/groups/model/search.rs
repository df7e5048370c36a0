//! Making histories from a seed, and shrinking the first that fails.

use std::fmt::Debug;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{Checked, Context, Failure};

/// Histories that are tried to shrink one, at most: each may open a store of its own.
const SHRINKS_MAX: usize = 400;

/// Checks one random history after another until as many operations were executed as the case is worth.
///
/// `check` gives the number of operations that the history executed. The first history that fails is shrunk; the failure
/// shows what is left of it, and the seed.
pub(crate) async fn search<S: Strategy>(
    context: &Context,
    histories: S,
    mut check: impl AsyncFnMut(S::Value) -> Checked<usize>,
) -> Checked {
    let mut runner = runner(context.seed());
    let mut executed = 0;
    while executed < context.effort().operations {
        let mut tree = histories.new_tree(&mut runner).map_err(|reason| Failure::new(reason.message()))?;
        match check(tree.current()).await {
            // One that executed nothing counts too, so that the search ends.
            Ok(operations) => executed += operations.max(1),
            Err(failure) => {
                let (history, failure) = shrink(&mut tree, failure, &mut check).await;
                let seed = context.seed();
                let again = again(context);
                return Err(Failure::new(format!("{failure}\nseed {seed} ({again})\nshrunk to {history}")));
            }
        }
    }
    context.count("operations", executed as u64);
    Ok(())
}

/// How the same histories are had again. A failure may come late: the effort is part of it.
fn again(context: &Context) -> String {
    let (seed, operations) = (context.seed(), context.effort().operations);
    let variables = format!("STRONGROOM_SEED={seed} STRONGROOM_OPERATIONS={operations}");
    format!("again with `--seed {seed} --operations {operations}`, under `cargo test` with {variables}")
}

/// One value, the same for the same seed.
pub(crate) fn sample<S: Strategy>(seed: u64, values: &S) -> Checked<S::Value> {
    let tree = values.new_tree(&mut runner(seed)).map_err(|reason| Failure::new(reason.message()))?;
    Ok(tree.current())
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The simplest history that still fails, in words, and how it fails.
async fn shrink<V: Debug>(
    tree: &mut impl ValueTree<Value = V>,
    failure: Failure,
    check: &mut impl AsyncFnMut(V) -> Checked<usize>,
) -> (String, Failure) {
    let mut least = (format!("{:?}", tree.current()), failure);
    let mut going = tree.simplify();
    for _ in 0..SHRINKS_MAX {
        if !going {
            break;
        }
        let history = tree.current();
        let shown = format!("{history:?}");
        going = match check(history).await {
            Ok(_) => tree.complicate(),
            Err(failure) => {
                least = (shown, failure);
                tree.simplify()
            }
        };
    }
    least
}
