//! Names of rows that may stand in an error.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::SecretKey;

/// Bytes of a name, before it is written in hex.
const NAME_LEN: usize = 8;

/// Names rows by a keyed fingerprint of their stored key: an error or a log with it tells who has no key nothing but that two
/// errors are about one row.
pub(crate) struct RowKey(SecretKey);

impl RowKey {
    pub(crate) fn new(key: SecretKey) -> RowKey {
        RowKey(key)
    }

    /// The name of the row under the stored key `key`: 16 digits.
    pub(crate) fn name(&self, key: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes keys of every length");
        mac.update(key);
        mac.finalize().into_bytes().iter().take(NAME_LEN).fold(String::new(), |mut name, byte| {
            write!(name, "{byte:02x}").expect("a string takes all that is written to it");
            name
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_beginning_of_the_mac() {
        // RFC 4231, test case 1, with its key filled up with zeros as HMAC does itself.
        let mut key = [0; 32];
        key[..20].fill(0x0B);
        assert_eq!(RowKey::new(SecretKey::new(key)).name(b"Hi There"), "b0344c61d8db3853");
    }
}
