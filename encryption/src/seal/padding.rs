//! Padding: how long a value is shows only roughly.
//!
//! Lengths are those of Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
//! PETS 2019): at most 12% more, and a length of n bits gives away about log2(n) of them. What is added is a byte 0x80 and zeros
//! (ISO/IEC 7816-4), which can be taken off without knowing how much it is.

/// The shortest padded length, in bytes: most of what is shorter looks alike.
const FLOOR: usize = 64;

/// Ends the value; zeros follow.
const MARKER: u8 = 0x80;

/// Whether values are padded, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Padding {
    /// Whether they are padded at all. If not, an envelope shows the exact length.
    pub(crate) on: bool,
    /// Bytes of a padded value, at most: the longest value that the store below takes, less
    /// [`OVERHEAD`](super::OVERHEAD). Values of up to one byte less can be sealed within it.
    pub(crate) padded_bytes_max: usize,
}

impl Padding {
    /// Bytes of a value of `value_len` bytes with its padding.
    pub(super) fn padded_len(self, value_len: usize) -> usize {
        if !self.on {
            return value_len;
        }
        let least = value_len + 1;
        // A value that is too long keeps its marker, and the store's limit refuses it.
        padme(least.max(FLOOR)).min(self.padded_bytes_max).max(least)
    }

    /// Pads the value of `value_len` bytes that `buffer` ends with.
    pub(super) fn add(self, buffer: &mut Vec<u8>, value_len: usize) {
        if self.on {
            let len = buffer.len() + self.padded_len(value_len) - value_len;
            buffer.push(MARKER);
            buffer.resize(len, 0);
        }
    }
}

/// Bytes of the value that `padded` begins with; none if it does not end as [`Padding::add`] leaves it.
pub(super) fn unpadded_len(padded: &[u8]) -> Option<usize> {
    let len = padded.iter().rposition(|byte| *byte != 0)?;
    (padded[len] == MARKER).then_some(len)
}

/// The least length of the form that Padmé allows which is no less than `len`: one whose binary digits end in zeros, all
/// but as many of the first ones as it takes to write the exponent.
fn padme(len: usize) -> usize {
    let Some(exponent) = len.checked_ilog2() else { return 0 };
    let Some(digits) = exponent.checked_ilog2() else { return len };
    let zeros = exponent - (digits + 1);
    let mask = (1 << zeros) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Padding = Padding { on: true, padded_bytes_max: 1 << 20 };

    #[test]
    fn lengths_are_those_worked_out_by_hand() {
        // 9 is 0b1001: exponent 3, written in 2 digits, so that 1 digit must be 0: 10. And so on.
        let worked_out = [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (7, 7),
            (8, 8),
            (9, 10),
            (15, 16),
            (16, 16),
            (17, 18),
            (63, 64),
            (64, 64),
            (65, 72),
            (100, 104),
            (255, 256),
            (256, 256),
            (257, 272),
            (301, 304),
            (1_000, 1_024),
            (1_025, 1_088),
            (4_097, 4_352),
            (65_536, 65_536),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
        ];
        for (len, padded) in worked_out {
            assert_eq!(padme(len), padded, "{len}");
        }
    }

    #[test]
    fn padding_costs_an_eighth_at_most_and_leaves_few_lengths() {
        let mut lengths = std::collections::BTreeSet::new();
        for len in FLOOR..100_000 {
            let padded = padme(len);
            assert!(padded >= len && (padded - len) * 8 < len, "{len} {padded}");
            lengths.insert(padded);
        }
        assert!(lengths.len() < 170, "{}", lengths.len());
    }

    #[test]
    fn short_values_look_alike_and_long_ones_stay_within_the_limit() {
        for len in 0..64 {
            assert_eq!(ON.padded_len(len), 64, "{len}");
        }
        assert_eq!(ON.padded_len(64), 72);
        for max in [1, 10, 64, 65, 100, 1_000, 1_001] {
            let padding = Padding { on: true, padded_bytes_max: max };
            for len in 0..max {
                assert!((len + 1..=max).contains(&padding.padded_len(len)), "{len} of {max}");
            }
            assert_eq!(padding.padded_len(max), max + 1, "the store below refuses it");
        }
    }

    #[test]
    fn what_is_added_comes_off() {
        for value in [&b""[..], b"a", b"\x80", b"\x80\0\0", b"\0", &[0x80; 64], &[0; 63], &[0; 1_000]] {
            let mut buffer = [b"front", value].concat();
            ON.add(&mut buffer, value.len());
            let padded = &buffer[5..];
            assert_eq!(padded.len(), ON.padded_len(value.len()));
            assert_eq!(unpadded_len(padded), Some(value.len()));
            assert_eq!(&padded[..value.len()], value);
        }
    }

    #[test]
    fn what_does_not_end_as_padding_does_is_refused() {
        for padded in [&b""[..], b"\0", &[0; 64], b"a", b"a\0\0", b"\x80a", b"\x81\0"] {
            assert_eq!(unpadded_len(padded), None, "{padded:?}");
        }
    }

    #[test]
    fn nothing_is_added_when_it_is_off() {
        let off = Padding { on: false, padded_bytes_max: 10 };
        let mut buffer = b"value".to_vec();
        off.add(&mut buffer, 5);
        assert_eq!(buffer, b"value");
        assert_eq!([off.padded_len(0), off.padded_len(5), off.padded_len(100)], [0, 5, 100]);
    }
}
