//! What the fuzzer calls: one function a target of `encryption/fuzz`. Built under `--cfg fuzzing` and for tests, never else.

mod envelope;
mod header;
mod key_decoding;
#[cfg(feature = "objects")]
mod object;

pub use envelope::envelope;
pub use header::header;
pub use key_decoding::key_decoding;
#[cfg(feature = "objects")]
pub use object::object;

/// Changes bytes: cuts them to `len`, flips what `change` says from `at` on, and appends what of it goes beyond the end.
fn changed(bytes: &[u8], at: usize, len: usize, change: &[u8]) -> Vec<u8> {
    let mut changed = bytes[..len.min(bytes.len())].to_vec();
    let at = at.min(changed.len());
    let (within, beyond) = change.split_at(change.len().min(changed.len() - at));
    changed[at..].iter_mut().zip(within).for_each(|(byte, change)| *byte ^= change);
    changed.extend_from_slice(beyond);
    changed
}
