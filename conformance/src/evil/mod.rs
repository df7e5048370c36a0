//! An evil store: what somebody can do who writes to an encrypted store's file and does not have its key.
//!
//! Each attack is plain operations on the raw rows of the store *below* the encryption layer, on any backend: a name, what it
//! does, and the typed error that must come of it, everywhere it must show. None of it knows the layer: what it needs of the
//! bytes is what `docs/format.md` draws, as an attacker has read it too.
//!
//! Whoever has a layer to prove makes a [`Scene`] with it, strikes, and demands what the attack names. What cannot be seen is
//! in [`undetected`], so that the documentation of it stays true.

mod catalog;
mod envelopes;
mod header;
mod keyring;
mod links;
mod moved;
mod scene;
mod slots;
mod stores;
mod undetected;

use std::fmt::{self, Debug};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use strongroom_core::store::{Batch, Content, LinkTo, Store, StoredKey, Write};

use crate::{Checked, Failure};

pub use scene::{
    CANARY, Draft, Keys, Letter, RECORDS, RawRows, STRUCK, Scene, as_write, draft, letter, older_letter, open, put,
    read, replace, room, schema, tag,
};
pub use undetected::{Undetected, undetected};

/// The label of the first slot in the scene: a passphrase, derived with 8 MiB and 2 passes.
pub const MAIN: &str = "main";

/// The label of the second and last slot in the scene: a raw key.
pub const SPARE: &str = "spare";

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// Its name, in snake case: unique.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub does: &'static str,
    /// Where it must show, and as what.
    pub shows: &'static [Shows],
    /// Does it.
    pub strike: Strike,
}

/// Does something to the raw rows.
pub type Strike = for<'e> fn(Evil<'e>) -> LocalBoxFuture<'e, Checked>;

/// Where an attack must show, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shows {
    /// Where.
    pub way: Way,
    /// The name of the variant of the layer's error; of core's `ErrorKind` where core itself refuses it.
    pub error: &'static str,
}

/// What is tried after an attack. It fails, and what is not named here is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The layer is opened with the passphrase of the slot [`MAIN`].
    Open,
    /// The layer is opened with the key of the slot [`SPARE`].
    OpenBySpare,
    /// The layer is opened with a passphrase, and then with a key, that no slot has.
    OpenByStranger,
    /// The layer is opened with the passphrase of the attacker's own store.
    OpenByOther,
    /// The database is opened over the store below, without the layer.
    OpenPlain,
    /// The database is opened over the layer, which opens.
    Database,
    /// The store was open all the time, and a record is written.
    Write,
    /// The store was open all the time, and is asked for its slots.
    Slots,
    /// The store was open all the time, and takes another key for its values.
    Rotate,
    /// The store was open all the time, is locked, and is unlocked with the passphrase.
    Unlock,
    /// Letters are read: by key, in a transaction, in a snapshot, in pages by primary key and by time. These fail.
    Letters(&'static [u32]),
    /// Letters are looked up by their unique handle. These fail.
    Handles(&'static [u32]),
    /// A page of an index that holds all letters: so many of its entries fail, and these letters are in none of the others.
    Page(Order, usize, &'static [u32]),
    /// A row that was written past the typed database is read from the layer.
    Row(RawRow),
    /// `verify` names a problem. It gives no typed error, so the one here does not count.
    Verify,
}

/// An index that holds all letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the room and time.
    Time,
    /// By the tag that all have.
    Tag,
}

/// A row that was written past the typed database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawRow {
    /// The first of the two that were stamped under one prefix.
    Stamped,
    /// The one under a key of its own.
    Plain,
}

/// What an attack works with. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Evil<'e> {
    /// The store below the layer, which holds the rows of `scene`.
    pub raw: &'e Arc<dyn Store>,
    /// The store under attack.
    pub scene: &'e Scene,
    /// Another store, which has the same passphrase.
    pub twin: &'e Scene,
    /// Another store, whose passphrase is the attacker's own, and whose values were sealed with its second key.
    pub other: &'e Scene,
}

impl<'e> Evil<'e> {
    /// Changes the value under a key.
    fn change(self, key: &'e StoredKey, change: fn(&mut Vec<u8>)) -> LocalBoxFuture<'e, Checked> {
        Box::pin(async move {
            let mut value = self.scene.value(key)?;
            change(&mut value);
            put(&**self.raw, key.clone(), value).await
        })
    }

    /// Changes the record that most attacks are about.
    fn change_record(self, change: fn(&mut Vec<u8>)) -> LocalBoxFuture<'e, Checked> {
        self.change(&self.struck().record, change)
    }

    /// Changes the header.
    fn change_header(self, change: fn(&mut Vec<u8>)) -> LocalBoxFuture<'e, Checked> {
        self.change(&self.scene.header, change)
    }

    /// Changes the keyring.
    fn change_keyring(self, change: fn(&mut Vec<u8>)) -> LocalBoxFuture<'e, Checked> {
        self.change(&self.scene.keyring, change)
    }

    /// Puts the value `from` of `scene`, which may be another one, under the key `to`.
    async fn copy(self, scene: &Scene, from: &StoredKey, to: &StoredKey) -> Checked {
        put(&**self.raw, to.clone(), scene.value(from)?).await
    }

    /// Writes one row, or removes it.
    async fn write(self, key: &StoredKey, write: Write) -> Checked {
        scene::commit(&**self.raw, Batch { writes: [(key.clone(), write)].into(), ..Batch::default() }).await
    }

    /// Makes a row a link to a key.
    async fn link(self, key: &StoredKey, target: &StoredKey) -> Checked {
        self.write(key, Write::Link(LinkTo::Key(target.clone()))).await
    }

    /// Removes rows.
    async fn delete(self, keys: &[&StoredKey]) -> Checked {
        let writes = keys.iter().map(|key| ((*key).clone(), Write::Delete)).collect();
        scene::commit(&**self.raw, Batch { writes, ..Batch::default() }).await
    }

    /// The keys of the record that most attacks are about.
    fn struck(self) -> &'e Keys {
        &self.scene.letters[STRUCK as usize]
    }

    /// The keys of the letter after it.
    fn neighbour(self) -> &'e Keys {
        &self.scene.letters[STRUCK as usize + 1]
    }
}

/// The key that a raw row links to.
fn target(rows: &RawRows, key: &StoredKey) -> Checked<StoredKey> {
    match rows.get(key) {
        Some(Content::Link(target)) => Ok(target.clone()),
        _ => Err(Failure::new("no link")),
    }
}

impl Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {:?}", self.name, self.does, self.shows)
    }
}

const fn shows(way: Way, error: &'static str) -> Shows {
    Shows { way, error }
}

/// Every attack that is refused.
pub fn all() -> Vec<Attack> {
    [envelopes::ALL, moved::ALL, links::ALL, catalog::ALL, header::ALL, slots::ALL, keyring::ALL, stores::ALL].concat()
}
