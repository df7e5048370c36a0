//! Reads keys and passphrases: from files, and from people. What is read is wiped, and never shown.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use strongroom::encryption::{KeyFile, Unlock};
use strongroom::{ErrorKind, StoreUrl};
use zeroize::Zeroizing;

use crate::access::VARIABLE;
use crate::arguments::NewSecret;
use crate::failure::{Failure, Result};

/// Bytes in a passphrase, at most; as the encryption has it.
const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// The key of a key file.
pub(crate) fn key_file(path: &Path) -> Result<Unlock> {
    // What looks like the key itself is not repeated: it would stand in logs.
    if path.to_str().is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(Failure::WrongUse(
            "a key file is named by its path; this is a key itself, so put it into a file".into(),
        ));
    }
    KeyFile::load(path).map(Unlock::raw_key).map_err(|error| match error.kind() {
        ErrorKind::Io => Failure::new(error.to_string(), "check the path and its permissions"),
        // The message names 'strongroom key generate' already.
        ErrorKind::NotFound => Failure::Failed(error.to_string()),
        _ => Failure::new(error.to_string(), "'strongroom key generate FILE' makes a good one"),
    })
}

/// The passphrase of a file: all of it, but for one line's end.
pub(crate) fn passphrase_file(path: &Path) -> Result<Unlock> {
    // Where there is no such file, the name is not repeated: it may be the passphrase itself.
    let name = if path.exists() { path.display().to_string() } else { "the passphrase file".to_owned() };
    let cannot = |error: io::Error| {
        Failure::new(format!("{name} cannot be read: {error}"), "give its path, and check its permissions")
    };
    // With room to spare, so that it never moves and leaves a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * PASSPHRASE_BYTES_MAX));
    let longest = PASSPHRASE_BYTES_MAX as u64 + 3;
    File::open(path).map_err(cannot)?.take(longest).read_to_end(&mut text).map_err(cannot)?;
    if text.last() == Some(&b'\n') {
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
    }
    passphrase(std::mem::take(&mut *text), &name)
}

/// A passphrase of a length that is allowed; `from` says where it comes from.
pub(crate) fn passphrase(bytes: Vec<u8>, from: &str) -> Result<Unlock> {
    let is_allowed = (1..=PASSPHRASE_BYTES_MAX).contains(&bytes.len());
    let unlock = Unlock::passphrase(bytes);
    if is_allowed {
        return Ok(unlock);
    }
    Err(Failure::new(format!("{from} holds no passphrase: it has 1 to 1,024 bytes"), "check what it holds"))
}

/// Whether somebody is there who can be asked. Input and output may be files all the same.
pub(crate) fn can_ask() -> bool {
    io::stderr().is_terminal()
}

/// Asks for the passphrase of `what`.
pub(crate) fn ask(what: &StoreUrl) -> Result<Unlock> {
    passphrase(typed(&format!("Passphrase of {what}: "))?.into_bytes(), "what was typed")
}

/// Asks for a new passphrase, twice.
fn ask_new(what: &str) -> Result<Unlock> {
    let mut first = Zeroizing::new(typed(&format!("New passphrase of {what}: "))?);
    let second = Zeroizing::new(typed("Again: ")?);
    if *first != *second {
        return Err(Failure::new("the two passphrases are not the same", "try again"));
    }
    passphrase(std::mem::take(&mut *first).into_bytes(), "what was typed")
}

fn typed(prompt: &str) -> Result<String> {
    rpassword::prompt_password(prompt).map_err(|error| {
        let next = format!("give it with --passphrase-file or {VARIABLE}");
        Failure::new(format!("no passphrase could be read from the terminal: {error}"), next)
    })
}

/// Asks what is to open the new store `url`; nobody to ask is wrong use.
pub(crate) fn for_new_store(url: &StoreUrl) -> Result<Unlock> {
    if can_ask() {
        return ask_new(&url.to_string());
    }
    Err(Failure::WrongUse(format!(
        "the new store {url} needs a key; give --key-file FILE (make one with 'strongroom key generate FILE'), --passphrase-file \
         FILE or {VARIABLE}, or --plain for a store in clear"
    )))
}

/// Asks what is to open the store `url` that something is copied into; nobody to ask is wrong use.
pub(crate) fn for_target(url: &StoreUrl) -> Result<Unlock> {
    if can_ask() {
        return ask_new(&url.to_string());
    }
    Err(Failure::WrongUse(format!(
        "the new store {url} needs a key; give --new-key-file FILE (make one with 'strongroom key generate FILE') or \
         --new-passphrase-file FILE, or --new-plain for a store in clear"
    )))
}

/// What is to open the slot `label`, as the flags say or, without one, as somebody types.
pub(crate) fn for_slot(label: &str, new: &NewSecret) -> Result<Unlock> {
    match (&new.new_key_file, &new.new_passphrase_file) {
        (Some(path), _) => key_file(path),
        (None, Some(path)) => passphrase_file(path),
        (None, None) if can_ask() => ask_new(&format!("the slot {label}")),
        (None, None) => Err(Failure::WrongUse(
            "nothing is given that is to open the slot; use --new-key-file FILE or --new-passphrase-file FILE".into(),
        )),
    }
}
