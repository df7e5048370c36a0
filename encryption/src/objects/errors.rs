//! Errors as an object store gives them.

use object_store::path::Path;
use object_store::{Error, Result};
use strongroom_core::ErrorKind;

use crate::EncryptionError;

/// What the layer is called in errors.
const STORE: &str = "EncryptedObjects";

/// An error of the layer, to be found again by `EncryptionError::of_object`.
pub(super) fn refused(error: EncryptionError) -> Error {
    generic(strongroom_core::Error::from(error).on(STORE))
}

/// The object was written again each time that it was looked at.
pub(super) fn unsteady() -> Error {
    let message = "the object changed again and again while it was read; try later";
    generic(strongroom_core::Error::new(ErrorKind::Conflict, message).on(STORE))
}

/// A part of an upload is not there: its future failed, or was dropped.
pub(super) fn part_missing() -> Error {
    let message = "a part of the upload was not written; abort it and begin anew";
    generic(strongroom_core::Error::new(ErrorKind::Io, message).on(STORE))
}

pub(super) fn generic(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: STORE, source: Box::new(source) }
}

/// An error of the store below about the object that is called `path` above.
pub(super) fn renamed(error: Error, path: &Path) -> Error {
    let path = path.to_string();
    match error {
        Error::NotFound { source, .. } => Error::NotFound { path, source },
        Error::AlreadyExists { source, .. } => Error::AlreadyExists { path, source },
        Error::Precondition { source, .. } => Error::Precondition { path, source },
        Error::NotModified { source, .. } => Error::NotModified { path, source },
        Error::PermissionDenied { source, .. } => Error::PermissionDenied { path, source },
        Error::Unauthenticated { source, .. } => Error::Unauthenticated { path, source },
        error => error,
    }
}

/// The path that an error of the store below is about.
pub(super) fn path_of(error: &Error) -> Option<&str> {
    match error {
        Error::NotFound { path, .. }
        | Error::AlreadyExists { path, .. }
        | Error::Precondition { path, .. }
        | Error::NotModified { path, .. }
        | Error::PermissionDenied { path, .. }
        | Error::Unauthenticated { path, .. } => Some(path),
        _ => None,
    }
}

/// Gives results of the store below the path that the caller knows.
pub(super) trait Renamed<T> {
    fn about(self, path: &Path) -> Result<T>;
}

impl<T> Renamed<T> for Result<T> {
    fn about(self, path: &Path) -> Result<T> {
        self.map_err(|error| renamed(error, path))
    }
}
