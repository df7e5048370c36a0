//! Makes text that others wrote safe and short to show.
//!
//! A message can hold anything: escape sequences that drive a terminal, or marks that reverse the direction of a line.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that a terminal obeys, or that reorders what is shown, written as an escape.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_unsafe(char) {
            safe.extend(char.escape_default());
        } else {
            safe.push(char);
        }
    }
    Cow::Owned(safe)
}

/// JSON that means the same, without line breaks.
///
/// Content is kept as it was given, indentation included. In JSON, a raw line break can only be white space between
/// tokens, so that it can go.
pub(crate) fn in_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { Cow::Owned(json.replace(['\n', '\r'], "")) } else { Cow::Borrowed(json) }
}

/// JSON that means the same, with the characters that a terminal obeys as JSON escapes.
///
/// Those below a space are escaped in any JSON; outside of strings only white space of them can stand.
pub(crate) fn guard_json(json: &str) -> Cow<'_, str> {
    let obeyed = |char: char| is_unsafe(char) && char >= '\u{7f}';
    if !json.contains(obeyed) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 8);
    for char in json.chars() {
        if obeyed(char) {
            // All of them are below U+10000, so one escape is enough.
            write!(safe, "\\u{:04x}", u32::from(char)).expect("a String takes all that is written");
        } else {
            safe.push(char);
        }
    }
    Cow::Owned(safe)
}

/// The first `max` characters, with a mark where something was left out.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// "1 event", "2,000 events".
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(escape("plain ü 漢 🙂"), "plain ü 漢 🙂");
        assert_eq!(escape("a\u{1b}[31m\nb\u{9b}c\u{7f}"), "a\\u{1b}[31m\\nb\\u{9b}c\\u{7f}");
        assert_eq!(escape("\u{202e}txt.exe"), "\\u{202e}txt.exe");
    }

    #[test]
    fn guarded_json_means_the_same() {
        let json = serde_json::to_string("a\u{9b}31m\u{7f}\u{202e}\u{1b}b").unwrap();
        let guarded = guard_json(&json);
        assert!(!guarded.contains(is_unsafe), "{guarded}");
        assert_eq!(serde_json::from_str::<String>(&guarded).unwrap(), serde_json::from_str::<String>(&json).unwrap());
    }

    #[test]
    fn json_in_one_line_means_the_same() {
        let value = serde_json::json!({"a": ["x\ny", 1, null], "b": {}});
        let pretty = serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n");
        let line = in_one_line(&pretty);
        assert_eq!((line.lines().count(), serde_json::from_str::<serde_json::Value>(&line).unwrap()), (1, value));
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äöü…");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "event"), "1 event");
    }
}
