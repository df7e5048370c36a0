//! A made-up room export in Element's form: always the same, with all that makes real ones difficult: equal times,
//! edits, reactions, replies, threads, redactions, and messages that were never decrypted.

use std::collections::VecDeque;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::random::Random;

pub(super) const ROOM: &str = "!kitchen:example.org";
pub(super) const ME: &str = "@ada:example.org";

const USERS: [&str; 6] =
    [ME, "@ben:example.org", "@chloe:example.org", "@dmitri:example.com", "@emi:example.net", "@farah:example.net"];
const OPENINGS: [&str; 8] = [
    "Does anybody know about",
    "I wonder about",
    "Remember",
    "Just saw",
    "Please check",
    "Nobody told me",
    "We could try",
    "Thanks for",
];
const MATTERS: [&str; 8] = [
    "the oven",
    "Saturday's dinner",
    "the soup 🍲",
    "who has the keys",
    "the new recipe",
    "the shopping list",
    "the dough",
    "the café's hours",
];
const ENDINGS: [&str; 6] = [".", "?", " again.", ", or is it too late?", " — no hurry.", "!"];
const REACTIONS: [&str; 5] = ["👍", "❤️", "😂", "🍲", "+1"];

/// What the demo shows of the room.
pub(super) struct Sample {
    /// A message that others answer in a thread.
    pub(super) thread_root: String,
}

/// Writes an export of `count` events.
pub(super) fn write(mut out: impl Write, count: u64) -> io::Result<Sample> {
    let head = json!({
        "room_name": "Kitchen", "room_creator": ME, "topic": "What is for dinner",
        "export_date": "01/06/2024", "exported_by": ME,
    });
    let head = head.to_string();
    // The members, then the events as they are made: they need not all be in memory.
    write!(out, "{},\n\"messages\": [\n", head.trim_end_matches('}'))?;
    let mut room = RoomStory::new();
    for at in 0..count {
        let separator = if at == 0 { "" } else { ",\n" };
        write!(out, "{separator}{}", room.next_event())?;
    }
    out.write_all(b"\n]}\n")?;
    out.flush()?;
    Ok(Sample { thread_root: room.first_thread_root })
}

struct RoomStory {
    random: Random,
    /// The state events that are still to come.
    states: std::vec::IntoIter<State>,
    now: i64,
    /// The latest messages, the newest last: what others answer.
    recent: VecDeque<String>,
    thread_root: String,
    first_thread_root: String,
}

impl RoomStory {
    fn new() -> Self {
        RoomStory {
            random: Random::new(2024),
            states: room_states().into_iter(),
            now: 1_704_096_000_000,
            recent: VecDeque::new(),
            thread_root: String::new(),
            first_thread_root: String::new(),
        }
    }

    fn next_event(&mut self) -> Value {
        // One in five shares its time with the one before.
        if self.random.below(5) > 0 {
            self.now += 1 + self.random.below(90_000) as i64;
        }
        if let Some((kind, state_key, sender, content)) = self.states.next() {
            let mut event = self.event(kind, sender, content);
            event["state_key"] = json!(state_key);
            return event;
        }
        if self.recent.len() < 8 {
            return self.message();
        }
        match self.random.below(100) {
            0..5 => self.edit(),
            5..17 => self.reaction(),
            17..25 => self.reply(),
            25..33 => self.thread_reply(),
            33 => self.redaction(),
            34 => self.redacted_message(),
            35 => self.undecryptable(),
            _ => self.message(),
        }
    }

    fn event(&mut self, kind: &str, sender: &str, content: Value) -> Value {
        let id = format!("${:016x}{:016x}", self.random.next(), self.random.next());
        json!({
            "type": kind, "room_id": ROOM, "sender": sender, "content": content,
            "origin_server_ts": self.now, "event_id": id, "unsigned": { "age": 1234 },
        })
    }

    fn anybody(&mut self) -> &'static str {
        self.random.pick(&USERS)
    }

    fn sentence(&mut self) -> String {
        format!("{} {}{}", self.random.pick(&OPENINGS), self.random.pick(&MATTERS), self.random.pick(&ENDINGS))
    }

    fn recent(&mut self) -> String {
        let at = self.random.below(self.recent.len() as u64) as usize;
        self.recent[at].clone()
    }

    /// A message that others may answer.
    fn say(&mut self, sender: &str, content: Value) -> Value {
        let event = self.event("m.room.message", sender, content);
        let id = event["event_id"].as_str().unwrap_or_default().to_owned();
        self.recent.push_back(id);
        if self.recent.len() > 50 {
            self.recent.pop_front();
        }
        event
    }

    fn message(&mut self) -> Value {
        let (sender, body) = (self.anybody(), self.sentence());
        self.say(sender, json!({ "msgtype": "m.text", "body": body }))
    }

    fn reply(&mut self) -> Value {
        let (sender, body, target) = (self.anybody(), self.sentence(), self.recent());
        let relation = json!({ "m.in_reply_to": { "event_id": target } });
        self.say(sender, json!({ "msgtype": "m.text", "body": body, "m.relates_to": relation }))
    }

    fn thread_reply(&mut self) -> Value {
        if self.thread_root.is_empty() || self.random.below(20) == 0 {
            self.thread_root = self.recent();
        }
        if self.first_thread_root.is_empty() {
            self.first_thread_root.clone_from(&self.thread_root);
        }
        let (sender, body, root) = (self.anybody(), self.sentence(), self.thread_root.clone());
        let relation = json!({
            "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root },
        });
        // Not among the messages that are answered: a thread has no threads inside.
        self.event("m.room.message", sender, json!({ "msgtype": "m.text", "body": body, "m.relates_to": relation }))
    }

    fn edit(&mut self) -> Value {
        let (sender, body, target) = (self.anybody(), self.sentence(), self.recent());
        let content = json!({
            "msgtype": "m.text", "body": format!("* {body}"),
            "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": target },
        });
        self.event("m.room.message", sender, content)
    }

    fn reaction(&mut self) -> Value {
        let (sender, target, key) = (self.anybody(), self.recent(), self.random.pick(&REACTIONS));
        let content = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": key } });
        self.event("m.reaction", sender, content)
    }

    fn redaction(&mut self) -> Value {
        let (sender, target) = (self.anybody(), self.recent());
        // Older room versions name the target beside the content, newer ones in it.
        if self.random.below(2) == 0 {
            return self.event("m.room.redaction", sender, json!({ "reason": "wrong room", "redacts": target }));
        }
        let mut event = self.event("m.room.redaction", sender, json!({ "reason": "wrong room" }));
        event["redacts"] = json!(target);
        event
    }

    /// As an export has it when the message was redacted before: nothing but the reason is left.
    fn redacted_message(&mut self) -> Value {
        let (sender, moderator) = (self.anybody(), self.anybody());
        let because = self.event("m.room.redaction", moderator, json!({ "reason": "spam" }));
        let mut event = self.event("m.room.message", sender, json!({}));
        event["unsigned"]["redacted_because"] = because;
        event
    }

    fn undecryptable(&mut self) -> Value {
        let sender = self.anybody();
        let content =
            json!({ "msgtype": "m.bad.encrypted", "body": "** Unable to decrypt: the keys were not sent **" });
        self.event("m.room.message", sender, content)
    }
}

type State = (&'static str, &'static str, &'static str, Value);

/// How the room began.
fn room_states() -> Vec<State> {
    let mut states = vec![
        ("m.room.create", "", ME, json!({ "room_version": "10", "creator": ME })),
        ("m.room.member", ME, ME, json!({ "membership": "join", "displayname": "Ada" })),
        ("m.room.power_levels", "", ME, json!({ "users": { ME: 100 }, "users_default": 0 })),
        ("m.room.canonical_alias", "", ME, json!({ "alias": "#kitchen:example.org" })),
        ("m.room.name", "", ME, json!({ "name": "Kitchen" })),
        ("m.room.topic", "", ME, json!({ "topic": "What is for dinner" })),
        ("m.room.encryption", "", ME, json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
    ];
    for user in &USERS[1..] {
        states.push(("m.room.member", user, user, json!({ "membership": "join" })));
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(count: u64) -> (Vec<u8>, Sample) {
        let mut text = Vec::new();
        let sample = write(&mut text, count).unwrap();
        (text, sample)
    }

    #[test]
    fn it_is_the_same_every_time() {
        assert_eq!(export(500).0, export(500).0);
    }

    #[test]
    fn it_has_as_many_events_as_asked_each_with_its_own_id_and_ties_among_them() {
        let (text, sample) = export(2_000);
        let export: Value = serde_json::from_slice(&text).unwrap();
        let events = export["messages"].as_array().unwrap();
        let ids: std::collections::BTreeSet<&str> =
            events.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
        assert_eq!((events.len(), ids.len()), (2_000, 2_000));
        let times: Vec<i64> = events.iter().map(|event| event["origin_server_ts"].as_i64().unwrap()).collect();
        assert!(times.is_sorted());
        assert!(times.windows(2).filter(|pair| pair[0] == pair[1]).count() > 100);
        assert!(ids.contains(sample.thread_root.as_str()));
        for kind in ["m.replace", "m.annotation", "m.thread", "m.in_reply_to", "m.bad.encrypted", "redacted_because"] {
            assert!(String::from_utf8_lossy(&text).contains(kind), "{kind}");
        }
    }
}
