//! Every operation of the workload on every engine, bare and under its layers: `cargo bench -p strongroom-benches --bench stacks`.
//!
//! The report is `target/criterion/report/index.html`. One stack or operation alone: `-- 'page of 50/redb'`. PostgreSQL is the server that
//! `STRONGROOM_BENCH_POSTGRES` names, or one that is started for the run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without documentation; a bench may fail"
)]

mod settings;

use std::cell::Cell;
use std::ops::Range;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use strongroom::matrix::{MatrixStore, Message};
use strongroom::{Database, Result};
use strongroom_benches::site::{self, Site};
use strongroom_benches::stacks::{Engine, Layers};
use strongroom_benches::workload::{
    TOGETHER, Workload, claim, delete_before, get, import, mixed, one_time_keys, page, publish, save, save_together,
    thread_page,
};
use tokio::runtime::Runtime;

/// Messages in a store before anything is measured.
const MESSAGES: u64 = 10_000;
/// Reads that take turns: cold ones are far more than the cache of rows holds, hot ones few.
const COLD: usize = 5_000;
const HOT: usize = 50;
/// Messages in an import.
const IMPORTED: u64 = 1_000;
/// Messages that are deleted at once, and so many among which all but surely as many are of the largest room.
const DELETED: usize = 50;
const AMONG: u64 = 500;

/// A store with messages, and the numbers that come next.
struct Stack {
    name: String,
    engine: Engine,
    db: Database,
    store: MatrixStore,
    workload: Workload,
    next: Cell<u64>,
    next_key: Cell<u64>,
}

impl Stack {
    async fn fill(site: &Site, engine: Engine, layers: Layers) -> Stack {
        let name = format!("{}, {layers}", engine.name());
        let db = site.database(engine, &file(&name), layers).await.unwrap();
        let workload = Workload::default();
        import(&db, &workload.messages(0..MESSAGES).unwrap()).await.unwrap();
        let store = MatrixStore::new(db.clone()).unwrap();
        Stack { name, engine, db, store, workload, next: Cell::new(MESSAGES), next_key: Cell::new(0) }
    }

    /// The numbers of `count` messages that are not there.
    fn next(&self, count: u64) -> Range<u64> {
        let first = self.next.replace(self.next.get() + count);
        first..first + count
    }

    /// Messages that are not there.
    fn next_messages(&self, count: u64) -> Vec<Message> {
        self.workload.messages(self.next(count)).unwrap()
    }
}

/// What is in no URL anything but itself.
fn file(stack: &str) -> String {
    stack.replace(", ", "-")
}

/// What fails is no measurement.
async fn succeeds<T>(operation: impl Future<Output = Result<T>>) -> T {
    operation.await.unwrap()
}

fn stacks(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let site = runtime.block_on(Site::new(&site::Options::default())).unwrap();
    let mut stacks = Vec::new();
    for engine in site.engines() {
        for layers in Layers::ALL {
            stacks.push(runtime.block_on(Stack::fill(&site, engine, layers)));
        }
    }
    if let Some(server) = site.server() {
        runtime.block_on(server.vacuum(false)).unwrap();
    }
    reads(criterion, &runtime, &stacks);
    saves(criterion, &runtime, &stacks);
    claims(criterion, &runtime, &stacks);
    many(criterion, &runtime, &stacks);
    runtime.block_on(async {
        for stack in stacks {
            stack.db.close().await.unwrap();
            site.remove(stack.engine, &file(&stack.name)).await.unwrap();
        }
        site.close().await.unwrap();
    });
}

fn reads(criterion: &mut Criterion, runtime: &Runtime, stacks: &[Stack]) {
    for (name, count) in [("get, hot", HOT), ("get, cold", COLD)] {
        let mut group = criterion.benchmark_group(name);
        for Stack { name, db, workload, .. } in stacks {
            let keys = workload.keys(count, MESSAGES);
            let mut keys = keys.iter().cycle();
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.to_async(runtime).iter(|| succeeds(get(db, keys.next().unwrap())));
            });
        }
    }
    let mut group = criterion.benchmark_group("page of 50");
    for Stack { name, db, workload, .. } in stacks {
        let places = workload.places(COLD, MESSAGES);
        let mut places = places.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter(|| succeeds(page(db, places.next().unwrap())));
        });
    }
    drop(group);
    let mut group = criterion.benchmark_group("page of a thread");
    for Stack { name, db, workload, .. } in stacks {
        let places = workload.places(COLD, MESSAGES);
        let mut places = places.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter(|| succeeds(thread_page(db, places.next().unwrap())));
        });
    }
}

fn saves(criterion: &mut Criterion, runtime: &Runtime, stacks: &[Stack]) {
    let mut group = criterion.benchmark_group("save");
    for stack in stacks {
        let db = &stack.db;
        group.bench_function(BenchmarkId::from_parameter(&stack.name), |bencher| {
            bencher.to_async(runtime).iter_batched(
                || stack.next_messages(1).remove(0),
                |message| async move { save(db, &message).await.unwrap() },
                BatchSize::PerIteration,
            );
        });
    }
    drop(group);
    let mut group = criterion.benchmark_group("64 saves at once");
    group.throughput(Throughput::Elements(TOGETHER as u64)).sampling_mode(SamplingMode::Flat);
    for stack in stacks {
        let db = &stack.db;
        group.bench_function(BenchmarkId::from_parameter(&stack.name), |bencher| {
            bencher.to_async(runtime).iter_batched(
                || stack.next_messages(TOGETHER as u64),
                |messages| async move { save_together(db, &messages).await.unwrap() },
                BatchSize::PerIteration,
            );
        });
    }
    drop(group);
    let mut group = criterion.benchmark_group("9 reads, 1 save");
    for stack in stacks {
        let Stack { name, db, workload, .. } = stack;
        let (keys, place) = (workload.keys(HOT, MESSAGES), workload.places(1, MESSAGES).remove(0));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter(|| succeeds(mixed(db, workload, &keys, &place, stack.next(1).start)));
        });
    }
}

/// Keys are published between the measurements, as many as are claimed.
fn claims(criterion: &mut Criterion, runtime: &Runtime, stacks: &[Stack]) {
    let mut group = criterion.benchmark_group("claim");
    for Stack { name, store, next_key, .. } in stacks {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.to_async(runtime).iter_custom(|claims| async move {
                let first = next_key.replace(next_key.get() + claims);
                publish(store, &one_time_keys(first..first + claims)).await.unwrap();
                let begin = Instant::now();
                for _ in 0..claims {
                    assert!(claim(store).await.unwrap(), "no key is left");
                }
                begin.elapsed()
            });
        });
    }
}

/// What touches many messages at once.
fn many(criterion: &mut Criterion, runtime: &Runtime, stacks: &[Stack]) {
    let mut group = criterion.benchmark_group("import of 1,000");
    group.throughput(Throughput::Elements(IMPORTED)).sampling_mode(SamplingMode::Flat);
    for stack in stacks {
        let db = &stack.db;
        group.bench_function(BenchmarkId::from_parameter(&stack.name), |bencher| {
            bencher.to_async(runtime).iter_batched(
                || stack.next_messages(IMPORTED),
                |messages| async move { import(db, &messages).await.unwrap() },
                BatchSize::PerIteration,
            );
        });
    }
    drop(group);
    let mut group = criterion.benchmark_group("deletion of 50 before a time");
    group.throughput(Throughput::Elements(DELETED as u64)).sampling_mode(SamplingMode::Flat);
    for stack in stacks {
        let (db, room) = (&stack.db, &stack.workload.largest_room());
        group.bench_function(BenchmarkId::from_parameter(&stack.name), |bencher| {
            bencher.to_async(runtime).iter_custom(|deletions| async move {
                let mut elapsed = Duration::ZERO;
                // What others have left in the room.
                delete_before(db, room, stack.workload.time(stack.next.get())).await.unwrap();
                for _ in 0..deletions {
                    let messages = stack.next_messages(AMONG).into_iter().filter(|message| message.room_id == *room);
                    import(db, &messages.take(DELETED).collect::<Vec<_>>()).await.unwrap();
                    let before = stack.workload.time(stack.next.get());
                    let begin = Instant::now();
                    let deleted = delete_before(db, room, before).await.unwrap();
                    elapsed += begin.elapsed();
                    assert_eq!(deleted, DELETED as u64);
                }
                elapsed
            });
        });
    }
}

criterion_group! {
    name = all;
    config = settings::short();
    targets = stacks
}
criterion_main!(all);
