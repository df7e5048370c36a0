//! Objects that anybody could have written are refused; what was sealed opens, in every range, and unchanged alone.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u16, u16, u16, u16, Vec<u8>)| {
    let (bytes, start, end, at, len, change) = input;
    strongroom_encryption::fuzzing::object(bytes, start.into()..end.into(), at.into(), len.into(), &change);
});
