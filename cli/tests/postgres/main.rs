//! Runs the real command on stores of a real PostgreSQL. Without one it is a visible skip; in CI it fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod canaries;
mod copying;
mod engine;
#[path = "../command/place.rs"]
#[allow(dead_code, reason = "the other tests of the command use all of it")]
mod place;
mod wrong_use;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Arguments, Completion, Trial};
use strongroom::StoreUrl;
use strongroom_conformance_servers::Postgres;

type Case = fn(&Postgres);

const TRIALS: [(&str, Case); 11] = [
    ("a_server_pages_as_a_file_does", engine::a_server_pages_as_a_file_does),
    ("what_changes_a_store_changes_one_on_a_server", engine::what_changes_a_store_changes_one_on_a_server),
    ("its_keys_are_listed_changed_and_rotated", engine::its_keys_are_listed_changed_and_rotated),
    ("media_need_a_place_that_is_said", engine::media_need_a_place_that_is_said),
    ("two_imports_at_a_time_store_each_event_once", engine::two_imports_at_a_time_store_each_event_once),
    ("a_copy_goes_to_a_server_and_on_and_stays_the_same", copying::a_copy_goes_to_a_server_and_on_and_stays_the_same),
    ("a_backup_is_a_file_and_becomes_a_store_on_a_server", copying::a_backup_is_a_file_and_becomes_a_store_on_a_server),
    ("a_copy_goes_into_no_store_that_is_there", copying::a_copy_goes_into_no_store_that_is_there),
    ("a_command_that_reads_or_is_refused_makes_no_store", wrong_use::a_command_that_reads_or_is_refused_makes_no_store),
    ("what_is_wrong_with_a_url_is_one_line", wrong_use::what_is_wrong_with_a_url_is_one_line),
    (
        "no_output_has_a_password_a_key_or_what_was_imported",
        canaries::no_output_has_a_password_a_key_or_what_was_imported,
    ),
];

fn main() -> ExitCode {
    let trials = TRIALS.into_iter().map(|(name, trial)| {
        Trial::ignorable_test(name, move || match Postgres::available() {
            Ok(()) => {
                trial(Postgres::shared()?);
                Ok(Completion::Completed)
            }
            Err(reason) if std::env::var("STRONGROOM_CI").as_deref() == Ok("1") => Err(reason.into()),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// The URL of a store that is not there, on a server that asks for no password.
fn new_store(server: &Postgres) -> String {
    with_new_namespace(&server.url())
}

fn with_new_namespace(url: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{url}?namespace=@me{}:example.org", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn exists(store: &str) -> bool {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(store.parse::<StoreUrl>().unwrap().exists()).unwrap()
}
