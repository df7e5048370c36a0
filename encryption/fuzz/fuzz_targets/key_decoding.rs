//! Keys that anybody could have written, as a file's text or as a keyring, are read in one form alone, and changed ones not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], [u8; 24], u16, u16, Vec<u8>)| {
    let (bytes, random, at, len, change) = input;
    strongroom_encryption::fuzzing::key_decoding(bytes, &random, at.into(), len.into(), &change);
});
