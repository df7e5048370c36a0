//! The chance in a power cut, drawn from a seed.

/// What of the un-synced is kept. The same seed draws the same.
pub(crate) struct Chance {
    state: u64,
    /// In how many of eight draws all is kept.
    eighths: u64,
}

const NOTHING: u64 = 0;
const EVERYTHING: u64 = 8;

impl Chance {
    /// The seed 0 keeps nothing, 1 everything, any other a mixture.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance { state: seed, eighths: NOTHING };
        chance.eighths = match seed {
            0 => NOTHING,
            1 => EVERYTHING,
            _ => 1 + chance.below(EVERYTHING - 1),
        };
        chance
    }

    /// The chance for one file. In a mixture some files keep nothing and some everything: a log may be whole and the
    /// file that it belongs to old.
    pub(crate) fn for_file(&mut self) -> Chance {
        let state = self.next();
        let eighths = match self.eighths {
            NOTHING | EVERYTHING => self.eighths,
            mixed => [NOTHING, EVERYTHING, mixed, mixed][self.below(4) as usize],
        };
        Chance { state, eighths }
    }

    /// How many of `len` steps, each on top of the one before, are kept.
    pub(crate) fn prefix(&mut self, len: usize) -> usize {
        let keeps_all = self.below(EVERYTHING) < self.eighths;
        match self.eighths {
            _ if keeps_all => len,
            NOTHING => 0,
            _ => self.below(len as u64 + 1) as usize,
        }
    }

    /// How many of the first bytes of a sector of `len_bytes` are new, if it is torn. That is rare.
    pub(crate) fn torn(&mut self, len_bytes: u64) -> Option<usize> {
        let mixed = self.eighths != NOTHING && self.eighths != EVERYTHING;
        (mixed && self.below(16) == 0).then(|| 1 + self.below(len_bytes - 1) as usize)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
