//! `media` with a real S3 server, as a user does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Completion, Trial};
use strongroom_conformance_servers::Server;

fn main() -> ExitCode {
    let trial = Trial::ignorable_test("media_go_to_s3_and_come_back", || match Server::moto_available() {
        Ok(()) => {
            media_go_to_s3_and_come_back(Server::shared_moto()?);
            Ok(Completion::Completed)
        }
        Err(reason) if std::env::var("STRONGROOM_CI").as_deref() == Ok("1") => Err(reason.into()),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn media_go_to_s3_and_come_back(server: &Server) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("s3://{}/{}", server.bucket(), server.new_prefix());
    let run = |arguments: &[&str]| run(server, folder.path(), &url, arguments);
    let content: Vec<u8> = (0..9_000_000_u32).map(|at| (at / 3) as u8).collect();
    std::fs::write(folder.path().join("film.mp4"), &content).unwrap();
    std::fs::write(folder.path().join("phrase"), "correct horse battery staple").unwrap();

    done(run(&["put", "film.mp4", "--room", "!room:example.org", "--id", "mxc://example.org/abc"]));
    done(run(&["get", "mxc://example.org/abc", "-o", "out.mp4"]));
    assert!(std::fs::read(folder.path().join("out.mp4")).unwrap() == content);
    let range = run(&["get", "mxc://example.org/abc", "--range", "4194300-4194309"]);
    assert_eq!(range.stdout, &content[4_194_300..4_194_310], "across the edge of two parts");
    done(run(&["verify"]));
    done(run(&["delete", "mxc://example.org/abc"]));
    let swept: serde_json::Value = serde_json::from_slice(&done(run(&["sweep", "--format", "json"])).stdout).unwrap();
    assert_eq!(swept["strays"]["count"], 0, "the deletion left nothing");

    // A server that is gone: said in one line.
    let elsewhere = Server::moto().unwrap();
    let gone = elsewhere.endpoint();
    drop(elsewhere);
    let mut command = command(server, folder.path(), &url, &["put", "film.mp4", "--room", "!r"]);
    let refused = command.env("AWS_ENDPOINT", &gone).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr).lines().count(),
        1,
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
}

fn command(server: &Server, folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.arg("media").args(arguments).args(["--objects", url, "--passphrase-file", "phrase"]).current_dir(folder);
    command.env("AWS_ENDPOINT", server.endpoint()).env("AWS_REGION", server.region());
    command.env("AWS_ACCESS_KEY_ID", server.access_key()).env("AWS_SECRET_ACCESS_KEY", server.secret_key());
    command.env_remove("STRONGROOM_STORE").env_remove("AWS_ENDPOINT_URL").env_remove("AWS_ENDPOINT_URL_S3");
    command
}

fn run(server: &Server, folder: &Path, url: &str, arguments: &[&str]) -> Output {
    command(server, folder, url, arguments).output().unwrap()
}

fn done(output: Output) -> Output {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}
