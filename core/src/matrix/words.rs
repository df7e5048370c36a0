//! The closed sets of words of the schema.

use crate::text::text_enum;

text_enum! {
    /// What a user is to a room.
    Membership {
        /// In it.
        Join = "join",
        /// Asked to join.
        Invite = "invite",
        /// Not in it, any more or yet.
        Leave = "leave",
        /// Kept out.
        Ban = "ban",
        /// Asking to be let in.
        Knock = "knock",
    }
}

text_enum! {
    /// Whether a user is there.
    PresenceState {
        /// There.
        Online = "online",
        /// Not there.
        Offline = "offline",
        /// There, but idle.
        Unavailable = "unavailable",
    }
}

text_enum! {
    /// How far the sending of a message is.
    TransactionStatus {
        /// Not yet confirmed.
        Pending = "pending",
        /// Confirmed.
        Sent = "sent",
        /// Given up.
        Failed = "failed",
    }
}
