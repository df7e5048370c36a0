//! Envelopes that anybody could have written are refused; what was sealed opens, and unchanged alone.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], [u8; 24], u8, Vec<u8>, Vec<u8>)| {
    let (bytes, randomness, flags, key, change) = input;
    strongroom_encryption::fuzzing::envelope(bytes, &key, &randomness, flags, &change);
});
