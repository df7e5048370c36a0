//! The one workload: seeded messages of about 300 bytes over rooms of unequal size, and what a messenger does with them.
//!
//! Message `n` is made from the seed and `n` alone, so any part of the workload can be made at any time and nothing needs to be
//! kept. Each has an entry in four of the five indexes of the collection, all but `relation`: with its own that makes five rows.

mod operations;
mod rooms;
mod rows;

pub use operations::{
    IMPORT_BATCH, IMPORT_CHUNK, PAGE, TOGETHER, claim, commit, delete_before, get, import, mixed, one_time_keys, page,
    publish, save, save_together, thread_page,
};
pub use rooms::{Rooms, Skew};
pub use rows::{Capture, Row, Table, Writes, rows_of};

use strongroom::matrix::{EventId, Message, RoomId};
use strongroom::{Json, Key, Result, Timestamp};

/// When the first message was sent; the others follow in steps of a second.
const BEGIN_MS: i64 = 1_714_564_800_000;
const STEP_MS: i64 = 1_000;
const SENDERS: u64 = 200;
/// Threads in each room.
const THREADS: u64 = 20;
/// Bytes of a message's text. With its ids, its field names and the rest of its content that makes about 300.
const BODY_BYTES: std::ops::RangeInclusive<usize> = 1..=40;
/// A place of a page must be expected to have so many messages of its room before it that a page is all but sure to be full.
const BEFORE_A_PLACE: f64 = 100.0;

/// Seeded messages over rooms.
#[derive(Clone, Debug)]
pub struct Workload {
    rooms: Rooms,
    seed: u64,
}

impl Default for Workload {
    /// 100 rooms whose sizes follow Zipf's law.
    fn default() -> Self {
        Workload::new(Rooms::new(100, Skew::Zipf), 7)
    }
}

/// A place to read a page at: the newest messages of a room, or of one of its threads, before a time.
#[derive(Clone, Debug)]
pub struct Place {
    /// The room.
    pub room: RoomId,
    /// One of its threads.
    pub thread: EventId,
    /// The time.
    pub before: Timestamp,
}

impl Workload {
    /// The workload of a seed.
    pub fn new(rooms: Rooms, seed: u64) -> Self {
        Workload { rooms, seed }
    }

    /// How the messages are spread.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Message number `n`.
    ///
    /// # Errors
    ///
    /// None: the content is JSON.
    pub fn message(&self, n: u64) -> Result<Message> {
        let mut rng = self.rng(n);
        let room = self.rooms.pick(&mut rng);
        let id = event_id(&mut rng);
        let sender = format!("@user-{:03}:example.org", rng.u64(..SENDERS));
        let thread = self.thread(room, rng.u64(..THREADS));
        let body = text(&mut rng);
        let content: Json = format!(r#"{{"msgtype":"m.text","body":"{body}"}}"#).parse()?;
        let mut message = Message::new(room_id(room), id, "m.room.message", sender, time(n), content);
        message.thread_root = Some(thread);
        Ok(message)
    }

    /// The messages of a range of numbers.
    ///
    /// # Errors
    ///
    /// As [`message`](Workload::message).
    pub fn messages(&self, numbers: std::ops::Range<u64>) -> Result<Vec<Message>> {
        numbers.map(|n| self.message(n)).collect()
    }

    /// The keys of `count` messages, anywhere among the first `messages`.
    pub fn keys(&self, count: usize, messages: u64) -> Vec<Key<Message>> {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ messages);
        let mut key = || {
            let mut rng = self.rng(rng.u64(..messages.max(1)));
            let room = self.rooms.pick(&mut rng);
            Message::key(&room_id(room), &event_id(&mut rng))
        };
        (0..count).map(|_| key()).collect()
    }

    /// `count` places to read a page at, anywhere among the first `messages`, where a full page is there to be read. None if there are
    /// too few messages.
    pub fn places(&self, count: usize, messages: u64) -> Vec<Place> {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ messages);
        let numbers = std::iter::repeat_with(|| rng.u64(..messages.max(1))).take(count * 1_000);
        let places = numbers.filter_map(|n| {
            let mut rng = self.rng(n);
            let room = self.rooms.pick(&mut rng);
            let full = n as f64 * self.rooms.share(room) > BEFORE_A_PLACE;
            full.then(|| Place { room: room_id(room), thread: self.thread(room, n % THREADS), before: time(n) })
        });
        places.take(count).collect()
    }

    /// The time of message number `n`.
    pub fn time(&self, n: u64) -> Timestamp {
        time(n)
    }

    /// The room with the most messages.
    pub fn largest_room(&self) -> RoomId {
        room_id(0)
    }

    fn thread(&self, room: usize, thread: u64) -> EventId {
        let mut rng = self.rng(u64::MAX - (room as u64 * THREADS + thread));
        event_id(&mut rng)
    }

    fn rng(&self, n: u64) -> fastrand::Rng {
        // Neighbours get seeds that have nothing in common.
        fastrand::Rng::with_seed(self.seed.wrapping_add(n).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

fn room_id(room: usize) -> RoomId {
    RoomId::from(format!("!room-{room:05}:example.org"))
}

/// As those of newer room versions: a hash.
fn event_id(rng: &mut fastrand::Rng) -> EventId {
    EventId::from(std::iter::once('$').chain((0..43).map(|_| rng.alphanumeric())).collect::<String>())
}

fn text(rng: &mut fastrand::Rng) -> String {
    let bytes = rng.usize(BODY_BYTES);
    (0..bytes).map(|at| if at % 6 == 5 { ' ' } else { rng.lowercase() }).collect()
}

fn time(n: u64) -> Timestamp {
    Timestamp::from_millis(BEGIN_MS.saturating_add((n as i64).saturating_mul(STEP_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_made_of_the_seed_and_its_number() {
        let (workload, other) = (Workload::default(), Workload::new(Rooms::new(100, Skew::Zipf), 8));
        assert!(workload.message(5).unwrap() == Workload::default().message(5).unwrap());
        assert!(workload.message(5).unwrap() != workload.message(6).unwrap());
        assert!(workload.message(5).unwrap() != other.message(5).unwrap());
    }

    #[test]
    fn a_message_has_about_300_bytes() {
        let messages = Workload::default().messages(0..2_000).unwrap();
        let bytes = messages.iter().map(|message| rmp_serde::to_vec_named(message).unwrap().len()).sum::<usize>();
        let mean = bytes / messages.len();
        assert!((290..=320).contains(&mean), "{mean}");
    }

    #[tokio::test]
    async fn keys_and_pages_find_what_was_saved() {
        let workload = Workload::default();
        let store = strongroom::open("memory:").await.unwrap();
        let db = strongroom::Database::builder(strongroom::matrix::schema()).open(store).await.unwrap();
        import(&db, &workload.messages(0..10_000).unwrap()).await.unwrap();
        for key in workload.keys(20, 10_000) {
            assert!(get(&db, &key).await.unwrap());
        }
        let places = workload.places(20, 10_000);
        assert_eq!(places.len(), 20);
        for place in &places {
            assert_eq!(page(&db, place).await.unwrap(), PAGE);
            assert!(thread_page(&db, place).await.unwrap() > 0);
        }
    }
}
