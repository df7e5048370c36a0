//! Element's room export: one object, its events in `messages`, wherever among its members that stands.

use std::io::BufRead;

use super::scanner::{Capture, Scanner};
use super::sink::Sink;
use super::{EVENT_BYTES_MAX, ReadError};

/// Gives every element of `messages` to `sink`; its position is its place there, from 1.
pub(super) fn read(input: impl BufRead, sink: &mut Sink) -> Result<(), ReadError> {
    let mut scanner = Scanner::new(input);
    let mut position = 0;
    let mut found = false;
    scanner.expect(b'{', "an object")?;
    if scanner.peek()? == Some(b'}') {
        scanner.expect(b'}', "}")?;
    } else {
        loop {
            let mut key = Capture::new(64);
            if scanner.peek()? != Some(b'"') {
                return Err(scanner.wrong("expected the name of a member"));
            }
            scanner.value(&mut key)?;
            scanner.expect(b':', ":")?;
            if key.text == br#""messages""# && scanner.peek()? == Some(b'[') {
                found = true;
                events(&mut scanner, &mut position, sink)?;
            } else {
                scanner.value(&mut Capture::nothing())?;
            }
            if !another(&mut scanner, b'}', ", or } after a member")? {
                break;
            }
        }
    }
    if !found {
        return Err(ReadError::NoEvents);
    }
    match scanner.peek()? {
        None => Ok(()),
        Some(_) => Err(scanner.wrong("expected nothing more after the export")),
    }
}

fn events<R: BufRead>(scanner: &mut Scanner<R>, position: &mut u64, sink: &mut Sink) -> Result<(), ReadError> {
    scanner.expect(b'[', "[")?;
    if scanner.peek()? == Some(b']') {
        return scanner.expect(b']', "]");
    }
    loop {
        let mut event = Capture::new(EVENT_BYTES_MAX);
        scanner.value(&mut event)?;
        *position += 1;
        sink.event(*position, event.whole())?;
        if !another(scanner, b']', ", or ] after an event")? {
            return Ok(());
        }
    }
}

/// Whether a comma follows; otherwise `end` must.
fn another<R: BufRead>(scanner: &mut Scanner<R>, end: u8, expected: &str) -> Result<bool, ReadError> {
    if scanner.peek()? == Some(b',') {
        scanner.expect(b',', ",")?;
        return Ok(true);
    }
    scanner.expect(end, expected)?;
    Ok(false)
}
