use crate::place::Place;

#[test]
fn it_does_the_main_job_and_names_its_commands() {
    let place = Place::new();
    let run = place.run(["demo", "--messages", "600"]).done();
    for command in ["import export.json", "rooms", "timeline '!kitchen:example.org'", "thread", "stats", "verify"] {
        assert!(run.stdout.contains(&format!("$ strongroom {command}")), "{command} in {}", run.stdout);
    }
    assert!(run.stdout.contains("no problems"), "{}", run.stdout);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0, "the folder is removed");
}

#[test]
fn what_it_keeps_can_be_worked_with() {
    let place = Place::new();
    let run = place.run(["demo", "--keep", "--messages", "600"]).done();
    let folder = run.stderr.lines().find_map(|line| line.strip_prefix("kept: ")).unwrap();
    let store = format!("redb:{folder}/demo.redb");
    let exported = place.run(["export", "!kitchen:example.org", "--store", &store]).done().stdout;
    assert_eq!(exported.lines().count(), 600);
    place.write("again.jsonl", &exported);
    place.run(["import", "again.jsonl"]).done();
    assert_eq!(place.run(["export", "!kitchen:example.org"]).done().stdout, exported);
}
