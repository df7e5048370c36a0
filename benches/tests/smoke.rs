//! The ratios run and can be read by a program. What they are on a machine that does something else means nothing.

use std::process::Command;

#[test]
fn the_ratios_print_each_figure_with_its_limit() -> Result<(), Box<dyn std::error::Error>> {
    let ratios =
        Command::new(env!("CARGO_BIN_EXE_strongroom-benches")).args(["ratios", "--quick", "--json"]).output()?;
    assert!(ratios.status.success(), "{}", String::from_utf8_lossy(&ratios.stderr));
    let printed: serde_json::Value = serde_json::from_slice(&ratios.stdout)?;
    let figures = printed["figures"].as_array().ok_or("there are no figures")?;
    let with_limit = figures.iter().filter(|figure| figure["limit"].is_number());
    // Those of PostgreSQL only where there is one.
    let limits = if printed["left_out"].is_null() { 15 } else { 12 };
    assert_eq!(with_limit.clone().count(), limits, "one for each limit: {printed}");
    assert_eq!(printed["run"]["quick"], true, "a smoke test says that it is one: {printed}");
    for figure in with_limit {
        assert!(figure["name"].is_string() && figure["holds"].is_boolean(), "{figure}");
        assert!(figure["ours_ns"].is_number() || figure["ours_bytes"].is_number(), "{figure}");
    }
    Ok(())
}
