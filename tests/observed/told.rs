//! What exactly is told of single operations.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use strongroom::cache::CacheOptions;
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::engine::{self, Metadata};
use strongroom::observe::{self, Kind, Observed};
use strongroom::store::{KeyRange, Read, Store, StoredKey, Summary};
use strongroom::{Database, Result, open};
use strongroom_conformance::twist::{Twist, Twisted};

use crate::figures::{Figure, Figures};
use crate::lines::Lines;

/// Runs it on this thread alone, and gives what was told there.
fn heard(work: impl Future<Output = ()>) -> (Lines, Figures) {
    let (lines, figures) = (Lines::default(), Figures::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(lines.subscriber(), || {
        metrics::with_local_recorder(&figures, || runtime.block_on(work));
    });
    (lines, figures)
}

fn note(key: &str) -> Metadata {
    Metadata { key: key.to_owned(), value: "7".parse().unwrap() }
}

async fn memory() -> Database {
    Database::open(open("memory:").await.unwrap(), engine::schema()).await.unwrap()
}

#[test]
fn an_operation_is_one_span_that_ends_with_what_became_of_it() {
    let (lines, _) = heard(async {
        let db = memory().await;
        db.insert(&note("a")).await.unwrap();
        db.insert(&note("a")).await.unwrap_err();
        db.get_many(&[Metadata::key("a"), Metadata::key("b")]).await.unwrap();
    });
    let text = lines.text();
    let closed = |fields: &str| {
        // The time that it took stands between the fields and the end of the span.
        let ends = text.lines().filter(|line| line.ends_with(": close") && !line.contains("}:store{"));
        ends.filter(|line| line.contains(&format!("operation{{{fields} duration_us="))).count()
    };
    assert_eq!(closed("operation=\"insert\" collection=\"metadata\" records=0 outcome=\"ok\""), 1, "{text}");
    assert_eq!(
        closed("operation=\"insert\" collection=\"metadata\" records=0 outcome=\"already_exists\""),
        1,
        "{text}"
    );
    assert_eq!(closed("operation=\"get\" collection=\"metadata\" records=1 outcome=\"ok\""), 1, "{text}");
    assert_eq!(closed("operation=\"open\" records=0 outcome=\"ok\""), 1, "{text}");
    // The backend's calls are within, and told apart by target and level.
    let inner =
        "operation{operation=\"get\" collection=\"metadata\"}:store{call=\"get\" layer=\"backend\" backend=\"memory\"";
    assert!(text.lines().any(|line| line.starts_with("TRACE") && line.contains(inner)), "{text}");
    assert!(text.lines().any(|line| line.starts_with("DEBUG operation{operation=\"insert\"")), "{text}");
}

#[test]
fn figures_add_up() {
    let mut counters = None;
    let (_, figures) = heard(async {
        let unlock = Unlock::raw_key(SecretKey::new([1; 32]));
        let store = open("memory:").encrypted(unlock).cached(CacheOptions::default()).await.unwrap();
        let db = Database::open(store.clone(), engine::schema()).await.unwrap();
        for key in ["a", "b", "c"] {
            db.insert(&note(key)).await.unwrap();
        }
        for _ in 0..2 {
            db.get_many(&[Metadata::key("a"), Metadata::key("b"), Metadata::key("none")]).await.unwrap();
        }
        counters = Some((db.activity(), db.cache_counters().unwrap()));
    });
    let (activity, cache) = counters.unwrap();
    let of = |name: &str| figures.get(name);
    let labels = "operation=insert,collection=metadata,outcome=ok";
    assert_eq!(of(&format!("histogram strongroom_operation_duration_seconds{{{labels}}}")).times, 3);
    assert_eq!(of("counter strongroom_operation_records_total{operation=get,collection=metadata}").sum, 4.0);
    let three = Figure { times: 3, sum: 3.0 };
    assert_eq!((activity.commits, of("histogram strongroom_commit_group_batches{}")), (3, three));
    assert_eq!(of("histogram strongroom_commit_wait_seconds{}").times, 3);
    assert!(of("histogram strongroom_commit_group_bytes{}").sum > 3.0);
    assert_eq!(of("gauge strongroom_commit_queue_depth{}"), Figure { times: 6, sum: 0.0 }, "up and down again");
    // Opening looked for the catalog and for a header.
    assert_eq!((cache.hits, cache.misses, cache.hit_rate()), (3, 5, Some(0.375)));
    assert_eq!(of("counter strongroom_cache_keys_total{answer=hit}").sum, cache.hits as f64);
    assert_eq!(of("counter strongroom_cache_keys_total{answer=miss}").sum, cache.misses as f64);
    // The catalog and three records.
    assert_eq!(of("counter strongroom_encryption_values_total{action=seal}").sum, 4.0);
    assert_eq!(of("counter strongroom_encryption_values_total{action=open}").sum, 2.0, "the rest came from memory");
    // Below the encryption: its own rows are among them.
    assert!(of("counter strongroom_store_rows_total{layer=backend,backend=memory,call=commit}").sum >= 6.0);
}

/// Counts for ever.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Twist for Silent {
    async fn summarize(&self, _: &dyn Read, _: &KeyRange) -> Result<Summary> {
        std::future::pending().await
    }
}

#[test]
fn what_is_given_up_is_told_as_dropped() {
    let (lines, figures) = heard(async {
        let silent = Twisted::new(open("memory:").await.unwrap(), Arc::new(Silent));
        let db = Database::open(Observed::new(silent, "silent"), engine::schema()).await.unwrap();
        assert!(db.count::<Metadata>().now_or_never().is_none());
    });
    assert!(lines.text().contains("operation=\"count\" collection=\"metadata\" records=0 outcome=\"dropped\""));
    let labels = "operation=count,collection=metadata,outcome=dropped";
    assert_eq!(figures.get(&format!("histogram strongroom_operation_duration_seconds{{{labels}}}")).times, 1);
    let labels = "layer=silent,backend=memory,call=summarize,outcome=dropped";
    assert_eq!(figures.get(&format!("histogram strongroom_store_call_duration_seconds{{{labels}}}")).times, 1);
}

#[test]
fn a_store_can_be_observed_at_any_layer() {
    let (lines, figures) = heard(async {
        let store = Observed::new(open("memory:").await.unwrap(), "above");
        let view = store.snapshot().await.unwrap();
        view.get(&[StoredKey::from_static(b"none")]).await.unwrap();
        store.close().await.unwrap();
    });
    assert!(
        lines
            .text()
            .contains("store{call=\"get\" layer=\"above\" backend=\"memory\"}:store{call=\"get\" layer=\"backend\"")
    );
    for layer in ["above", "backend"] {
        let labels = format!("layer={layer},backend=memory,call=get,outcome=ok");
        assert_eq!(figures.get(&format!("histogram strongroom_store_call_duration_seconds{{{labels}}}")).times, 1);
    }
}

#[test]
fn without_a_listener_everything_works() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let db = memory().await;
        db.put(&note("a")).await.unwrap();
        assert_eq!(db.get(&Metadata::key("a")).await.unwrap(), Some(note("a")));
        assert_eq!(db.activity().commits, 1);
    });
}

#[test]
fn every_figure_is_described_and_stands_in_the_documents() {
    let figures = Figures::default();
    metrics::with_local_recorder(&figures, observe::describe);
    let described = figures.described();
    assert_eq!(described.len(), observe::ALL.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let document = std::fs::read_to_string(path).unwrap();
    let rows: BTreeMap<_, _> = document
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells[0].trim_matches('`');
            name.starts_with("strongroom_").then(|| (name.to_owned(), cells[1..].join(" | ")))
        })
        .collect();
    assert_eq!(rows.keys().collect::<BTreeSet<_>>(), described.keys().collect::<BTreeSet<_>>());
    for metric in observe::ALL {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("{kind} | {} | {} | {}", metric.unit, labels.join(", "), metric.meaning);
        assert_eq!(rows[metric.name], row, "{}", metric.name);
        let unit = if metric.kind == Kind::Counter { "_total" } else { "" };
        assert!(metric.name.ends_with(unit) && described[metric.name].starts_with(&kind), "{}", metric.name);
    }
}
