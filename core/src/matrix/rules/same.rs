//! Whether two contents are the same, however they are spelled.

use serde_json::Value;

use crate::Json;

/// The same text or, in another spelling, the same value.
pub(super) fn same_json(left: &Json, right: &Json) -> bool {
    if left == right {
        return true;
    }
    match (left.parse(), right.parse()) {
        (Ok(left), Ok(right)) => same_value(&left, &right),
        // JSON that no parser takes whole, with half of a surrogate pair or a number beyond all, differs in white space.
        _ => tokens(left.as_str()).eq(tokens(right.as_str())),
    }
}

/// As `==`, but a number is the same in each of its spellings: programs write `1.0` as `1`.
fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || ((left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_value(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, left)| right.get(name).is_some_and(|right| same_value(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

/// The bytes of a JSON text without the white space between its tokens.
fn tokens(text: &str) -> impl Iterator<Item = u8> {
    let (mut in_string, mut escaped) = (false, false);
    text.bytes().filter(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        in_string || !byte.is_ascii_whitespace()
    })
}
