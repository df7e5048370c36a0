//! The comparison runs, and both find the same in every operation: otherwise it fails. What it measures here means nothing.

use std::process::Command;

#[test]
fn every_operation_is_measured_for_both() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = ["--messages", "1000", "--rounds", "1", "--json"];
    let ran = Command::new(env!("CARGO_BIN_EXE_strongroom-peers")).args(arguments).output()?;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let printed: serde_json::Value = serde_json::from_slice(&ran.stdout)?;
    let figures = printed["context"].as_array().ok_or("there are no figures")?;
    for peer in ["native_db 0.8.2", "matrix-sdk-sqlite 0.18.0, open", "matrix-sdk-sqlite 0.18.0, encrypted"] {
        let of_peer = |figure: &&serde_json::Value| figure["name"].as_str().is_some_and(|name| name.ends_with(peer));
        assert!(figures.iter().filter(of_peer).count() >= 30, "{peer}: {printed}");
    }
    for figure in figures {
        let value = |time: &str, bytes: &str| figure[time].as_f64().or(figure[bytes].as_f64()).unwrap_or_default();
        assert!(value("ours_ns", "ours_bytes") > 0.0 && value("baseline_ns", "baseline_bytes") > 0.0, "{figure}");
    }
    Ok(())
}
