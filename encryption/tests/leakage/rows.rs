//! The rows below the layer, against what the report says of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use strongroom_core::schema::{Presence, Record as _};
use strongroom_core::store::{Content, Entry, Fetch, KeyRange, LAYER_KEYS, Read as _, Scan};
use strongroom_core::{Database, key::Kind};
use strongroom_encryption::{
    CollectionLeakage, Encrypted, EncryptedOptions, OrderLeakage, RecordKey, SecretKey, Seen, Unlock, leakage,
};
use strongroom_memory::Memory;

use super::guests::{CANARY, Guest, Visit, schema, visits};

/// Bytes of a blinded component.
const BLINDED: usize = 16;
/// Bytes that an envelope has more than the padded value.
const OVERHEAD: usize = 47;

/// The records in the order in which they were put, one batch each, and all rows as a holder of the file sees them.
async fn stored(padding: bool) -> (Vec<Visit>, Vec<Entry>) {
    let below = Arc::new(Memory::new());
    let mut options = EncryptedOptions::default();
    (options.padding, options.label) = (padding, "in clear".to_owned());
    let unlock = Unlock::raw_key(SecretKey::new(*b"canary: the raw key of the store"));
    let store: Encrypted<Arc<Memory>> = options.create(below.clone(), &unlock).await.unwrap();
    let db = Database::open(store, schema()).await.unwrap();
    let visits = visits();
    for visit in &visits {
        db.put(visit).await.unwrap();
    }
    for guest in 0..4 {
        db.put(&Guest { canary_guest: format!("{CANARY}-guest-{guest}") }).await.unwrap();
    }
    let limit = 1_000;
    let all = Scan { range: KeyRange::ALL, reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
    let page = below.scan(&all).await.unwrap();
    assert!(!page.more);
    (visits, page.entries)
}

fn content(entry: &Entry) -> &[u8] {
    match entry.content.as_ref().unwrap() {
        Content::Value(value) => value,
        Content::Link(target) => target.as_bytes(),
        Content::Damaged(error) => panic!("{error}"),
    }
}

fn of(entries: &[Entry], collection: u16, order: u8) -> Vec<&Entry> {
    let [high, low] = collection.to_be_bytes();
    entries.iter().filter(|entry| entry.key.as_bytes().starts_with(&[high, low, order])).collect()
}

/// A stored component with what it stands for.
struct Component {
    /// The stored key up to it: the layer's keys of a keyspace are others than those of the next one.
    front: Vec<Vec<u8>>,
    plain: Vec<u8>,
    stored: Vec<u8>,
}

/// One entry, taken apart by the report alone, with the record that it is of.
fn take_apart<'a>(
    order: &OrderLeakage,
    entry: &'a Entry,
    records: &BTreeMap<Vec<u8>, &'a Visit>,
) -> (&'a Visit, Vec<Component>) {
    let key = entry.key.as_bytes();
    let width = |seen: &Seen, kind| match (seen, kind) {
        (Seen::Value, Kind::U32) => 4,
        (Seen::Value, _) => 8,
        _ => BLINDED,
    };
    let widths: Vec<usize> = order.components.iter().map(|part| width(&part.seen, part.kind)).collect();
    let end = 3 + widths.iter().sum::<usize>();
    let owner = match order.record {
        None => key,
        Some(RecordKey::Tail) => &key[end..],
        Some(RecordKey::Content) => content(entry),
        _ => panic!("another place"),
    };
    if order.record != Some(RecordKey::Tail) {
        assert_eq!(key.len(), end, "the length of a blinded component is always the same");
    }
    let record = records[owner];
    let (mut at, mut front, mut components) = (3, Vec::new(), Vec::new());
    for (part, width) in order.components.iter().zip(widths) {
        let stored = key[at..at + width].to_vec();
        let values = record.encoded(part.field);
        // Which of several is told by none of the others having this place; one alone needs no search.
        let plain = if values.len() == 1 { values[0].clone() } else { Vec::new() };
        components.push(Component { front: front.clone(), plain: plain.clone(), stored });
        front.push(plain);
        at += width;
    }
    (record, components)
}

fn primary(visits: &[Visit], entries: &[Entry]) -> BTreeMap<Vec<u8>, usize> {
    let mut rows = of(entries, 7, 0);
    rows.sort_by_key(|entry| entry.revision);
    assert_eq!(rows.len(), visits.len());
    rows.iter().enumerate().map(|(at, entry)| (entry.key.as_bytes().to_vec(), at)).collect()
}

fn of_visits() -> CollectionLeakage {
    let report = leakage(&schema());
    let found = report.collections.into_iter().find(|collection| collection.name == Visit::COLLECTION.name);
    found.unwrap()
}

#[tokio::test]
async fn components_show_what_the_report_says_and_no_more() {
    let (visits, entries) = stored(true).await;
    let records: BTreeMap<_, _> = primary(&visits, &entries).into_iter().map(|(key, at)| (key, &visits[at])).collect();
    let mut seen = HashSet::new();
    for order in of_visits().orders {
        let rows = of(&entries, 7, order.id);
        let apart: Vec<_> = rows.iter().map(|entry| take_apart(&order, entry, &records)).collect();
        for (at, part) in order.components.iter().enumerate() {
            if order.number_of == Some(part.field) {
                // Which entry is of which value is not known here; `multi_entries_...` looks at them.
                continue;
            }
            let name = format!("{:?}.{}", order.name, part.field);
            let column: Vec<&Component> = apart.iter().map(|(_, components)| &components[at]).collect();
            let pairs =
                || column.iter().enumerate().flat_map(|(at, one)| column[..at].iter().map(move |two| (one, two)));
            match &part.seen {
                Seen::Nothing => assert!(pairs().all(|(one, two)| one.stored != two.stored), "{name}"),
                Seen::Equality { among_same, .. } => {
                    assert_eq!(among_same.len(), at);
                    for (one, two) in pairs() {
                        let equal = one.plain == two.plain && one.front == two.front;
                        assert_eq!(one.stored == two.stored, equal, "{name}");
                    }
                    assert!(pairs().any(|(one, two)| one.stored == two.stored), "{name}: the records show none");
                    if at > 0 {
                        let apart =
                            |(one, two): (&&Component, &&Component)| one.plain == two.plain && one.front != two.front;
                        assert!(pairs().any(apart), "{name}: the records show none");
                    }
                }
                Seen::Value => assert!(column.iter().all(|one| one.stored == one.plain), "{name}"),
                Seen::LengthClass => panic!("{name}"),
                _ => panic!("{name}"),
            }
            seen.insert(std::mem::discriminant(&part.seen));
        }
    }
    assert_eq!(seen.len(), 3, "all that a component can show was met");
}

#[tokio::test]
async fn index_entries_show_which_records_they_are_of_and_which_have_none() {
    let (visits, entries) = stored(true).await;
    let records = primary(&visits, &entries);
    for order in of_visits().orders {
        let mut found = vec![0; visits.len()];
        for entry in of(&entries, 7, order.id) {
            let owner = records.iter().find(|(key, _)| match order.record {
                Some(RecordKey::Content) => content(entry) == key.as_slice(),
                _ => entry.key.as_bytes().ends_with(key),
            });
            found[*owner.unwrap().1] += 1;
        }
        for (visit, found) in visits.iter().zip(found) {
            let number = |field| visit.encoded(field).len();
            let mut expected = order.presence_of.iter().map(|field| number(field)).min().unwrap_or(1);
            expected *= order.number_of.map_or(1, number);
            expected *= order.absence_of.map_or(1, |field| 1 - number(field));
            assert_eq!(found, expected, "{:?}", order.name);
        }
    }
    let definition = Visit::COLLECTION.indexes.iter().flat_map(|index| index.components);
    assert!(definition.clone().any(|part| part.presence == Presence::Multi));
    assert!(definition.clone().any(|part| part.presence == Presence::Optional));
}

#[tokio::test]
async fn multi_entries_are_equal_for_equal_values_behind_the_same_front() {
    let (visits, entries) = stored(true).await;
    let records = primary(&visits, &entries);
    let mut by_house = BTreeMap::<&str, BTreeMap<Vec<u8>, usize>>::new();
    for entry in of(&entries, 7, 3) {
        let key = entry.key.as_bytes();
        let visit = &visits[records[&key[3 + 2 * BLINDED..]]];
        *by_house.entry(&visit.canary_house).or_default().entry(key[3..3 + 2 * BLINDED].to_vec()).or_default() += 1;
    }
    let mut all = BTreeSet::new();
    for (house, stored) in by_house {
        let mut plain = BTreeMap::<&str, usize>::new();
        for visit in visits.iter().filter(|visit| visit.canary_house == house) {
            visit.canary_tags.iter().for_each(|tag| *plain.entry(tag).or_default() += 1);
        }
        let mut counts: [Vec<usize>; 2] = [stored.values().copied().collect(), plain.values().copied().collect()];
        counts.iter_mut().for_each(|counts| counts.sort_unstable());
        assert_eq!(counts[0], counts[1]);
        assert!(stored.into_keys().all(|stored| all.insert(stored[BLINDED..].to_vec())), "shown across houses");
    }
}

#[tokio::test]
async fn no_blinded_component_is_the_same_in_two_keyspaces() {
    let (_, entries) = stored(true).await;
    // Each of these begins with the same four guests.
    let spaces = [(7, 1, 4), (7, 9, 4), (8, 0, 4), (8, 1, 4)];
    let mut all = BTreeSet::new();
    let mut expected = 0;
    for (collection, order, guests) in spaces {
        let first = of(&entries, collection, order).into_iter().map(|entry| &entry.key.as_bytes()[3..3 + BLINDED]);
        let first: BTreeSet<_> = first.collect();
        assert_eq!(first.len(), guests, "{collection} {order}");
        all.extend(first);
        expected += guests;
    }
    assert_eq!(all.len(), expected);
}

#[tokio::test]
async fn nothing_of_exact_components_values_or_names_is_in_the_rows() {
    let (visits, entries) = stored(true).await;
    let mut hidden =
        vec![CANARY.as_bytes().to_vec(), CANARY.to_uppercase().into_bytes(), b"house-".to_vec(), b"note-".to_vec()];
    let report = of_visits();
    for order in &report.orders {
        for part in order.components.iter().filter(|part| part.seen != Seen::Value && part.kind != Kind::Bool) {
            hidden.extend(visits.iter().flat_map(|visit| visit.encoded(part.field)));
        }
    }
    // A time that is in no index, in MessagePack and as a component.
    for visit in &visits {
        hidden.extend(visit.canary_left.map(|left| left.as_millis().to_be_bytes()[2..].to_vec()));
    }
    assert!(hidden.iter().all(|bytes| bytes.len() >= 5) && hidden.len() > 100);
    let rows: Vec<u8> = entries.iter().flat_map(|entry| [entry.key.as_bytes(), content(entry)].concat()).collect();
    for bytes in hidden {
        assert!(!rows.windows(bytes.len()).any(|part| part == bytes), "{}", String::from_utf8_lossy(&bytes));
    }
    // The search does find what is there.
    let clear = [visits[3].encoded("canary_arrived"), visits[4].encoded("canary_leaves"), vec![b"in clear".to_vec()]];
    for bytes in clear.concat() {
        assert!(rows.windows(bytes.len()).any(|part| part == bytes));
    }
}

#[tokio::test]
async fn values_show_a_length_class_or_without_padding_their_length() {
    let lengths = |entries: &[Entry]| -> Vec<usize> {
        let mut rows = of(entries, 7, 0);
        rows.sort_by_key(|entry| entry.revision);
        rows.iter().map(|entry| content(entry).len() - OVERHEAD).collect()
    };
    let (padded, exact) = (lengths(&stored(true).await.1), lengths(&stored(false).await.1));
    let classes: BTreeSet<_> = padded.iter().collect();
    assert!(classes.len() < exact.iter().collect::<BTreeSet<_>>().len());
    for (padded, exact) in padded.iter().zip(exact) {
        assert!(*padded > exact && *padded <= exact + 1 + exact / 8 + 8 && *padded >= 64, "{exact} {padded}");
        // A length of n + 1 binary digits ends in zeros, but for the first log2(n) + 2 of them.
        let n = padded.ilog2();
        assert!(padded.trailing_zeros() >= n - (n.ilog2() + 1), "{padded}");
    }
}

#[tokio::test]
async fn revisions_show_what_was_written_in_one_step_and_in_which_order() {
    let (visits, entries) = stored(true).await;
    let steps: BTreeSet<_> = of(&entries, 7, 0).into_iter().map(|entry| entry.revision).collect();
    assert_eq!(steps.len(), visits.len());
    for (revision, visit) in steps.iter().zip(&visits) {
        let together: Vec<_> = entries.iter().filter(|entry| entry.revision == *revision).collect();
        let arrived = together.iter().find(|entry| entry.key.as_bytes()[..3] == [0, 7, 1]).unwrap();
        assert!(arrived.key.as_bytes()[3 + BLINDED..].starts_with(&visit.encoded("canary_arrived")[0]));
        assert!(together.iter().all(|entry| entry.key.as_bytes()[..2] == [0, 7]));
    }
    assert!(
        entries.iter().filter(|entry| entry.key >= LAYER_KEYS).all(|entry| entry.revision < *steps.first().unwrap())
    );
}
