//! The bytes of a file: blocks that are there and holes that read as zeros.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of one block, the unit in which space is counted.
pub(crate) const BLOCK_BYTES: u64 = 4096;

type Block = [u8; BLOCK_BYTES as usize];

/// What a file holds. A clone shares the blocks until one of the two writes to them.
#[derive(Clone, Default)]
pub(crate) struct Content {
    len_bytes: u64,
    blocks: BTreeMap<u64, Arc<Block>>,
}

impl Content {
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Blocks that take space. Holes take none.
    pub(crate) fn blocks(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Blocks that a write of `len_bytes` at `offset` would add.
    pub(crate) fn blocks_missing(&self, offset: u64, len_bytes: u64) -> u64 {
        if len_bytes == 0 {
            return 0;
        }
        let touched = offset / BLOCK_BYTES..(offset + len_bytes).div_ceil(BLOCK_BYTES);
        let there = self.blocks.range(touched.clone()).count() as u64;
        touched.end - touched.start - there
    }

    /// What stands at `offset`: at most `len_bytes_max`, less at the end of the file.
    pub(crate) fn read(&self, offset: u64, len_bytes_max: u64) -> Vec<u8> {
        let end = self.len_bytes.min(offset.saturating_add(len_bytes_max));
        let mut bytes = Vec::new();
        for (block, within) in pieces(offset..end, BLOCK_BYTES) {
            match self.blocks.get(&block) {
                Some(stored) => bytes.extend_from_slice(&stored[within]),
                None => bytes.resize(bytes.len() + within.len(), 0),
            }
        }
        bytes
    }

    /// Writes `data` at `offset`. The file grows as far as it must. Writing nothing changes nothing.
    pub(crate) fn write(&mut self, offset: u64, mut data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len() as u64;
        for (block, within) in pieces(offset..end, BLOCK_BYTES) {
            let stored = self.blocks.entry(block).or_insert_with(|| Arc::new([0; BLOCK_BYTES as usize]));
            let (piece, rest) = data.split_at(within.len());
            Arc::make_mut(stored)[within].copy_from_slice(piece);
            data = rest;
        }
        self.len_bytes = self.len_bytes.max(end);
    }

    /// Cuts the file off at `len_bytes`, or lets it grow to there by a hole.
    pub(crate) fn set_len(&mut self, len_bytes: u64) {
        if len_bytes < self.len_bytes {
            self.blocks.split_off(&len_bytes.div_ceil(BLOCK_BYTES));
            let within = (len_bytes % BLOCK_BYTES) as usize;
            if let Some(last) = self.blocks.get_mut(&(len_bytes / BLOCK_BYTES)) {
                Arc::make_mut(last)[within..].fill(0);
            }
        }
        self.len_bytes = len_bytes;
    }
}

/// The parts of `bytes` that lie in units of `unit_bytes`: the number of each unit, and where in it the part lies.
pub(crate) fn pieces(bytes: Range<u64>, unit_bytes: u64) -> impl Iterator<Item = (u64, Range<usize>)> {
    let units = if bytes.is_empty() { 0..0 } else { bytes.start / unit_bytes..bytes.end.div_ceil(unit_bytes) };
    units.map(move |unit| {
        let start = unit * unit_bytes;
        let from = bytes.start.max(start) - start;
        let to = bytes.end.min(start + unit_bytes) - start;
        (unit, from as usize..to as usize)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn content_is_as_a_plain_vector(steps in prop::collection::vec((0..3u8, 0..20_000u64, 0..9_000usize), 1..40)) {
            let (mut content, mut plain) = (Content::default(), Vec::new());
            for (number, (what, at, len)) in steps.into_iter().enumerate() {
                let end = at as usize + len;
                match what {
                    0 => {
                        content.set_len(at);
                        plain.resize(at as usize, 0);
                    }
                    _ => {
                        let missing = content.blocks_missing(at, len as u64);
                        let before = content.blocks();
                        content.write(at, &vec![number as u8 + 1; len]);
                        prop_assert_eq!(content.blocks() - before, missing);
                        if len > 0 {
                            plain.resize(plain.len().max(end), 0);
                            plain[at as usize..end].fill(number as u8 + 1);
                        }
                    }
                }
                prop_assert_eq!(content.len_bytes(), plain.len() as u64);
                prop_assert_eq!(content.read(0, u64::MAX), plain.clone());
                let from = (at as usize).min(plain.len());
                prop_assert_eq!(&content.read(at, len as u64)[..], &plain[from..end.min(plain.len()).max(from)]);
            }
        }
    }
}
