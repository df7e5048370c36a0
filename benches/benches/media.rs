//! Media, put and got, encrypted and bare, next to the object store and the cipher alone: `cargo bench -p strongroom-benches --bench media`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without documentation; a bench may fail"
)]

mod settings;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use strongroom::matrix::MediaId;
use strongroom::objects::Media;
use strongroom_benches::baselines::Aead;
use strongroom_benches::media::{Place, Plain, SIZES, content, get, put};
use tokio::runtime::Runtime;

fn media(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut stores, mut plain) = (Vec::new(), Vec::new());
    for place in Place::ALL {
        for (layer, encrypted) in [("bare", false), ("encrypted", true)] {
            let name = format!("{}, {layer}", place.name());
            let media = runtime.block_on(place.media(&folder.path().join(&name), encrypted)).unwrap();
            stores.push((name, media));
        }
        let name = format!("{}, object_store alone", place.name());
        plain.push((name.clone(), place.plain(&folder.path().join(name)).unwrap()));
    }
    for size in SIZES {
        puts(criterion, &runtime, &stores, &plain, size);
        gets(criterion, &runtime, &stores, &plain, size);
    }
    for (_, media) in stores {
        runtime.block_on(media.database().close()).unwrap();
    }
}

/// What was put is removed between the measurements.
fn puts(
    criterion: &mut Criterion,
    runtime: &Runtime,
    stores: &[(String, Media)],
    plain: &[(String, Plain)],
    size: usize,
) {
    let (bytes, id) = (&content(size), &MediaId::from("put"));
    let mut group = criterion.benchmark_group(format!("media, put of {} KiB", size >> 10));
    group.throughput(Throughput::Bytes(size as u64)).sampling_mode(SamplingMode::Flat);
    for (name, media) in stores {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter_custom(|puts| async move {
                let mut elapsed = Duration::ZERO;
                for _ in 0..puts {
                    let begin = Instant::now();
                    put(media, id, &bytes[..]).await.unwrap();
                    elapsed += begin.elapsed();
                    media.delete(id).await.unwrap();
                }
                elapsed
            });
        });
    }
    for (name, plain) in plain {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter(|| async { plain.put(&bytes[..]).await.unwrap() });
        });
    }
    group.bench_function("the AEAD alone", |bencher| {
        let (aead, mut bytes) = (Aead::default(), bytes.clone());
        bencher.iter(|| aead.seal_chunks(&mut bytes));
    });
}

fn gets(
    criterion: &mut Criterion,
    runtime: &Runtime,
    stores: &[(String, Media)],
    plain: &[(String, Plain)],
    size: usize,
) {
    let (bytes, id) = (&content(size), &MediaId::from(format!("{size}")));
    let mut group = criterion.benchmark_group(format!("media, get of {} KiB", size >> 10));
    group.throughput(Throughput::Bytes(size as u64)).sampling_mode(SamplingMode::Flat);
    for (name, media) in stores {
        runtime.block_on(put(media, id, &bytes[..])).unwrap();
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter(|| async { get(media, id).await.unwrap() });
        });
    }
    for (name, plain) in plain {
        let parts = runtime.block_on(plain.put(&bytes[..])).unwrap();
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter(|| async { plain.get(parts).await.unwrap() });
        });
    }
}

criterion_group! {
    name = all;
    config = settings::short();
    targets = media
}
criterion_main!(all);
