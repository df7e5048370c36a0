//! What programs do on the medium.

use std::ffi::{OsStr, OsString};

use crate::content::Content;
use crate::directory::{Entries, EntryChange, NodeNumber};
use crate::failure::{Failure, Result};
use crate::file::File;
use crate::medium::{Attributes, Kind, Medium, Node};

/// A node as `stat(2)` shows it.
pub(crate) struct Status {
    pub(crate) number: NodeNumber,
    pub(crate) attributes: Attributes,
    pub(crate) is_directory: bool,
    pub(crate) is_named: bool,
    pub(crate) len_bytes: u64,
    /// Blocks that take space.
    pub(crate) blocks: u64,
}

/// One line of a listing.
pub(crate) struct Listed {
    pub(crate) number: NodeNumber,
    pub(crate) is_directory: bool,
    pub(crate) name: OsString,
}

/// What a new node is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    File,
    Directory,
}

impl Medium {
    pub(crate) fn status(&mut self, number: NodeNumber) -> Result<Status> {
        let node = self.node(number)?;
        let (is_directory, len_bytes, blocks) = match &node.kind {
            Kind::File(file) => (false, file.content().len_bytes(), file.content().blocks()),
            Kind::Directory(_) => (true, 0, 0),
        };
        let (attributes, is_named) = (node.attributes, node.is_named);
        Ok(Status { number, attributes, is_directory, is_named, len_bytes, blocks })
    }

    pub(crate) fn look_up(&mut self, directory: NodeNumber, name: &OsStr) -> Result<NodeNumber> {
        self.directory(directory)?.get(name).copied().ok_or(Failure::NotFound)
    }

    /// The entries of a directory by number, so that a listing that goes on after a number misses none that stayed.
    pub(crate) fn list(&mut self, directory: NodeNumber) -> Result<Vec<Listed>> {
        let entries = self.directory(directory)?.clone();
        let listed = entries.into_iter().map(|(name, number)| {
            let is_directory = self.nodes.get(&number).is_some_and(|node| matches!(node.kind, Kind::Directory(_)));
            Listed { number, is_directory, name }
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by_key(|entry| entry.number);
        Ok(listed)
    }

    pub(crate) fn create(
        &mut self,
        directory: NodeNumber,
        name: &OsStr,
        kind: NodeKind,
        attributes: Attributes,
    ) -> Result<NodeNumber> {
        if self.directory(directory)?.contains_key(name) {
            return Err(Failure::Exists);
        }
        let number = self.number();
        let kind = match kind {
            NodeKind::File => Kind::File(File::default()),
            NodeKind::Directory => Kind::Directory(Entries::new()),
        };
        self.nodes.insert(number, Node::new(attributes, kind));
        self.change_names([(directory, name, Some(number))])?;
        Ok(number)
    }

    /// Takes the name of a file or of an empty directory.
    pub(crate) fn remove(&mut self, directory: NodeNumber, name: &OsStr, kind: NodeKind) -> Result<()> {
        let number = self.look_up(directory, name)?;
        match (&self.node(number)?.kind, kind) {
            (Kind::File(_), NodeKind::Directory) => return Err(Failure::NotDirectory),
            (Kind::Directory(_), NodeKind::File) => return Err(Failure::IsDirectory),
            (Kind::Directory(entries), _) if !entries.is_empty() => return Err(Failure::NotEmpty),
            _ => {}
        }
        self.change_names([(directory, name, None)])?;
        self.lose_name(number)
    }

    /// Moves a name, in place of what stands there if it is no full directory.
    pub(crate) fn rename(&mut self, from: (NodeNumber, &OsStr), to: (NodeNumber, &OsStr)) -> Result<()> {
        let number = self.look_up(from.0, from.1)?;
        let replaced = self.directory(to.0)?.get(to.1).copied();
        if replaced == Some(number) {
            return Ok(());
        }
        if let Some(replaced) = replaced
            && let Kind::Directory(entries) = &self.node(replaced)?.kind
            && !entries.is_empty()
        {
            return Err(Failure::NotEmpty);
        }
        self.change_names([(from.0, from.1, None), (to.0, to.1, Some(number))])?;
        replaced.map_or(Ok(()), |replaced| self.lose_name(replaced))
    }

    pub(crate) fn open(&mut self, number: NodeNumber) -> Result<()> {
        self.node(number)?.handles += 1;
        Ok(())
    }

    pub(crate) fn close(&mut self, number: NodeNumber) -> Result<()> {
        let node = self.node(number)?;
        node.handles = node.handles.saturating_sub(1);
        self.let_go(number);
        Ok(())
    }

    /// Makes a node durable: what a file holds, what names a directory holds, and with `and_its_name` the name.
    pub(crate) fn sync(&mut self, number: NodeNumber, and_its_name: bool) -> Result<()> {
        if let Kind::File(file) = &mut self.node(number)?.kind {
            file.sync();
        }
        self.names.sync(number, and_its_name);
        Ok(())
    }

    /// Blocks that take space.
    pub(crate) fn blocks(&self) -> u64 {
        let files = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::File(file) => Some(file.content()),
            Kind::Directory(_) => None,
        });
        files.map(Content::blocks).sum()
    }

    /// Changes names as one operation, for programs at once and for the medium when it is synced.
    fn change_names<const N: usize>(&mut self, changes: [(NodeNumber, &OsStr, Option<NodeNumber>); N]) -> Result<()> {
        for (directory, name, node) in changes {
            let entries = self.directory(directory)?;
            match node {
                Some(node) => entries.insert(name.to_owned(), node),
                None => entries.remove(name),
            };
        }
        let change = |(directory, name, node): (_, &OsStr, _)| EntryChange { directory, name: name.to_owned(), node };
        self.names.change(changes.map(change).into());
        Ok(())
    }

    fn lose_name(&mut self, number: NodeNumber) -> Result<()> {
        self.node(number)?.is_named = false;
        self.let_go(number);
        Ok(())
    }
}
