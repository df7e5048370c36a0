//! The bytes of a header and what is in them, made with fixed randomness: the format is forever.

use super::*;

#[tokio::test]
async fn the_bytes_of_a_header() {
    let database = DatabaseId(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    let root = SecretKey::new([0x42; 32]);
    let params = Argon2Params::new(8 * 1024, 2, 3).unwrap();
    let unlocks = [
        ("laptop", passphrase("correct horse battery staple")),
        ("backup", raw(0x17)),
        ("enclave", Locker::new("kms", 5).unlock()),
    ];
    let mut header = Header { padding: true, database, slots: Vec::new() };
    for (byte, (label, unlock)) in (1..).zip(&unlocks) {
        let fresh = Fresh { salt: [byte; 16], nonce: [0xa0 + byte; 24], key: SecretKey::new([0xc0 + byte; 32]) };
        header.slots.push(Slot::make(database, &root, label, unlock, params, fresh).await.unwrap());
    }
    let bytes = header.encode(&root);
    let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown, HEADER);
    for (_, unlock) in &unlocks {
        let (opened, found) = LockedHeader::decode(&bytes).unwrap().unlock(unlock).await.unwrap();
        assert!(opened == header && found == root);
    }
}

/// Computed by another program, on other implementations of every algorithm: Python's hmac, PyCryptodome, and the reference
/// implementation of Argon2.
const HEADER: &str = concat!(
    "5352686401010100112233445566778899aabbccddeeff0301066c6170746f70000020000000000200000003010101010101",
    "010101010101010101018494f7c29b344b94da02e6a0121b2d9180fb4d20cc8571a99bfe75fd62d8daf15687146b8e4f5691",
    "fae52decb26ec5780da6011660767858dd9c3bcd720391b06e60e37458ab0ac31f4b7ac14108f81ea94a7536508d81e4b322",
    "517b36b0fe1d70cff7edbb12c01a02066261636b7570020202020202020202020202020202027f5ce0d86ed68242044aa82a",
    "1607fa2184883dbad907b7fc325d3ddbdcfdce171d07931abf4fcea243be4531d1cd496f937b40def9e1b5edbbcb58883a57",
    "37f84b37e5d9498fad47f80b0480a165c14b668aadc767abd080e2d0f5948f23b0a568598df3d316b6f60307656e636c6176",
    "65036b6d73005bc8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8057374726f6e67726f6f6d",
    "2f3120736c6f742070726f766964657200112233445566778899aabbccddeeff030303030303030303030303030303030303",
    "0303030303030303030303030303e81e7d30de8bdf08ea853455dda1b347798c5a90d915d757db02794cff51b33ec8d8fe54",
    "0b783044de7600f96ab9b0aa2626631eb52ce7e602d20a918c15efedd160f0c33bc6fc851e97f492266b2f302ef58a4a6935",
    "1865d207139b552e344fb572a4660337bbfddeee8755ba00ebc1ac952a7888c103facb8d4a17663ed95a2c094498cf883ad1",
);
