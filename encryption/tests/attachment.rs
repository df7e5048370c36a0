//! Attachments as Matrix encrypts them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use strongroom_encryption::{Attachment, EncryptionError};
use tokio::io::AsyncReadExt;

const ONES: &str = "__________________________________________8";

fn file(key: &str, iv: &str, sha256: &str) -> Value {
    let key = json!({ "kty": "oct", "key_ops": ["encrypt", "decrypt"], "k": key, "alg": "A256CTR", "ext": true });
    json!({ "v": "v2", "url": "mxc://example.org/abc", "key": key, "iv": iv, "hashes": { "sha256": sha256 } })
}

/// What other implementations of Matrix test with, their version `v2`.
fn vectors() -> [(Value, &'static str, &'static str); 3] {
    let iv = "//////////8AAAAAAAAAAA";
    [
        (
            file(
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "AAAAAAAAAAAAAAAAAAAAAA",
                "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            ),
            "",
            "",
        ),
        (file(ONES, iv, "YzF08lARDdOCzJpzuSwsjTNlQc4pHxpdHcXiD/wpK6k"), "5xJZTt5cQicm+9f4", "Hello, World"),
        (
            file(ONES, iv, "IOq7/dHHB+mfHfxlRY5XMeCWEwTPmlf4cJcgrkf6fVU"),
            "zhtFStAeFx0s+9L/sSQO+WQMtldqYEHqTxMduJrCIpnkyer09kxJJuA4K+adQE4w+7jZe/vR9kIcqj9rOhDR8Q",
            "alphanumericallyalphanumericallyalphanumericallyalphanumerically",
        ),
    ]
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(text).unwrap()
}

async fn opened(file: &Value, ciphertext: &[u8]) -> Result<Vec<u8>, EncryptionError> {
    let mut plain = Vec::new();
    let attachment = Attachment::from_json(&file.to_string())?;
    match attachment.open(ciphertext).read_to_end(&mut plain).await {
        Ok(_) => Ok(plain),
        Err(error) => {
            let own = error.into_inner().unwrap().downcast::<strongroom_core::Error>().unwrap();
            Err(EncryptionError::of(&own).unwrap())
        }
    }
}

#[tokio::test]
async fn known_attachments_are_opened() {
    for (file, ciphertext, plain) in vectors() {
        assert_eq!(opened(&file, &bytes(ciphertext)).await.unwrap(), plain.as_bytes());
    }
}

#[tokio::test]
async fn it_comes_in_pieces_of_any_length() {
    let (file, ciphertext, plain) = vectors().into_iter().next_back().unwrap();
    let attachment = Attachment::from_json(&file.to_string()).unwrap();
    let ciphertext = bytes(ciphertext);
    for length in 1..=ciphertext.len() {
        let mut reader = attachment.open(&ciphertext[..]);
        let mut read = Vec::new();
        let mut piece = vec![0; length];
        loop {
            match reader.read(&mut piece).await.unwrap() {
                0 => break,
                some => read.extend_from_slice(&piece[..some]),
            }
        }
        assert_eq!(read, plain.as_bytes());
        assert_eq!(reader.read(&mut piece).await.unwrap(), 0, "the end stays the end");
    }
}

#[tokio::test]
async fn a_change_of_any_byte_is_noticed() {
    let (file, ciphertext, _) = vectors().into_iter().next_back().unwrap();
    let good = bytes(ciphertext);
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(opened(&file, &changed).await, Err(EncryptionError::AttachmentChanged));
    }
    let longer = [&good[..], b"x"].concat();
    for changed in [&good[..good.len() - 1], &longer, b""] {
        assert_eq!(opened(&file, changed).await, Err(EncryptionError::AttachmentChanged));
    }
}

#[tokio::test]
async fn a_description_that_is_not_matrix_is_refused() {
    let change = |pointer: &str, value: Value| {
        let (mut file, ..) = vectors().into_iter().next_back().unwrap();
        *file.pointer_mut(pointer).unwrap() = value;
        file
    };
    for (file, why) in [
        (json!({}), "EncryptedFile"),
        (change("/v", json!("v1")), "v2"),
        (change("/key/alg", json!("A256GCM")), "counter mode"),
        (change("/key/kty", json!("RSA")), "counter mode"),
        (change("/key/ext", json!(false)), "counter mode"),
        (change("/key/key_ops", json!(["encrypt"])), "counter mode"),
        (change("/key/k", json!("AAAA")), "32 bytes"),
        (change("/key/k", json!("/".repeat(43))), "32 bytes"),
        (change("/iv", json!("AAAA")), "16 bytes"),
        (change("/hashes", json!({})), "no hash"),
        (change("/hashes/sha256", json!("AAAA")), "sha256"),
    ] {
        let error = Attachment::from_json(&file.to_string()).unwrap_err();
        assert!(matches!(error, EncryptionError::AttachmentMalformed(_)) && error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains(ONES));
    }
}
