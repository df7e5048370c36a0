//! What `commit`, `changed` and `drop_range` do.

use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use strongroom_core::ErrorKind;
use strongroom_core::store::{
    Batch, Content, Guard, KeyPrefix, KeyRange, Limits, LinkTo, Outcome, Revision, Row, Store, Write,
};

use super::{Make, batch, commit, everything, key, keys, poll_once, put, run};

pub(crate) fn each_writing_batch_takes_one_revision(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let group =
            vec![batch([("a", put("1"))]), Batch::default(), batch([("b", Write::Delete)]), batch([("a", put("2"))])];
        let outcomes = store.commit(group).await.unwrap();
        let revisions: Vec<_> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Committed(revision) => revision.0,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(revisions, [1, 1, 2, 3]);
        let rows = store.get(&[key("a"), key("b")]).await.unwrap();
        assert_eq!(rows.as_of, Revision(3));
        assert_eq!(rows.rows, [Some(Row { revision: Revision(3), content: Content::Value("2".into()) }), None]);
        assert!(store.commit(Vec::new()).await.unwrap().is_empty());
        assert_eq!(commit(store, Batch::default()).await, Revision(3));
    });
}

pub(crate) fn stamped_rows_end_in_their_revision(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let stamped = |prefix: &str, value: &'static str| (KeyPrefix(key(prefix)), value.into());
        let log = |value| Batch { stamped: vec![stamped("log", value)], ..Batch::default() };
        commit(store, log("one")).await;
        commit(store, Batch { stamped: vec![stamped("log", "two"), stamped("lo", "other")], ..Batch::default() }).await;
        let page = store.scan(&everything()).await.unwrap();
        let revisions = [2, 1, 2].map(|revision: u64| revision.to_be_bytes());
        let wanted: Vec<Vec<u8>> = ["lo", "log", "log"]
            .iter()
            .zip(revisions)
            .map(|(prefix, end)| [prefix.as_bytes(), &end].concat())
            .collect();
        assert_eq!(keys(&page), wanted);

        let mut taken = batch([([b"log".as_slice(), &3_u64.to_be_bytes()].concat(), put("mine"))]);
        taken.stamped = vec![stamped("log", "theirs")];
        let twice = Batch { stamped: vec![stamped("log", "1"), stamped("log", "2")], ..Batch::default() };
        for wrong in [taken, twice] {
            let outcomes = store.commit(vec![wrong, batch([("n", put("neighbour"))])]).await.unwrap();
            assert!(matches!(&outcomes[0], Outcome::Rejected(error) if error.kind() == ErrorKind::InvalidInput));
            assert!(matches!(outcomes[1], Outcome::Committed(_)));
        }
        assert_eq!(store.scan(&everything()).await.unwrap().entries.len(), 4);
    });
}

pub(crate) fn a_conflict_names_the_first_guard_that_fails(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let first = commit(store, batch([("a", put("1")), ("b", put("1"))])).await;
        let second = commit(store, batch([("b", put("2"))])).await;
        let guard = |name: &str, revision| Guard::Key { key: key(name), revision };
        let range = |as_of, rows| Guard::Range { range: KeyRange::ALL, as_of, rows };
        let cases = [
            (vec![guard("a", Some(first)), guard("b", Some(second)), guard("c", None)], None),
            (vec![guard("a", None)], Some(0)),
            (vec![guard("a", Some(first)), guard("b", Some(first)), guard("c", Some(first))], Some(1)),
            (vec![guard("c", None), guard("c", Some(second))], Some(1)),
            (vec![range(second, 2), range(first, 2)], Some(1)),
        ];
        for (guards, failing) in cases {
            let changing = Batch { guards: guards.clone(), ..batch([("written", put("1"))]) };
            let undoing = batch([("written", Write::Delete)]);
            let before = store.summarize(&KeyRange::ALL).await.unwrap();
            let outcomes = store.commit(vec![changing]).await.unwrap();
            match (&outcomes[0], failing) {
                (Outcome::Committed(_), None) => drop(commit(store, undoing).await),
                (Outcome::Conflict { guard }, Some(failing)) => {
                    assert_eq!(*guard, failing);
                    assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap(), before, "nothing happened");
                    let reading = Batch { guards, ..Batch::default() };
                    let outcomes = store.commit(vec![reading]).await.unwrap();
                    assert!(matches!(outcomes[0], Outcome::Conflict { guard } if guard == failing));
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

pub(crate) fn a_batch_sees_those_before_it(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let absent = Guard::Key { key: key("a"), revision: None };
        let insert = |value| Batch { guards: vec![absent.clone()], ..batch([("a", put(value))]) };
        let next = Batch {
            guards: vec![Guard::Key { key: key("a"), revision: Some(Revision(1)) }],
            ..batch([("a", Write::Delete)])
        };
        let outcomes = store.commit(vec![insert("1"), insert("2"), next, insert("3")]).await.unwrap();
        assert!(
            matches!(
                outcomes.as_slice(),
                [
                    Outcome::Committed(Revision(1)),
                    Outcome::Conflict { guard: 0 },
                    Outcome::Committed(Revision(2)),
                    Outcome::Committed(Revision(3)),
                ]
            ),
            "{outcomes:?}"
        );
        let rows = store.get(&[key("a")]).await.unwrap();
        assert_eq!(rows.rows, [Some(Row { revision: Revision(3), content: Content::Value("3".into()) })]);
    });
}

pub(crate) fn a_commit_completes_when_its_future_is_dropped(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        {
            let never_polled = store.commit(vec![batch([("no", put(""))])]);
            drop(never_polled);
            let mut polled = pin!(store.commit(vec![batch([("yes", put(""))])]));
            let _ = poll_once(&mut polled);
        }
        assert_eq!(store.changed(Revision::ZERO).await.unwrap(), Revision(1));
        assert_eq!(keys(&store.scan(&everything()).await.unwrap()), [b"yes"]);
    });
}

pub(crate) fn changed_waits_for_a_newer_revision(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let mut waiting = pin!(store.changed(Revision::ZERO));
        assert!(poll_once(&mut waiting).is_pending());
        commit(store, Batch::default()).await;
        assert!(poll_once(&mut waiting).is_pending());
        commit(store, batch([("a", put(""))])).await;
        assert_eq!(waiting.await.unwrap(), Revision(1));
        commit(store, batch([("a", put(""))])).await;
        assert_eq!(store.changed(Revision::ZERO).await.unwrap(), Revision(2));
        assert!(poll_once(&mut pin!(store.changed(Revision(2)))).is_pending());
    });
}

pub(crate) fn drop_range_removes_a_range_and_nothing_else(make: Make) {
    let fixture = make(Limits { batch_writes_max: 3_000, ..Limits::default() });
    run(async {
        let store = &*fixture.store;
        for front in ["a", "b", "c"] {
            commit(store, batch((0..2_500).map(|number| (format!("{front}{number}"), put("1"))))).await;
        }
        let before = store.changed(Revision::ZERO).await.unwrap();
        store.drop_range(&KeyRange::prefix(b"none"), &[]).await.unwrap();
        let inverted = KeyRange { start: Bound::Included(key("b")), end: Bound::Excluded(key("a")) };
        store.drop_range(&inverted, &[]).await.unwrap();
        assert_eq!(store.changed(Revision::ZERO).await.unwrap(), before, "nothing to drop, no revision");

        store.drop_range(&KeyRange::prefix(b"b"), &[]).await.unwrap();
        let after = store.changed(before).await.unwrap();
        assert_eq!(store.summarize(&KeyRange::prefix(b"b")).await.unwrap().rows, 0);
        let rest = store.summarize(&KeyRange::ALL).await.unwrap();
        assert_eq!((rest.rows, rest.newest, rest.as_of), (5_000, before, after));
    });
}

pub(crate) fn links_are_kept_as_given(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let link = |at| Write::Link(LinkTo::Suffix(at));
        commit(store, batch([("abc", link(0)), ("abd", link(2)), ("abe", link(3))])).await;
        let rows = store.get(&["abc", "abd", "abe"].map(key)).await.unwrap();
        let links: Vec<_> = rows.rows.into_iter().flatten().map(|row| row.content).collect();
        assert_eq!(links, [Content::Link(key("abc")), Content::Link(key("d")), Content::Link(key(""))]);
        let outcomes = store.commit(vec![batch([("abc", link(4))])]).await.unwrap();
        assert!(matches!(&outcomes[0], Outcome::Rejected(error) if error.kind() == ErrorKind::InvalidInput));
    });
}

pub(crate) fn concurrent_commits_all_happen(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store: &Arc<dyn Store> = &fixture.store;
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    let revision = commit(&*store, batch([(format!("{task:02}"), put("1"))])).await;
                    let found = store.get(&[key(format!("{task:02}"))]).await.unwrap();
                    assert!(found.as_of >= revision);
                    assert_eq!(found.rows[0].as_ref().map(|row| row.revision), Some(revision), "its own write is seen");
                    revision.0
                })
            })
            .collect();
        let mut revisions = Vec::new();
        for task in tasks {
            revisions.push(task.await.unwrap());
        }
        revisions.sort_unstable();
        assert_eq!(revisions, (1..=64).collect::<Vec<_>>());
        assert!(matches!(poll_once(&mut pin!(store.changed(Revision(63)))), Poll::Ready(Ok(Revision(64)))));
    });
}
