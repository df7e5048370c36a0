//! Each limit at one less, at itself, and at one more.

use strongroom_core::store::{
    Batch, Guard, KeyPrefix, KeyRange, Limits, LinkTo, Outcome, Revision, Scan, StoredKey, Write,
};
use strongroom_core::{ErrorKind, Limit};

use super::{Make, batch, commit, everything, key, put, run};

/// A limit of batches, what sets it, and a batch that asks for so much of it.
type Case = (Limit, fn(&mut Limits, usize), fn(usize) -> Batch);

const AT: usize = 40;

fn batch_cases() -> Vec<Case> {
    vec![
        (Limit::KeyBytes, |limits, max| limits.key_bytes_max = max, |asked| batch([(vec![b'k'; asked], put(""))])),
        (
            Limit::KeyBytes,
            |limits, max| limits.key_bytes_max = max,
            |asked| batch([("link", Write::Link(LinkTo::Key(key(vec![b'k'; asked]))))]),
        ),
        (
            Limit::KeyBytes,
            |limits, max| limits.key_bytes_max = max,
            |asked| Batch { stamped: vec![(KeyPrefix(key(vec![b'k'; asked - 8])), "".into())], ..Batch::default() },
        ),
        (Limit::ValueBytes, |limits, max| limits.value_bytes_max = max, |asked| batch([("k", put(vec![0; asked]))])),
        (
            Limit::ValueBytes,
            |limits, max| limits.value_bytes_max = max,
            |asked| Batch { stamped: vec![(KeyPrefix(key("log")), vec![0; asked].into())], ..Batch::default() },
        ),
        (
            Limit::BatchWrites,
            |limits, max| limits.batch_writes_max = max,
            |asked| {
                let mut batch = batch((1..asked).map(|number| (number.to_string(), put(""))));
                batch.stamped = vec![(KeyPrefix(key("log")), "".into())];
                batch
            },
        ),
        (
            Limit::BatchGuards,
            |limits, max| limits.batch_guards_max = max,
            |asked| Batch {
                guards: (0..asked).map(|_| Guard::Key { key: key("none"), revision: None }).collect(),
                ..batch([("k", put(""))])
            },
        ),
        (
            Limit::BatchBytes,
            |limits, max| limits.batch_bytes_max = max,
            |asked| batch([("12", put(vec![0; asked - 2]))]),
        ),
        (
            Limit::GuardRows,
            |limits, max| limits.guard_rows_max = max as u64,
            // What the guards say is counted, whether or not it is so.
            |asked| {
                let range = |rows| Guard::Range { range: KeyRange::prefix(b"none"), as_of: Revision::ZERO, rows };
                Batch { guards: vec![range(asked as u64 - 3), range(3)], ..batch([("k", put(""))]) }
            },
        ),
    ]
}

pub(crate) fn limits_are_exact_and_harm_no_neighbour(make: Make) {
    for (number, (limit, set, ask)) in batch_cases().into_iter().enumerate() {
        let mut limits = Limits::default();
        set(&mut limits, AT);
        let fixture = make(limits);
        run(async {
            let store = &*fixture.store;
            assert_eq!(store.info().limits, limits);
            for asked in [AT - 1, AT, AT + 1] {
                let group = vec![batch([("before", put(""))]), ask(asked), batch([("after", put(""))])];
                let outcomes = store.commit(group).await.unwrap();
                let [Outcome::Committed(before), tested, Outcome::Committed(after)] = outcomes.as_slice() else {
                    panic!("case {number}, {asked}: a neighbour was harmed: {outcomes:?}");
                };
                match tested {
                    Outcome::Rejected(error) if asked > AT => {
                        assert_eq!(error.kind(), ErrorKind::Limit(limit), "case {number}");
                        assert_eq!(*after, before.next(), "it took no revision");
                    }
                    // Nobody can have read rows where there are none: such guards only show that the limit let them pass.
                    Outcome::Conflict { .. } if asked <= AT && limit == Limit::GuardRows => {}
                    Outcome::Committed(_) if asked <= AT => {}
                    other => panic!("case {number}, {asked}: {other:?}"),
                }
            }
        });
    }
}

pub(crate) fn limits_of_reads_are_exact(make: Make) {
    let limits = Limits { page_entries_max: 5, get_keys_max: 5, ..Limits::default() };
    let fixture = make(limits);
    run(async {
        let store = &*fixture.store;
        commit(store, batch((0..9).map(|number| (number.to_string(), put(""))))).await;
        let snapshot = store.snapshot().await.unwrap();
        for asked in [4, 5, 6] {
            let keys: Vec<StoredKey> = (0..asked).map(|number: usize| key(number.to_string())).collect();
            let scan = Scan { limit: asked, ..everything() };
            let answers = [store.get(&keys).await, snapshot.get(&keys).await];
            let pages = [store.scan(&scan).await, snapshot.scan(&scan).await];
            for (answer, page) in answers.into_iter().zip(pages) {
                if asked <= 5 {
                    assert_eq!(answer.unwrap().rows.iter().flatten().count(), asked);
                    assert_eq!(page.unwrap().entries.len(), asked);
                } else {
                    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Limit(Limit::GetKeys));
                    assert_eq!(page.unwrap_err().kind(), ErrorKind::Limit(Limit::PageEntries));
                }
            }
        }
    });
}
