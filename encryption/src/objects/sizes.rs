//! How long sealed objects are: arithmetic alone, so that a listing needs to read none.

use std::ops::Range;

use super::header::HEADER_LEN;
use crate::EncryptionError;
use crate::seal::{NONCE_LEN, TAG_LEN};

/// Bytes that a sealed chunk has more than what is in it.
pub(super) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// How an object is cut: all chunks but the last one are full. An object without content is one empty chunk, and no other
/// chunk is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    chunk_log2: u8,
}

impl Layout {
    /// The shortest chunks: 4 KiB. In shorter ones the overhead would begin to count.
    pub(super) const LOG2_MIN: u8 = 12;
    /// The longest: 16 MiB. A chunk is what a reader must have in memory, and what is sealed without a pause.
    pub(super) const LOG2_MAX: u8 = 24;

    /// Chunks of so many bytes, if they may have as many.
    pub(super) fn of_chunk_bytes(bytes: u32) -> Option<Layout> {
        let chunk_log2 = bytes.trailing_zeros() as u8;
        let allowed = bytes.is_power_of_two() && (Self::LOG2_MIN..=Self::LOG2_MAX).contains(&chunk_log2);
        allowed.then_some(Layout { chunk_log2 })
    }

    pub(super) fn chunk_log2(self) -> u8 {
        self.chunk_log2
    }

    /// Bytes of content in a full chunk.
    pub(super) fn chunk_bytes(self) -> usize {
        1 << self.chunk_log2
    }

    /// Bytes of a full chunk, sealed.
    fn sealed_chunk(self) -> u64 {
        (self.chunk_bytes() + OVERHEAD) as u64
    }

    /// Chunks of an object with `plain` bytes of content: at least one.
    pub(super) fn chunks(self, plain: u64) -> u64 {
        plain.div_ceil(self.chunk_bytes() as u64).max(1)
    }

    /// Bytes of an object with `plain` bytes of content, sealed; none if no number says as much.
    pub(super) fn sealed_len(self, plain: u64) -> Option<u64> {
        let overhead = self.chunks(plain).checked_mul(OVERHEAD as u64)?;
        plain.checked_add(overhead)?.checked_add(HEADER_LEN as u64)
    }

    /// Bytes of content in a sealed object of `sealed` bytes.
    ///
    /// Errors: `Truncated`: no object has this length.
    pub(super) fn plain_len(self, sealed: u64) -> Result<u64, EncryptionError> {
        let body = sealed.checked_sub(HEADER_LEN as u64).ok_or(EncryptionError::Truncated)?;
        let chunks = body.div_ceil(self.sealed_chunk());
        let plain = body.checked_sub(chunks * OVERHEAD as u64).ok_or(EncryptionError::Truncated)?;
        // Less than a tag in the last chunk, an empty one after others, or no chunk at all.
        if self.sealed_len(plain) == Some(sealed) { Ok(plain) } else { Err(EncryptionError::Truncated) }
    }

    /// The chunks that hold `range` of an object with `plain` bytes of content. Of an empty range it is the last chunk: so what is
    /// said about the end of the object is authenticated.
    pub(super) fn chunks_of(self, range: &Range<u64>, plain: u64) -> Range<u64> {
        if range.is_empty() {
            let chunks = self.chunks(plain);
            return chunks - 1..chunks;
        }
        range.start >> self.chunk_log2..((range.end - 1) >> self.chunk_log2) + 1
    }

    /// Where these chunks stand in a sealed object, if all are full; none if no number says as much.
    pub(super) fn span(self, chunks: &Range<u64>) -> Option<Range<u64>> {
        let place = |index: u64| index.checked_mul(self.sealed_chunk())?.checked_add(HEADER_LEN as u64);
        Some(place(chunks.start)?..place(chunks.end)?)
    }

    /// The content of one chunk of an object with `plain` bytes.
    pub(super) fn content_of(self, index: u64, plain: u64) -> Range<u64> {
        let start = index << self.chunk_log2;
        start..plain.min(start + self.chunk_bytes() as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layouts() -> impl Strategy<Value = Layout> {
        (Layout::LOG2_MIN..=Layout::LOG2_MAX).prop_map(|chunk_log2| Layout { chunk_log2 })
    }

    /// Lengths of content, also those around the edges of chunks.
    fn lengths() -> impl Strategy<Value = u64> {
        let near = (0..1_u64 << 30, 12..25_u32, -2..3_i64)
            .prop_map(|(some, log2, off)| ((some >> log2) << log2).saturating_add_signed(off));
        prop_oneof![near, 0..1_u64 << 60, 0..100_000_u64]
    }

    proptest! {
        #[test]
        fn a_sealed_length_says_the_plain_one(layout in layouts(), plain in lengths()) {
            let sealed = layout.sealed_len(plain).unwrap();
            prop_assert_eq!(layout.plain_len(sealed), Ok(plain));
            prop_assert_eq!(sealed, plain + HEADER_LEN as u64 + layout.chunks(plain) * OVERHEAD as u64);
        }

        #[test]
        fn a_length_that_no_object_has_is_refused(layout in layouts(), sealed in lengths()) {
            match layout.plain_len(sealed) {
                Ok(plain) => prop_assert_eq!(layout.sealed_len(plain), Some(sealed)),
                Err(error) => prop_assert_eq!(error, EncryptionError::Truncated),
            }
        }

        #[test]
        fn the_chunks_of_a_range_hold_it_and_no_more(layout in layouts(), a in lengths(), len in 1..1_u64 << 40, more in lengths()) {
            let plain = a + len + more;
            let chunks = layout.chunks_of(&(a..a + len), plain);
            prop_assert!(chunks.end <= layout.chunks(plain));
            let (first, last) = (layout.content_of(chunks.start, plain), layout.content_of(chunks.end - 1, plain));
            prop_assert!(first.contains(&a) && last.contains(&(a + len - 1)));
        }

        #[test]
        fn nothing_overflows(layout in layouts(), any in any::<u64>()) {
            let _ = (layout.plain_len(any), layout.sealed_len(any), layout.span(&(any / 2..any)));
        }
    }

    #[test]
    fn the_lengths_at_the_edges_of_a_chunk() {
        let layout = Layout::of_chunk_bytes(4_096).unwrap();
        let sealed = [(0, 112), (1, 113), (4_095, 4_207), (4_096, 4_208), (4_097, 4_249), (8_192, 8_344)];
        for (plain, sealed) in sealed {
            assert_eq!(layout.sealed_len(plain), Some(sealed), "{plain}");
            assert_eq!(layout.plain_len(sealed), Ok(plain), "{sealed}");
        }
        for impossible in [0, 1, 71, 72, 73, 111, 4_209, 4_247, 4_248] {
            assert_eq!(layout.plain_len(impossible), Err(EncryptionError::Truncated), "{impossible}");
        }
    }

    #[test]
    fn a_chunk_has_a_power_of_two_bytes_between_its_limits() {
        for good in [4_096, 65_536, 1 << 24] {
            assert_eq!(Layout::of_chunk_bytes(good).unwrap().chunk_bytes(), good as usize);
        }
        for bad in [0, 1, 2_048, 4_095, 4_097, 65_537, 1 << 25, u32::MAX] {
            assert_eq!(Layout::of_chunk_bytes(bad), None, "{bad}");
        }
    }
}
