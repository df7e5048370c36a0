//! A key in a file: 64 hexadecimal digits, readable by its owner alone.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use strongroom_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use crate::SecretKey;

/// Reads and makes key files: a key of 32 bytes as 64 hexadecimal digits, with or without a line's end.
#[derive(Debug)]
pub struct KeyFile;

/// The digits.
pub(crate) const DIGITS: usize = 64;

/// The longest file that is one: the digits and a line's end, of which Windows makes two bytes.
const FILE_BYTES_MAX: usize = DIGITS + 2;

impl KeyFile {
    /// Makes a file with a new key. On Unix only its owner can read it, from the first moment on (mode 0600). It is durable
    /// when this returns.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is anything at `path`, which stays as it is; `NotFound` if its folder is not there; `Io`;
    /// `Layer` if the system gives no random numbers.
    pub fn generate(path: impl AsRef<Path>) -> Result<SecretKey> {
        let path = path.as_ref();
        let key = SecretKey::random()?;
        let mut file = create(path).map_err(|error| not_made(path, error))?;
        let written = file.write_all(&*hex(&key)).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
        written.map_err(|error| {
            // Half a key is none. That it cannot be removed matters less than why it was not written.
            let _ = fs::remove_file(path);
            not_made(path, error)
        })?;
        Ok(key)
    }

    /// Reads the key of the file at `path`, which may be a link or a pipe.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InvalidInput` if it holds no key or, on Unix, if anyone but its owner can read or write it; `Io`. The
    /// message says what to do.
    pub fn load(path: impl AsRef<Path>) -> Result<SecretKey> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(|error| not_read(path, error))?;
        // Of the open file, not of the path, which could lead elsewhere by now.
        let metadata = file.metadata().map_err(|error| not_read(path, error))?;
        if metadata.is_dir() {
            return Err(failure(path, ErrorKind::InvalidInput, "this is a folder, not a key file".to_owned()));
        }
        if is_shared(&metadata) {
            let what = "others can read or change this key file";
            return Err(failure(path, ErrorKind::InvalidInput, format!("{what}; run `chmod 600 {}`", path.display())));
        }
        // One byte more than it may have, to see that it has more.
        let mut text = Zeroizing::new([0; FILE_BYTES_MAX + 1]);
        let len = read_up_to(&mut file, &mut *text).map_err(|error| not_read(path, error))?;
        parse(&text[..len]).ok_or_else(|| {
            let what = "this is not a key file: it holds 64 hexadecimal digits and nothing else";
            failure(path, ErrorKind::InvalidInput, what.to_owned())
        })
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the file's name durable, where that is a thing of its own.
fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(unix)]
fn is_shared(metadata: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

/// Elsewhere a file has no mode: who may read it follows from its folder.
#[cfg(not(unix))]
fn is_shared(_: &Metadata) -> bool {
    false
}

/// Fills `bytes` as far as the file goes. No buffer in between, which would have to be wiped.
fn read_up_to(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < bytes.len() {
        match file.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

pub(crate) fn hex(key: &SecretKey) -> Zeroizing<[u8; DIGITS + 1]> {
    let mut text = Zeroizing::new([b'\n'; DIGITS + 1]);
    for (byte, digits) in key.as_bytes().iter().zip(text.chunks_exact_mut(2)) {
        digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

pub(crate) fn parse(text: &[u8]) -> Option<SecretKey> {
    let line = text.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line)).unwrap_or(text);
    if line.len() != DIGITS {
        return None;
    }
    let mut key = SecretKey::blank();
    for (byte, digits) in key.as_mut_bytes().iter_mut().zip(line.chunks_exact(2)) {
        let (high, low) = (char::from(digits[0]).to_digit(16)?, char::from(digits[1]).to_digit(16)?);
        *byte = (high << 4 | low) as u8;
    }
    Some(key)
}

fn not_made(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let what = "there is a file here already, and a key is never overwritten; choose another name".to_owned();
            failure(path, ErrorKind::AlreadyExists, what)
        }
        io::ErrorKind::NotFound => failure(path, ErrorKind::NotFound, "the folder is not there; make it".to_owned()),
        _ => failure(path, ErrorKind::Io, "the key file could not be written".to_owned()).with_source(error),
    }
}

fn not_read(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            let what = format!(
                "there is no key file; check the path, or make one for a new store with `strongroom key generate {}`",
                path.display()
            );
            failure(path, ErrorKind::NotFound, what)
        }
        _ => failure(path, ErrorKind::Io, "the key file could not be read".to_owned()).with_source(error),
    }
}

fn failure(path: &Path, kind: ErrorKind, message: String) -> Error {
    Error::new(kind, message).at(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file with this content that only its owner can read.
    fn private(folder: &Path, content: &[u8]) -> PathBuf {
        let path = folder.join("key");
        let _ = fs::remove_file(&path);
        create(&path).unwrap().write_all(content).unwrap();
        path
    }

    #[test]
    fn what_is_generated_can_be_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = KeyFile::generate(&path).unwrap();
        assert_eq!(KeyFile::load(&path).unwrap(), key);
        let text = fs::read(&path).unwrap();
        assert_eq!(text.len(), 65);
        assert_eq!(text.last(), Some(&b'\n'));
        assert!(text[..64].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert_ne!(KeyFile::generate(folder.path().join("other")).unwrap(), key);
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = KeyFile::generate(&path).unwrap();
        let error = KeyFile::generate(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("never overwritten"), "{error}");
        assert_eq!(KeyFile::load(&path).unwrap(), key);
        let error = KeyFile::generate(folder.path().join("none/key")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn both_cases_and_a_line_s_end_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let digits = "00ffAB".to_owned() + &"0123456789".repeat(5) + "CDEFabcd";
        let expected = KeyFile::load(private(folder.path(), digits.as_bytes())).unwrap();
        assert_eq!(expected.as_bytes()[..4], [0x00, 0xff, 0xab, 0x01]);
        assert_eq!(expected.as_bytes()[28..], [0xcd, 0xef, 0xab, 0xcd]);
        for end in ["\n", "\r\n"] {
            let path = private(folder.path(), (digits.clone() + end).as_bytes());
            assert_eq!(KeyFile::load(path).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let digits = "c0ffee42".repeat(8);
        let wrong = [
            String::new(),
            "\n".to_owned(),
            digits[1..].to_owned(),
            digits[2..].to_owned(),
            digits.clone() + "0",
            digits.clone() + "00",
            digits.clone() + "\n\n",
            digits.clone() + "\r",
            digits.clone() + " ",
            " ".to_owned() + &digits[1..],
            "0x".to_owned() + &digits[2..],
            "g".to_owned() + &digits[1..],
            "é".to_owned() + &digits[2..],
            digits.repeat(1_000),
        ];
        for content in wrong {
            let error = KeyFile::load(private(folder.path(), content.as_bytes())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("64 hexadecimal digits") && !shown.contains("c0ffee"), "{shown}");
        }
        assert!(KeyFile::load(private(folder.path(), &[0xff; 64])).is_err());
        assert!(KeyFile::load(private(folder.path(), &[7; 32])).is_err());
    }

    #[test]
    fn a_missing_file_says_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let error = KeyFile::load(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(&format!("strongroom key generate {}", path.display())), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_no_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = KeyFile::load(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("this is a folder, not a key file"), "{error}");
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        #[test]
        fn only_the_owner_can_read_what_is_generated() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("key");
            KeyFile::generate(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        }

        #[test]
        fn a_file_that_others_can_read_or_change_is_refused() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("key");
            KeyFile::generate(&path).unwrap();
            let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o666, 0o610] {
                set(mode);
                let error = KeyFile::load(&path).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{mode:o}");
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
            for mode in [0o600, 0o400] {
                set(mode);
                KeyFile::load(&path).unwrap();
            }
        }

        #[test]
        fn a_link_is_followed_when_read_and_never_when_written() {
            let folder = tempfile::tempdir().unwrap();
            let (path, link) = (folder.path().join("key"), folder.path().join("link"));
            symlink(&path, &link).unwrap();
            assert_eq!(KeyFile::generate(&link).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert!(!path.exists());
            let key = KeyFile::generate(&path).unwrap();
            assert_eq!(KeyFile::load(&link).unwrap(), key);
        }
    }
}
