//! Merging room events into `messages`.

use super::batch::Batch;
use super::event::{Clarity, ENCRYPTED, RoomEvent};
use super::redaction::{quoted, redact, remove_quote};
use super::relations::{REPLACES_STATE, is_redaction};
use super::same::same_json;
use super::state::message_of;
use super::table::Row;
use super::update::Verdict;
use crate::matrix::{EventId, Message, RoomId, RoomState};

/// What an event is to the stored one with its id.
enum Against {
    /// The same; the stored one stays.
    Same,
    /// The same event, of which more can be read now.
    Clearer,
    /// Another event.
    Other,
}

impl Batch<'_> {
    /// The first event decides; one bundled with it that is stored with other content changes nothing.
    ///
    /// What is bundled is kept even if the first fails: Element exports an edited message with the edit's text in the place
    /// of its own, and the edit itself may stand nowhere else.
    pub(super) fn merge_events(&mut self, events: &[RoomEvent]) -> Verdict {
        let mut verdict = Verdict::Unchanged;
        for (at, event) in events.iter().enumerate() {
            match self.merge_event(event) {
                Some(true) if verdict == Verdict::Unchanged => verdict = Verdict::Stored,
                None if at == 0 => {
                    let error = "an event with this id is stored with other content; it stays";
                    verdict = Verdict::Failed(error.to_owned());
                }
                _ => {}
            }
        }
        verdict
    }

    /// Whether the event brings anything new; none if another one has its id.
    fn merge_event(&mut self, event: &RoomEvent) -> Option<bool> {
        let id = event.message.id();
        let mut message = match self.messages.get(&id) {
            None => event.message.clone(),
            Some(stored) => match against(stored, event) {
                Against::Same => complete(stored.clone(), &event.message),
                Against::Clearer => complete(event.message.clone(), stored),
                Against::Other => return None,
            },
        };
        if let Some(reason) = self.redactions.of(&id) {
            redact(&mut message, reason);
        } else if let (Some(reason), false) = (&event.redacted, message.redacted) {
            redact(&mut message, reason.clone());
        }
        if quoted(&message).is_some_and(|quoted| self.is_redacted(&(id.0.clone(), quoted.clone()))) {
            remove_quote(&mut message);
        }
        self.touch(&id.0, message.timestamp);
        Some(self.set_message(message))
    }

    /// Stores a message and what follows from it; whether anything changed.
    fn set_message(&mut self, message: Message) -> bool {
        self.merge_state(&message);
        let mut changed = self.messages.put(message.clone());
        if message.redacted {
            changed |= self.remove_quotes_of(&message.id());
        }
        if is_redaction(&message) {
            changed |= self.redact_target(&message);
        }
        changed
    }

    /// Brings a redaction to what is here of its target, and for the rest it waits in its own row; whether anything changed.
    fn redact_target(&mut self, redaction: &Message) -> bool {
        let Some(target) = self.redactions.note(redaction) else { return false };
        let Some(reason) = self.redactions.of(&target) else { return false };
        let mut changed = false;
        let message = self.messages.get(&target);
        if let Some(message) = message.filter(|message| !message.redacted || message.redaction_reason != reason) {
            let mut message = message.clone();
            redact(&mut message, reason.clone());
            changed |= self.set_message(message);
        }
        // These may have come without the message, or tell another time than it does.
        changed |= self.redact_state(&target, reason.as_deref());
        changed |= self.redact_members(&target);
        changed | self.remove_quotes_of(&target)
    }

    /// Whether any state was set by this event and had to be redacted.
    fn redact_state(&mut self, (room, event): &(RoomId, EventId), reason: Option<&str>) -> bool {
        let set_by = |state: &&RoomState| !state.redacted && state.event_id == *event && state.room_id == *room;
        let set: Vec<Message> = self.state.iter().filter(set_by).map(message_of).collect();
        for mut message in set.iter().cloned() {
            redact(&mut message, reason.map(str::to_owned));
            self.merge_state(&message);
        }
        !set.is_empty()
    }

    pub(super) fn is_redacted(&self, id: &(RoomId, EventId)) -> bool {
        self.redactions.of(id).is_some() || self.messages.get(id).is_some_and(|message| message.redacted)
    }

    /// State events that replaced this one may quote its content, and so may the state that they set. Whether any did.
    fn remove_quotes_of(&mut self, id: &(RoomId, EventId)) -> bool {
        let quotes = |message: &&Message| {
            message.relates_to_type.as_deref() == Some(REPLACES_STATE)
                && message.relates_to.as_ref() == Some(&id.1)
                && message.room_id == id.0
        };
        let quoting: Vec<Message> = self.messages.iter().filter(quotes).cloned().collect();
        for mut message in quoting.iter().cloned() {
            remove_quote(&mut message);
            self.set_message(message);
        }
        let quotes = |state: &&RoomState| {
            state.prev_content.is_some() && state.prev_state_id.as_ref() == Some(&id.1) && state.room_id == id.0
        };
        let states: Vec<RoomState> = self.state.iter().filter(quotes).cloned().collect();
        for state in states.iter().cloned() {
            self.state.put(RoomState { prev_content: None, ..state });
        }
        !quoting.is_empty() || !states.is_empty()
    }
}

fn against(stored: &Message, event: &RoomEvent) -> Against {
    let new = &event.message;
    if stored.sender_key != new.sender_key || stored.timestamp != new.timestamp || stored.state_key != new.state_key {
        return Against::Other;
    }
    if stored.redacted || event.redacted.is_some() {
        return Against::Same;
    }
    match event.clarity.cmp(&Clarity::of(stored)) {
        std::cmp::Ordering::Greater => Against::Clearer,
        std::cmp::Ordering::Less => Against::Same,
        std::cmp::Ordering::Equal => {
            // One without a target may be bundled with it, and tells nothing else.
            let targets = stored.relates_to.as_ref().zip(new.relates_to.as_ref());
            let same_target = !is_redaction(new) || targets.is_none_or(|(stored, new)| stored == new);
            let same = stored.event_type == new.event_type && same_target && same_json(&stored.content, &new.content);
            if same { Against::Same } else { Against::Other }
        }
    }
}

/// What another form of the same event tells that this one does not.
fn complete(mut message: Message, other: &Message) -> Message {
    let clear = Clarity::of(other) == Clarity::Clear;
    if is_redaction(&message) {
        // Before room version 11 a redacted redaction has lost its target.
        if message.relates_to.is_none() && is_redaction(other) {
            message.relates_to.clone_from(&other.relates_to);
            message.relates_to_type.clone_from(&other.relates_to_type);
        }
    } else if message.redacted {
        if message.event_type == ENCRYPTED && clear && other.state_key.is_none() && !is_redaction(other) {
            message.event_type.clone_from(&other.event_type);
        }
    } else if message.relates_to.is_none() && message.state_key.is_none() && !other.redacted && !is_redaction(other) {
        // The relation of an encrypted event stands outside of what is encrypted, and often there alone.
        message.relates_to.clone_from(&other.relates_to);
        message.relates_to_type.clone_from(&other.relates_to_type);
        message.relation_key.clone_from(&other.relation_key);
        message.thread_root.clone_from(&other.thread_root);
        message.in_reply_to.clone_from(&other.in_reply_to);
    }
    message
}
