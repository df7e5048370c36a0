//! One component of a key.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::error::{Error, ErrorKind, Result};

/// A type that can be a component of a key or index.
///
/// Implemented for `bool`, `i32`, `u32`, `i64`, `u64`, `String`, `Vec<u8>`, [`Timestamp`] and `Option` of them;
/// `#[derive(Component)]` implements it for a new type over any of these. For an enum, implement it by hand: encode its text
/// or number as that type is, and refuse what is no variant with `Corrupt`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a component of a key or index",
    label = "not a key component",
    note = "use bool, i32, u32, i64, u64, String, Vec<u8>, Timestamp, an Option of one, or a new type with #[derive(Component)]"
)]
pub trait Component: Borrow<Self::Borrowed> + Sized + Send + Sync + 'static {
    /// What a caller passes by reference: `str` for `String`, `[u8]` for `Vec<u8>`, else the type itself.
    type Borrowed: ?Sized;

    /// Which encoding it has. Part of the schema: changing it makes another key.
    const KIND: Kind;

    /// Appends the encoding of `value`.
    fn encode(value: &Self::Borrowed, out: &mut Vec<u8>);

    /// Takes one value from the front of `input`.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the bytes are no encoding of this type. Accepts exactly what [`encode`](Component::encode) gives.
    fn decode(input: &mut &[u8]) -> Result<Self>;
}

/// The encoding of a component, as the catalog keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// `bool`
    Bool,
    /// `i32`
    I32,
    /// `u32`
    U32,
    /// `i64`
    I64,
    /// `u64`
    U64,
    /// `String`
    String,
    /// `Vec<u8>`
    Bytes,
    /// [`Timestamp`]
    Timestamp,
    /// `Option<bool>`
    OptionBool,
    /// `Option<i32>`
    OptionI32,
    /// `Option<u32>`
    OptionU32,
    /// `Option<i64>`
    OptionI64,
    /// `Option<u64>`
    OptionU64,
    /// `Option<String>`
    OptionString,
    /// `Option<Vec<u8>>`
    OptionBytes,
    /// `Option<Timestamp>`
    OptionTimestamp,
}

impl Kind {
    /// The kind of an `Option` of this.
    ///
    /// # Panics
    ///
    /// At compile time, for an `Option` of an `Option`.
    pub const fn optional(self) -> Kind {
        match self {
            Kind::Bool => Kind::OptionBool,
            Kind::I32 => Kind::OptionI32,
            Kind::U32 => Kind::OptionU32,
            Kind::I64 => Kind::OptionI64,
            Kind::U64 => Kind::OptionU64,
            Kind::String => Kind::OptionString,
            Kind::Bytes => Kind::OptionBytes,
            Kind::Timestamp => Kind::OptionTimestamp,
            _ => panic!("an Option of an Option cannot be a component of a key"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The escape byte of strings; `ESCAPE, n + 1` stands for the byte `n`, which is 0 or 1.
const ESCAPE: u8 = 1;
/// The end of a string; less than any byte that can follow inside one, so that a prefix sorts first.
const END: u8 = 0;

fn malformed(kind: Kind) -> Error {
    Error::new(ErrorKind::Corrupt, format!("these bytes are no encoding of a {kind} component"))
}

fn take<const N: usize>(input: &mut &[u8], kind: Kind) -> Result<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or_else(|| malformed(kind))?;
    *input = rest;
    Ok(*head)
}

fn encode_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 1);
    // Nearly all. Looked at to the end, so that the processor takes many at once.
    if bytes.iter().fold(true, |plain, byte| plain & (*byte > ESCAPE)) {
        out.extend_from_slice(bytes);
        out.push(END);
        return;
    }
    for run in bytes.chunk_by(|a, b| *a > ESCAPE && *b > ESCAPE) {
        match run {
            [byte] if *byte <= ESCAPE => out.extend_from_slice(&[ESCAPE, byte + 1]),
            plain => out.extend_from_slice(plain),
        }
    }
    out.push(END);
}

fn decode_escaped(input: &mut &[u8], kind: Kind) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let at = input.iter().position(|byte| *byte <= ESCAPE).ok_or_else(|| malformed(kind))?;
        bytes.extend_from_slice(&input[..at]);
        let special = input[at];
        *input = &input[at + 1..];
        if special == END {
            return Ok(bytes);
        }
        match take::<1>(input, kind)? {
            [escaped @ 1..=2] => bytes.push(escaped - 1),
            _ => return Err(malformed(kind)),
        }
    }
}

macro_rules! number {
    ($type:ty, $kind:ident, $bits:ty, $flip:expr) => {
        impl Component for $type {
            type Borrowed = Self;
            const KIND: Kind = Kind::$kind;

            fn encode(value: &Self, out: &mut Vec<u8>) {
                // Inverting the sign bit makes two's complement order as unsigned bytes do.
                out.extend_from_slice(&((*value as $bits) ^ $flip).to_be_bytes());
            }

            fn decode(input: &mut &[u8]) -> Result<Self> {
                Ok((<$bits>::from_be_bytes(take(input, Self::KIND)?) ^ $flip) as $type)
            }
        }
    };
}

number!(u32, U32, u32, 0);
number!(u64, U64, u64, 0);
number!(i32, I32, u32, 1 << 31);
number!(i64, I64, u64, 1 << 63);

impl Component for Timestamp {
    type Borrowed = Self;
    const KIND: Kind = Kind::Timestamp;

    fn encode(value: &Self, out: &mut Vec<u8>) {
        i64::encode(&value.as_millis(), out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self> {
        i64::decode(input).map(Timestamp::from_millis).map_err(|_| malformed(Self::KIND))
    }
}

impl Component for bool {
    type Borrowed = Self;
    const KIND: Kind = Kind::Bool;

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.push(u8::from(*value));
    }

    fn decode(input: &mut &[u8]) -> Result<Self> {
        match take::<1>(input, Self::KIND)? {
            [byte @ 0..=1] => Ok(byte == 1),
            _ => Err(malformed(Self::KIND)),
        }
    }
}

impl Component for String {
    type Borrowed = str;
    const KIND: Kind = Kind::String;

    fn encode(value: &str, out: &mut Vec<u8>) {
        encode_escaped(value.as_bytes(), out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self> {
        String::from_utf8(decode_escaped(input, Self::KIND)?).map_err(|_| malformed(Self::KIND))
    }
}

impl Component for Vec<u8> {
    type Borrowed = [u8];
    const KIND: Kind = Kind::Bytes;

    fn encode(value: &[u8], out: &mut Vec<u8>) {
        encode_escaped(value, out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self> {
        decode_escaped(input, Self::KIND)
    }
}

impl<T: Component> Component for Option<T> {
    type Borrowed = Self;
    const KIND: Kind = T::KIND.optional();

    fn encode(value: &Self, out: &mut Vec<u8>) {
        match value {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                T::encode(value.borrow(), out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self> {
        match take::<1>(input, Self::KIND)? {
            [0] => Ok(None),
            [1] => T::decode(input).map(Some),
            _ => Err(malformed(Self::KIND)),
        }
    }
}
