//! One file: what programs read, what is durable, and what happened in between.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::chance::Chance;
use crate::content::{Content, pieces};

/// Bytes that a medium writes at once.
const SECTOR_BYTES: u64 = 512;

/// The content of a file, twice: as programs see it, and as it was on the medium at the last sync.
#[derive(Default)]
pub(crate) struct File {
    volatile: Content,
    durable: Content,
    /// What turns the durable content into the volatile one, in order.
    unsynced: Vec<Change>,
}

enum Change {
    Write { offset: u64, data: Vec<u8> },
    SetLen { len_bytes: u64 },
}

impl File {
    /// A file with nothing un-synced.
    pub(crate) fn on_medium(content: Content) -> Self {
        File { volatile: content.clone(), durable: content, unsynced: Vec::new() }
    }

    /// What programs read.
    pub(crate) fn content(&self) -> &Content {
        &self.volatile
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.change(Change::Write { offset, data: data.to_vec() });
    }

    pub(crate) fn set_len(&mut self, len_bytes: u64) {
        self.change(Change::SetLen { len_bytes });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.volatile);
        self.unsynced.push(change);
    }

    /// Makes durable what is not yet.
    pub(crate) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync that failed and marked the pages clean all the same: programs still read what was written, but no later
    /// sync will write it.
    pub(crate) fn forget_unsynced(&mut self) {
        self.unsynced.clear();
    }

    /// Gives back what only programs could see, after the last of them has lost the file.
    pub(crate) fn forget_volatile(&mut self) {
        self.volatile = Content::default();
    }

    /// What a power cut leaves.
    ///
    /// The length is metadata, which file systems write in order: a prefix of its changes is kept. Data has no order
    /// between sectors: each sector is left in one of the states that it went through, or rarely torn between two of
    /// them. That is every outcome of keeping, dropping and reordering the writes of a page cache, which holds one state
    /// of a sector at a time and waits for it before it sends the next. Bytes in front of a length that was not kept are
    /// lost with it.
    pub(crate) fn survivor(&self, chance: &mut Chance) -> Content {
        let lengths = self.lengths();
        let lengths_kept = chance.prefix(lengths.len());
        let (changes_kept, len_bytes) = match lengths_kept.checked_sub(1) {
            Some(last) => (lengths[last].0 + 1, lengths[last].1),
            None => (0, self.durable.len_bytes()),
        };
        let mut left = self.durable.clone();
        let mut sectors: BTreeMap<u64, Vec<Piece<'_>>> = BTreeMap::new();
        // Past a truncation that was lost the old blocks are still the file's; what was written later went to others.
        let mut reachable_sectors = u64::MAX;
        let mut before = self.durable.len_bytes();
        for (number, change) in self.unsynced.iter().enumerate() {
            match change {
                Change::Write { offset, data } => {
                    let end = offset + data.len() as u64;
                    let mut rest = &data[..];
                    for (sector, within) in pieces(*offset..end, SECTOR_BYTES) {
                        let (new, later) = rest.split_at(within.len());
                        rest = later;
                        if sector < reachable_sectors {
                            sectors.entry(sector).or_default().push(Piece { within, new });
                        }
                    }
                    before = before.max(end);
                }
                Change::SetLen { len_bytes } => {
                    let shrinks = *len_bytes < before;
                    before = *len_bytes;
                    if shrinks && number < changes_kept {
                        left.set_len(left.len_bytes().min(*len_bytes));
                        cut_off(&mut sectors, *len_bytes);
                    } else if shrinks {
                        reachable_sectors = reachable_sectors.min(len_bytes.div_ceil(SECTOR_BYTES));
                    }
                }
            }
        }
        for (sector, states) in &sectors {
            let kept = chance.prefix(states.len());
            for piece in &states[..kept] {
                piece.apply(&mut left, *sector, SECTOR_BYTES as usize);
            }
            if let Some(next) = states.get(kept)
                && let Some(new_bytes) = chance.torn(SECTOR_BYTES)
            {
                next.apply(&mut left, *sector, new_bytes);
            }
        }
        left.set_len(len_bytes);
        left
    }

    /// The changes that gave the file another length: their numbers, and the lengths.
    fn lengths(&self) -> Vec<(usize, u64)> {
        let mut len_bytes = self.durable.len_bytes();
        let mut lengths = Vec::new();
        for (number, change) in self.unsynced.iter().enumerate() {
            let after = match change {
                Change::Write { offset, data } => len_bytes.max(offset + data.len() as u64),
                Change::SetLen { len_bytes } => *len_bytes,
            };
            if after != len_bytes {
                lengths.push((number, after));
                len_bytes = after;
            }
        }
        lengths
    }
}

impl Change {
    fn apply(&self, content: &mut Content) {
        match self {
            Change::Write { offset, data } => content.write(*offset, data),
            Change::SetLen { len_bytes } => content.set_len(*len_bytes),
        }
    }
}

/// The part of a write that lies in one sector.
struct Piece<'a> {
    within: Range<usize>,
    new: &'a [u8],
}

impl Piece<'_> {
    /// Writes as much as lies in the first bytes of the sector.
    fn apply(&self, content: &mut Content, sector: u64, first_bytes: usize) {
        let end = self.within.end.min(first_bytes);
        if let Some(len) = end.checked_sub(self.within.start) {
            content.write(sector * SECTOR_BYTES + self.within.start as u64, &self.new[..len]);
        }
    }
}

/// Takes back what was written past `len_bytes`, which a kept truncation threw away.
fn cut_off(sectors: &mut BTreeMap<u64, Vec<Piece<'_>>>, len_bytes: u64) {
    sectors.split_off(&len_bytes.div_ceil(SECTOR_BYTES));
    if let Some(states) = sectors.get_mut(&(len_bytes / SECTOR_BYTES)) {
        let end = (len_bytes % SECTOR_BYTES) as usize;
        for piece in states {
            piece.within.end = piece.within.end.clamp(piece.within.start, end.max(piece.within.start));
            piece.new = &piece.new[..piece.within.len()];
        }
    }
}
