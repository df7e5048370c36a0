//! One batch in one transaction: read all it needs, merge in memory, write what changed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, try_join_all};

use super::event::{MEMBER, RoomEvent};
use super::redaction::{Redactions, quoted};
use super::relations::{REPLACES_STATE, is_redaction};
use super::state::POWER_LEVELS;
use super::table::{Row, Table};
use super::update::{Settings, Update, Verdict};
use crate::matrix::{
    AccountData, EventId, Invitation, Message, Presence, ReadReceipt, Room, RoomAlias, RoomId, RoomMember, RoomState,
    Typing, UserId, relation,
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
    pub(super) settings: &'a Settings,
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

/// Merges updates, in order; what became of each. If `strict`, ends with the first that fails.
pub(in crate::matrix) fn run<'a>(
    tx: Transaction,
    updates: &'a [&'a Update],
    settings: &'a Settings,
) -> BoxFuture<'a, Result<Vec<Verdict>>> {
    async move {
        let mut batch = Batch {
            tx: &tx,
            settings,
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
        batch.load(updates).await?;
        let mut verdicts = Vec::with_capacity(updates.len());
        for update in updates {
            let verdict = batch.merge(update);
            let ends = settings.strict && matches!(verdict, Verdict::Failed(_));
            verdicts.push(verdict);
            if ends {
                break;
            }
        }
        batch.finish_rooms().await?;
        batch.flush().await?;
        Ok(verdicts)
    }
    .boxed()
}

impl Batch<'_> {
    fn merge(&mut self, update: &Update) -> Verdict {
        match update {
            Update::Room(events) => self.merge_events(events),
            Update::State(state) => self.merge_lone_state(state),
            Update::Member(member) => self.merge_lone_member(member),
            Update::Receipts(receipts) => self.merge_receipts(receipts),
            Update::Typing(room, users) => self.merge_typing(room, users),
            Update::Presence { presence, dated } => self.merge_presence(presence, *dated),
            Update::AccountData(data) => self.merge_account_data(data),
            Update::Skipped(event_type) => Verdict::Skipped(event_type.clone()),
            Update::Failed(error) => Verdict::Failed(error.clone()),
        }
    }

    async fn load(&mut self, updates: &[&Update]) -> Result<()> {
        let events: Vec<&RoomEvent> = updates
            .iter()
            .filter_map(|update| if let Update::Room(events) = update { Some(events) } else { None })
            .flatten()
            .collect();
        let lone: BTreeSet<(RoomId, EventId)> = updates.iter().flat_map(|update| events_of_lone(update)).collect();
        self.load_messages(&events, &lone).await?;
        self.load_state(&events, updates).await?;
        self.load_others(updates).await
    }

    /// The events themselves and those that they redact or quote, with all that redacts or quotes them. Also those that are named by
    /// records that come without their events, `lone`.
    async fn load_messages(&mut self, events: &[&RoomEvent], lone: &BTreeSet<(RoomId, EventId)>) -> Result<()> {
        let named = events.iter().flat_map(|event| {
            let message = &event.message;
            let other = message.relates_to.as_ref().filter(|_| is_redaction(message) || quoted(message).is_some());
            other.map(|other| (message.room_id.clone(), other.clone())).into_iter().chain([message.id()])
        });
        self.messages.load(self.tx, named.chain(lone.iter().cloned())).await?;

        // Also a redaction that is known without its target: it may learn it now.
        let is_new = |message: &&Message| {
            let stored = self.messages.get(&message.id());
            stored.is_none_or(|stored| is_redaction(stored) && stored.relates_to.is_none())
        };
        let new: Vec<&Message> = events.iter().map(|event| &event.message).filter(is_new).collect();
        // Of each redaction, also of one that is known: it may have been saved past these rules, or its target was.
        let redactions = events.iter().map(|event| &event.message).filter(|message| is_redaction(message));
        let targets: BTreeSet<(RoomId, EventId)> = redactions.filter_map(related).collect();
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
        let watched = new.iter().map(|message| message.id()).chain(targets).chain(behind).chain(quotes);
        let watched: BTreeSet<_> = watched.chain(lone.iter().cloned()).collect();
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

    /// The state that the updates set or change, and what the records of their rooms are made of.
    async fn load_state(&mut self, events: &[&RoomEvent], updates: &[&Update]) -> Result<()> {
        let mut rooms: BTreeSet<RoomId> = events.iter().map(|event| event.message.room_id.clone()).collect();
        let mut state: BTreeSet<(RoomId, String, String)> = BTreeSet::new();
        let mut users: BTreeSet<(RoomId, UserId)> = BTreeSet::new();
        for update in updates {
            match update {
                Update::State(lone) => drop((rooms.insert(lone.room_id.clone()), state.insert(lone.id()))),
                Update::Member(lone) => drop((rooms.insert(lone.room_id.clone()), users.insert(lone.id()))),
                _ => {}
            }
        }
        for room in &rooms {
            state.insert((room.clone(), "m.room.create".to_owned(), String::new()));
            state.insert((room.clone(), POWER_LEVELS.to_owned(), String::new()));
        }
        let with_state = |message: &Message| {
            let key = message.state_key.clone()?;
            Some((message.room_id.clone(), message.event_type.clone(), key))
        };
        state.extend(events.iter().filter_map(|event| with_state(&event.message)));
        state.extend(self.messages.iter().filter_map(with_state));
        self.load_copies_of_redacted(events, &mut state).await?;
        let of_members = state.iter().filter(|(_, event_type, _)| event_type == MEMBER);
        users.extend(of_members.map(|(room, _, user)| (room.clone(), user.as_str().into())));
        let me = rooms.iter().filter_map(|room| Some((room.clone(), self.settings.me.clone()?)));

        self.members.load(self.tx, users.iter().cloned().chain(me)).await?;
        self.invitations.load(self.tx, users).await?;
        self.state.load(self.tx, state).await?;
        self.rooms.load(self.tx, rooms.into_iter().map(|room| (room,))).await
    }

    /// The state and the members that have content of an event that is redacted, as their own or as a quote: they may have come
    /// without the event, or it was deleted from `messages`. What is there and is no state event can be neither.
    async fn load_copies_of_redacted(
        &mut self,
        events: &[&RoomEvent],
        state: &mut BTreeSet<(RoomId, String, String)>,
    ) -> Result<()> {
        let mut targets: BTreeMap<RoomId, BTreeSet<EventId>> = BTreeMap::new();
        for RoomEvent { message, redacted, .. } in events {
            let own = (redacted.is_some() && message.state_key.is_some()).then(|| message.id());
            let target = related(message).filter(|_| is_redaction(message));
            for target in own.into_iter().chain(target) {
                if self.messages.get(&target).is_none_or(|target| target.state_key.is_some()) {
                    targets.entry(target.0).or_default().insert(target.1);
                }
            }
        }
        for (room, events) in targets {
            let mut query = self.tx.query(RoomState::PRIMARY).equal(&room).limit(READ_AT_ONCE);
            loop {
                let page = query.clone().page().await?;
                let has_copy = |state: &RoomState| {
                    events.contains(&state.event_id)
                        || state.prev_state_id.as_ref().is_some_and(|quoted| events.contains(quoted))
                };
                state.extend(page.records.iter().filter(|state| has_copy(state)).map(Row::id));
                let Some(next) = page.next else { break };
                query = query.after(next);
            }
            let mut query = self.tx.query(RoomMember::PRIMARY).equal(&room).limit(READ_AT_ONCE);
            loop {
                let page = query.clone().page().await?;
                let is_target = |member: &RoomMember| member.event_id.as_ref().is_some_and(|id| events.contains(id));
                self.members.adopt(page.records.into_iter().filter(is_target));
                let Some(next) = page.next else { break };
                query = query.after(next);
            }
        }
        Ok(())
    }

    async fn load_others(&mut self, updates: &[&Update]) -> Result<()> {
        let mut typing_rooms = BTreeSet::new();
        let (mut receipts, mut presence, mut account_data) = (Vec::new(), Vec::new(), Vec::new());
        for update in updates {
            match update {
                Update::Receipts(all) => receipts.extend(all.iter().map(Row::id)),
                Update::Presence { presence: one, .. } => presence.push(one.id()),
                Update::AccountData(data) => account_data.push(data.id()),
                Update::Typing(room, _) => drop(typing_rooms.insert(room)),
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

/// The events that a record names which comes without them: its own, and the one that it quotes.
fn events_of_lone(update: &Update) -> Vec<(RoomId, EventId)> {
    match update {
        Update::State(state) => {
            let quoted = state.prev_state_id.as_ref().filter(|_| state.prev_content.is_some());
            let events = std::iter::once(&state.event_id).chain(quoted);
            events.map(|event| (state.room_id.clone(), event.clone())).collect()
        }
        Update::Member(member) => member.event_id.iter().map(|event| (member.room_id.clone(), event.clone())).collect(),
        _ => Vec::new(),
    }
}

/// The event that a message relates to, in its room.
fn related(message: &Message) -> Option<(RoomId, EventId)> {
    Some((message.room_id.clone(), message.relates_to.clone()?))
}
