//! `media`: files in, out, listed, swept.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::place::{Place, ROOM};

const ID: &str = "mxc://example.org/abc";
/// Of the first 200,000 bytes of the content below, by another program.
const SHA256: &str = "3af81de15c4162a6d7ad8a130723eb0a72ade0ab1fb72e51f4145bce07c6877a";

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn content(bytes: usize) -> Vec<u8> {
    b"a secret holiday picture, line after line\n".iter().copied().cycle().take(bytes).collect()
}

/// The kept parts of objects, without the folder's lock.
fn parts(place: &Place) -> Vec<PathBuf> {
    files(&place.path("strongroom.redb.media")).into_iter().filter(|path| !path.ends_with("lock#0")).collect()
}

#[test]
fn a_file_goes_in_and_comes_out() {
    let place = Place::new();
    place.write("picture.jpg", content(200_000));
    let put = place.json(["media", "put", "picture.jpg", "--room", ROOM, "--id", ID]);
    assert_eq!(put["sha256"], SHA256);
    for (field, value) in [
        ("media_id", json!(ID)),
        ("size", json!(200_000)),
        ("mime_type", json!("image/jpeg")),
        ("room_id", json!(ROOM)),
    ] {
        assert_eq!(put[field], value, "{field}");
    }
    let stat = place.json(["media", "stat", ID]);
    assert!(stat["sha256"] == put["sha256"] && stat["last_access"].is_i64(), "{stat}");

    place.run(["media", "get", ID, "-o", "out.jpg"]).done();
    assert!(std::fs::read(place.path("out.jpg")).unwrap() == content(200_000));
    let bytes = |range: &str| {
        let range = format!("--range={range}");
        place.keyed(["media", "get", ID, &range]).output().unwrap().stdout
    };
    assert_eq!(bytes("100-199"), &content(200)[100..], "both ends are inclusive");
    assert_eq!(bytes("199990-"), &content(200_000)[199_990..]);
    assert_eq!(bytes("-7"), &content(200_000)[199_993..]);
    assert!(place.run(["media", "verify"]).done().stdout.contains("0 problems"));

    let again = place.run(["media", "put", "picture.jpg", "--room", ROOM, "--id", ID]).done();
    assert!(again.stderr.contains("already") && again.stderr.contains("as they were"), "{}", again.stderr);
    place.write("other.jpg", "other");
    place
        .run(["media", "put", "other.jpg", "--room", ROOM, "--id", ID])
        .refused(1, &["other content", "choose another id"]);
    assert!(place.run(["media", "list", "--mime-type", "image/*"]).done().stdout.contains(ID));
    assert!(!place.run(["media", "list", "--room", "!other"]).done().stdout.contains(ID));
    place.run(["media", "delete", ID]).done();
    place.run(["media", "delete", ID]).refused(1, &[ID, "list"]);
    assert!(parts(&place).is_empty());
}

#[test]
fn objects_of_an_encrypted_store_are_encrypted() {
    let place = Place::new();
    place.write("picture.jpg", content(100_000));
    place.run(["media", "put", "picture.jpg", "--room", ROOM, "--id", ID]).done();
    let kept = parts(&place);
    assert_eq!(kept.len(), 1);
    let bytes = std::fs::read(&kept[0]).unwrap();
    assert!(!bytes.windows(14).any(|window| window == b"secret holiday"));
    // A byte is changed: nothing comes out, not even a part of it.
    let mut changed = bytes;
    let last = changed.len() - 1;
    changed[last] ^= 1;
    std::fs::write(&kept[0], changed).unwrap();
    place.run(["media", "get", ID, "-o", "out.jpg"]).refused(1, &["changed or moved"]);
    assert!(!place.path("out.jpg").exists());
    let verified = place.keyed(["media", "verify", "--format", "json"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(1));
    let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["problems"][0]["media_id"], ID);

    place.run(["media", "put", "picture.jpg", "--room", ROOM, "--store", "redb:plain.redb", "--plain"]).done();
    let plain = files(&place.path("plain.redb.media"));
    assert!(
        plain.iter().any(|path| std::fs::read(path).unwrap() == content(100_000)),
        "a plain store has plain objects"
    );
}

#[test]
fn an_interrupted_upload_goes_on() {
    let place = Place::new();
    // More than the parts that may be under way, or stored and not yet noted: so something is noted when a pipe has taken it all.
    let bytes = content(44 << 20);
    place.write("film.mp4", &bytes);
    let arguments = ["--room", ROOM, "--id", ID, "--plain"];
    let mut child =
        place.command(["media", "put", "-"].into_iter().chain(arguments)).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(&bytes).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.run(["media", "list", "--plain"]).done().stderr.contains("0 media"));

    let resumed = place.run(["media", "put", "film.mp4"].into_iter().chain(arguments)).done();
    assert!(resumed.stderr.contains("going on at "), "{}", resumed.stderr);
    let of_attempt = |attempt: &str| {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().split('-').nth(1) == Some(attempt);
        parts(&place).iter().filter(|path| name(path)).count()
    };
    assert!(of_attempt("0") >= 4 && of_attempt("1") < 11, "it did not begin anew");
    place.run(["media", "sweep", "--plain"]).done();
    assert_eq!(parts(&place).len(), 11, "44 MiB in parts of 4 MiB, each once");
    place.run(["media", "verify", "--plain"]).done();
    place.run(["media", "get", ID, "-o", "out.mp4", "--plain"]).done();
    assert!(std::fs::read(place.path("out.mp4")).unwrap() == bytes);
}

#[test]
fn a_sweep_says_what_it_would_free_and_frees_it() {
    let place = Place::new();
    for (name, bytes) in [("a.bin", 3_000), ("b.bin", 2_000), ("c.bin", 1_000)] {
        place.write(name, content(bytes));
        place.run(["media", "put", name, "--room", ROOM, "--id", name]).done();
    }
    let sweep = ["media", "sweep", "--max-total", "3500B", "--max-file", "2KiB"];
    let dry = place.json(sweep.into_iter().chain(["--dry-run"]));
    assert_eq!((&dry["dry_run"], &dry["freed_bytes"]), (&json!(true), &json!(3_000)));
    assert_eq!(dry["media"], json!({ "file_size": { "count": 1, "bytes": 3_000 } }));
    assert_eq!(parts(&place).len(), 3);
    let swept = place.json(sweep);
    assert_eq!((&swept["media"], &swept["strays"]), (&dry["media"], &json!({ "count": 0, "bytes": 0 })));
    assert_eq!(parts(&place).len(), 2);
    let room = ["media", "sweep", "--room", "!other", "--max-total", "0B"];
    assert!(place.run(room).done().stderr.contains("!other has no media"));
    assert_eq!(place.json(room)["freed_bytes"], 0, "the limit is another room's");
    place.write("d.bin", content(10));
    place.run(["media", "put", "d.bin", "--room", ROOM, "--id", "d", "--expires", "1000"]).done();
    place.run(["media", "stat", "d"]).refused(1, &["no medium d"]);
    assert_eq!(place.json(["media", "sweep"])["media"], json!({ "expired": { "count": 1, "bytes": 10 } }));
}

#[test]
fn a_thumbnail_comes_with_an_image() {
    let place = Place::new();
    // A GIF of one pixel.
    let gif = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";
    place.write("dot.gif", gif);
    let put = place.json(["media", "put", "dot.gif", "--room", ROOM, "--id", ID, "--thumbnail"]);
    assert_eq!((&put["mime_type"], &put["thumbnail"]["mimetype"]), (&json!("image/gif"), &json!("image/jpeg")));
    place.run(["media", "get", ID, "--thumbnail", "-o", "small.jpg"]).done();
    assert!(std::fs::read(place.path("small.jpg")).unwrap().starts_with(b"\xff\xd8"));
    place.write("letter.txt", "no image");
    place.run(["media", "put", "letter.txt", "--room", ROOM, "--thumbnail"]).refused(1, &["letter.txt", "--thumbnail"]);
}

#[test]
fn what_cannot_be_right_is_refused_and_makes_nothing() {
    let place = Place::new();
    place.run(["media", "put", "missing.jpg", "--room", ROOM]).refused(1, &["missing.jpg"]);
    place.run(["media", "put", ".", "--room", ROOM]).refused(1, &["folder"]);
    place.write("a.bin", "a");
    let put = ["media", "put", "a.bin", "--room", ROOM];
    place.run(["media", "put", "a.bin", "--room", ""]).refused(2, &["--room"]);
    place
        .run(put.into_iter().chain(["--objects", "gs://bucket"]))
        .refused(2, &["gs", "file:DIR or s3://BUCKET/PREFIX;"]);
    place.run(put.into_iter().chain(["--objects", "memory:"])).refused(2, &["keeps nothing"]);
    place.run(put.into_iter().chain(["--expires", "soon"])).refused(2, &["soon"]);
    for (flag, value) in [("--id", ""), ("--mime-type", "picture"), ("--mime-type", "/")] {
        place.run(put.into_iter().chain([flag, value])).refused(2, &[flag]);
    }
    place.run(["media", "list"]).refused(1, &["there is no store", "media put"]);
    assert!(!place.path("strongroom.redb").exists() && !place.path("strongroom.redb.media").exists());
    place.run(put).done();
    place.run(["media", "get", ID]).refused(1, &[ID, "list"]);
    place.run(["media", "get", ID, "--thumbnail"]).refused(1, &["no medium"]);
    place.run(put.into_iter().chain(["--id", "one"])).done();
    place.run(["media", "get", "one", "--thumbnail"]).refused(1, &["no thumbnail"]);
    for range in ["--range=1-", "--range=5-9", "--range=-0"] {
        place.run(["media", "get", "one", range, "-o", "part"]).refused(1, &["1 byte,", "before its end"]);
        assert!(!place.path("part").exists());
    }
    place.run(["media", "list", "--objects", "file:mistyped"]).done();
    assert!(!place.path("mistyped").exists());
    place
        .run(["media", "get", "one", "--objects", "file:other", "-o", "part"])
        .refused(1, &["media verify", "--objects"]);
    place.run(["media", "sweep", "--max-unused", "1d"]).refused(2, &["1d", "2d or more"]);
    place.run(["media", "get", ID, "--range", "9-3"]).refused(2, &["9-3"]);
    place.run(["media", "sweep", "--max-total", "much"]).refused(2, &["much", "2GiB"]);
    #[cfg(not(feature = "s3"))]
    place.run(["media", "list", "--objects", "s3://bucket"]).refused(1, &["feature 's3'"]);
}

#[test]
fn what_the_folder_makes_of_conditions_is_said() {
    let place = Place::with(&[]);
    place.write("a.bin", "a");
    place.run(["media", "put", "a.bin", "--room", ROOM]).done();
    assert_eq!(place.json(["media", "probe"]), json!({ "create": "honoured", "update": "unsupported" }));
    assert_eq!(parts(&place).len(), 1);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_into_and_not_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let place = Place::new();
    place.write("a.bin", content(100_000));
    place.run(["media", "put", "a.bin", "--room", ROOM, "--id", ID]).done();

    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    place.run(["media", "get", ID, "-o", "pipe"]).done();
    assert!(reader.join().unwrap() == content(100_000));
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());

    // A link stays one; what it leads to is written, also where there was nothing.
    std::fs::create_dir(place.path("folder")).unwrap();
    symlink("folder/real.bin", place.path("link")).unwrap();
    for old in [None, Some("old")] {
        old.into_iter().for_each(|old| place.write("folder/real.bin", old));
        place.run(["media", "get", ID, "-o", "link"]).done();
        assert!(std::fs::symlink_metadata(place.path("link")).unwrap().is_symlink());
        assert!(std::fs::read(place.path("folder/real.bin")).unwrap() == content(100_000));
    }
    place.run(["media", "get", ID, "-o", "folder"]).refused(1, &["is a folder"]);

    // What can be read only once has no thumbnail, and is not waited for.
    for file in ["pipe", "/dev/zero", "-"] {
        let put = ["media", "put", file, "--room", ROOM, "--thumbnail"];
        place.run(put).refused(2, &[file, "only once", "leave out --thumbnail"]);
    }
}

// `env` sets signals back on Linux.
#[cfg(target_os = "linux")]
#[test]
fn asked_to_end_a_command_leaves_no_half_of_a_file() {
    /// Whoever begins the tests with nohup hands on that hangups are ignored, and then the command goes on, as it should.
    fn as_from_a_terminal(command: &Command) -> Command {
        let mut listening = Command::new("env");
        listening.arg("--default-signal=HUP,INT,TERM").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => listening.env(name, value),
                None => listening.env_remove(name),
            };
        }
        listening.current_dir(command.get_current_dir().unwrap());
        listening.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        listening
    }

    let place = Place::new();
    // More than a pipe holds, so that the command cannot come to its end.
    place.write("film.mp4", content(24 << 20));
    place.run(["media", "put", "film.mp4", "--room", ROOM, "--id", ID, "--plain"]).done();
    let left =
        || files(&place.path("")).into_iter().filter(|path| path.display().to_string().contains("/.strongroom-"));
    for signal in ["-TERM", "-HUP", "-INT"] {
        for arguments in [["media", "get", ID, "--plain"].as_slice(), &["media", "put", "-", "--room", ROOM, "--plain"]]
        {
            let mut child = as_from_a_terminal(&place.command(arguments.iter().copied())).spawn().unwrap();
            // It listens for signals once it has begun to write, or has taken what a pipe cannot hold.
            match arguments[1] {
                "get" => std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 100]).unwrap(),
                _ => child.stdin.as_mut().unwrap().write_all(&content(1 << 20)).unwrap(),
            }
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
            // Neither pipe is closed before it has ended.
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(130), "{signal} {arguments:?}");
        }
    }
    assert_eq!(left().count(), 0);
    place.run(["media", "verify", "--plain"]).done();
}
