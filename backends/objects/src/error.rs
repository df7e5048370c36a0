//! What an object store's error is to the callers of this crate.

use std::error::Error as StdError;

use strongroom_core::{Error, ErrorKind};

/// An error of the object store as one of Strongroom's. A layer that encrypts has put its own in there already: that one counts.
pub(crate) fn of_objects(error: object_store::Error, operation: &'static str) -> Error {
    if let object_store::Error::Generic { source, .. } = &error
        && let Some(own) = source.downcast_ref::<Error>()
    {
        return own.clone().during(operation);
    }
    let (kind, message) = match &error {
        object_store::Error::NotFound { .. } => (
            ErrorKind::Corrupt,
            "bytes that a record names are not in the object store; is it the one they were put in?",
        ),
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the object store cannot do this")
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            (ErrorKind::Io, "the object store refuses access; check its credentials")
        }
        _ => (ErrorKind::Io, "the object store failed"),
    };
    Error::new(kind, message).with_source(error).on("objects").during(operation)
}

/// An error of whoever gives the bytes. One of Strongroom's that is in there is given back as it was.
pub(crate) fn of_source(error: std::io::Error) -> Error {
    let own = error.get_ref().and_then(|inner| (inner as &(dyn StdError + 'static)).downcast_ref::<Error>()).cloned();
    if own.is_none() && error.kind() == std::io::ErrorKind::InvalidData {
        return Error::new(ErrorKind::InvalidInput, "the source says that its bytes are wrong").with_source(error);
    }
    own.unwrap_or_else(|| Error::new(ErrorKind::Io, "the bytes to store could not be read").with_source(error))
}

/// A task of this crate that did not end by itself.
pub(crate) fn of_task(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Io, "a transfer was broken off").with_source(error).on("objects")
}
