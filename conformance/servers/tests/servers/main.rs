//! Every server, from its start to its end. A server that this machine has not is a visible skip; moto's and
//! PostgreSQL's fail in CI.
#![allow(clippy::unwrap_used, reason = "tests")]

mod encrypted;
mod life;
mod network;
mod objects;
mod postgres;
mod postgres_client;
mod replication;

use std::env;
use std::io;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use strongroom_conformance_servers::{Postgres, Server};

/// A kind of server.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    available: fn() -> Result<(), String>,
    start: fn() -> io::Result<Server>,
    shared: fn() -> Result<&'static Server, String>,
    /// Whether the gate provides it.
    in_ci: bool,
}

const MOTO: Kind = Kind {
    name: "moto",
    available: Server::moto_available,
    start: Server::moto,
    shared: Server::shared_moto,
    in_ci: true,
};

const GARAGE: Kind = Kind {
    name: "garage",
    available: Server::garage_available,
    start: Server::garage,
    shared: Server::shared_garage,
    in_ci: false,
};

type Case = fn(Kind);

/// The case that moto cannot pass.
const ATTRIBUTES: &str = "encrypted_objects_pass_the_published_test_of_attributes";

const CASES: [(&str, Case); 9] = [
    ("puts_gets_and_removes", objects::puts_gets_and_removes),
    ("lists_by_pages", objects::lists_by_pages),
    ("puts_in_parts", objects::puts_in_parts),
    ("creates_once", objects::creates_once),
    ("encrypted_objects_pass_the_published_tests", encrypted::pass_the_published_tests),
    (ATTRIBUTES, encrypted::pass_the_published_test_of_attributes),
    ("is_gone_after_its_drop", life::is_gone_after_its_drop),
    ("two_do_not_collide", life::two_do_not_collide),
    ("is_gone_after_a_kill", life::is_gone_after_a_kill),
];

const POSTGRES: [(&str, fn()); 16] = [
    ("answers_with_its_options", postgres::answers_with_its_options),
    ("asks_for_a_password_where_the_url_has_one", postgres::asks_for_a_password_where_the_url_has_one),
    ("leaves_nothing_after_its_drop", postgres::leaves_nothing_after_its_drop),
    ("leaves_nothing_after_the_kill_of_the_test", postgres::leaves_nothing_after_the_kill_of_the_test),
    ("keeps_what_it_stored_over_a_restart", postgres::keeps_what_it_stored_over_a_restart),
    ("recovers_from_a_kill", postgres::recovers_from_a_kill),
    ("a_standby_follows_and_takes_no_writes", replication::a_standby_follows_and_takes_no_writes),
    ("a_commit_waits_for_a_synchronous_standby", replication::a_commit_waits_for_a_synchronous_standby),
    (
        "a_standby_takes_the_place_of_a_killed_server_again_and_again",
        replication::a_standby_takes_the_place_of_a_killed_server_again_and_again,
    ),
    ("a_fault_before_a_request_keeps_it_from_the_server", network::a_fault_before_a_request_keeps_it_from_the_server),
    ("a_fault_during_a_request_lets_the_server_go_on", network::a_fault_during_a_request_lets_the_server_go_on),
    ("a_fault_after_a_request_keeps_the_answer", network::a_fault_after_a_request_keeps_the_answer),
    ("a_fault_after_the_answer_keeps_nothing", network::a_fault_after_the_answer_keeps_nothing),
    ("a_fault_strikes_once_and_its_statement_alone", network::a_fault_strikes_once_and_its_statement_alone),
    ("a_cut_resets_what_is_open", network::a_cut_resets_what_is_open),
    ("connections_are_refused_and_led_elsewhere", network::connections_are_refused_and_led_elsewhere),
];

fn main() -> ExitCode {
    postgres::serve_if_to_be_killed();
    if let Some(kind) = life::to_be_killed(&[MOTO, GARAGE]) {
        life::serve_until_killed(kind);
    }
    // The client asks for one also where it does no TLS.
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let mut trials = Vec::new();
    for kind in [MOTO, GARAGE] {
        for (name, case) in CASES {
            trials.push(Trial::ignorable_test(format!("{}::{name}", kind.name), move || run(kind, name, case)));
        }
    }
    for (name, case) in POSTGRES {
        let run = move || run_if(Postgres::available(), true, case);
        trials.push(Trial::ignorable_test(format!("postgres::{name}"), run));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run(kind: Kind, name: &str, case: Case) -> Result<Completion, Failed> {
    if (kind.name, name) == ("moto", ATTRIBUTES) {
        return Ok(Completion::ignored_with("moto drops headers with underscores in their names"));
    }
    run_if((kind.available)(), kind.in_ci, || case(kind))
}

fn run_if(available: Result<(), String>, in_ci: bool, case: impl FnOnce()) -> Result<Completion, Failed> {
    match available {
        Ok(()) => {
            case();
            Ok(Completion::Completed)
        }
        Err(reason) if in_ci && env::var("STRONGROOM_CI").as_deref() == Ok("1") => Err(Failed::from(reason)),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    }
}
