//! Finds where JSON values begin and end, without keeping or judging them.
//!
//! A JSON parser would hold a whole value, however long, and would end at the first malformed one. An import must do
//! neither: it takes each value's text out by its brackets and quotes, up to a limit, and judges each alone, later.

use std::io::{self, BufRead};

use super::ReadError;

/// Reads forward and knows where it is.
pub(super) struct Scanner<R> {
    input: R,
    offset: u64,
    line: u64,
}

/// The text of one value, as far as the limit allows.
#[derive(Debug)]
pub(super) struct Capture {
    /// The value's text, or its first `max` bytes.
    pub(super) text: Vec<u8>,
    bytes: u64,
    max: usize,
}

impl Capture {
    /// Keeps at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Capture { text: Vec::new(), bytes: 0, max }
    }

    /// Keeps nothing: the value is passed over.
    pub(super) fn nothing() -> Self {
        Capture::new(0)
    }

    /// The whole text, or how many bytes it would have been.
    pub(super) fn whole(self) -> Result<Vec<u8>, u64> {
        if self.bytes == self.text.len() as u64 { Ok(self.text) } else { Err(self.bytes) }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = self.max - self.text.len();
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl<R: BufRead> Scanner<R> {
    pub(super) fn new(input: R) -> Self {
        Scanner { input, offset: 0, line: 1 }
    }

    /// The line where it is now, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// A syntax error at this place.
    pub(super) fn wrong(&self, what: impl Into<String>) -> ReadError {
        ReadError::Syntax { line: self.line, byte: self.offset, what: what.into() }
    }

    /// The next byte that is not white space, without taking it; none at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            let buffer = fill(&mut self.input)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let next = buffer.get(blank).copied();
            self.advance(blank, None)?;
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Takes `byte`, after white space, or says that it was `expected`.
    pub(super) fn expect(&mut self, byte: u8, expected: &str) -> Result<(), ReadError> {
        match self.peek()? {
            Some(found) if found == byte => self.advance(1, None),
            Some(_) => Err(self.wrong(format!("expected {expected}"))),
            None => Err(self.wrong(format!("it ends where {expected} should be"))),
        }
    }

    /// Takes the next value, whatever it is, into `capture`.
    pub(super) fn value(&mut self, capture: &mut Capture) -> Result<(), ReadError> {
        let Some(first) = self.peek()? else { return Err(self.wrong("it ends where a value should be")) };
        let (line, byte) = (self.line, self.offset);
        let unfinished = || ReadError::Syntax { line, byte, what: "the value that begins here never ends".to_owned() };
        if matches!(first, b',' | b':' | b']' | b'}') {
            return Err(self.wrong("expected a value"));
        }
        if !matches!(first, b'{' | b'[' | b'"') {
            return self.scalar(capture);
        }
        let mut nesting = Nesting::default();
        loop {
            let buffer = fill(&mut self.input)?;
            if buffer.is_empty() {
                return Err(unfinished());
            }
            let end = buffer.iter().position(|byte| nesting.closes_with(*byte));
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.advance(used, Some(capture))?;
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// A number or a word: up to what cannot belong to one.
    fn scalar(&mut self, capture: &mut Capture) -> Result<(), ReadError> {
        let is_end =
            |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"');
        loop {
            let buffer = fill(&mut self.input)?;
            let end = buffer.iter().position(is_end);
            let at_end = end.is_some() || buffer.is_empty();
            let used = end.unwrap_or(buffer.len());
            self.advance(used, Some(capture))?;
            if at_end {
                return Ok(());
            }
        }
    }

    /// Takes `count` bytes, all of which are in the buffer.
    fn advance(&mut self, count: usize, capture: Option<&mut Capture>) -> Result<(), ReadError> {
        if count == 0 {
            return Ok(());
        }
        let taken = &fill(&mut self.input)?[..count];
        self.line += taken.iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Some(capture) = capture {
            capture.push(taken);
        }
        self.offset += count as u64;
        self.input.consume(count);
        Ok(())
    }
}

/// How deep in brackets, and whether in a string.
#[derive(Default)]
struct Nesting {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Steps over `byte`; whether it ends the value.
    fn closes_with(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    return self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// The buffer, filled if it was empty; a signal that interrupts the read is no error.
fn fill(input: &mut impl BufRead) -> io::Result<&[u8]> {
    // The first borrow must end before the answer's begins.
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    input.fill_buf()
}
