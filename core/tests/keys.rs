//! The key encoding: its order is the values' order, decoding inverts it, and no bytes can make it panic.

use std::cmp::Ordering;
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use strongroom::key::Components;
use strongroom::{Component, Timestamp};

#[derive(Component, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RoomId(String);

#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Count(i32);

/// A component type with values that are likely to be extreme, or near one another.
trait Sample: Component + Ord + Clone + Debug {
    fn sample() -> BoxedStrategy<Self>;
}

macro_rules! sample {
    ($($type:ty: $strategy:expr;)*) => {
        $(impl Sample for $type {
            fn sample() -> BoxedStrategy<Self> {
                $strategy.boxed()
            }
        })*
    };
}

sample! {
    bool: any::<bool>();
    u32: prop_oneof![any::<u32>(), select(vec![0, 1, 255, 256, u32::MAX - 1, u32::MAX])];
    u64: prop_oneof![any::<u64>(), select(vec![0, 1, 255, 256, u64::MAX - 1, u64::MAX])];
    i32: prop_oneof![any::<i32>(), select(vec![i32::MIN, i32::MIN + 1, -256, -1, 0, 1, 255, i32::MAX])];
    i64: prop_oneof![any::<i64>(), select(vec![i64::MIN, i64::MIN + 1, -256, -1, 0, 1, 255, i64::MAX])];
    String: prop_oneof![
        vec(select(vec!['\0', '\u{1}', '\u{2}', 'a', 'é', '\u{FFFF}', '\u{10FFFF}']), 0..6).prop_map(String::from_iter),
        any::<String>(),
    ];
    Vec<u8>: prop_oneof![vec(select(vec![0, 1, 2, 0x7F, 0xFE, 0xFF]), 0..6), vec(any::<u8>(), 0..40)];
    Timestamp: i64::sample().prop_map(Timestamp::from_millis);
    RoomId: String::sample().prop_map(RoomId);
    Count: i32::sample().prop_map(Count);
}

impl<T: Sample> Sample for Option<T> {
    fn sample() -> BoxedStrategy<Self> {
        proptest::option::of(T::sample()).boxed()
    }
}

fn encoded<C: Component>(value: &C) -> Vec<u8> {
    let mut bytes = Vec::new();
    C::encode(value.borrow(), &mut bytes);
    bytes
}

fn check_order<C: Sample>(left: &C, right: &C) -> Result<(), TestCaseError> {
    let (left_bytes, right_bytes) = (encoded(left), encoded(right));
    prop_assert_eq!(left_bytes.cmp(&right_bytes), left.cmp(right));
    if left != right {
        prop_assert!(!right_bytes.starts_with(&left_bytes) && !left_bytes.starts_with(&right_bytes));
    }
    Ok(())
}

fn check_decode<C: Sample>(value: &C, rest: &[u8]) -> Result<(), TestCaseError> {
    let mut bytes = encoded(value);
    bytes.extend_from_slice(rest);
    let mut input = bytes.as_slice();
    prop_assert!(C::decode(&mut input).is_ok_and(|decoded| decoded == *value));
    prop_assert_eq!(input, rest);
    Ok(())
}

/// Whatever decodes is exactly what encoding gives; anything else is an error and no panic.
fn check_hostile<C: Sample>(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut input = bytes;
    match C::decode(&mut input) {
        Ok(value) => prop_assert_eq!(encoded(&value), &bytes[..bytes.len() - input.len()]),
        Err(error) => prop_assert!(error.is_corrupt()),
    }
    Ok(())
}

/// A valid encoding with one byte changed and the end cut off.
fn damaged<C: Sample>() -> impl Strategy<Value = Vec<u8>> {
    let damage = |(value, at, byte, cut): (C, usize, u8, usize)| {
        let mut bytes = encoded(&value);
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes.truncate(len - cut.min(len));
        bytes
    };
    (C::sample(), any::<usize>(), select(vec![0, 1, 2, 3, 0x80, 0xFF]), 0..3_usize).prop_map(damage)
}

macro_rules! components {
    ($($name:ident: $type:ty;)*) => {
        $(mod $name {
            use super::*;

            proptest! {
                #[test]
                fn order_is_the_values_order(left in <$type>::sample(), right in <$type>::sample()) {
                    check_order(&left, &right)?;
                }

                #[test]
                fn decoding_takes_exactly_what_encoding_gave(value in <$type>::sample(), rest in vec(any::<u8>(), 0..4)) {
                    check_decode(&value, &rest)?;
                }

                #[test]
                fn hostile_bytes_are_errors(bytes in vec(any::<u8>(), 0..20), damaged in damaged::<$type>()) {
                    check_hostile::<$type>(&bytes)?;
                    check_hostile::<$type>(&damaged)?;
                }
            }
        })*
    };
}

components! {
    a_bool: bool;
    a_u32: u32;
    a_u64: u64;
    an_i32: i32;
    an_i64: i64;
    a_string: String;
    bytes: Vec<u8>;
    a_timestamp: Timestamp;
    a_new_type_of_string: RoomId;
    a_new_type_of_i32: Count;
    an_optional_bool: Option<bool>;
    an_optional_u32: Option<u32>;
    an_optional_u64: Option<u64>;
    an_optional_i32: Option<i32>;
    an_optional_i64: Option<i64>;
    an_optional_string: Option<String>;
    optional_bytes: Option<Vec<u8>>;
    an_optional_timestamp: Option<Timestamp>;
    an_optional_new_type: Option<RoomId>;
}

/// Three components, pushed and taken as a key does.
fn tuple<A: Sample, B: Sample, C: Sample>((a, b, c): &(A, B, C)) -> Components {
    let mut components = Components::new();
    components.push::<A>(a.borrow());
    components.push::<B>(b.borrow());
    components.push::<C>(c.borrow());
    components
}

fn check_tuples<A: Sample, B: Sample, C: Sample>(left: &(A, B, C), right: &(A, B, C)) -> Result<(), TestCaseError> {
    let (one, other) = (tuple(left), tuple(right));
    prop_assert_eq!(one.as_bytes().cmp(other.as_bytes()), left.cmp(right));
    let mut input = one.as_bytes();
    prop_assert!(A::decode(&mut input).is_ok_and(|decoded| decoded == left.0));
    prop_assert!(B::decode(&mut input).is_ok_and(|decoded| decoded == left.1));
    prop_assert!(C::decode(&mut input).is_ok_and(|decoded| decoded == left.2));
    prop_assert!(input.is_empty());
    prop_assert_eq!(one.iter().collect::<Vec<_>>(), [encoded(&left.0), encoded(&left.1), encoded(&left.2)]);
    let mut prefix = Components::new();
    prefix.push::<A>(right.0.borrow());
    prop_assert_eq!(one.starts_with(&prefix), left.0 == right.0);
    prefix.push::<B>(right.1.borrow());
    prop_assert_eq!(one.starts_with(&prefix), (&left.0, &left.1) == (&right.0, &right.1));
    Ok(())
}

macro_rules! tuples {
    ($($name:ident: $a:ty, $b:ty, $c:ty;)*) => {
        proptest! {
            $(#[test]
            fn $name(
                left in (<$a>::sample(), <$b>::sample(), <$c>::sample()),
                right in (<$a>::sample(), <$b>::sample(), <$c>::sample()),
                shared in 0..3_usize,
            ) {
                // Tuples that differ early say little about what comes later.
                let mut right = right;
                if shared > 0 { right.0 = left.0.clone(); }
                if shared > 1 { right.1 = left.1.clone(); }
                check_tuples(&left, &right)?;
            })*
        }
    };
}

tuples! {
    a_room_its_thread_and_a_time: RoomId, Option<String>, Timestamp;
    strings_then_bytes: String, Vec<u8>, String;
    options_of_everything: Option<Vec<u8>>, Option<RoomId>, Option<bool>;
    numbers_between_text: i64, String, u32;
    bytes_before_numbers: Vec<u8>, i32, u64;
    new_types: Count, RoomId, Option<Count>;
}

/// The bytes of the format itself: what is stored today must be read by every later release.
#[test]
fn the_bytes_are_those_of_the_format() {
    assert_eq!(encoded(&false), [0]);
    assert_eq!(encoded(&true), [1]);
    assert_eq!(encoded(&0x0102_0304_u32), [1, 2, 3, 4]);
    assert_eq!(encoded(&u64::MAX), [0xFF; 8]);
    assert_eq!(encoded(&i32::MIN), [0, 0, 0, 0]);
    assert_eq!(encoded(&-1_i32), [0x7F, 0xFF, 0xFF, 0xFF]);
    assert_eq!(encoded(&1_i64), [0x80, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(encoded(&Timestamp::from_millis(-1)), encoded(&-1_i64));
    assert_eq!(encoded(&String::new()), [0]);
    assert_eq!(encoded(&"a\0\u{1}\u{2}b".to_owned()), [b'a', 1, 1, 1, 2, 2, b'b', 0]);
    assert_eq!(encoded(&vec![0xFF_u8, 0]), [0xFF, 1, 1, 0]);
    assert_eq!(encoded(&None::<String>), [0]);
    assert_eq!(encoded(&Some(String::new())), [1, 0]);
    assert_eq!(encoded(&Some(2_u32)), [1, 0, 0, 0, 2]);
}

#[test]
fn a_prefix_sorts_first_also_before_what_is_escaped() {
    let sorted = ["", "\0", "\0\0", "\0a", "\u{1}", "\u{1}\0", "\u{2}", "a", "a\0", "a\u{1}", "ab", "b", "\u{10FFFF}"];
    let encodings = sorted.map(|text| encoded(&text.to_owned()));
    assert!(encodings.is_sorted_by(|left, right| left.cmp(right) == Ordering::Less));
}

#[test]
fn malformed_encodings_are_refused_without_their_bytes() {
    let refused = [
        String::decode(&mut &b"secret"[..]).unwrap_err(),             // no end
        String::decode(&mut &b"secret\x01"[..]).unwrap_err(),         // nothing escaped
        String::decode(&mut &b"secret\x01\x00\x00"[..]).unwrap_err(), // an escape that means nothing
        String::decode(&mut &b"secret\xFF\x00"[..]).unwrap_err(),     // no UTF-8
        Option::<String>::decode(&mut &b"\x02secret\x00"[..]).unwrap_err(), // neither none nor some
    ];
    for error in refused {
        assert!(error.is_corrupt());
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
    assert!(bool::decode(&mut &[2][..]).unwrap_err().is_corrupt());
    assert!(u64::decode(&mut &[0; 7][..]).unwrap_err().is_corrupt());
}
