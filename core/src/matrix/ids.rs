//! Matrix identifiers: opaque text, a type each, so that a room cannot be passed for a user.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Component;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// Opaque text, compared as bytes; any text is accepted. `Debug` shows its length only.
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Component)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                $name(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    )+};
}

ids! {
    /// A room: `!…`. Newer ones have no domain.
    RoomId;
    /// An event: `$…`. Those of newer room versions are hashes and may hold `/`.
    EventId;
    /// A user: `@…`.
    UserId;
    /// A device of a user.
    DeviceId;
    /// A one-time key of a device: `algorithm:name`.
    KeyId;
    /// An alias of a room: `#…`.
    RoomAliasId;
    /// A transaction, as the client that began it named it.
    TransactionId;
    /// A zero-knowledge proof.
    ProofId;
    /// The circuit that a proof was made with.
    CircuitId;
    /// A medium.
    MediaId;
    /// An object in the media store.
    ObjectId;
}
