//! Free-form JSON, kept as the exact text that was given.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

/// One JSON value as text: byte for byte what was given, without the white space around it.
///
/// Signatures are made over the text, so it is never written anew; it is checked when it is made, and parsed on demand.
/// In a binary format such as the stored MessagePack it is a string; in a human-readable one it is the nested JSON itself,
/// text for text. What comes from a binary format was checked when it was written and is not checked again; writing it as JSON
/// checks it once more, so a damaged text never leaves as JSON.
///
/// Equality is that of the text. `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(Box<str>);

impl Json {
    /// The deepest nesting accepted, in levels of arrays and objects. Parsers have such a limit too, and would fail later.
    pub const DEPTH_MAX: usize = 100;

    /// Checks that `text` is one JSON value and keeps it.
    ///
    /// Only the grammar is checked. A number that no type can hold, or half of a surrogate pair, is kept as it is;
    /// [`parse`](Json::parse) fails if it is asked for it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not JSON (with line and column, never with content), or nested deeper than
    /// [`DEPTH_MAX`](Json::DEPTH_MAX).
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let raw: &RawValue = serde_json::from_str(text.as_ref()).map_err(not_json)?;
        Json::from_raw(raw, Json::DEPTH_MAX)
    }

    /// The text of `value`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `value` has no JSON form (a map whose keys are not text), or is nested too deep.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(value)
            .map_err(|_| Error::new(ErrorKind::InvalidInput, "this value cannot be written as JSON"))?;
        Json::new(text)
    }

    /// `null`.
    pub fn null() -> Self {
        Json("null".into())
    }

    /// `{}`.
    pub fn empty_object() -> Self {
        Json("{}".into())
    }

    /// Text that a JSON parser has already walked over.
    pub(crate) fn from_raw(raw: &RawValue, depth_max: usize) -> Result<Self> {
        let text = raw.get();
        if is_deeper(text, depth_max) {
            let message = format!("JSON nested deeper than {depth_max} levels");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Json(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value as a `T`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the value is none; the message has line and column, never content.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0).map_err(not_json)
    }
}

/// The parser's own message may quote the text, so only the place is taken from it.
fn not_json(error: serde_json::Error) -> Error {
    let what = match error.classify() {
        serde_json::error::Category::Data => "this JSON has not the expected form",
        serde_json::error::Category::Eof => "this JSON ends too early",
        _ => "this is not JSON",
    };
    Error::new(ErrorKind::InvalidInput, format!("{what}: line {}, column {}", error.line(), error.column()))
}

/// Whether arrays and objects are nested beyond `depth_max`. A loop: recursion would fall for what it looks for.
fn is_deeper(text: &str, depth_max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

impl FromStr for Json {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Json::new(text)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.0);
        }
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(|_| S::Error::custom("stored text is not JSON"))?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Box::<str>::deserialize(deserializer).map(Json);
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Json::from_raw(&raw, Json::DEPTH_MAX).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_as_it_was_given() {
        for text in ["null", "{}", r#"{"b": 1.50,"a" :[1e3, "\u00e9\/"]}"#, "\"\\ud83d\"", "1e999"] {
            assert_eq!(Json::new(format!(" \n{text}\t")).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_not_json_is_refused_without_quoting_it() {
        for text in ["", "{", "secret", "{\"secret\":}", "1 2", "[1,]", "\"secret", "{'secret':1}", "\u{feff}{}"] {
            let error = Json::new(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = Json::new("\"secret\"").unwrap().parse::<u64>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_depth_bomb_is_refused() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let bomb = deep(500_000);
        for text in [&bomb, &"[".repeat(1 << 20), &"{\"a\":".repeat(200_000)] {
            assert_eq!(Json::new(text).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert!(serde_json::from_str::<Json>(&bomb).is_err());
        let deepest = Json::new(deep(Json::DEPTH_MAX)).unwrap();
        deepest.parse::<serde_json::Value>().unwrap();
        assert!(Json::new(deep(Json::DEPTH_MAX + 1)).is_err());
        let in_text = format!("[\"\\\"{}\"]", "[".repeat(1_000));
        assert_eq!(Json::new(&in_text).unwrap().as_str(), in_text, "brackets in a string do not nest");
    }

    #[test]
    fn nested_in_json_and_a_string_in_message_pack() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Outer {
            inner: Json,
        }
        let text = r#"{"inner":{"z": 1, "a":[ 2.0]}}"#;
        let outer: Outer = serde_json::from_str(text).unwrap();
        assert_eq!(outer.inner.as_str(), r#"{"z": 1, "a":[ 2.0]}"#);
        assert_eq!(serde_json::to_string(&outer).unwrap(), text);

        let packed = rmp_serde::to_vec_named(&outer).unwrap();
        assert_eq!(rmp_serde::from_slice::<Outer>(&packed).unwrap(), outer);
        #[derive(Deserialize)]
        struct Plain {
            inner: String,
        }
        assert_eq!(rmp_serde::from_slice::<Plain>(&packed).unwrap().inner, outer.inner.as_str());
    }

    #[test]
    fn a_damaged_text_does_not_leave_as_json() {
        let packed = rmp_serde::to_vec_named("{\"half\":").unwrap();
        let damaged: Json = rmp_serde::from_slice(&packed).unwrap();
        assert!(serde_json::to_string(&damaged).is_err());
        assert!(damaged.parse::<serde_json::Value>().is_err());
    }
}
