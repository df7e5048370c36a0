//! The house rules, checked by a test and not by memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Lines in one source file, at most.
const LINES_MAX: usize = 600;

/// Crates that core must not depend on: every cipher and engine, here by the beginnings of their names.
const FOREIGN_TO_CORE: [&str; 18] = [
    "aead",
    "aes",
    "argon2",
    "blake",
    "chacha20",
    "hkdf",
    "hmac",
    "openssl",
    "poly1305",
    "ring",
    "rustls",
    "sha1",
    "imbl",
    "object_store",
    "redb",
    "rusqlite",
    "sqlx",
    "strongroom-",
];

/// What speaks to an engine, by the beginnings of the crates' names.
const ENGINES: [&str; 6] = ["imbl", "libsqlite3-sys", "redb", "rusqlite", "sqlx", "tokio-postgres"];

/// What `strongroom-` does not forbid: core itself and its derives.
const CORE: [&str; 2] = ["strongroom-core", "strongroom-derive"];

#[test]
fn every_crate_states_what_it_must() {
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package.name();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{name}: {what}"));
            }
        };
        must(package.0["license"] == "MIT OR Apache-2.0", "the licence is MIT OR Apache-2.0");
        must(package.0["description"].as_str().is_some_and(|text| !text.is_empty()), "has no description");
        must(package.0["rust_version"].is_string(), "has no rust-version");
        must(package.0["repository"].is_string(), "has no repository");
        must(package.manifest().contains("[lints]\nworkspace = true"), "does not inherit the workspace's lints");
        let docs = &package.0["metadata"]["docs"]["rs"];
        must(!package.is_library() || docs["all-features"] == true, "docs.rs does not build all its features");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn backends_know_core_alone_and_have_a_feature_each() {
    let packages = packages();
    let facade = packages.iter().find(|package| package.name() == "strongroom").expect("the facade is a member");
    let backends: Vec<_> = packages.iter().filter(|package| package.path().starts_with("backends")).collect();
    assert!(!backends.is_empty());
    for backend in backends {
        let known: BTreeSet<_> = backend.workspace_dependencies().collect();
        assert_eq!(known, BTreeSet::from(["strongroom-core"]), "what {} depends on", backend.name());
        let path = backend.path();
        let feature = path.file_name().and_then(|name| name.to_str()).expect("a folder's name is text");
        let dependency = format!("dep:{}", backend.name());
        // Beside it, the same feature of a layer may be switched on, where that layer is.
        let enabled: Vec<_> = facade.0["features"][feature].as_array().into_iter().flatten().collect();
        let layers =
            enabled.iter().filter(|one| one.as_str().is_some_and(|one| one.ends_with(&format!("?/{feature}")))).count();
        assert!(enabled.contains(&&Value::from(dependency)) && enabled.len() == layers + 1, "the feature {feature}");
    }
}

/// Of what programs are built of; tests and measurements may look at an engine from beside.
#[test]
fn engines_are_named_by_their_backends_alone() {
    let packages = packages();
    let is_backend = |package: &&Package| package.path().starts_with("backends");
    let is_built =
        |package: &&Package| !["benches", "conformance"].iter().any(|front| package.path().starts_with(front));
    let engines = |package: &Package| -> Vec<String> {
        let dependencies = package.0["dependencies"].as_array().into_iter().flatten();
        let names = dependencies.filter_map(|dependency| dependency["name"].as_str());
        names.filter(|name| ENGINES.iter().any(|engine| name.starts_with(engine))).map(str::to_owned).collect()
    };
    let (backends, others): (Vec<_>, Vec<_>) = packages.iter().filter(is_built).partition(is_backend);
    let found: BTreeSet<_> = backends.into_iter().flat_map(engines).collect();
    assert!(["imbl", "redb", "sqlx"].iter().all(|engine| found.contains(*engine)), "the engines are others: {found:?}");
    for other in others {
        assert_eq!(engines(other), Vec::<String>::new(), "what {} depends on", other.name());
    }
}

#[test]
fn the_suite_knows_core_alone_and_for_media_the_objects() {
    let packages = packages();
    let suite = packages.iter().find(|package| package.name() == "strongroom-conformance").expect("it is a member");
    let known: Vec<_> = suite.workspace_dependencies().collect();
    assert_eq!(known, ["strongroom-core", "strongroom-objects"]);
    // What a backend's author builds without that feature has none of it.
    let dependencies = suite.0["dependencies"].as_array().into_iter().flatten();
    let optional: Vec<_> = dependencies.filter(|dependency| dependency["optional"] == true).collect();
    assert_eq!(optional.iter().map(|dependency| &dependency["name"]).collect::<Vec<_>>(), ["strongroom-objects"]);
    let features = suite.0["features"].as_object().expect("it has features");
    let switching =
        features.iter().filter(|(_, on)| on.as_array().is_some_and(|on| on.contains(&"dep:strongroom-objects".into())));
    assert_eq!(switching.map(|(name, _)| name).collect::<Vec<_>>(), ["media"]);
    assert_eq!(features.get("default"), None);
}

#[test]
fn core_knows_no_backend_and_no_cipher() {
    let arguments =
        ["tree", "--package", "strongroom-core", "--edges", "normal,build", "--prefix", "none", "--offline"];
    let tree = cargo(&arguments);
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(CORE.iter().all(|name| names.contains(name)), "the tree is not core's: {names:?}");
    let foreign = |name: &&&str| !CORE.contains(name) && FOREIGN_TO_CORE.iter().any(|front| name.starts_with(front));
    let found: Vec<_> = names.iter().filter(foreign).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// A test program of a crate without unit tests costs a whole build of the crate, and tests nothing.
#[test]
fn crates_without_unit_tests_are_not_built_for_them() {
    let mut wrong = Vec::new();
    for package in packages() {
        let source = root().join(package.path()).join("src");
        let has_tests = sources().iter().filter(|path| path.starts_with(&source)).any(|path| {
            let text = fs::read_to_string(path).expect("sources are readable text");
            text.lines().any(|line| ["#[test]", "#[tokio::test"].iter().any(|mark| line.trim().starts_with(mark)))
        });
        let builds = package.targets(&["lib", "proc-macro", "bin"]).any(|target| target["test"] == true);
        if has_tests != builds {
            let state = if has_tests { "has unit tests, and `test = false`" } else { "lacks `test = false`" };
            wrong.push(format!("{}: {state}", package.name()));
        }
        // A program beside a tested library is to be nothing but its main function.
        for program in package.targets(&["bin"]).filter(|program| builds && program["test"] == false) {
            let text = read(Path::new(program["src_path"].as_str().expect("a target has a source")));
            if text.lines().any(|line| line.starts_with("mod ") || line.trim().starts_with("#[test]")) {
                wrong
                    .push(format!("{}: a program with modules or tests of its own has `test = false`", package.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_safe_and_finished() {
    // Put together here, so that this file does not hold what it looks for.
    let unfinished = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat()];
    let unguarded = [["un", "safe "].concat(), ["un", "safe{"].concat()];
    let mut wrong = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("sources are readable text");
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, the most is {LINES_MAX}", path.display()));
        }
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            if unguarded.iter().any(|word| code.contains(word)) {
                wrong.push(format!("{}:{number}: code that the compiler does not guard", path.display()));
            }
            if unfinished.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{number}: a mark of unfinished work; open an issue", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(read(Path::new("Cargo.toml")).contains("unsafe_code = \"forbid\""));
}

/// A member of the workspace, as `cargo metadata` shows it.
struct Package(Value);

impl Package {
    fn name(&self) -> &str {
        self.0["name"].as_str().expect("a package has a name")
    }

    /// Its folder, in the repository.
    fn path(&self) -> PathBuf {
        let manifest = Path::new(self.0["manifest_path"].as_str().expect("a package has a manifest"));
        let folder = manifest.parent().expect("a manifest lies in a folder");
        folder.strip_prefix(root()).expect("a member lies in the repository").to_owned()
    }

    fn manifest(&self) -> String {
        read(&self.path().join("Cargo.toml"))
    }

    fn is_library(&self) -> bool {
        self.targets(&["lib", "proc-macro"]).next().is_some()
    }

    /// What is built of it, of these kinds.
    fn targets(&self, kinds: &[&str]) -> impl Iterator<Item = &Value> {
        let is_one = |kind: &Value| kinds.iter().any(|one| kind == one);
        let targets = self.0["targets"].as_array().into_iter().flatten();
        targets.filter(move |target| target["kind"].as_array().into_iter().flatten().any(is_one))
    }

    /// The members that it depends on, except for its tests.
    fn workspace_dependencies(&self) -> impl Iterator<Item = &str> {
        let dependencies = self.0["dependencies"].as_array().into_iter().flatten();
        let built = dependencies.filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string());
        built.filter_map(|dependency| dependency["name"].as_str())
    }
}

fn packages() -> Vec<Package> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("it lists packages").iter().cloned().map(Package).collect()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("its output is text")
}

/// Every Rust file of the repository.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folders of the repository are readable") {
            let path = entry.expect("folders of the repository are readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "the sources are not where they should be");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).expect("files of the repository are readable")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
