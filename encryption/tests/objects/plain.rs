//! What is written is read as from a store without encryption: lengths around chunks, parts of every length, every kind of range.

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use proptest::prelude::*;

use crate::objects::support::{CHUNK, HEADER, content, get, put, short_chunks};

const LENGTHS: [usize; 9] = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 5 * CHUNK, 5 * CHUNK + 1];

#[tokio::test]
async fn contents_of_every_kind_of_length_come_back() {
    let (memory, objects) = short_chunks();
    let path = Path::from("a");
    for len in LENGTHS {
        put(&objects, "a", content(len)).await;
        assert_eq!(get(&objects, "a").await.unwrap(), content(len), "{len}");
        let below = memory.head(&path).await.unwrap();
        assert_eq!(below.size as usize, HEADER + len + 40 * len.div_ceil(CHUNK).max(1), "{len}");
        let meta = objects.head(&path).await.unwrap();
        assert_eq!((meta.size as usize, &meta.e_tag), (len, &below.e_tag));
    }
}

/// A range that means something for about this length, or nothing.
fn ranges(len: usize) -> impl Strategy<Value = GetRange> {
    let place = move || {
        let edge = (0..8_usize, 0..3_usize).prop_map(|(chunk, off)| (chunk * CHUNK + off).saturating_sub(1) as u64);
        prop_oneof![0..len as u64 + 2, edge]
    };
    prop_oneof![
        (place(), place()).prop_map(|(a, b)| GetRange::Bounded(a..b)),
        (place(), 1..100_u64).prop_map(|(a, len)| GetRange::Bounded(a..a + len)),
        place().prop_map(|a| GetRange::Bounded(a..u64::MAX / 2)),
        place().prop_map(GetRange::Offset),
        place().prop_map(GetRange::Suffix),
    ]
}

fn cases() -> impl Strategy<Value = (usize, Vec<usize>, Vec<GetRange>)> {
    let len = prop_oneof![proptest::sample::select(&LENGTHS[..]), 0..6 * CHUNK];
    len.prop_flat_map(|len| {
        let cuts = proptest::collection::vec(0..=len, 0..6);
        (Just(len), cuts, proptest::collection::vec(ranges(len), 1..12))
    })
}

/// Range, size and content of an answer; errors are all the same.
async fn answer(store: &dyn ObjectStore, options: GetOptions) -> Option<(std::ops::Range<u64>, u64, bytes::Bytes)> {
    let result = store.get_opts(&Path::from("a"), options).await.ok()?;
    let (range, size) = (result.range.clone(), result.meta.size);
    Some((range, size, result.bytes().await.unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_store_with_and_one_without_encryption_are_the_same((len, mut cuts, ranges) in cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (plain, (_, objects)) = (InMemory::new(), short_chunks());
            let bytes = bytes::Bytes::from(content(len));
            cuts.sort_unstable();
            let edges: Vec<usize> = std::iter::once(0).chain(cuts.iter().copied()).chain([len]).collect();
            let parts = || edges.windows(2).map(|cut| bytes.slice(cut[0]..cut[1]));
            put(&plain, "a", bytes.clone()).await;
            // In one request of several pieces, or in parts.
            if len % 2 == 0 {
                objects.put(&Path::from("a"), parts().collect::<PutPayload>()).await.unwrap();
            } else {
                let mut upload = objects.put_multipart(&Path::from("a")).await.unwrap();
                for part in parts() {
                    upload.put_part(part.into()).await.unwrap();
                }
                upload.complete().await.unwrap();
            }
            let whole = answer(&objects, GetOptions::new()).await;
            assert_eq!(whole, answer(&plain, GetOptions::new()).await);
            for range in &ranges {
                let options = GetOptions::new().with_range(Some(range.clone()));
                assert_eq!(answer(&objects, options.clone()).await, answer(&plain, options).await, "{len} {range:?}");
            }
            let bounded: Vec<_> = ranges.iter().filter_map(|range| match range {
                GetRange::Bounded(range) => Some(range.clone()),
                _ => None,
            }).collect();
            let path = Path::from("a");
            let (ours, theirs) = (objects.get_ranges(&path, &bounded).await, plain.get_ranges(&path, &bounded).await);
            assert_eq!(ours.ok(), theirs.ok(), "{len} {bounded:?}");
        });
    }
}
