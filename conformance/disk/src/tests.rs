//! The model without a mount: what a cut may leave of any history.

use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use proptest::prelude::*;

use crate::chance::Chance;
use crate::directory::NodeNumber;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::file::File;
use crate::machine::{Changes, Machine};
use crate::medium::{Attributes, ROOT};
use crate::operations::NodeKind;
use crate::options::Options;

const SECTOR: usize = 512;
const ROOT_ATTRIBUTES: Attributes = Attributes { mode: 0o755, uid: 0, gid: 0, modified: SystemTime::UNIX_EPOCH };

#[derive(Clone, Debug)]
enum Step {
    Write { offset: usize, len: usize },
    SetLen(usize),
    Sync,
}

fn steps(with_lengths: bool) -> impl Strategy<Value = Vec<Step>> {
    let write = (0..5_000usize, 1..3_000usize).prop_map(|(offset, len)| Step::Write { offset, len });
    let set_len = (0..5_000usize).prop_map(Step::SetLen);
    let lengths = if with_lengths { 2 } else { 0 };
    let step = prop_oneof![6 => write, lengths => set_len, 1 => Just(Step::Sync)];
    prop::collection::vec(step, 1..20)
}

/// Runs the steps, each with bytes of its own. The file, and the states that it had since the last sync.
fn run(steps: &[Step]) -> (File, Vec<Vec<u8>>) {
    let (mut file, mut states) = (File::default(), vec![Vec::new()]);
    for (step, byte) in steps.iter().zip(1..) {
        let mut state = states.last().expect("there is a first state").clone();
        match step {
            Step::Write { offset, len } => {
                file.write(*offset as u64, &vec![byte; *len]);
                state.resize(state.len().max(offset + len), 0);
                state[*offset..offset + len].fill(byte);
            }
            Step::SetLen(len) => {
                file.set_len(*len as u64);
                state.resize(*len, 0);
            }
            Step::Sync => {
                file.sync();
                states.clear();
            }
        }
        states.push(state);
    }
    (file, states)
}

fn seeds() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0u64), 1 => Just(1u64), 6 => any::<u64>()]
}

fn byte(state: &[u8], at: usize) -> u8 {
    state.get(at).copied().unwrap_or_default()
}

proptest! {
    #[test]
    fn every_byte_left_was_there_since_the_sync(steps in steps(true), seed in 2..u64::MAX) {
        let (file, states) = run(&steps);
        let survivor = |seed| file.survivor(&mut Chance::new(seed)).read(0, u64::MAX);
        prop_assert_eq!(&survivor(0), &states[0]);
        prop_assert_eq!(&survivor(1), states.last().expect("there is a last state"));
        let left = survivor(seed);
        prop_assert_eq!(&left, &survivor(seed), "the same seed leaves the same");
        prop_assert!(states.iter().any(|state| state.len() == left.len()));
        for (at, found) in left.iter().enumerate() {
            prop_assert!(states.iter().any(|state| byte(state, at) == *found), "byte {}", at);
        }
    }

    #[test]
    fn a_sector_is_in_one_state_or_torn_between_two(steps in steps(false), seed in seeds()) {
        let (file, states) = run(&steps);
        let left = file.survivor(&mut Chance::new(seed)).read(0, u64::MAX);
        for start in (0..left.len()).step_by(SECTOR) {
            let sector = start..left.len().min(start + SECTOR);
            let is_one = |old: &[u8], new: &[u8]| {
                let torn_at = sector.clone().find(|at| left[*at] != byte(new, *at)).unwrap_or(sector.end);
                (torn_at..sector.end).all(|at| left[at] == byte(old, at))
            };
            let pairs = states.iter().zip(states.iter().skip(1).chain(states.last()));
            prop_assert!(pairs.into_iter().any(|(old, new)| is_one(old, new)), "sector at {}", start);
        }
    }
}

#[test]
fn sectors_are_kept_dropped_reordered_and_torn() {
    let mut file = File::default();
    file.write(0, &[1; 4 * SECTOR]);
    file.sync();
    file.write(0, &[2; 2 * SECTOR]);
    file.write(2 * SECTOR as u64, &[3; 2 * SECTOR]);
    let (mut split, mut reordered, mut torn) = (0, 0, 0);
    for seed in 2..1_000 {
        let left = file.survivor(&mut Chance::new(seed)).read(0, u64::MAX);
        let sectors: Vec<_> = left.chunks(SECTOR).collect();
        let is_new = |sector: &[u8]| sector.iter().all(|byte| *byte != 1);
        let is_old = |sector: &[u8]| sector.iter().all(|byte| *byte == 1);
        split += u32::from(is_new(sectors[0]) && is_old(sectors[1]));
        reordered += u32::from(is_old(sectors[0]) && is_new(sectors[3]));
        torn += u32::from(sectors.iter().any(|sector| !is_old(sector) && !is_new(sector)));
    }
    assert!(split > 50 && reordered > 50 && torn > 20, "{split} split, {reordered} reordered, {torn} torn");
}

#[test]
fn what_was_written_after_a_truncation_is_not_kept_without_it() {
    let mut file = File::default();
    file.write(0, &[1; 4 * SECTOR]);
    file.sync();
    file.set_len(0);
    file.write(0, &[2; 4 * SECTOR]);
    let (mut old, mut empty, mut new) = (0, 0, 0);
    for seed in 2..500 {
        let left = file.survivor(&mut Chance::new(seed)).read(0, u64::MAX);
        match left.first() {
            None => empty += 1,
            Some(1) => old += u32::from(left == [1; 4 * SECTOR]),
            Some(_) => new += u32::from(left.len() == 4 * SECTOR && !left.contains(&1)),
        }
    }
    assert_eq!(old + empty + new, 498, "{old} old, {empty} empty, {new} new");
    assert!(old > 50 && empty > 5 && new > 50, "{old} old, {empty} empty, {new} new");
}

#[test]
fn what_a_failed_sync_forgot_no_later_sync_writes() {
    let mut file = File::default();
    file.write(0, b"first");
    file.forget_unsynced();
    file.write(5, b"second");
    file.sync();
    assert_eq!(file.content().read(0, 100), b"firstsecond", "programs still read it");
    assert_eq!(file.survivor(&mut Chance::new(1)).read(0, 100), b"\0\0\0\0\0second");
}

/// What a program does with names in two directories.
#[derive(Clone, Debug)]
enum NameStep {
    Rename { from: usize, to: usize },
    Create(usize),
    Remove(usize),
    SyncDirectory(usize),
    SyncFile,
}

/// Three names in each of the two directories.
const PLACES: usize = 6;

fn name_steps() -> impl Strategy<Value = Vec<NameStep>> {
    let step = prop_oneof![
        6 => (0..PLACES, 0..PLACES).prop_map(|(from, to)| NameStep::Rename { from, to }),
        2 => (0..PLACES).prop_map(NameStep::Create),
        2 => (0..PLACES).prop_map(NameStep::Remove),
        1 => (0..2usize).prop_map(NameStep::SyncDirectory),
        1 => Just(NameStep::SyncFile),
    ];
    prop::collection::vec(step, 0..25)
}

/// A machine with the directories `0` and `1`, and in the first a file `0` that is durable with its name.
fn machine_with_names(names_sync_with_file: bool) -> (Machine, [NodeNumber; 2]) {
    let mut machine = Machine::new(&Options { names_sync_with_file, ..Options::default() }, ROOT_ATTRIBUTES);
    let mut create = |directory, name: &str, kind| {
        machine.create(directory, OsStr::new(name), kind, ROOT_ATTRIBUTES).expect("the name is free").number
    };
    let directories = ["0", "1"].map(|name| create(ROOT, name, NodeKind::Directory));
    let file = create(directories[0], "0", NodeKind::File);
    machine.write(file, 0, b"content").expect("there is space");
    for node in [file, directories[0], directories[1], ROOT] {
        machine.sync(node).expect("the disk is well");
    }
    (machine, directories)
}

fn place(directories: [NodeNumber; 2], place: usize) -> (NodeNumber, OsString) {
    (directories[place % 2], (place / 2).to_string().into())
}

/// In which places there are files with content, and in which without.
fn found(machine: &mut Machine) -> (Vec<usize>, Vec<usize>) {
    let directories = ["0", "1"].map(|name| machine.look_up(ROOT, OsStr::new(name)).expect("it was synced").number);
    let mut found = (Vec::new(), Vec::new());
    for number in 0..PLACES {
        let (directory, name) = place(directories, number);
        match machine.look_up(directory, &name) {
            Ok(status) if status.len_bytes > 0 => found.0.push(number),
            Ok(_) => found.1.push(number),
            Err(failure) => assert_eq!(failure, Failure::NotFound),
        }
    }
    found
}

proptest! {
    #[test]
    fn a_durable_file_has_one_name_after_any_cut(steps in name_steps(), with_file: bool, seed in seeds()) {
        let (mut machine, directories) = machine_with_names(with_file);
        let mut at = 0;
        let mut possible = vec![0];
        for step in steps {
            match step {
                NameStep::Rename { from, to } if to != at || from == at => {
                    let (from_place, to_place) = (place(directories, from), place(directories, to));
                    let renamed = machine.rename((from_place.0, &from_place.1), (to_place.0, &to_place.1));
                    if renamed.is_ok() && from == at {
                        at = to;
                        possible.push(at);
                    }
                }
                NameStep::Create(number) => {
                    let (directory, name) = place(directories, number);
                    let created = machine.create(directory, &name, NodeKind::File, ROOT_ATTRIBUTES);
                    prop_assert!(created.is_ok() || created.is_err_and(|failure| failure == Failure::Exists));
                }
                NameStep::Remove(number) if number != at => {
                    let (directory, name) = place(directories, number);
                    let removed = machine.remove(directory, &name, NodeKind::File);
                    prop_assert!(removed.is_ok() || removed == Err(Failure::NotFound));
                }
                NameStep::SyncDirectory(number) => {
                    prop_assert_eq!(machine.sync(directories[number]), Ok(()));
                    if number == at % 2 {
                        possible = vec![at];
                    }
                }
                NameStep::SyncFile => {
                    let (directory, name) = place(directories, at);
                    let number = machine.look_up(directory, &name).expect("the file is there").number;
                    prop_assert_eq!(machine.sync(number), Ok(()));
                    if with_file {
                        possible = vec![at];
                    }
                }
                NameStep::Rename { .. } | NameStep::Remove(_) => {}
            }
        }
        let before = found(&mut machine);
        machine.cut(seed);
        machine.power_on();
        let after = found(&mut machine);
        prop_assert_eq!(after.0.len(), 1, "the file is under {:?}", after.0);
        prop_assert!(possible.contains(&after.0[0]), "{} is none of {:?}", after.0[0], possible);
        if seed == 1 {
            prop_assert_eq!(before, after);
        }
    }
}

#[test]
fn a_prefix_of_the_operations_on_names_is_kept() {
    let mut lengths = [0; 5];
    for seed in 0..300 {
        let mut machine = Machine::new(&Options::default(), ROOT_ATTRIBUTES);
        for name in ["0", "1", "2", "3"] {
            machine.create(ROOT, OsStr::new(name), NodeKind::File, ROOT_ATTRIBUTES).expect("the name is free");
        }
        machine.cut(seed);
        machine.power_on();
        let left = machine.list(ROOT, 1).expect("the handle is of this boot");
        assert!(left.iter().zip(["0", "1", "2", "3"]).all(|(entry, name)| entry.name == name), "no prefix is left");
        lengths[left.len()] += 1;
    }
    assert!(lengths.iter().all(|count| *count > 5), "{lengths:?}");
}

#[test]
fn what_nobody_needs_is_forgotten_and_what_the_medium_needs_is_not() {
    let mut machine = Machine::new(&Options { capacity_bytes: Some(1 << 20), ..Options::default() }, ROOT_ATTRIBUTES);
    let (name, free) = (OsStr::new("log"), machine.space());
    for round in 0..1_000u64 {
        let file = machine.create(ROOT, name, NodeKind::File, ROOT_ATTRIBUTES).expect("the name is free").number;
        machine.open(file).expect("it is there");
        machine.write(file, 0, &round.to_be_bytes()).expect("there is space");
        machine.sync(file).expect("the disk is well");
        machine.remove(ROOT, name, NodeKind::File).expect("it is there");
        assert_eq!(machine.read(file, 0, 8), Ok(round.to_be_bytes().to_vec()), "it is open");
        machine.close(file).expect("it was open");
        assert_eq!(machine.space(), free);
    }
    assert!(machine.nodes() < 300, "{} nodes", machine.nodes());
    machine.cut(0);
    machine.power_on();
    let file = machine.look_up(ROOT, name).expect("its removal was not synced").number;
    assert_eq!(machine.read(file, 0, 8), Ok(999u64.to_be_bytes().to_vec()));
}

#[test]
fn faults_do_as_they_say() {
    let mut machine = Machine::new(&Options::default(), ROOT_ATTRIBUTES);
    let file = machine.create(ROOT, OsStr::new("file"), NodeKind::File, ROOT_ATTRIBUTES).expect("it is new").number;
    machine.write(file, 0, &[1; 1000]).expect("there is space");

    machine.fault = Fault::NoSpace;
    assert_eq!(machine.write(file, 500, &[2; 500]), Ok(()), "overwriting takes no space");
    assert_eq!(machine.write(file, 500, &[2; 501]), Err(Failure::NoSpace));
    let longer = Changes { len_bytes: Some(10_000), ..Changes::default() };
    assert!(machine.change(file, &longer).is_ok(), "a hole takes no space");
    assert_eq!(machine.write(file, 5_000, &[2]), Err(Failure::NoSpace), "a hole is filled");
    let created = machine.create(ROOT, OsStr::new("other"), NodeKind::File, ROOT_ATTRIBUTES);
    assert_eq!(created.err(), Some(Failure::NoSpace));
    machine.fault = Fault::None;
    assert_eq!(machine.write(file, 5_000, &[2]), Ok(()));

    machine.fault = Fault::IoError { after: 2 };
    assert_eq!(machine.write(file, 0, &[3]), Ok(()));
    assert_eq!(machine.sync(file), Ok(()));
    assert_eq!(machine.sync(file), Err(Failure::InputOutput));
    assert_eq!(machine.write(file, 0, &[3]), Err(Failure::InputOutput));
    assert_eq!(machine.remove(ROOT, OsStr::new("file"), NodeKind::File), Err(Failure::InputOutput));
    assert_eq!(machine.read(file, 0, 1), Ok(vec![3]));

    machine.fault = Fault::SyncError { after: 1, retried: true };
    assert_eq!([(); 3].map(|()| machine.sync(file)), [Ok(()), Err(Failure::InputOutput), Ok(())]);

    for (retried, left) in [(false, 3), (true, 5)] {
        machine.fault = Fault::None;
        let file = machine.look_up(ROOT, OsStr::new("file")).expect("it is durable").number;
        machine.write(file, 0, &[5]).expect("the disk is well");
        machine.fault = Fault::SyncError { after: 0, retried };
        assert_eq!(machine.sync(file), Err(Failure::InputOutput));
        assert_eq!(machine.sync(file), Ok(()));
        machine.cut(1);
        assert_eq!(machine.read(file, 0, 1), Err(Failure::InputOutput));
        machine.power_on();
        assert_eq!(machine.read(file, 0, 1), Err(Failure::InputOutput), "the handle is of before the cut");
        let file = machine.look_up(ROOT, OsStr::new("file")).expect("it is durable").number;
        assert_eq!(machine.read(file, 0, 1), Ok(vec![left]));
    }
}
