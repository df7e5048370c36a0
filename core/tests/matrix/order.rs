//! Any order of arrival, in any batches, ends in the same records.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::support::*;

/// One event of a small room, where many meet: few users, few ids, few times.
fn any_event() -> impl Strategy<Value = Value> {
    let users = || select(vec!["@a:x", "@b:x", ME]);
    let target = || (0..30_u32).prop_map(|number| format!("$e{number}"));
    let relation = select(vec!["m.replace", "m.annotation", "m.thread", "m.reference"]);
    let membership = select(vec!["join", "invite", "leave", "ban", "knock"]);
    prop_oneof![
        3 => Just(event("", 0, "m.room.message", json!({"msgtype": "m.text", "body": "text"}))),
        2 => (relation, target()).prop_map(|(kind, target)| {
            let relates = json!({"rel_type": kind, "event_id": target, "key": "k"});
            event("", 0, "m.room.message", json!({"body": "related", "m.relates_to": relates}))
        }),
        3 => (users(), membership).prop_map(|(user, membership)| member("", 0, user, membership)),
        2 => target().prop_map(|target| {
            let mut topic = state("", 0, "m.room.topic", "", json!({"topic": "topic"}));
            topic["unsigned"] = json!({"replaces_state": target, "prev_content": {"topic": "quoted"}});
            topic
        }),
        1 => (users(), 0..3_i64, 0..2_i64).prop_map(|(user, power, default)| {
            let content = json!({"users": {user: power}, "users_default": default});
            state("", 0, "m.room.power_levels", "", content)
        }),
        1 => (0..3).prop_map(|name| {
            let content = json!({"alias": format!("#{name}:x"), "alt_aliases": ["#alt:x"]});
            state("", 0, "m.room.canonical_alias", "", content)
        }),
        1 => Just(state("", 0, "m.room.aliases", "x", json!({"aliases": ["#alt:x", "#x:x"]}))),
        1 => select(vec!["1", "9"]).prop_map(|version| state("", 0, "m.room.create", "", json!({"room_version": version}))),
        4 => (target(), select(vec!["one", "two"])).prop_map(|(target, reason)| redaction("", 0, &target, reason)),
        1 => (users(), target(), 0..5_i64, select(vec!["m.read", "m.read.private"])).prop_map(|(user, target, ts, kind)| {
            json!({"type": "m.receipt", "room_id": ROOM, "content": {target: {kind: {user: {"ts": ts}}}}})
        }),
        1 => (users(), 0..5_i64, select(vec!["online", "offline"])).prop_map(|(user, ts, presence)| {
            json!({"type": "m.presence", "sender": user, "origin_server_ts": ts, "content": {"presence": presence}})
        }),
    ]
}

/// Up to 30 events, numbered, at few times; some have another one bundled.
fn any_events() -> impl Strategy<Value = Vec<Value>> {
    let dated = (any_event(), 0..6_i64, prop::option::weighted(0.15, any::<Index>()));
    prop::collection::vec(dated, 1..30).prop_map(|events| {
        let mut all: Vec<Value> = Vec::new();
        for (number, (mut event, time, bundled)) in events.into_iter().enumerate() {
            if event.get("event_id").is_some() {
                event["event_id"] = format!("$e{number}").into();
                event["origin_server_ts"] = time.into();
                if let Some(name) = event["content"].get_mut("displayname") {
                    *name = format!("name {number}").into();
                }
                let bundle = bundled.filter(|_| !all.is_empty()).map(|index| index.get(&all).clone());
                if let Some(bundle) = bundle.filter(|bundle| bundle.get("event_id").is_some()) {
                    event["unsigned"] = json!({"age": 1, "m.relations": {"m.replace": bundle}});
                }
            }
            all.push(event);
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_in_any_batches_ends_in_the_same_records(
        (events, shuffled) in any_events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        batches in (1..12_usize, 1..12_usize),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let texts = |events: &[Value]| events.iter().map(Value::to_string).collect::<Vec<_>>();
            let (one, other) = (database().await, database().await);
            let first = import_with(&one, options(), texts(&events), batches.0).await;
            let second = import_with(&other, options(), texts(&shuffled), batches.1).await;
            prop_assert!(first.failed.is_empty() && second.failed.is_empty());
            let records = dump(&one).await;
            prop_assert_eq!(&dump(&other).await, &records);

            // Again, in the other order; and a part that was interrupted, then the whole.
            let again = import_with(&one, options(), texts(&shuffled), batches.1).await;
            prop_assert_eq!(again.stored, 0);
            prop_assert_eq!(&dump(&one).await, &records);
            let partial = database().await;
            import_with(&partial, options(), texts(&events[..events.len() / 2]), batches.0).await;
            import_with(&partial, options(), texts(&events), batches.1).await;
            prop_assert_eq!(&dump(&partial).await, &records);
            Ok(())
        })?;
    }
}
