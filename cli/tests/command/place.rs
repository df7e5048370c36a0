//! A temporary folder to run the command in, and events to give it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ROOM: &str = "!room:example.org";

/// Every store of a place is encrypted with the key file beside it, unless a test says how it is opened.
pub(crate) struct Place {
    folder: TempDir,
    keys: TempDir,
}

/// How a command ended.
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap(), keys: tempfile::tempdir().unwrap() };
        write_private(&place.key_file("main"), &"5a".repeat(32));
        place
    }

    /// A key file that is not in the folder; `main` is there and opens what [`run`](Place::run) makes.
    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.keys.path().join(name)
    }

    /// A place whose store holds `events`.
    pub(crate) fn with(events: &[Value]) -> Self {
        let place = Place::new();
        place.write("events.jsonl", lines(events));
        place.run(["import", "events.jsonl"]).done();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The command with these arguments alone.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.args(arguments).current_dir(self.folder.path()).env("TMPDIR", self.folder.path());
        command.env_remove("STRONGROOM_STORE").env_remove("STRONGROOM_PASSPHRASE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command with these arguments, and with the place's key unless they say how the store is opened.
    pub(crate) fn keyed<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let arguments: Vec<&str> = arguments.into_iter().collect();
        let says = ["--key-file", "--passphrase-file", "--plain"].iter().any(|flag| arguments.contains(flag));
        let mut command = self.command(arguments);
        if !says {
            command.arg("--key-file").arg(self.key_file("main"));
        }
        command
    }

    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        self.keyed(arguments).output().unwrap().into()
    }

    /// With these arguments alone: without a key, unless they name one.
    pub(crate) fn run_bare<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Value {
        let arguments = arguments.into_iter().chain(["--format", "json"]);
        self.run(arguments).done().json()
    }

    pub(crate) fn run_with_stdin<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, stdin: &str) -> Run {
        let mut child = self.keyed(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Begins an import from stdin and returns once the command has taken all of `text`, but for what a pipe can hold.
    pub(crate) fn begin_import(&self, text: &str) -> Child {
        let mut child = self.keyed(["import", "-", "--format", "json"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        child
    }

    /// All pages of a room's timeline, one after the other.
    pub(crate) fn pages(&self, room: &str, limit: &str) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut before: Option<String> = None;
        loop {
            let mut arguments = vec!["timeline", room, "--limit", limit];
            if let Some(cursor) = &before {
                arguments.extend(["--before", cursor]);
            }
            let page = self.json(arguments);
            pages.push(page["messages"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => before = Some(next.to_owned()),
                None => return pages,
            }
        }
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Run {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.status, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// It must have failed with this status and one line on stderr that has all `words`.
    pub(crate) fn refused(self, status: i32, words: &[&str]) -> Self {
        assert_eq!(self.status, Some(status), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert!(self.stderr.contains("; "), "it says what to do next: {}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} in {}", self.stderr);
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A file that only its owner can read, as a key file must be.
pub(crate) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    set_mode(path, 0o600);
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A text message; three in a row share their time.
pub(crate) fn message(number: u64) -> Value {
    json!({
        "type": "m.room.message",
        "room_id": ROOM,
        "event_id": format!("$event{number:06}"),
        "sender": format!("@user{}:example.org", number % 5),
        "origin_server_ts": 1_700_000_000_000 + number / 3,
        "content": { "msgtype": "m.text", "body": format!("message {number}") },
    })
}

pub(crate) fn messages(count: u64) -> Vec<Value> {
    (0..count).map(message).collect()
}

pub(crate) fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// As Element writes it.
pub(crate) fn element_export(events: &[Value]) -> String {
    let export = json!({
        "room_name": "A room", "room_creator": "@user0:example.org", "topic": "", "export_date": "01/06/2024",
        "exported_by": "@user0:example.org", "messages": events,
    });
    serde_json::to_string_pretty(&export).unwrap()
}

/// Every page of a room, on one store.
pub(crate) fn pages(place: &Place, store: &str) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let mut arguments = vec!["timeline", ROOM, "--limit", "7", "--store", store, "--plain"];
        if let Some(last) = pages.last() {
            match last["next"].as_str() {
                Some(next) => arguments.extend(["--before", next]),
                None => return pages,
            }
        }
        let mut page = place.json(arguments);
        for message in page["messages"].as_array_mut().unwrap() {
            // When it was imported.
            message.as_object_mut().unwrap().remove("stored_at").unwrap();
        }
        pages.push(page);
    }
}
