//! What an envelope promises: it comes back whole, it opens in its own place alone, and every change to it is refused.

use super::vectors::unhex;
use super::*;

const DATABASE: DatabaseId = DatabaseId([0xD5; 16]);
const RANDOMNESS: [u8; RANDOMNESS_LEN] = [0x5A; RANDOMNESS_LEN];
const KEY: &[u8] = b"the stored key";
const ON: Padding = Padding { on: true, padded_bytes_max: 1 << 20 };
const OFF: Padding = Padding { on: false, padded_bytes_max: 1 << 20 };

fn master() -> SecretKey {
    SecretKey::new([0x11; 32])
}

fn value_key() -> ValueKey {
    ValueKey::derive(&master(), KeyId(7), DATABASE, b"keyspace")
}

fn open(with: &ValueKey, key: &[u8], bytes: &[u8]) -> Result<Bytes, EncryptionError> {
    with.open(key, &Envelope::parse(bytes)?)
}

/// The envelope is refused by the tag, and the error names the row.
#[track_caller]
fn refuses(with: &ValueKey, key: &[u8], bytes: &[u8]) {
    assert_eq!(open(with, key, bytes), Err(EncryptionError::AuthFailed { row: with.row.name(key) }));
}

#[test]
fn a_value_of_every_length_comes_back_and_is_as_long_as_it_says() {
    let key = value_key();
    let value: Vec<u8> = (0..5_000_u32).map(|at| at as u8).collect();
    for len in 0..=value.len() {
        for padding in [ON, OFF] {
            let sealed = key.seal(Binding::Key(KEY), &value[..len], &RANDOMNESS, padding);
            assert_eq!(sealed.len(), sealed_len(len, padding), "{len} {padding:?}");
            assert_eq!(open(&key, KEY, &sealed).unwrap(), &value[..len], "{len} {padding:?}");
        }
    }
}

#[test]
fn the_longest_value_that_the_store_below_takes_is_one_byte_and_the_overhead_less() {
    let key = value_key();
    for limit in [OVERHEAD + 1, OVERHEAD + 64, OVERHEAD + 65, 1_000, 1_023, 1_024, 1_025] {
        let padding = Padding { on: true, padded_bytes_max: limit - OVERHEAD };
        let longest = limit - OVERHEAD - 1;
        for len in longest.saturating_sub(40)..longest + 10 {
            let sealed = key.seal(Binding::Key(KEY), &vec![0x80; len], &RANDOMNESS, padding);
            assert_eq!(sealed.len(), sealed_len(len, padding), "{len} of {limit}");
            assert_eq!(sealed.len() <= limit, len <= longest, "{len} of {limit}");
            assert_eq!(open(&key, KEY, &sealed).unwrap(), vec![0x80; len], "{len} of {limit}");
        }
    }
}

#[test]
fn every_bit_and_every_truncation_counts() {
    let key = value_key();
    for (len, padding) in [(0, OFF), (0, ON), (1, OFF), (33, OFF), (33, ON), (300, OFF), (300, ON)] {
        let sealed = key.seal(Binding::Key(KEY), &vec![0x42; len], &RANDOMNESS, padding);
        assert!(open(&key, KEY, &sealed).is_ok());
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, KEY, &changed).is_err(), "bit {bit} of {len}");
        }
        for cut in 0..sealed.len() {
            assert!(open(&key, KEY, &sealed[..cut]).is_err(), "cut to {cut} of {len}");
            assert!(open(&key, KEY, &sealed[sealed.len() - cut..]).is_err(), "the last {cut} of {len}");
        }
        for more in [&b"\0"[..], b"\x80", &sealed] {
            refuses(&key, KEY, &[&sealed, more].concat());
        }
    }
}

#[test]
fn an_envelope_opens_under_its_own_key_alone() {
    let key = value_key();
    let sealed = key.seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON);
    for other in [&b""[..], b"the stored keY", b"the stored ke", b"the stored key\0", b"another"] {
        refuses(&key, other, &sealed);
    }
    let of_nothing = key.seal(Binding::Key(b""), b"value", &RANDOMNESS, ON);
    assert_eq!(open(&key, b"", &of_nothing).unwrap(), "value");
    refuses(&key, b"\0", &of_nothing);
}

#[test]
fn an_envelope_opens_in_its_own_database_and_keyspace_under_its_own_generation_alone() {
    let others = [
        ValueKey::derive(&master(), KeyId(7), DatabaseId([0xD6; 16]), b"keyspace"),
        ValueKey::derive(&master(), KeyId(7), DATABASE, b"keyspacf"),
        ValueKey::derive(&master(), KeyId(7), DATABASE, b""),
        ValueKey::derive(&master(), KeyId(8), DATABASE, b"keyspace"),
        ValueKey::derive(&SecretKey::new([0x12; 32]), KeyId(7), DATABASE, b"keyspace"),
    ];
    let sealed = value_key().seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON);
    for other in others {
        refuses(&other, KEY, &sealed);
        refuses(&value_key(), KEY, &other.seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON));
    }
}

#[test]
fn an_envelope_is_bound_to_its_database_by_what_is_authenticated_too() {
    // As if two databases had come by the same keys.
    let copied = ValueKey { database: DatabaseId([0xD6; 16]), ..value_key() };
    refuses(&copied, KEY, &value_key().seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON));
}

#[test]
fn an_envelope_that_names_another_key_is_refused() {
    let key = value_key();
    let mut sealed = key.seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON).to_vec();
    assert_eq!(Envelope::parse(&sealed).unwrap().key_id(), KeyId(7));
    sealed[6] = 8;
    assert_eq!(Envelope::parse(&sealed).unwrap().key_id(), KeyId(8));
    refuses(&key, KEY, &sealed);
    // The id alone is authenticated as well, whatever it does to the keys.
    refuses(&ValueKey { id: KeyId(8), ..value_key() }, KEY, &sealed);
}

#[test]
fn a_stamped_row_opens_under_its_prefix_and_any_revision() {
    let key = value_key();
    let sealed = key.seal(Binding::Prefix(b"log/"), b"value", &RANDOMNESS, ON);
    assert_eq!(open(&key, b"log/12345678", &sealed).unwrap(), "value");
    assert_eq!(open(&key, b"log/\0\0\0\0\0\0\0\0", &sealed).unwrap(), "value");
    for other in [&b"lag/12345678"[..], b"log/123456789", b"log/1234567", b"log/", b"12345678", b"1234567", b""] {
        refuses(&key, other, &sealed);
    }
    let of_nothing = key.seal(Binding::Prefix(b""), b"value", &RANDOMNESS, ON);
    assert_eq!(open(&key, b"12345678", &of_nothing).unwrap(), "value");
    refuses(&key, b"1234567", &of_nothing);
}

#[test]
fn a_binding_is_not_read_as_the_other_kind() {
    let key = value_key();
    let to_key = key.seal(Binding::Key(b"log/12345678"), b"value", &RANDOMNESS, OFF);
    let to_prefix = key.seal(Binding::Prefix(b"log/"), b"value", &RANDOMNESS, OFF);
    assert_eq!(to_key[2] ^ to_prefix[2], BOUND_TO_PREFIX);
    for sealed in [to_key, to_prefix] {
        assert!(open(&key, b"log/12345678", &sealed).is_ok());
        let mut relabelled = sealed.to_vec();
        relabelled[2] ^= BOUND_TO_PREFIX;
        for place in [&b"log/12345678"[..], b"log/", b"log/1234567812345678"] {
            refuses(&key, place, &relabelled);
        }
    }
    // A key that is just what a prefix is bound to.
    let to_log = key.seal(Binding::Key(b"log/"), b"value", &RANDOMNESS, OFF);
    refuses(&key, b"log/12345678", &to_log);
}

#[test]
fn the_same_randomness_shows_equality_at_most() {
    let key = value_key();
    let seal = |binding, value: &[u8], randomness: &[u8; 24], padding| key.seal(binding, value, randomness, padding);
    let first = seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON);
    assert_eq!(first, seal(Binding::Key(KEY), b"value", &RANDOMNESS, ON), "the same, and so it shows");

    let others = [
        seal(Binding::Key(KEY), b"value", &[0; 24], ON),
        seal(Binding::Key(KEY), b"valuE", &RANDOMNESS, ON),
        seal(Binding::Key(KEY), b"value\x80", &RANDOMNESS, ON),
        seal(Binding::Key(b"the stored keY"), b"value", &RANDOMNESS, ON),
        seal(Binding::Prefix(KEY), b"value", &RANDOMNESS, ON),
        seal(Binding::Key(KEY), b"value", &RANDOMNESS, OFF),
        seal(Binding::Key(KEY), b"value", &RANDOMNESS, Padding { padded_bytes_max: 20, ..ON }),
    ];
    let parts = |sealed: &[u8]| {
        let envelope = Envelope::parse(sealed).unwrap();
        (*envelope.nonce(), envelope.ciphertext()[..4].to_vec(), *envelope.tag())
    };
    let mut seen = vec![parts(&first)];
    for other in others.iter().map(|sealed| parts(sealed)) {
        for (nonce, text, tag) in &seen {
            assert!(*nonce != other.0 && *text != other.1 && *tag != other.2);
        }
        seen.push(other);
    }
}

#[test]
fn padding_that_does_not_end_as_it_should_is_refused_though_the_tag_fits() {
    let key = value_key();
    for text in [&b""[..], b"\0\0\0\0", b"value", b"value\0"] {
        let header = header(KeyId(7), PADDED);
        let associated = key.associated_data(&header, KEY);
        let mut bytes = [&header[..], &[9; NONCE_LEN], text].concat();
        let tag = key.cipher.seal(&[9; NONCE_LEN], &associated, &mut bytes[HEADER_LEN + NONCE_LEN..]);
        bytes.extend_from_slice(&tag);
        refuses(&key, KEY, &bytes);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let key = value_key();
    assert_eq!(format!("{key:?}"), "ValueKey { id: KeyId(7), .. }");
    let sealed = key.seal(Binding::Key(KEY), b"a secret", &RANDOMNESS, ON);
    let envelope = Envelope::parse(&sealed).unwrap();
    assert_eq!(format!("{envelope:?}"), "Envelope(KeyId(7), 64 bytes encrypted)");
    let error = key.open(b"a secret place", &envelope).unwrap_err();
    for shown in [format!("{error:?}"), error.to_string(), format!("{:?}", strongroom_core::Error::from(error))] {
        assert!(!shown.contains("secret") && shown.contains(&key.row.name(b"a secret place")), "{shown}");
    }
}

#[test]
fn the_bytes_are_these_for_ever() {
    // Worked out by another program, from the description in this folder alone. What is stored is read by these bytes: if this
    // test fails, the code is wrong.
    let key = ValueKey::derive(
        &SecretKey::new(std::array::from_fn(|at| at as u8)),
        KeyId(0x0102_0304),
        DatabaseId(std::array::from_fn(|at| 0x20 + at as u8)),
        &[0, 0, 0, 1],
    );
    let randomness = std::array::from_fn(|at| 0x40 + at as u8);
    let seal = |binding, padding| key.seal(binding, b"{\"body\":\"hello\"}", &randomness, padding);
    let padded = seal(Binding::Key(b"\x01room\x02event"), ON);
    let stamped = seal(Binding::Prefix(b"\x01log"), OFF);
    assert_eq!(padded, unhex(PADDED_FOR_EVER));
    assert_eq!(stamped, unhex(STAMPED_FOR_EVER));
    assert_eq!(key.row.name(b"\x01room\x02event"), "b3e1a8632794d8f7");
}

const PADDED_FOR_EVER: &str = "810101010203042d781e254cfd33237f5c9ddfa6862ef9aa9dd77f2d7e05ae03a8c17b39a3375937b6605a6174aa3a8cfda7\
    c9f1a43f0c27a96b4bf057cd307011d52daca3c91773938314e6ec999bd8cd2542d98c588868f407e63d7e161c1791f5dd3a\
    402f26c97e6118c2ef3f31";
const STAMPED_FOR_EVER: &str = "81010201020304207583bc4038154a6de379e9e934068dbedb1a779a4dae7f0963e47e7e777dacac255b503ae74d98165825\
    ff9144cb7bf8ac3505b649a678";
