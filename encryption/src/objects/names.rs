//! What objects are called in the store below.

use std::fmt;

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use object_store::path::Path;
use zeroize::Zeroizing;

use super::Names;
use crate::{EncryptionError, SecretKey};

/// Bytes of one segment of a path, at most, where names are encrypted: it becomes 248 characters, and file systems take 255, of which
/// the local store below needs some for its own.
const SEGMENT_BYTES_MAX: usize = 170;

const SIV_KEY_LEN: usize = 64;

/// Where copies lie until they are whole. Encrypted names never look so, and in clear this one is refused.
const STAGE: &str = ".strongroom-stage";

/// Turns paths into those of the store below, and back.
pub(super) enum Namer {
    /// Each segment by AES-256-SIV (RFC 5297), with the path before it as associated data: so one name in two folders is two, and a
    /// folder is a prefix still. Then base64url without padding.
    Encrypted(Zeroizing<[u8; SIV_KEY_LEN]>),
    Clear,
}

impl Namer {
    pub(super) fn new(master: &SecretKey, names: Names) -> Namer {
        match names {
            Names::Clear => Namer::Clear,
            Names::Encrypted => {
                let mut key = Zeroizing::new([0; SIV_KEY_LEN]);
                master.expand(&[], &[b"strongroom/object/names/1"], &mut *key);
                Namer::Encrypted(key)
            }
        }
    }

    /// Whether names sort below as they do above.
    pub(super) fn keeps_order(&self) -> bool {
        matches!(self, Namer::Clear)
    }

    /// What `path` is called below. The root is the root.
    ///
    /// Errors: `NameRefused`.
    pub(super) fn seal(&self, path: &Path) -> Result<Path, EncryptionError> {
        let key = match self {
            Namer::Clear if is_stage(path) => {
                return Err(EncryptionError::NameRefused("the folder .strongroom-stage is the layer's own"));
            }
            Namer::Clear => return Ok(path.clone()),
            Namer::Encrypted(key) => key,
        };
        let mut siv = Aes256Siv::new((&**key).into());
        let mut sealed = String::new();
        for (parent, segment) in segments(path.as_ref()) {
            if segment.len() > SEGMENT_BYTES_MAX {
                return Err(EncryptionError::NameRefused("a segment of a path may have 170 bytes at most"));
            }
            let name = siv.encrypt([parent], segment.as_bytes());
            separate(&mut sealed);
            BASE64_URL_SAFE_NO_PAD.encode_string(name.expect("SIV takes short texts and one header"), &mut sealed);
        }
        Ok(Path::parse(sealed).expect("base64url is a segment"))
    }

    /// What the object or folder `path` of the store below is called; none if it is not of this store.
    pub(super) fn open(&self, path: &Path) -> Option<Path> {
        let key = match self {
            Namer::Clear => return (!is_stage(path)).then(|| path.clone()),
            Namer::Encrypted(key) => key,
        };
        let mut siv = Aes256Siv::new((&**key).into());
        let mut opened = String::new();
        for (_, segment) in segments(path.as_ref()) {
            let name = BASE64_URL_SAFE_NO_PAD.decode(segment).ok()?;
            let name = siv.decrypt([&opened], &name).ok()?;
            separate(&mut opened);
            opened.push_str(std::str::from_utf8(&name).ok()?);
        }
        Path::parse(opened).ok()
    }

    /// A place below that nobody sees, for a copy on its way. Errors: `NoRandomness`.
    pub(super) fn stage() -> Result<Path, EncryptionError> {
        let mut random = [0; 16];
        crate::secret::fill_random(&mut random)?;
        Ok(Path::from_iter([STAGE, &BASE64_URL_SAFE_NO_PAD.encode(random)]))
    }
}

fn is_stage(path: &Path) -> bool {
    path.prefix_matches(&Path::from(STAGE))
}

/// Each segment of a path, with all of the path before it.
fn segments(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut start = 0;
    path.split_terminator('/').map(move |segment| {
        let parent = &path[..start];
        start += segment.len() + 1;
        (parent.trim_end_matches('/'), segment)
    })
}

fn separate(path: &mut String) {
    if !path.is_empty() {
        path.push('/');
    }
}

/// Shows nothing of the key.
impl fmt::Debug for Namer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.keeps_order() { "Clear" } else { "Encrypted" })
    }
}

#[cfg(test)]
mod tests {
    use aes_siv::siv::Aes128Siv;
    use proptest::prelude::*;

    use super::*;
    use crate::seal::vectors::unhex;

    fn namer() -> Namer {
        Namer::new(&SecretKey::new([7; 32]), Names::Encrypted)
    }

    #[test]
    fn rfc_5297_test_cases() {
        // A.1, deterministic; A.2, with two headers and a nonce, which is a header too.
        let key: [u8; 32] =
            unhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
        let header = unhex("101112131415161718191a1b1c1d1e1f2021222324252627");
        let text = unhex("112233445566778899aabbccddee");
        let sealed = unhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");
        assert_eq!(Aes128Siv::new(&key.into()).encrypt([&header], &text).unwrap(), sealed);
        assert_eq!(Aes128Siv::new(&key.into()).decrypt([&header], &sealed).unwrap(), text);

        let key: [u8; 32] =
            unhex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f").try_into().unwrap();
        let headers = [
            unhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
            unhex("102030405060708090a0"),
            unhex("09f911029d74e35bd84156c5635688c0"),
        ];
        let text = b"this is some plaintext to encrypt using SIV-AES";
        let sealed = unhex(concat!(
            "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17",
            "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
        ));
        assert_eq!(Aes128Siv::new(&key.into()).encrypt(&headers, text).unwrap(), sealed);
    }

    #[test]
    fn a_name_depends_on_its_folder_and_folders_stay_prefixes() {
        let namer = namer();
        let seal = |path: &str| namer.seal(&Path::from(path)).unwrap();
        assert!(seal("a/b").prefix_matches(&seal("a")));
        assert_eq!(seal("a/b/c").parts_count(), 3);
        assert_ne!(seal("a/x").filename(), seal("b/x").filename());
        assert_ne!(seal("x").filename(), seal("x/x").filename());
        assert_eq!(seal("a/b"), seal("a/b"));
        assert_eq!(seal(""), Path::ROOT);
        // Its parts cannot be put together anew.
        let mixed = Path::from_iter([seal("b").filename().unwrap(), seal("a/x").filename().unwrap()]);
        assert_eq!(namer.open(&mixed), None);
    }

    #[test]
    fn what_was_not_named_here_is_not_listed() {
        let namer = namer();
        let of_another = Namer::new(&SecretKey::new([8; 32]), Names::Encrypted).seal(&Path::from("a")).unwrap();
        for foreign in
            [of_another, Path::from("plain.txt"), Path::from("AAAA"), Namer::stage().unwrap(), Path::from(STAGE)]
        {
            assert_eq!(namer.open(&foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_longest_segment_fits_a_file_system() {
        let namer = namer();
        let longest = "n".repeat(SEGMENT_BYTES_MAX);
        assert_eq!(namer.seal(&Path::from(&*longest)).unwrap().as_ref().len(), 248);
        let longer = Path::from(format!("a/{longest}n"));
        assert!(matches!(namer.seal(&longer), Err(EncryptionError::NameRefused(_))));
    }

    #[test]
    fn in_clear_the_stage_is_refused_and_hidden() {
        let stage = Namer::stage().unwrap();
        assert!(matches!(Namer::Clear.seal(&stage), Err(EncryptionError::NameRefused(_))));
        assert_eq!(Namer::Clear.open(&stage), None);
        let beside = Path::from(".strongroom-stages/a");
        assert_eq!(Namer::Clear.seal(&beside), Ok(beside));
    }

    proptest! {
        #[test]
        fn every_path_comes_back(parts in proptest::collection::vec("\\PC{1,40}", 0..6)) {
            let path: Path = parts.iter().map(|part| &**part).collect();
            match namer().seal(&path) {
                Ok(sealed) => prop_assert_eq!(namer().open(&sealed), Some(path)),
                Err(_) => prop_assert!(path.parts().any(|part| part.as_ref().len() > SEGMENT_BYTES_MAX)),
            }
        }
    }
}
