//! What a save and a read are made of, each alone: `cargo bench -p strongroom-benches --bench parts`.
//!
//! Where a part has no public function of its own, the nearest public call is measured, and its name says which.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without documentation; a bench may fail"
)]

mod settings;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use strongroom::encryption::{Encrypted, EncryptedOptions};
use strongroom::key::Components;
use strongroom::matrix::{Message, schema};
use strongroom::memory::Memory;
use strongroom::store::{Batch, KeyCodec, Read, Store, StoredKey, Write};
use strongroom::{Database, Record};
use strongroom_benches::baselines::Aead;
use strongroom_benches::sink::Sink;
use strongroom_benches::stacks::unlock;
use strongroom_benches::workload::{Capture, Row, Workload};
use tokio::runtime::Runtime;

fn parts(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let message = Workload::default().message(1).unwrap();
    let rows = async { Capture::new(false).await?.rows(std::slice::from_ref(&message)).await };
    let row = runtime.block_on(rows).unwrap().remove(0).remove(0);
    let sink = Arc::new(Sink::default());
    let encrypted = runtime.block_on(EncryptedOptions::default().create(sink.clone(), &unlock())).unwrap();
    sink.keep_nothing();
    keys(criterion, &message, &*encrypted.info().codec);
    codec(criterion, &message);
    seal(criterion, &runtime, &encrypted, &row);
    index_diff(criterion, &runtime, &message);
}

/// The components of a message's record and of its entries.
fn components(message: &Message) -> Vec<Components> {
    let (mut all, mut scratch) = (Vec::new(), Components::new());
    for index in Message::COLLECTION.index_refs() {
        message.index_entries(index, &mut scratch, &mut |entry| all.push(entry.clone()));
    }
    let mut own = Components::new();
    message.key_components(&mut own);
    all.push(own);
    all
}

fn keys(criterion: &mut Criterion, message: &Message, codec: &dyn KeyCodec) {
    let mut group = criterion.benchmark_group("keys");
    group.bench_function("encoding of a record's key", |bencher| {
        bencher.iter(|| strongroom::Key::of(black_box(message)))
    });
    group.bench_function("encoding of a record's key and its 4 entries", |bencher| {
        bencher.iter(|| components(black_box(message)));
    });
    let room = message.room_id.as_str().as_bytes();
    group.bench_function("blinding of one component", |bencher| {
        let mut key = Vec::with_capacity(64);
        bencher.iter(|| {
            key.clear();
            key.extend_from_slice(&[0, 1, 0]);
            codec.exact(black_box(room), &mut key).unwrap();
        });
    });
    group.finish();
}

fn codec(criterion: &mut Criterion, message: &Message) {
    let bytes = rmp_serde::to_vec_named(message).unwrap();
    let mut group = criterion
        .benchmark_group("codec (the same MessagePack; the library's own adds a version byte and a check of depth)");
    group.bench_function("encode", |bencher| bencher.iter(|| rmp_serde::to_vec_named(black_box(message)).unwrap()));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| rmp_serde::from_slice::<Message>(black_box(&bytes)).unwrap())
    });
    group.finish();
}

fn seal(criterion: &mut Criterion, runtime: &Runtime, encrypted: &Encrypted<Arc<Sink>>, row: &Row) {
    let (key, value) = (StoredKey::new([&[0, 1, 0], &row.key[..]].concat()), bytes::Bytes::copy_from_slice(&row.value));
    let batch = || Batch { writes: [(key.clone(), Write::Put(value.clone()))].into(), ..Batch::default() };
    let over = runtime.block_on(EncryptedOptions::default().create(Memory::new(), &unlock())).unwrap();
    runtime.block_on(over.commit(vec![batch()])).unwrap();
    let plain = Memory::new();
    runtime.block_on(plain.commit(vec![batch()])).unwrap();
    let (mut aead, keys) = (Aead::default(), [key.clone()]);
    let sealed = aead.seal(key.as_bytes(), &value);

    let mut group = criterion.benchmark_group("seal");
    group.bench_function("a commit of one value, encrypted, above an engine that does nothing", |bencher| {
        bencher.to_async(runtime).iter(|| async { encrypted.commit(vec![batch()]).await.unwrap() });
    });
    group.bench_function("the same, bare", |bencher| {
        bencher.to_async(runtime).iter(|| async { encrypted.inner().commit(vec![batch()]).await.unwrap() });
    });
    group.bench_function("the AEAD alone", |bencher| bencher.iter(|| aead.seal(key.as_bytes(), black_box(&value))));
    group.finish();
    let mut group = criterion.benchmark_group("open");
    group.bench_function("a get of one value, encrypted, from memory", |bencher| {
        bencher.to_async(runtime).iter(|| async { over.get(&keys).await.unwrap() });
    });
    group.bench_function("the same, bare", |bencher| {
        bencher.to_async(runtime).iter(|| async { plain.get(&keys).await.unwrap() })
    });
    group.bench_function("the AEAD alone", |bencher| bencher.iter(|| aead.open(key.as_bytes(), black_box(&sealed))));
    group.finish();
}

/// The diff of a record's entries has no function of its own: what it adds is seen between saves.
fn index_diff(criterion: &mut Criterion, runtime: &Runtime, message: &Message) {
    let db = runtime.block_on(Database::open(Memory::new(), schema())).unwrap();
    runtime.block_on(db.put(message)).unwrap();
    let moved = Message { redacted: true, ..message.clone() };
    let mut group = criterion.benchmark_group("index diff (whole saves in memory, bare)");
    group.bench_function("no entry differs", |bencher| {
        bencher.to_async(runtime).iter(|| async { db.put(message).await.unwrap() })
    });
    group.bench_function("one entry differs", |bencher| {
        let mut turns = [&moved, message].into_iter().cycle();
        bencher.to_async(runtime).iter(|| {
            let message = turns.next().unwrap();
            async { db.put(message).await.unwrap() }
        });
    });
    group.finish();
}

criterion_group! {
    name = all;
    config = settings::short().sample_size(20);
    targets = parts
}
criterion_main!(all);
