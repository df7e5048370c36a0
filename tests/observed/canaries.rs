//! Whoever listens to everything hears no content.

use strongroom::observe;

use crate::everything::{CANARY, plain, sealed};
use crate::figures::Figures;
use crate::lines::Lines;

/// Listens to the whole process: engines and libraries have threads of their own.
#[test]
fn no_content_gets_into_spans_and_figures() {
    let (lines, figures) = (Lines::default(), Figures::default());
    tracing::subscriber::set_global_default(lines.subscriber()).unwrap();
    metrics::set_global_recorder(figures.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for engine in ["redb", "sqlite"] {
            plain(engine, folder.path()).await;
            sealed(engine, folder.path()).await;
        }
    });

    let text = lines.text();
    let wrong: Vec<_> = text.lines().filter(|line| line.to_lowercase().contains(CANARY)).take(5).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let names = figures.names();
    let wrong: Vec<_> = names.iter().filter(|name| name.to_lowercase().contains(CANARY)).take(5).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    // It was listened to, and what should not be there would have been found: also from another thread.
    let operations =
        ["open", "put", "insert", "update", "get", "page", "count", "write", "snapshot", "commit_group", "stats"];
    let more =
        ["sizes", "verify", "copy", "compact", "close", "unlock", "rotate", "reseal", "media_sweep", "media_verify"];
    for operation in operations.iter().chain(&more) {
        assert!(text.contains(&format!("operation=\"{operation}\"")), "{operation}");
    }
    for outcome in ["ok", "already_exists", "not_found", "limit", "application", "corrupt", "layer", "closed"] {
        assert!(text.contains(&format!("outcome=\"{outcome}\"")), "{outcome}");
    }
    assert!(text.contains("lost to a concurrent commit collection=\"messages\" attempt=1"));
    std::thread::spawn(|| tracing::trace!(target: "elsewhere", body = CANARY)).join().unwrap();
    assert!(lines.text().contains(CANARY));

    // Every figure that is documented came, with the labels that it may have, and no other.
    for metric in observe::ALL {
        assert!(names.iter().any(|name| name.contains(&format!(" {}{{", metric.name))), "{}", metric.name);
    }
    for name in &names {
        let (head, labels) = name.strip_suffix('}').unwrap().split_once('{').unwrap();
        let (kind, head) = head.split_once(' ').unwrap();
        let metric = observe::ALL.iter().find(|metric| metric.name == head).expect("it is in the list");
        assert_eq!(format!("{:?}", metric.kind).to_lowercase(), kind);
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').unwrap();
            assert!(metric.labels.contains(&label), "{name}");
            assert!(value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
    }
}
