//! The medium and what programs see of it: files, directories, and what of both a power cut leaves.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::chance::Chance;
use crate::directory::{Entries, Names, NodeNumber};
use crate::failure::{Failure, Result};
use crate::file::File;

/// The number of the root directory, always.
pub(crate) const ROOT: NodeNumber = 1;

/// The lowest number of all other nodes. 2 is left free, so that a listing can count `.` and `..` among the nodes.
const FIRST: NodeNumber = 3;

/// Every file and directory, as programs see them and as they are durable.
pub(crate) struct Medium {
    pub(crate) nodes: BTreeMap<NodeNumber, Node>,
    pub(crate) names: Names,
    next: NodeNumber,
    /// The first number given since power came on. A lower one belongs to a handle from before the cut.
    first: NodeNumber,
    /// The number of nodes at which those that nobody needs are looked for.
    sweep_at: usize,
}

/// A file or directory.
pub(crate) struct Node {
    pub(crate) attributes: Attributes,
    pub(crate) kind: Kind,
    /// Whether programs see it under a name.
    pub(crate) is_named: bool,
    /// Open handles.
    pub(crate) handles: u64,
}

pub(crate) enum Kind {
    File(File),
    Directory(Entries),
}

/// What a node has besides its content. A change is durable at once.
#[derive(Clone, Copy)]
pub(crate) struct Attributes {
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// When a program said that the file was modified. Writes do not move it: nothing here depends on the clock, and a
    /// kernel that saw it move would throw away the pages it has cached, those in mapped memory too.
    pub(crate) modified: SystemTime,
}

impl Node {
    pub(crate) fn new(attributes: Attributes, kind: Kind) -> Self {
        Node { attributes, kind, is_named: true, handles: 0 }
    }

    /// Whether a program can still read it.
    pub(crate) fn is_used(&self) -> bool {
        self.is_named || self.handles > 0
    }
}

impl Medium {
    /// An empty root directory.
    pub(crate) fn new(root: Attributes) -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::new(root, Kind::Directory(Entries::new())))]);
        Medium { nodes, names: Names::default(), next: FIRST, first: FIRST, sweep_at: 0 }
    }

    /// What a power cut leaves, under new numbers: whatever a kernel still knows of the old ones, it cannot mistake it
    /// for the new.
    pub(crate) fn survivor(&self, seed: u64) -> Medium {
        let mut chance = Chance::new(seed);
        let names = self.names.survivor(&mut chance);
        let (mut nodes, mut durable, mut next) = (BTreeMap::new(), BTreeMap::new(), self.next);
        let mut open = vec![(ROOT, ROOT)];
        while let Some((old, new)) = open.pop() {
            let Some(node) = self.nodes.get(&old) else { continue };
            let kind = match &node.kind {
                Kind::File(file) => Kind::File(File::on_medium(file.survivor(&mut chance.for_file()))),
                Kind::Directory(_) => {
                    let mut entries = Entries::new();
                    for (name, child) in names.get(&old).into_iter().flatten() {
                        entries.insert(name.clone(), next);
                        open.push((*child, next));
                        next += 1;
                    }
                    durable.insert(new, entries.clone());
                    Kind::Directory(entries)
                }
            };
            nodes.insert(new, Node::new(node.attributes, kind));
        }
        Medium { nodes, names: Names::on_medium(durable), next, first: self.next, sweep_at: 0 }
    }

    /// A number that no node had.
    pub(crate) fn number(&mut self) -> NodeNumber {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn node(&mut self, number: NodeNumber) -> Result<&mut Node> {
        let is_old = number != ROOT && number < self.first;
        self.nodes.get_mut(&number).ok_or(if is_old { Failure::InputOutput } else { Failure::Stale })
    }

    pub(crate) fn file(&mut self, number: NodeNumber) -> Result<&mut File> {
        match &mut self.node(number)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Directory(_) => Err(Failure::IsDirectory),
        }
    }

    pub(crate) fn directory(&mut self, number: NodeNumber) -> Result<&mut Entries> {
        match &mut self.node(number)?.kind {
            Kind::Directory(entries) => Ok(entries),
            Kind::File(_) => Err(Failure::NotDirectory),
        }
    }

    /// Gives back the space of a node that no program can read any more. The medium may still need it.
    pub(crate) fn let_go(&mut self, number: NodeNumber) {
        match self.nodes.get_mut(&number) {
            Some(node) if !node.is_used() => {
                if let Kind::File(file) = &mut node.kind {
                    file.forget_volatile();
                }
            }
            _ => return,
        }
        if self.nodes.len() >= self.sweep_at {
            self.sweep();
            self.sweep_at = 2 * self.nodes.len() + 64;
        }
    }

    /// Forgets the nodes that neither programs nor the medium need.
    fn sweep(&mut self) {
        let used = self.nodes.iter().filter(|(_, node)| node.is_used()).map(|(number, _)| *number);
        let needed = self.names.reachable(used);
        self.nodes.retain(|number, _| needed.contains(number));
        self.names.retain(&needed);
    }
}
