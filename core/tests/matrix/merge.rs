//! The laws of merging, on all records that merge; and of updates that go together, one that fails.

use futures_util::future::join_all;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use strongroom_core::matrix::{
    EventId, MatrixStore, Membership, Message, Presence, PresenceState, ReadReceipt, RoomMember, RoomState,
};
use strongroom_core::{ErrorKind, Json, Merge, Timestamp, check_merge_laws};

use super::support::*;

fn any_time() -> impl Strategy<Value = Timestamp> {
    (-1..3_i64).prop_map(Timestamp::from_millis)
}

/// Texts of different lengths, so that encodings differ in their heads too.
fn any_text() -> impl Strategy<Value = String> {
    select(vec![String::new(), "a".to_owned(), "b".to_owned(), "a".repeat(40), "b".repeat(300)])
}

fn any_json() -> impl Strategy<Value = Json> {
    any_text().prop_map(|text| Json::of(&serde_json::json!({"text": text})).unwrap())
}

fn any_membership() -> impl Strategy<Value = Membership> {
    select(vec![Membership::Join, Membership::Invite, Membership::Leave, Membership::Ban, Membership::Knock])
}

prop_compose! {
    fn any_state()(
        event in select(vec!["$1", "$2", "$10"]),
        timestamp in any_time(),
        stored_at in any_time(),
        content in any_json(),
        redacted in any::<bool>(),
        prev_state_id in option::of(any_text().prop_map(EventId::from)),
        prev_content in option::of(any_json()),
        membership in option::of(any_membership()),
        reason in option::of(any_text()),
    ) -> RoomState {
        let state = RoomState::new(ROOM, "m.room.topic", "", event, ME, timestamp, content);
        RoomState { redacted, prev_state_id, prev_content, membership, reason, stored_at, ..state }
    }
}

prop_compose! {
    fn any_member()(
        membership in any_membership(),
        updated_at in any_time(),
        joined_at in option::of(any_time()),
        left_at in option::of(any_time()),
        power_level in -1..101_i64,
        event_id in option::of(select(vec!["$1", "$2"]).prop_map(EventId::from)),
        redacted in any::<bool>(),
        display_name in option::of(any_text()),
        avatar_url in option::of(any_text()),
        proof in option::of(any_json()),
    ) -> RoomMember {
        let member = RoomMember::new(ROOM, ME, membership, updated_at);
        RoomMember { joined_at, left_at, power_level, event_id, redacted, display_name, avatar_url, proof, ..member }
    }
}

prop_compose! {
    fn any_presence()(
        presence in select(vec![PresenceState::Online, PresenceState::Offline, PresenceState::Unavailable]),
        status_msg in option::of(any_text()),
        last_active in any_time(),
        currently_active in any::<bool>(),
        proof in any_json(),
        updated_at in any_time(),
    ) -> Presence {
        Presence { user_id: ME.into(), presence, status_msg, last_active, currently_active, proof, updated_at }
    }
}

prop_compose! {
    fn any_receipt()(
        receipt_type in select(vec!["m.read", "m.read.private"]).prop_map(str::to_owned),
        thread_id in option::of(any_text()),
        timestamp in any_time(),
        proof in any_json(),
        stored_at in any_time(),
    ) -> ReadReceipt {
        let (room_id, user_id, event_id) = (ROOM.into(), ME.into(), "$1".into());
        ReadReceipt { room_id, user_id, event_id, receipt_type, thread_id, timestamp, proof, stored_at }
    }
}

fn three<R: std::fmt::Debug>(version: impl Strategy<Value = R>) -> impl Strategy<Value = [R; 3]> {
    prop::collection::vec(version, 3).prop_map(|versions| versions.try_into().ok().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn room_states_merge_by_the_laws(versions in three(any_state())) {
        check_merge_laws(&versions)?;
    }

    #[test]
    fn members_merge_by_the_laws(versions in three(any_member())) {
        check_merge_laws(&versions)?;
    }

    #[test]
    fn presences_merge_by_the_laws(versions in three(any_presence())) {
        check_merge_laws(&versions)?;
    }

    #[test]
    fn receipts_merge_by_the_laws(versions in three(any_receipt())) {
        check_merge_laws(&versions)?;
    }

    #[test]
    fn the_later_state_wins_by_time_and_then_by_event(one in any_state(), other in any_state()) {
        let winner = one.clone().merge(other.clone());
        let order = |state: &RoomState| (state.timestamp, state.event_id.clone());
        prop_assert_eq!(order(&winner), order(&one).max(order(&other)));
    }
}

/// A rule that looks right, the later one wins, and is none where two are of one time.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, strongroom_core::Record)]
#[record(crate = ::strongroom_core, id = 1, name = "careless", key(id))]
struct Careless {
    id: u32,
    at: i64,
    text: String,
}

impl Merge for Careless {
    fn merge(self, other: Self) -> Self {
        if other.at > self.at { other } else { self }
    }
}

#[test]
fn the_check_of_the_laws_finds_a_rule_that_breaks_them() {
    let version = |at, text: &str| Careless { id: 1, at, text: text.to_owned() };
    check_merge_laws(&[version(1, "a"), version(2, "b"), version(3, "c")]).unwrap();
    let error = check_merge_laws(&[version(1, "a"), version(1, "b"), version(3, "c")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("is not commutative"), "{error}");
    let other_key = Careless { id: 2, ..version(1, "a") };
    assert!(check_merge_laws(&[version(1, "a"), other_key, version(3, "c")]).is_err());
}

fn text(id: usize, at: i64) -> Message {
    let content = Json::new(format!(r#"{{"body":"{id}"}}"#)).unwrap();
    Message::new(ROOM, format!("${id}"), "m.room.message", ME, Timestamp::from_millis(at), content)
}

#[tokio::test]
async fn one_update_that_fails_does_not_fail_those_beside_it() {
    let store = MatrixStore::new(database().await).unwrap();
    let long = Message { message_id: "x".repeat(10_000).into(), ..text(1, 1) };
    let (good, also_good) = (text(2, 2), text(3, 3));
    let other = Message { content: Json::empty_object(), ..text(2, 2) };
    store.save_message(&good).await.unwrap();
    let [long, other, good] =
        join_all([&long, &other, &also_good].map(|message| store.save_message(message))).await.try_into().unwrap();
    assert!(long.unwrap_err().is_limit());
    assert_eq!(other.unwrap_err().kind(), ErrorKind::AlreadyExists);
    good.unwrap();
}
