//! One batch in one transaction: read all it needs, merge in memory, write what changed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::ImportOptions;
use super::event::{MEMBER, RoomEvent};
use super::parse::Parsed;
use super::redaction::{Redactions, quoted};
use super::relations::{REPLACES_STATE, is_redaction};
use super::report::Verdict;
use super::table::{Row, Table};
use crate::matrix::{
    AccountData, EventId, Invitation, Message, Presence, ReadReceipt, Room, RoomAlias, RoomId, RoomMember, RoomState,
    Typing, relation,
};
use crate::{Error, Result, Timestamp, Transaction};

/// Queries that run at one time.
const QUERIES_AT_ONCE: usize = 64;
/// Relations of one event in one page, and redactions of it that are looked at.
const RELATIONS_AT_ONCE: usize = 100;
/// Records in one page where all of a room are looked at.
const READ_AT_ONCE: usize = 1_000;

/// What a batch works on.
pub(super) struct Batch<'a> {
    pub(super) tx: &'a Transaction,
    pub(super) options: &'a ImportOptions,
    pub(super) now: Timestamp,
    pub(super) messages: Table<Message>,
    pub(super) redactions: Redactions,
    pub(super) state: Table<RoomState>,
    pub(super) members: Table<RoomMember>,
    pub(super) invitations: Table<Invitation>,
    pub(super) rooms: Table<Room>,
    pub(super) aliases: Table<RoomAlias>,
    pub(super) receipts: Table<ReadReceipt>,
    pub(super) typing: Table<Typing>,
    pub(super) presence: Table<Presence>,
    pub(super) account_data: Table<AccountData>,
    /// The rooms that had events, and what their records need from them.
    pub(super) touched: BTreeMap<RoomId, Touched>,
}

/// What a room's record needs from the batch.
#[derive(Default)]
pub(super) struct Touched {
    /// The latest time seen.
    pub(super) last_event: Option<Timestamp>,
    /// Users that joined, less those that left.
    pub(super) joined: i64,
    /// Whether an event about aliases has changed the state.
    pub(super) aliases: bool,
    /// The state event with the power levels as it was before the first change.
    pub(super) power_before: Option<Option<RoomState>>,
}

/// Merges parsed events, in order; what became of each. If `strict`, ends with the first that fails.
pub(super) async fn run(
    tx: Transaction,
    events: &[(u64, Parsed)],
    options: &ImportOptions,
    now: Timestamp,
) -> Result<Vec<Verdict>> {
    let mut batch = Batch {
        tx: &tx,
        options,
        now,
        messages: Table::default(),
        redactions: Redactions::default(),
        state: Table::default(),
        members: Table::default(),
        invitations: Table::default(),
        rooms: Table::default(),
        aliases: Table::default(),
        receipts: Table::default(),
        typing: Table::default(),
        presence: Table::default(),
        account_data: Table::default(),
        touched: BTreeMap::new(),
    };
    batch.load(events).await?;
    let mut verdicts = Vec::with_capacity(events.len());
    for (_, event) in events {
        let verdict = batch.merge(event);
        let ends = options.strict && matches!(verdict, Verdict::Failed(_));
        verdicts.push(verdict);
        if ends {
            break;
        }
    }
    batch.finish_rooms().await?;
    batch.flush().await?;
    Ok(verdicts)
}

impl Batch<'_> {
    fn merge(&mut self, event: &Parsed) -> Verdict {
        match event {
            Parsed::Room(events) => self.merge_events(events),
            Parsed::Receipts(receipts) => self.merge_receipts(receipts),
            Parsed::Typing(room, users) => self.merge_typing(room, users),
            Parsed::Presence { presence, dated } => self.merge_presence(presence, *dated),
            Parsed::AccountData(data) => self.merge_account_data(data),
            Parsed::Skipped(event_type) => Verdict::Skipped(event_type.clone()),
            Parsed::Failed(error) => Verdict::Failed(error.clone()),
        }
    }

    async fn load(&mut self, events: &[(u64, Parsed)]) -> Result<()> {
        let room_events: Vec<&RoomEvent> = events
            .iter()
            .filter_map(|(_, event)| if let Parsed::Room(events) = event { Some(events) } else { None })
            .flatten()
            .collect();
        self.load_messages(&room_events).await?;
        self.load_state(&room_events).await?;
        self.load_others(events).await
    }

    /// The events themselves and those that they redact or quote, with all that redacts or quotes them.
    async fn load_messages(&mut self, events: &[&RoomEvent]) -> Result<()> {
        let named = events.iter().flat_map(|event| {
            let message = &event.message;
            let other = message.relates_to.as_ref().filter(|_| is_redaction(message) || quoted(message).is_some());
            other.map(|other| (message.room_id.clone(), other.clone())).into_iter().chain([message.id()])
        });
        self.messages.load(self.tx, named).await?;

        // Also a redaction that is known without its target: it may learn it now.
        let is_new = |message: &&Message| {
            let stored = self.messages.get(&message.id());
            stored.is_none_or(|stored| is_redaction(stored) && stored.relates_to.is_none())
        };
        let new: Vec<&Message> = events.iter().map(|event| &event.message).filter(is_new).collect();
        let targets: BTreeSet<(RoomId, EventId)> =
            new.iter().filter(|message| is_redaction(message)).filter_map(|message| related(message)).collect();
        let came_redacted = events.iter().filter(|event| event.redacted.is_some()).map(|event| event.message.id());
        let redacted: BTreeSet<_> = targets.iter().cloned().chain(came_redacted).collect();
        // A redaction that is redacted takes its reason along, also where its target shows it.
        let behind: BTreeSet<(RoomId, EventId)> = redacted
            .iter()
            .filter_map(|target| self.messages.get(target))
            .filter(|target| is_redaction(target))
            .filter_map(related)
            .collect();
        self.messages.load(self.tx, behind.iter().cloned()).await?;

        let quotes = new.iter().filter(|message| quoted(message).is_some()).filter_map(|message| related(message));
        let watched: BTreeSet<_> =
            new.iter().map(|message| message.id()).chain(targets).chain(behind).chain(quotes).collect();
        for redaction in self.relations(&watched, relation::REDACTION).await? {
            self.redactions.note(&redaction);
        }
        let quoting = self.relations(&redacted, REPLACES_STATE).await?;
        self.messages.adopt(quoting);
        Ok(())
    }

    /// The stored messages that relate to one of `ids` in this way.
    async fn relations(&self, ids: &BTreeSet<(RoomId, EventId)>, kind: &'static str) -> Result<Vec<Message>> {
        let ids: Vec<&(RoomId, EventId)> = ids.iter().collect();
        let mut found = Vec::new();
        for ids in ids.chunks(QUERIES_AT_ONCE) {
            let pages = try_join_all(ids.iter().map(|(room, event)| async move {
                let query = self.tx.query(Message::RELATION).equal(room).equal(event).equal(kind);
                let mut query = query.limit(RELATIONS_AT_ONCE);
                let mut found = Vec::new();
                loop {
                    let page = query.clone().page().await?;
                    found.extend(page.records);
                    match page.next {
                        // The earliest redactions suffice, but a quote that is left would keep what was deleted.
                        Some(next) if kind == REPLACES_STATE => query = query.after(next),
                        _ => return Ok::<_, Error>(found),
                    }
                }
            }));
            found.extend(pages.await?.into_iter().flatten());
        }
        Ok(found)
    }

    /// The state that the events set or change, and what the records of their rooms are made of.
    async fn load_state(&mut self, events: &[&RoomEvent]) -> Result<()> {
        let rooms: BTreeSet<RoomId> = events.iter().map(|event| event.message.room_id.clone()).collect();
        let mut state: BTreeSet<(RoomId, String, String)> = BTreeSet::new();
        for room in &rooms {
            state.insert((room.clone(), "m.room.create".to_owned(), String::new()));
            state.insert((room.clone(), "m.room.power_levels".to_owned(), String::new()));
        }
        let with_state = |message: &Message| {
            let key = message.state_key.clone()?;
            Some((message.room_id.clone(), message.event_type.clone(), key))
        };
        state.extend(events.iter().filter_map(|event| with_state(&event.message)));
        state.extend(self.messages.iter().filter_map(with_state));
        state.extend(self.state_of_deleted(events).await?);
        let of_members = state.iter().filter(|(_, event_type, _)| event_type == MEMBER);
        let users: BTreeSet<_> = of_members.map(|(room, _, user)| (room.clone(), user.as_str().into())).collect();
        let me = rooms.iter().filter_map(|room| Some((room.clone(), self.options.me.clone()?)));

        self.members.load(self.tx, users.iter().cloned().chain(me)).await?;
        self.invitations.load(self.tx, users).await?;
        self.state.load(self.tx, state).await?;
        self.rooms.load(self.tx, rooms.into_iter().map(|room| (room,))).await
    }

    /// The state that stayed when its event was deleted from `messages`, and that is redacted now.
    async fn state_of_deleted(&self, events: &[&RoomEvent]) -> Result<Vec<(RoomId, String, String)>> {
        let mut targets: BTreeMap<RoomId, BTreeSet<EventId>> = BTreeMap::new();
        let redactions = events.iter().map(|event| &event.message).filter(|message| is_redaction(message));
        for (room, event) in redactions.filter_map(related).filter(|target| self.messages.get(target).is_none()) {
            targets.entry(room).or_default().insert(event);
        }
        let mut found = Vec::new();
        for (room, events) in targets {
            let mut query = self.tx.query(RoomState::PRIMARY).equal(&room).limit(READ_AT_ONCE);
            loop {
                let page = query.clone().page().await?;
                let redacted = page.records.into_iter().filter(|state| events.contains(&state.event_id));
                found.extend(redacted.map(|state| (state.room_id, state.r#type, state.state_key)));
                let Some(next) = page.next else { break };
                query = query.after(next);
            }
        }
        Ok(found)
    }

    async fn load_others(&mut self, events: &[(u64, Parsed)]) -> Result<()> {
        let mut typing_rooms = BTreeSet::new();
        let (mut receipts, mut presence, mut account_data) = (Vec::new(), Vec::new(), Vec::new());
        for (_, event) in events {
            match event {
                Parsed::Receipts(all) => receipts.extend(all.iter().map(Row::id)),
                Parsed::Presence { presence: one, .. } => presence.push(one.id()),
                Parsed::AccountData(data) => account_data.push(data.id()),
                Parsed::Typing(room, _) => drop(typing_rooms.insert(room)),
                _ => {}
            }
        }
        self.receipts.load(self.tx, receipts).await?;
        self.presence.load(self.tx, presence).await?;
        self.account_data.load(self.tx, account_data).await?;
        for room in typing_rooms {
            let mut query = self.tx.query(Typing::ROOM_TYPING).equal(room);
            loop {
                let page = query.clone().page().await?;
                self.typing.adopt(page.records);
                let Some(next) = page.next else { break };
                query = query.after(next);
            }
        }
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        let tx = self.tx;
        self.messages.flush(tx).await?;
        self.state.flush(tx).await?;
        self.members.flush(tx).await?;
        self.invitations.flush(tx).await?;
        self.rooms.flush(tx).await?;
        self.aliases.flush(tx).await?;
        self.receipts.flush(tx).await?;
        self.typing.flush(tx).await?;
        self.presence.flush(tx).await?;
        self.account_data.flush(tx).await
    }
}

/// The event that a message relates to, in its room.
fn related(message: &Message) -> Option<(RoomId, EventId)> {
    Some((message.room_id.clone(), message.relates_to.clone()?))
}
