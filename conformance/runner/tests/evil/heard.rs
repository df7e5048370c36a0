//! What errors say: the name of what is wrong, and nothing that only who has the key may know.

use std::fmt::Debug;

use strongroom_conformance::evil::CANARY;
use strongroom_conformance::{Checked, Failure, ensure, ensure_eq};
use strongroom_core::Error;
use strongroom_encryption::EncryptionError;

/// The call must fail with the error of this name.
#[track_caller]
pub(crate) fn fails<T>(what: &str, result: Result<T, Error>, name: &str) -> Checked {
    match result {
        Ok(_) => Err(Failure::new(format!("{what} succeeds"))),
        Err(error) => is(what, &error, name),
    }
}

/// The error has this name, and is silent of the rest.
pub(crate) fn is(what: &str, error: &Error, name: &str) -> Checked {
    silent(&error)?;
    ensure_eq!(name_of(error), name, "{what}: {error}");
    Ok(())
}

/// The variant of the layer's error, or core's kind where it is core that refuses.
fn name_of(error: &Error) -> String {
    let shown = match EncryptionError::of(error) {
        Some(typed) => format!("{typed:?}"),
        None => format!("{:?}", error.kind()),
    };
    shown.split(|next: char| !next.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Nothing of a record, a key component or a passphrase is in what is shown.
pub(crate) fn silent(shown: &dyn Debug) -> Checked {
    let shown = format!("{shown:?} {shown:#?}");
    ensure!(!shown.contains(CANARY), "it gives something away: {shown}");
    Ok(())
}
