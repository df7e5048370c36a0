//! Reads an encrypted store by `docs/format.md` alone, with the primitives and none of the layer's code.

use std::sync::Arc;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use strongroom_core::store::{Batch, Content, Fetch, KeyPrefix, KeyRange, Read as _, Scan, Store as _, StoredKey};
use strongroom_core::{Database, Record, Schema, Timestamp};
use strongroom_encryption::{EncryptedOptions, SecretKey, Unlock};
use strongroom_memory::Memory;

#[derive(Serialize, Deserialize, Record)]
#[record(id = 1, name = "messages", key(room, event))]
#[index(id = 1, name = "timeline", on(room, sent_at: ordered))]
struct Message {
    room: String,
    event: String,
    sent_at: Timestamp,
}

fn hkdf(key: &[u8], salt: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let info: Vec<u8> = info.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes(), *part].concat()).collect();
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), key).expand(&info, &mut out).unwrap();
    out
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// XChaCha20-Poly1305 of a nonce, a ciphertext and a tag, one after the other.
fn opened(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (nonce, rest) = sealed.split_first_chunk::<24>().unwrap();
    let (text, tag) = rest.split_last_chunk::<16>().unwrap();
    let mut text = text.to_vec();
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt_inout_detached(nonce.into(), associated, text.as_mut_slice().into(), tag.into()).unwrap();
    text
}

/// A sealed key: "Sealed keys".
fn unwrapped(key: &[u8], associated: &[u8], sealed: &[u8]) -> Vec<u8> {
    opened(&hkdf(key, &[], &[b"strongroom/1 wrap key"]), associated, sealed)
}

/// What the page says is between the front and the end of a key of values.
struct Keys {
    database: Vec<u8>,
    value: Vec<u8>,
    blinding: Vec<u8>,
}

impl Keys {
    /// "The header" and "The keyring", of a store with one slot for a raw key.
    fn of(raw_key: &[u8], header: &[u8], keyring: &[u8]) -> Keys {
        let (body, mac) = header.split_last_chunk::<32>().unwrap();
        assert_eq!(body[..7], [b"SRhd".as_slice(), &[1, 1, 1]].concat());
        let database = body[7..23].to_vec();
        assert_eq!(body[23], 1);
        let slot = &body[24..];
        let label = usize::from(slot[1]);
        assert_eq!((slot[0], &slot[2..2 + label]), (2, &b"main"[..]));
        let salt = &slot[2 + label..][..16];
        let (front, wrapped) = slot.split_at(2 + label + 16 + 32);
        let commitment = hkdf(raw_key, salt, &[b"strongroom/1 slot commitment", &database]);
        assert_eq!(front[front.len() - 32..], commitment);
        let wrapping_key = hkdf(raw_key, salt, &[b"strongroom/1 slot encryption", &database]);
        let root = unwrapped(&wrapping_key, &[b"strongroom/1 slot", &*database, front].concat(), wrapped);
        assert_eq!(hmac(&hkdf(&root, &database, &[b"strongroom/1 header mac"]), &[body]), *mac);

        assert_eq!(keyring[0], 1);
        let key = hkdf(&root, &database, &[b"strongroom/1 keyring"]);
        let content = unwrapped(&key, &[&b"strongroom/1 keyring"[..], &[1], &database].concat(), &keyring[1..]);
        assert_eq!(content[..5], [1, 0, 0, 0, 1]);
        assert_eq!(content.len(), 5 + 32 + 32);
        Keys { database, value: content[5..37].to_vec(), blinding: content[37..].to_vec() }
    }

    /// "Envelopes". `bound`: the stored key, or its prefix.
    fn value(&self, bound: &[u8], flags: u8, envelope: &[u8]) -> Vec<u8> {
        let (header, sealed) = envelope.split_at(7);
        assert_eq!(header, [0x81, 1, flags, 0, 0, 0, 1]);
        let key = hkdf(&self.value, &self.database, &[b"strongroom/value/cipher/1", &[0, 0, 0, 1], &bound[..3]]);
        let length = (bound.len() as u32).to_be_bytes();
        let associated = [b"strongroom/value/1", &*self.database, header, &length, bound].concat();
        let padded = opened(&key, &associated, sealed);
        let end = padded.iter().rposition(|byte| *byte != 0).unwrap();
        assert_eq!(padded[end], 0x80);
        padded[..end].to_vec()
    }

    /// "Blinded components": appends one.
    fn blind(&self, front: &mut Vec<u8>, component: &[u8]) {
        let key = hkdf(&self.blinding, &self.database, &[b"strongroom/1 blinding", &front[..3]]);
        let length = (front.len() as u32).to_be_bytes();
        let blinded = hmac(&key, &[&length, front, component]);
        front.extend_from_slice(&blinded[..16]);
    }
}

#[tokio::test]
async fn a_store_is_read_by_its_description() {
    let raw_key = [7; 32];
    let below = Arc::new(Memory::new());
    let unlock = Unlock::raw_key(SecretKey::new(raw_key));
    let store = Arc::new(EncryptedOptions::default().create(below.clone(), &unlock).await.unwrap());
    let schema = Schema::builder("chat", 1).collection::<Message>().build().unwrap();
    let db = Database::open(store.clone(), schema).await.unwrap();
    let message = Message { room: "!r".to_owned(), event: "$e".to_owned(), sent_at: Timestamp::from_millis(1_000) };
    db.put(&message).await.unwrap();
    let log = KeyPrefix(StoredKey::from(b"\xF0\x01\0log".to_vec()));
    let stamped = Batch { stamped: vec![(log, "stamped".into())], ..Batch::default() };
    store.commit(vec![stamped]).await.unwrap();

    let all = Scan { range: KeyRange::ALL, reverse: false, limit: 100, max_bytes: usize::MAX, fetch: Fetch::Values };
    let entries = below.scan(&all).await.unwrap().entries;
    let keys_of_rows: Vec<&[u8]> = entries.iter().map(|entry| entry.key.as_bytes()).collect();
    let layer = |name: &[u8]| [&[0xFF; 24], name].concat();
    let value = |key: &[u8]| match &entries.iter().find(|entry| entry.key.as_bytes() == key).unwrap().content {
        Some(Content::Value(value)) => value.clone(),
        _ => panic!("no value"),
    };
    let keys = Keys::of(&raw_key, &value(&layer(b"header")), &value(&layer(b"keyring")));

    let mut record = vec![0, 1, 0];
    keys.blind(&mut record, b"!r\0");
    keys.blind(&mut record, b"$e\0");
    let mut entry = vec![0, 1, 1];
    keys.blind(&mut entry, b"!r\0");
    entry.extend_from_slice(&[0x80, 0, 0, 0, 0, 0, 0x03, 0xE8]);
    entry.extend_from_slice(&record);
    let row = keys_of_rows[3];
    assert_eq!(row[..6], *b"\xF0\x01\0log");
    assert_eq!(keys_of_rows, [&[0, 0, 1], &*record, &entry, row, &layer(b"header"), &layer(b"keyring")]);

    let plain = keys.value(&record, 1, &value(&record));
    assert_eq!(plain[0], 1);
    let read: Message = rmp_serde::from_slice(&plain[1..]).unwrap();
    assert!(read.room == "!r" && read.event == "$e" && read.sent_at == message.sent_at);
    assert!(keys.value(&[0, 0, 1], 1, &value(&[0, 0, 1])).windows(8).any(|part| part == b"messages"));
    assert_eq!(row.len(), 6 + 8);
    assert_eq!(keys.value(&row[..6], 3, &value(row)), b"stamped");
}
