//! Rooms whose records are right: what happens in a room is written together with what follows for it.

use super::MatrixStore;
use crate::matrix::rules::{Settings, Update, message_update, state_update};
use crate::matrix::{Message, RoomId, RoomMember, RoomState};
use crate::{Error, ErrorKind, Merged, Result};

impl MatrixStore {
    /// Saves an event of a room, by the rules of the [`Importer`](crate::matrix::Importer): in one atomic step with its room's
    /// `last_event`, with the state and the member that it sets if it is a state event, and with what it redacts if it is a
    /// redaction. An event that was redacted, earlier or by what came before it, is saved without what was removed.
    ///
    /// Saved again, it changes nothing. Its relation is the one that the record names; if it names none, that of its content.
    /// Saves at the same time, through clones of one store, share transactions: many into one room do not hinder each other.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if another event is stored with its id, which stays; `InvalidInput` if the content is not an object,
    /// or of a member event says no membership; and as [`Database::write`](crate::Database::write).
    ///
    /// ```
    /// # use strongroom_core::{Result, Timestamp, matrix::{MatrixStore, Message, Room}};
    /// async fn received(store: &MatrixStore) -> Result<()> {
    ///     let at = Timestamp::from_millis(1_714_564_800_000);
    ///     let content = r#"{"msgtype":"m.text","body":"Dinner at eight."}"#.parse()?;
    ///     let message = Message::new("!kitchen", "$1", "m.room.message", "@ada:example.org", at, content);
    ///     store.save_message(&message).await?;
    ///     let room = store.database().get(&Room::key(&message.room_id)).await?;
    ///     assert_eq!(room.map(|room| room.last_event), Some(at));
    ///     Ok(())
    /// }
    /// ```
    pub async fn save_message(&self, message: &Message) -> Result<Merged> {
        let update = message_update(message, self.db.now()).map_err(invalid);
        self.save(update).await.map_err(|error| error.during("save_message"))
    }

    /// Merges a member into the stored one, by the rule of its [`Merge`](trait@crate::Merge), in one atomic step with its room's
    /// `member_count`, with `membership` if it is the local user, and with `last_event`.
    ///
    /// `joined_at` and `left_at` also learn from the membership and its time. `power_level` becomes what the room's power levels
    /// say, if they are stored. An invitation of the user ends with the membership `invite`.
    ///
    /// What no event tells, `proof` and, without power levels, `power_level`, an event takes over from the member that is stored when it
    /// comes. So these two depend on the order in which members and events are saved; all else does not.
    ///
    /// # Errors
    ///
    /// As [`Database::write`](crate::Database::write).
    pub async fn save_member(&self, member: &RoomMember) -> Result<Merged> {
        let update = Ok(Update::Member(Box::new(member.clone())));
        self.save(update).await.map_err(|error| error.during("save_member"))
    }

    /// Merges a state of a room into the stored one, by the rule of its [`Merge`](trait@crate::Merge), in one atomic step with what
    /// follows: the member that it sets, the room's aliases, creator and version, the members' power, `last_event`. It does not
    /// become a message; an event that should is given to [`save_message`](MatrixStore::save_message).
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is a member's and says no membership, and as [`Database::write`](crate::Database::write).
    pub async fn save_state(&self, state: &RoomState) -> Result<Merged> {
        let update = state_update(state).map_err(invalid);
        self.save(update).await.map_err(|error| error.during("save_state"))
    }

    /// The state of a room now; `None` if it was never set or was [removed](RoomState::is_tombstone).
    ///
    /// # Errors
    ///
    /// As [`Database::get`](crate::Database::get).
    pub async fn state(&self, room: &RoomId, event_type: &str, state_key: &str) -> Result<Option<RoomState>> {
        let state = self.db.get(&RoomState::key(room, event_type, state_key)).await?;
        Ok(state.filter(|state| !state.is_tombstone()))
    }

    pub(super) async fn save(&self, update: Result<Update>) -> Result<Merged> {
        let settings = Settings { me: self.me.clone(), strict: false, now: self.db.now() };
        self.turns.merge(&self.db, update?, settings).await
    }
}

pub(super) fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}
