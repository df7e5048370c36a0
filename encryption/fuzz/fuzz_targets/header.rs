//! Headers that anybody could have written are refused; a true one opens, and unchanged alone.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u16, u16, Vec<u8>)| {
    let (bytes, at, len, change) = input;
    strongroom_encryption::fuzzing::header(bytes, at.into(), len.into(), &change);
});
