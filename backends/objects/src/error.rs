//! What an object store's error is to the callers of this crate.

use std::error::Error as StdError;

use strongroom_core::{Error, ErrorKind};

/// What errors of the object store are said to be of.
const OBJECTS: &str = "objects";

/// The operations that ask for bytes which a record names.
const NAMED: [&str; 3] = ["get", "stat", "verify"];

/// An error of the object store as one of Strongroom's. A layer that encrypts has put its own in there already: that one counts.
pub(crate) fn of_objects(error: object_store::Error, operation: &'static str) -> Error {
    if let object_store::Error::Generic { source, .. } = &error
        && let Some(own) = source.downcast_ref::<Error>()
    {
        return own.clone().on(OBJECTS).during(operation);
    }
    let (kind, message) = match &error {
        object_store::Error::NotFound { .. } if NAMED.contains(&operation) => (
            ErrorKind::Corrupt,
            "bytes that a record names are not in the object store; is it the one they were put in?",
        ),
        object_store::Error::NotFound { .. } => (ErrorKind::Io, "the bucket or folder of the objects is not there"),
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the object store cannot do this")
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            (ErrorKind::Io, "the object store refuses access; check its credentials")
        }
        _ if is_unreachable(&error) => {
            (ErrorKind::Io, "the object store cannot be reached; check AWS_ENDPOINT and the network")
        }
        _ => (ErrorKind::Io, "the object store failed"),
    };
    Error::new(kind, message).with_source(error).on(OBJECTS).during(operation)
}

/// Whether nothing answers at all.
#[cfg(feature = "s3")]
fn is_unreachable(error: &object_store::Error) -> bool {
    use object_store::client::{HttpError, HttpErrorKind};
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(failed) = one.downcast_ref::<HttpError>() {
            return matches!(failed.kind(), HttpErrorKind::Connect | HttpErrorKind::Timeout);
        }
        cause = one.source();
    }
    false
}

#[cfg(not(feature = "s3"))]
fn is_unreachable(_: &object_store::Error) -> bool {
    false
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

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(operation: &'static str) -> Error {
        of_objects(object_store::Error::NotFound { path: "a".to_owned(), source: "gone".into() }, operation)
    }

    #[test]
    fn what_is_missing_is_bytes_or_the_place_for_them() {
        for operation in NAMED {
            assert!(missing(operation).is_corrupt() && missing(operation).to_string().contains("a record names"));
        }
        for operation in ["put", "probe", "sweep", "delete"] {
            assert_eq!(missing(operation).kind(), ErrorKind::Io);
            assert!(missing(operation).to_string().contains("the bucket or folder of the objects is not there"));
        }
    }

    #[cfg(feature = "s3")]
    #[test]
    fn a_server_that_does_not_answer_is_told_from_one_that_fails() {
        use object_store::client::{HttpError, HttpErrorKind};
        let said = |kind: HttpErrorKind| {
            let source = Box::new(HttpError::new(kind, std::io::Error::other("x")));
            of_objects(object_store::Error::Generic { store: "S3", source }, "put").to_string()
        };
        assert!(said(HttpErrorKind::Connect).contains("cannot be reached; check AWS_ENDPOINT and the network"));
        assert!(!said(HttpErrorKind::Decode).contains("reached"));
    }
}
