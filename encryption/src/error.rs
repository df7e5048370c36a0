//! What can be wrong with an encrypted store, as types.

use std::error::Error as StdError;
use std::fmt;

use strongroom_core::{Error, ErrorKind};

/// What is wrong with an encrypted store, or with an encrypted object. It is the source of an [`Error`]: [`EncryptionError::of`]
/// finds it there.
///
/// It holds no key, no plaintext and nothing of a stored key but a keyed fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncryptionError {
    /// No slot opens with what was given: another passphrase or key, or the slot was changed.
    WrongKeyOrDamagedSlot,
    /// The header or the keyring was changed by somebody who does not have the key.
    HeaderTampered,
    /// There are encrypted rows, and the header or the keyring that opens them is gone.
    HeaderMissing,
    /// There is nothing to open: the store is empty.
    NotCreated,
    /// There is something already: it cannot be created anew.
    AlreadyCreated,
    /// A slot asks for more or less memory, passes or lanes than is allowed, so it was not tried.
    KdfOutOfRange,
    /// The store holds plain rows, and was opened with a key.
    NotEncrypted,
    /// The store is encrypted, and was opened without a key.
    Encrypted,
    /// A value or an object that was never sealed.
    NotAnEnvelope,
    /// An envelope, a header, a slot or an object of a form that this program does not know.
    UnsupportedVersion,
    /// A value that was sealed with a key that the keyring does not have.
    UnknownKeyId,
    /// An envelope too short to be one, or an object of a length that none has, or whose body ended early.
    Truncated,
    /// A value that was changed, or that belongs to another key or store; or a chunk that was changed, or that belongs to another
    /// place or object. `row` is a keyed fingerprint of its stored key, or of path and place.
    AuthFailed {
        /// Which row; gives nothing away but equality, and that only to who has the key.
        row: String,
    },
    /// An index entry that leads to a record which does not have it.
    IndexMismatch,
    /// The keys were dropped by `lock`: unlock it first.
    Locked,
    /// A slot with this label is not there.
    SlotNotFound,
    /// A slot that cannot be added or removed: too many, a label that is taken or too long, or the last one.
    SlotRefused(&'static str),
    /// A key provider failed. Its own error is not shown, since it could quote a secret.
    ProviderFailed,
    /// The system gave no random numbers.
    NoRandomness,
    /// The system gave no memory to derive a key from a passphrase.
    NoMemory,
    /// The keyring has as many keys as it may have: finish the rotation that was begun.
    KeyringFull,
    /// What an event says of its encrypted attachment is not what Matrix asks for.
    AttachmentMalformed(&'static str),
    /// An attachment whose hash is not the one that its event names.
    AttachmentChanged,
    /// An object that was sealed with another key, or whose header was changed by somebody who does not have the key.
    WrongKeyOrDamagedHeader,
    /// An object that was sealed in chunks of another size than those of this store.
    OtherChunkSize,
    /// The name of an object that this store cannot give: too long, or one of its own.
    NameRefused(&'static str),
}

impl EncryptionError {
    /// What is wrong with the encryption, if that is what `error` is about.
    pub fn of(error: &Error) -> Option<EncryptionError> {
        match error.kind() {
            ErrorKind::Encrypted => Some(EncryptionError::Encrypted),
            ErrorKind::IndexMismatch => Some(EncryptionError::IndexMismatch),
            _ => error.get_ref::<EncryptionError>().cloned(),
        }
    }

    /// The same of an error of [`EncryptedObjects`](crate::EncryptedObjects), or of a store over it.
    #[cfg(feature = "objects")]
    pub fn of_object(error: &object_store::Error) -> Option<EncryptionError> {
        // The error of the layer may lie under others: a store over this one may have put it into its own.
        let mut source = StdError::source(error);
        while let Some(error) = source {
            if let Some(found) = error.downcast_ref::<Error>().and_then(EncryptionError::of) {
                return Some(found);
            }
            source = error.source();
        }
        None
    }

    /// The general kind that programs which know nothing of this layer see.
    fn kind(&self) -> ErrorKind {
        match self {
            EncryptionError::HeaderTampered
            | EncryptionError::HeaderMissing
            | EncryptionError::AttachmentChanged
            | EncryptionError::NotAnEnvelope
            | EncryptionError::UnknownKeyId
            | EncryptionError::Truncated
            | EncryptionError::AuthFailed { .. } => ErrorKind::Corrupt,
            EncryptionError::UnsupportedVersion => ErrorKind::UnsupportedVersion,
            EncryptionError::Encrypted => ErrorKind::Encrypted,
            EncryptionError::IndexMismatch => ErrorKind::IndexMismatch,
            EncryptionError::AlreadyCreated => ErrorKind::AlreadyExists,
            EncryptionError::NotCreated | EncryptionError::SlotNotFound => ErrorKind::NotFound,
            EncryptionError::SlotRefused(_)
            | EncryptionError::NameRefused(_)
            | EncryptionError::AttachmentMalformed(_) => ErrorKind::InvalidInput,
            EncryptionError::WrongKeyOrDamagedSlot
            | EncryptionError::KdfOutOfRange
            | EncryptionError::NotEncrypted
            | EncryptionError::Locked
            | EncryptionError::ProviderFailed
            | EncryptionError::NoRandomness
            | EncryptionError::NoMemory
            | EncryptionError::KeyringFull
            | EncryptionError::WrongKeyOrDamagedHeader
            | EncryptionError::OtherChunkSize => ErrorKind::Layer,
        }
    }
}

impl fmt::Display for EncryptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncryptionError::WrongKeyOrDamagedSlot => "no slot opens with this passphrase or key, or it was damaged",
            EncryptionError::HeaderTampered => "the header or the keyring was changed",
            EncryptionError::HeaderMissing => "the header or the keyring is gone; restore it from a copy",
            EncryptionError::NotCreated => "there is no encrypted store here yet; create it",
            EncryptionError::AlreadyCreated => "there is a store here already; open it",
            EncryptionError::KdfOutOfRange => "the slot asks for a derivation of keys that is not allowed",
            EncryptionError::NotEncrypted => {
                "the store is not encrypted; open it without a key, or copy it into a new one"
            }
            EncryptionError::Encrypted => "the store is encrypted; open it with its key",
            EncryptionError::NotAnEnvelope => "a value was not sealed",
            EncryptionError::UnsupportedVersion => "a newer program sealed this; use a newer program",
            EncryptionError::UnknownKeyId => "a value was sealed with a key that is not in the keyring",
            EncryptionError::Truncated => "a sealed value was cut short",
            EncryptionError::AuthFailed { row } => {
                return write!(f, "a sealed value was changed or moved (row {row})");
            }
            EncryptionError::IndexMismatch => "an index entry leads to a record that does not have it",
            EncryptionError::Locked => "the store is locked; unlock it with its key",
            EncryptionError::SlotNotFound => "no slot has this label",
            EncryptionError::SlotRefused(why) | EncryptionError::NameRefused(why) => why,
            EncryptionError::ProviderFailed => "the key provider failed",
            EncryptionError::NoRandomness => "the system gives no random numbers",
            EncryptionError::NoMemory => "the system gives no memory to derive a key from a passphrase",
            EncryptionError::AttachmentMalformed(why) => {
                return write!(f, "the description of an attachment cannot be used: {why}");
            }
            EncryptionError::AttachmentChanged => "an attachment is not the one that its event names",
            EncryptionError::KeyringFull => "the keyring is full; finish the rotation that was begun",
            EncryptionError::WrongKeyOrDamagedHeader => {
                "an object was sealed with another key, or its header was changed"
            }
            EncryptionError::OtherChunkSize => "an object was sealed in chunks of another size; open it with that size",
        })
    }
}

impl StdError for EncryptionError {}

impl From<EncryptionError> for Error {
    fn from(error: EncryptionError) -> Error {
        Error::new(error.kind(), "encryption").with_source(error)
    }
}
