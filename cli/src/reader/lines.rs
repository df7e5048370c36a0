//! JSON Lines: one event a line.

use std::io::{BufRead, Read};

use super::sink::Sink;
use super::{EVENT_BYTES_MAX, ReadError};

/// Gives every line that is not blank to `sink`; its position is its line number, from 1.
pub(super) fn read(mut input: impl BufRead, sink: &mut Sink) -> Result<(), ReadError> {
    for position in 1.. {
        let mut line = Vec::new();
        // One byte past the limit tells a line that is longer.
        let count = (&mut input).take(EVENT_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        if count > EVENT_BYTES_MAX && !line.ends_with(b"\n") {
            let rest = input.skip_until(b'\n')?;
            sink.event(position, Err((count + rest) as u64))?;
            continue;
        }
        line.truncate(line.trim_ascii_end().len());
        if !line.is_empty() {
            sink.event(position, Ok(line))?;
        }
    }
    Ok(())
}
