//! Why a command did not end well, what its one line on stderr says, and its exit status.

use std::borrow::Cow;
use std::io;

use strongroom::encryption::EncryptionError;
use strongroom::{Error, ErrorKind};

/// The result of a command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Exit status: done.
pub(crate) const DONE: u8 = 0;
/// Exit status: failed, or problems were found.
pub(crate) const FAILED: u8 = 1;
/// Exit status: wrong use.
pub(crate) const WRONG_USE: u8 = 2;
/// Exit status: ended by Ctrl-C, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One line: what happened; what to do next.
    Failed(String),
    /// The output already tells what was found; nothing more is said.
    Reported,
    /// The command line cannot be right.
    WrongUse(String),
    /// Ctrl-C; the line says what is kept.
    Interrupted(String),
    /// Whoever read the output has gone, as `head` does: no failure at all.
    ReaderGone,
}

impl Failure {
    /// A failure with what to do about it.
    pub(crate) fn new(what: impl AsRef<str>, next: impl AsRef<str>) -> Self {
        Failure::Failed(format!("{}; {}", what.as_ref(), next.as_ref()))
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::Failed(_) | Failure::Reported => FAILED,
            Failure::WrongUse(_) => WRONG_USE,
            Failure::Interrupted(_) => INTERRUPTED,
            Failure::ReaderGone => DONE,
        }
    }

    /// The line for stderr, if there is anything to say.
    pub(crate) fn line(&self) -> Option<&str> {
        match self {
            Failure::Failed(line) | Failure::WrongUse(line) | Failure::Interrupted(line) => Some(line),
            Failure::Reported | Failure::ReaderGone => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let of_keys = EncryptionError::of(&error).and_then(|what| next_step_of_keys(&what));
        let of_media = || next_step_of_media(&error);
        let of_server = || next_step_of_server(&error);
        let next = of_keys.or_else(of_media).or_else(of_server).unwrap_or_else(|| next_step(error.kind()));
        Failure::new(without_xml(&error.to_string()), next)
    }
}

/// Errors of writing the output; files that are read say which they are.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::new(format!("the output could not be written: {error}"), "check where it goes"),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => io::Error::from(kind).into(),
            None => Failure::new(format!("a record could not be written as JSON: {error}"), "please report this"),
        }
    }
}

fn next_step(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Busy => "close the other program that has the store open, then try again",
        ErrorKind::NotAStore => "name another file with --store",
        ErrorKind::SchemaMismatch | ErrorKind::UnsupportedVersion => "use the version of strongroom that wrote it",
        ErrorKind::Corrupt => "run 'strongroom verify', or restore the file from a backup",
        ErrorKind::Io => "check the path, its permissions and the free space",
        ErrorKind::Unsupported | ErrorKind::InvalidInput => "see 'strongroom --help'",
        ErrorKind::SnapshotExpired => "read the output faster, for instance into a file",
        ErrorKind::Limit(_) => "make it smaller",
        _ => "try again",
    }
}

/// Where media are what failed.
fn next_step_of_media(error: &Error) -> Option<&'static str> {
    let is_of_objects = error.backend() == Some("objects");
    match error.kind() {
        ErrorKind::Corrupt if is_of_objects => Some("run 'strongroom media verify', or name the right --objects"),
        ErrorKind::AlreadyExists if error.place() == Some("media") => Some("choose another id, or delete it"),
        ErrorKind::Io if is_of_objects => Some("check --objects, then try again"),
        ErrorKind::InvalidInput if is_of_objects => Some("see 'strongroom media --help'"),
        _ => None,
    }
}

/// Where the store is on a server.
fn next_step_of_server(error: &Error) -> Option<&'static str> {
    if error.backend() != Some("postgres") {
        return None;
    }
    match error.kind() {
        ErrorKind::Io => Some("check the server, and the user, password and database in --store"),
        ErrorKind::Busy => Some("try again"),
        ErrorKind::NotAStore => Some("name another schema in --store, like &schema=NAME"),
        ErrorKind::Corrupt => Some("run 'strongroom verify', or restore a backup"),
        ErrorKind::Unsupported => Some("nothing is left to do here"),
        _ => None,
    }
}

/// What a server of S3 answers is a page of XML: of that, the word that says what is wrong.
fn without_xml(message: &str) -> Cow<'_, str> {
    let Some((before, xml)) = message.split_once('<') else { return message.into() };
    let code = xml.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    match code {
        Some((code, _)) => format!("{before}{code}").into(),
        None => message.into(),
    }
}

/// Where the encryption is what failed, and the kind alone does not say enough.
fn next_step_of_keys(what: &EncryptionError) -> Option<&'static str> {
    Some(match what {
        EncryptionError::WrongKeyOrDamagedSlot => "'strongroom key list' shows what opens the store",
        EncryptionError::Encrypted => "give --key-file FILE, --passphrase-file FILE or STRONGROOM_PASSPHRASE",
        EncryptionError::NotEncrypted => "leave the key out, or give --plain",
        EncryptionError::HeaderTampered | EncryptionError::HeaderMissing | EncryptionError::KdfOutOfRange => {
            "restore the file from a backup"
        }
        EncryptionError::SlotNotFound => "'strongroom key list' shows those there are",
        EncryptionError::SlotRefused(_) => "see 'strongroom key list'",
        EncryptionError::KeyringFull => "finish it with 'strongroom key rotate --resume'",
        EncryptionError::NoMemory => "free some memory, or use a key file",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_of_xml_the_code_is_left() {
        let page =
            "put: 404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>x</Message></Error>";
        assert_eq!(without_xml(page), "put: 404 Not Found: NoSuchBucket");
        assert_eq!(without_xml("a < b"), "a < b");
    }
}
