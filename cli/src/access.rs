//! Where the key of a store comes from, as the command line and the environment say.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use strongroom::encryption::Unlock;

use crate::arguments::Global;
use crate::failure::{Failure, Result};
use crate::secret;

/// The variable that holds a passphrase.
pub(crate) const VARIABLE: &str = "STRONGROOM_PASSPHRASE";

/// What was said about the key of a store.
#[derive(Debug)]
pub(crate) enum Access {
    /// There is none, and shall be none.
    Plain,
    /// It comes from here.
    Key(Source),
    /// Nothing. A plain store opens; for an encrypted or a new one somebody is asked, if there is a terminal.
    Unsaid,
}

/// Where a key comes from. It is read when a store is opened.
pub(crate) enum Source {
    /// `--key-file`
    KeyFile(PathBuf),
    /// `--passphrase-file`
    PassphraseFile(PathBuf),
    /// [`VARIABLE`]. Its content stays in the environment anyway, which is read again when it is needed.
    Variable,
    /// Made by this program, and nowhere else.
    Memory(Unlock),
}

impl Access {
    /// As the flags say or, if they say nothing, the variable.
    pub(crate) fn of(global: &Global) -> Result<Access> {
        let flags = Access::of_flags(global)?;
        match flags {
            Access::Unsaid if variable().is_some() => Ok(Access::Key(Source::Variable)),
            flags => Ok(flags),
        }
    }

    /// As the flags say.
    pub(crate) fn of_flags(global: &Global) -> Result<Access> {
        match (&global.key_file, &global.passphrase_file, global.plain) {
            (None, None, false) => Ok(Access::Unsaid),
            (None, None, true) => Ok(Access::Plain),
            (Some(path), None, false) => Ok(Access::Key(Source::KeyFile(path.clone()))),
            (None, Some(path), false) => Ok(Access::Key(Source::PassphraseFile(path.clone()))),
            _ => Err(Failure::WrongUse(
                "--key-file, --passphrase-file and --plain exclude each other; give one of them".into(),
            )),
        }
    }
}

impl Source {
    /// Reads the key.
    pub(crate) fn read(&self) -> Result<Unlock> {
        match self {
            Source::KeyFile(path) => secret::key_file(path),
            Source::PassphraseFile(path) => secret::passphrase_file(path),
            Source::Variable => secret::passphrase(variable().unwrap_or_default().into_encoded_bytes(), VARIABLE),
            Source::Memory(unlock) => Ok(unlock.clone()),
        }
    }
}

/// As it was given, for messages; never the secret itself.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::KeyFile(path) => write!(f, "--key-file {}", path.display()),
            Source::PassphraseFile(path) => write!(f, "--passphrase-file {}", path.display()),
            Source::Variable => f.write_str(VARIABLE),
            Source::Memory(_) => f.write_str("the key in memory"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The variable's content. An empty one counts as none, so that a script whose secret is missing does not go on without.
fn variable() -> Option<OsString> {
    env::var_os(VARIABLE).filter(|passphrase| !passphrase.is_empty())
}
