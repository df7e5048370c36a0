//! Names: what is durable of them, and the operations on directories that are not yet.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use crate::chance::Chance;

/// The number of a file or directory. It is never used again, also not after a power cut.
pub(crate) type NodeNumber = u64;

/// The names in a directory.
pub(crate) type Entries = BTreeMap<OsString, NodeNumber>;

/// The names of all directories, as far as the medium knows them.
#[derive(Default)]
pub(crate) struct Names {
    durable: BTreeMap<NodeNumber, Entries>,
    unsynced: Vec<NameChange>,
}

/// One operation: all its entries change or none. A rename changes two.
pub(crate) type NameChange = Vec<EntryChange>;

/// That a name in a directory now stands for another node, or for none.
pub(crate) struct EntryChange {
    pub(crate) directory: NodeNumber,
    pub(crate) name: OsString,
    pub(crate) node: Option<NodeNumber>,
}

impl Names {
    /// Names that are all durable.
    pub(crate) fn on_medium(durable: BTreeMap<NodeNumber, Entries>) -> Self {
        Names { durable, unsynced: Vec::new() }
    }

    pub(crate) fn change(&mut self, change: NameChange) {
        self.unsynced.push(change);
    }

    /// Makes durable the operations in the directory `node`; `and_its_own` also those that gave the node its name.
    ///
    /// What these build on becomes durable before them: earlier operations in directories that they touch, and with
    /// `and_its_own` the names of these directories.
    pub(crate) fn sync(&mut self, node: NodeNumber, and_its_own: bool) {
        let mut wanted = BTreeSet::from([node]);
        let mut synced = Vec::new();
        let mut rest = Vec::new();
        for change in self.unsynced.drain(..).rev() {
            let names_wanted = |entry: &EntryChange| entry.node.is_some_and(|node| wanted.contains(&node));
            let touches = |entry: &EntryChange| wanted.contains(&entry.directory) || and_its_own && names_wanted(entry);
            if change.iter().any(touches) {
                wanted.extend(change.iter().map(|entry| entry.directory));
                synced.push(change);
            } else {
                rest.push(change);
            }
        }
        self.unsynced = rest.into_iter().rev().collect();
        for change in synced.iter().rev() {
            apply(change, &mut self.durable);
        }
    }

    /// What a power cut leaves: of the operations that are not durable a prefix.
    pub(crate) fn survivor(&self, chance: &mut Chance) -> BTreeMap<NodeNumber, Entries> {
        let mut left = self.durable.clone();
        for change in &self.unsynced[..chance.prefix(self.unsynced.len())] {
            apply(change, &mut left);
        }
        left
    }

    /// Every node that the medium may still need, with those in `used` and all below them.
    pub(crate) fn reachable(&self, used: impl Iterator<Item = NodeNumber>) -> BTreeSet<NodeNumber> {
        let changes = self.unsynced.iter().flatten();
        let mut open: Vec<_> = changes.flat_map(|entry| entry.node.into_iter().chain([entry.directory])).collect();
        open.extend(used);
        let mut found = BTreeSet::new();
        while let Some(node) = open.pop() {
            if found.insert(node) {
                open.extend(self.durable.get(&node).into_iter().flat_map(Entries::values));
            }
        }
        found
    }

    /// Forgets the directories that are not in `nodes`.
    pub(crate) fn retain(&mut self, nodes: &BTreeSet<NodeNumber>) {
        self.durable.retain(|directory, _| nodes.contains(directory));
    }
}

fn apply(change: &NameChange, names: &mut BTreeMap<NodeNumber, Entries>) {
    for EntryChange { directory, name, node } in change {
        let entries = names.entry(*directory).or_default();
        match node {
            Some(node) => entries.insert(name.clone(), *node),
            None => entries.remove(name),
        };
    }
}
