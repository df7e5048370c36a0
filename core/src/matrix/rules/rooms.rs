//! What follows for `rooms`, `room_aliases` and the members' power once a batch's events are merged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::RawValue;

use super::batch::{Batch, Touched};
use super::state::{ALIASES, POWER_LEVELS};
use crate::matrix::object::{Object, as_text};
use crate::matrix::{Membership, Room, RoomAlias, RoomAliasId, RoomId, RoomMember, RoomState, UserId};
use crate::{Json, Result, Timestamp};

/// The longest alias of Matrix, in bytes.
const ALIAS_BYTES_MAX: usize = 255;

impl Batch<'_> {
    pub(super) async fn finish_rooms(&mut self) -> Result<()> {
        for (room_id, touched) in std::mem::take(&mut self.touched) {
            self.set_power(&room_id, &touched).await?;
            let aliases = if touched.aliases { Some(self.set_aliases(&room_id).await?) } else { None };
            self.set_room(room_id, &touched, aliases);
        }
        Ok(())
    }

    fn set_room(&mut self, room_id: RoomId, touched: &Touched, aliases: Option<Vec<RoomAliasId>>) {
        let mut room = self.rooms.get(&(room_id.clone(),)).cloned().unwrap_or_else(|| unknown_room(room_id.clone()));
        if let Some(create) = self.state_of(&room_id, "m.room.create") {
            let content = Object::parse(create.content.as_str());
            let text = |name: &str| content.as_ref().and_then(|content| content.text(name));
            room.version = text("room_version").unwrap_or_else(|| "1".to_owned());
            // Since room version 11 the creator is the sender alone, and the content may say anything.
            let named = text("creator").filter(|_| room.version.parse().is_ok_and(|version: u32| version < 11));
            room.creator = named.map_or_else(|| create.sender.clone(), UserId::from);
            room.created_at = create.timestamp;
        }
        let me = self.settings.me.as_ref().and_then(|me| self.members.get(&(room_id, me.clone())));
        if let Some(me) = me {
            room.membership = me.membership;
        }
        room.member_count = room.member_count.saturating_add_signed(touched.joined);
        room.last_event = touched.last_event.map_or(room.last_event, |at| at.max(room.last_event));
        room.aliases = aliases.unwrap_or(room.aliases);
        self.rooms.put(room);
    }

    pub(super) fn state_of(&self, room_id: &RoomId, event_type: &str) -> Option<&RoomState> {
        self.state.get(&(room_id.clone(), event_type.to_owned(), String::new()))
    }

    /// Gives the members of a room their power: those that the batch touched, and those for whom it changed.
    async fn set_power(&mut self, room_id: &RoomId, touched: &Touched) -> Result<()> {
        // Until the room's state says who has which power, the members' records may.
        let Some(levels) = self.state_of(room_id, POWER_LEVELS) else { return Ok(()) };
        let after = Power::of(levels);
        if let Some(before) = &touched.power_before {
            let before = before.as_ref().map(Power::of).unwrap_or_default();
            if before.default == after.default {
                let users = before.users.keys().chain(after.users.keys());
                let users = users.map(|user| (room_id.clone(), UserId::from(&**user)));
                let users: BTreeSet<(RoomId, UserId)> = users.collect();
                self.members.load(self.tx, users).await?;
            } else {
                self.load_all_members(room_id).await?;
            }
        }
        let members: Vec<RoomMember> =
            self.members.iter().filter(|member| member.room_id == *room_id).cloned().collect();
        for member in members {
            let power_level = after.level(&member.user_id);
            self.members.put(RoomMember { power_level, ..member });
        }
        Ok(())
    }

    async fn load_all_members(&mut self, room_id: &RoomId) -> Result<()> {
        let mut query = self.tx.query(RoomMember::PRIMARY).equal(room_id).limit(1_000);
        loop {
            let page = query.clone().page().await?;
            self.members.adopt(page.records);
            let Some(next) = page.next else { return Ok(()) };
            query = query.after(next);
        }
    }

    /// Brings `room_aliases` to what the room's state says; gives the aliases.
    async fn set_aliases(&mut self, room_id: &RoomId) -> Result<Vec<RoomAliasId>> {
        let [canonical, by_server] = ALIASES;
        let mut query = self.tx.query(RoomState::ROOM_TYPE).equal(room_id).equal(by_server);
        loop {
            let page = query.clone().page().await?;
            self.state.adopt(page.records);
            let Some(next) = page.next else { break };
            query = query.after(next);
        }
        self.state.load(self.tx, [(room_id.clone(), canonical.to_owned(), String::new())]).await?;
        let of_room = self.state.iter().filter(|state| state.room_id == *room_id);
        let claims = claims(of_room);

        let before = self.rooms.get(&(room_id.clone(),)).map_or(&[][..], |room| &room.aliases);
        let before: Vec<RoomAliasId> = before.to_vec();
        let both = before.iter().chain(claims.keys()).map(|alias| (alias.clone(),));
        self.aliases.load(self.tx, both).await?;
        for alias in before.into_iter().filter(|alias| !claims.contains_key(alias)) {
            let id = (alias,);
            if self.aliases.get(&id).is_some_and(|row| row.room_id == *room_id) {
                self.aliases.remove(&id);
            }
        }
        for (alias, claim) in &claims {
            self.claim(room_id, alias, claim);
        }
        Ok(claims.into_keys().collect())
    }

    /// An alias names one room: the one that claimed it last.
    fn claim(&mut self, room_id: &RoomId, alias: &RoomAliasId, (created_at, creator): &(Timestamp, UserId)) {
        let old = self.aliases.get(&(alias.clone(),));
        if old.is_some_and(|old| old.room_id != *room_id && (old.created_at, &old.room_id) > (*created_at, room_id)) {
            return;
        }
        let own = old.filter(|old| old.room_id == *room_id);
        self.aliases.put(RoomAlias {
            alias: alias.clone(),
            room_id: room_id.clone(),
            creator: creator.clone(),
            ipns_record: own.and_then(|own| own.ipns_record.clone()),
            proof: own.map_or_else(Json::null, |own| own.proof.clone()),
            created_at: *created_at,
            expires_at: own.and_then(|own| own.expires_at),
        });
    }
}

/// A room of which nothing is known but its id.
fn unknown_room(room_id: RoomId) -> Room {
    Room {
        room_id,
        creator: UserId::default(),
        version: "1".to_owned(),
        membership: Membership::Leave,
        member_count: 0,
        aliases: Vec::new(),
        last_event: Timestamp::MIN,
        created_at: Timestamp::default(),
    }
}

/// The aliases that the state of a room names; who named each first, and when.
fn claims<'a>(state: impl Iterator<Item = &'a RoomState>) -> BTreeMap<RoomAliasId, (Timestamp, UserId)> {
    let [canonical, by_server] = ALIASES;
    let mut claims: BTreeMap<RoomAliasId, (Timestamp, UserId)> = BTreeMap::new();
    for state in state {
        let Some(content) = Object::parse(state.content.as_str()) else { continue };
        let mut aliases = Vec::new();
        if state.r#type == canonical && state.state_key.is_empty() {
            aliases.extend(content.text("alias"));
            aliases.extend(list(content.get("alt_aliases")));
        } else if state.r#type == by_server {
            aliases.extend(list(content.get("aliases")));
        }
        // Matrix writes an empty alias for none. A longer one than it allows is none, and must not sink the event.
        for alias in aliases.into_iter().filter(|alias| (1..=ALIAS_BYTES_MAX).contains(&alias.len())) {
            let claim = (state.timestamp, state.sender.clone());
            let first = claims.entry(RoomAliasId::from(alias)).or_insert_with(|| claim.clone());
            *first = claim.min(first.clone());
        }
    }
    claims
}

/// The texts in a list; what is none is left out.
fn list(value: Option<&RawValue>) -> Vec<String> {
    let values: Vec<&RawValue> = value.and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default();
    values.into_iter().filter_map(as_text).collect()
}

/// Who has which power in a room.
#[derive(Default)]
struct Power {
    users: HashMap<String, i64>,
    default: i64,
}

impl Power {
    fn of(state: &RoomState) -> Self {
        let Some(content) = Object::parse(state.content.as_str()) else { return Power::default() };
        let users = content.object("users");
        let users = users.iter().flat_map(Object::iter);
        Power {
            users: users.filter_map(|(user, power)| Some((user.to_owned(), number(power)?))).collect(),
            default: content.get("users_default").and_then(number).unwrap_or(0),
        }
    }

    fn level(&self, user: &UserId) -> i64 {
        self.users.get(user.as_str()).copied().unwrap_or(self.default)
    }
}

/// Rooms before version 10 may write a number as text.
fn number(value: &RawValue) -> Option<i64> {
    serde_json::from_str(value.get()).ok().or_else(|| as_text(value)?.trim().parse().ok())
}
