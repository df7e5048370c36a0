//! Every operation of the workload on every engine, bare and under its layers: `cargo bench -p strongroom-benches --bench stacks`.
//!
//! The report is `target/criterion/report/index.html`. One stack or operation alone: `-- 'page/redb'`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without documentation; a bench may fail"
)]

use std::cell::Cell;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use strongroom::Database;
use strongroom::matrix::MatrixStore;
use strongroom_benches::stacks::{ENGINES, Layers, database};
use strongroom_benches::workload::{
    TOGETHER, Workload, claim, delete_before, get, import, mixed, one_time_keys, page, publish, save, save_together,
    thread_page,
};
use tokio::runtime::Runtime;

/// Messages in a store before anything is measured.
const MESSAGES: u64 = 10_000;
/// Reads that take turns: more than fit into the cache of rows for gets of any message, few for hot ones.
const ANY: usize = 5_000;
const HOT: usize = 50;
/// Messages in an import.
const IMPORTED: u64 = 1_000;
/// More than are claimed.
const KEYS: u64 = 20_000;

/// A store with messages, and the numbers that come next.
struct Filled {
    db: Database,
    store: MatrixStore,
    workload: Workload,
    next: Cell<u64>,
}

impl Filled {
    /// The numbers of `count` messages that are not there.
    fn next(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.next.replace(self.next.get() + count);
        first..first + count
    }
}

async fn filled(url: &str, layers: Layers) -> Filled {
    let (db, workload) = (database(url, layers).await.unwrap(), Workload::default());
    import(&db, &workload.messages(0..MESSAGES).unwrap()).await.unwrap();
    let store = MatrixStore::new(db.clone()).unwrap();
    Filled { db, store, workload, next: Cell::new(MESSAGES) }
}

fn stacks(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for engine in ENGINES {
        for layers in Layers::ALL {
            let folder = tempfile::tempdir().unwrap();
            let filled = runtime.block_on(filled(&engine.url(folder.path(), "store"), layers));
            let stack = format!("{}, {layers}", engine.name());
            reads(criterion, &runtime, &filled, &stack);
            writes(criterion, &runtime, &filled, &stack);
            runtime.block_on(filled.db.close()).unwrap();
        }
    }
}

fn reads(criterion: &mut Criterion, runtime: &Runtime, filled: &Filled, stack: &str) {
    let Filled { db, workload, .. } = filled;
    for (name, count) in [("get, hot", HOT), ("get, any", ANY)] {
        let keys = workload.keys(count, MESSAGES);
        let mut keys = keys.iter().cycle();
        criterion.benchmark_group(name).bench_function(BenchmarkId::from_parameter(stack), |bencher| {
            bencher.to_async(runtime).iter(|| get(db, keys.next().unwrap()));
        });
    }
    let places = workload.places(ANY, MESSAGES);
    let mut places = places.iter().cycle();
    criterion.benchmark_group("page of 50").bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter(|| page(db, places.next().unwrap()));
    });
    criterion.benchmark_group("page of a thread").bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter(|| thread_page(db, places.next().unwrap()));
    });
}

fn writes(criterion: &mut Criterion, runtime: &Runtime, filled: &Filled, stack: &str) {
    let Filled { db, store, workload, .. } = filled;
    let keys = workload.keys(HOT, MESSAGES);
    let place = workload.places(1, MESSAGES).remove(0);
    criterion.benchmark_group("save").bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter_batched(
            || workload.message(filled.next(1).start).unwrap(),
            |message| async move { save(db, &message).await },
            criterion::BatchSize::PerIteration,
        );
    });
    let mut together = criterion.benchmark_group("64 saves at once");
    together.throughput(Throughput::Elements(TOGETHER as u64));
    together.bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter_batched(
            || workload.messages(filled.next(TOGETHER as u64)).unwrap(),
            |messages| async move { save_together(db, &messages).await },
            criterion::BatchSize::PerIteration,
        );
    });
    together.finish();
    criterion.benchmark_group("9 reads, 1 save").bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter(|| mixed(db, workload, &keys, &place, filled.next(1).start));
    });
    runtime.block_on(publish(store, &one_time_keys(KEYS))).unwrap();
    criterion.benchmark_group("claim").bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter(|| claim(store));
    });
    let mut imports = criterion.benchmark_group("import of 1,000");
    imports.throughput(Throughput::Elements(IMPORTED));
    imports.bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter_batched(
            || workload.messages(filled.next(IMPORTED)).unwrap(),
            |messages| async move { import(db, &messages).await },
            criterion::BatchSize::PerIteration,
        );
    });
    imports.finish();
    let room = &workload.largest_room();
    let name = "import of 200, deletion of those of the largest room";
    criterion.benchmark_group(name).bench_function(BenchmarkId::from_parameter(stack), |bencher| {
        bencher.to_async(runtime).iter_batched(
            || {
                let numbers = filled.next(200);
                (workload.time(numbers.end), workload.messages(numbers).unwrap())
            },
            |(end, messages)| async move {
                import(db, &messages).await?;
                delete_before(db, room, end).await
            },
            criterion::BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = all;
    // Many stacks: a short look at each.
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500));
    targets = stacks
}
criterion_main!(all);
