//! Which of the two forms an input has, from its beginning.

use std::io::{self, Read};

use super::ReadError;
use super::scanner::{Capture, Scanner};

/// How much of the input may be looked at before it is decided.
const PREFIX_BYTES_MAX: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The two forms of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One object with the events in `messages`.
    Export,
    /// One event a line.
    Lines,
}

/// Reads as little as decides the form, and gives it back with what was read, less a byte order mark.
pub(super) fn detect(input: &mut impl Read) -> io::Result<(Form, Vec<u8>)> {
    let mut prefix = Vec::new();
    let mut chunk = vec![0; 16 << 10];
    loop {
        let count = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        prefix.extend_from_slice(&chunk[..count]);
        let is_all = count == 0;
        if !is_all && prefix.len() < BYTE_ORDER_MARK.len() {
            continue;
        }
        let text = prefix.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&prefix);
        let form = match judge(text.trim_ascii_start()) {
            Verdict::Is(form) => form,
            // On its first line it may be a malformed event; beyond, only an export has line breaks inside.
            Verdict::Undecided { line: 1 } if is_all => Form::Lines,
            Verdict::Undecided { .. } if is_all || prefix.len() >= PREFIX_BYTES_MAX => Form::Export,
            Verdict::Undecided { .. } => {
                // Looking again from the start each time stays linear when the amount doubles.
                chunk.resize(prefix.len().max(chunk.len()), 0);
                continue;
            }
        };
        let text = text.to_vec();
        return Ok((form, text));
    }
}

enum Verdict {
    Is(Form),
    Undecided { line: u64 },
}

fn judge(text: &[u8]) -> Verdict {
    let mut scanner = Scanner::new(text);
    match members(&mut scanner) {
        Ok(Some(form)) => Verdict::Is(form),
        Ok(None) | Err(_) => Verdict::Undecided { line: scanner.line() },
    }
}

/// Goes through the members of the first object until one decides.
fn members(scanner: &mut Scanner<&[u8]>) -> Result<Option<Form>, ReadError> {
    match scanner.peek()? {
        None => return Ok(None),
        Some(b'{') => scanner.expect(b'{', "{")?,
        Some(_) => return Ok(Some(Form::Lines)),
    }
    loop {
        if scanner.peek()? == Some(b'}') {
            // Neither kind of member: an event without a type if it is on one line, and no events at all otherwise.
            return Ok(Some(if scanner.line() == 1 { Form::Lines } else { Form::Export }));
        }
        let mut key = Capture::new(64);
        scanner.value(&mut key)?;
        scanner.expect(b':', ":")?;
        match key.text.as_slice() {
            br#""messages""# if scanner.peek()? == Some(b'[') => return Ok(Some(Form::Export)),
            br#""type""# | br#""content""# | br#""event_id""# | br#""sender""# | br#""origin_server_ts""# => {
                return Ok(Some(Form::Lines));
            }
            _ => scanner.value(&mut Capture::nothing())?,
        }
        if scanner.peek()? == Some(b',') {
            scanner.expect(b',', ",")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        let (form, prefix) = detect(&mut text.as_bytes()).unwrap();
        assert_eq!(prefix, text.trim_start_matches('\u{feff}').as_bytes());
        form
    }

    #[test]
    fn an_object_with_messages_is_an_export() {
        assert_eq!(form(r#"{"messages":[]}"#), Form::Export);
        assert_eq!(
            form("\u{feff}  {\n \"room_name\": \"a\",\n \"x\": [1, {\"type\": 2}],\n \"messages\": [\n"),
            Form::Export
        );
    }

    #[test]
    fn an_object_of_an_event_is_a_line() {
        assert_eq!(form(r#"{"room_id":"!a","type":"m.x","messages":[]}"#), Form::Lines);
        assert_eq!(form("{\"event_id\":\"$1\n{\"type\":\"m.x\"}"), Form::Lines);
        assert_eq!(form(""), Form::Lines);
        assert_eq!(form("hello\n{\"type\":1}"), Form::Lines);
        assert_eq!(form("{\"a\":1}\n{\"type\":\"m.x\"}"), Form::Lines);
    }

    #[test]
    fn another_object_over_several_lines_is_left_to_the_export_reader_to_refuse() {
        assert_eq!(form("{\n\"rooms\": {}\n}\n"), Form::Export);
        assert_eq!(form("{\n\"room_name\": \"cut of"), Form::Export);
    }

    #[test]
    fn a_long_member_before_messages_is_passed() {
        let text = format!("{{\"topic\":\"{}\",\"messages\":[]}}", "x".repeat(PREFIX_BYTES_MAX / 2));
        assert_eq!(form(&text), Form::Export);
    }
}
