//! The first bytes of a file of redb, as drawn in its design document: read before the engine sees the file.

use std::fs::File;
use std::io::{Read, Result};

const MAGIC: &[u8; 9] = b"redb\x1A\x0A\xA9\x0D\x0A";
const HEADER_BYTES: usize = 320;
const RECOVERY_REQUIRED: u8 = 2;
const FLAGS_AT: usize = 9;
const PAGE_BYTES_AT: usize = 12;
const REGION_HEADER_PAGES_AT: usize = 16;
const REGION_PAGES_AT: usize = 20;
const FULL_REGIONS_AT: usize = 24;
const LAST_REGION_PAGES_AT: usize = 28;
const SLOT_VERSIONS_AT: [usize; 2] = [64, 192];
const SLOT_VERSION_MAX: u8 = 3;

/// What the first bytes tell.
pub(crate) enum Look {
    /// A file of redb.
    Header(Header),
    /// Not a file of redb.
    Foreign,
    /// The beginning of one, too short to be whole.
    Cut,
    /// A file of a later version of redb.
    Newer,
}

/// What must be known before the engine opens the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// The file was not closed, and is shorter than it once was. A crash while it shrank leaves that, and so does somebody
    /// who cuts it: only a check of every page tells.
    pub(crate) doubtful: bool,
}

impl Header {
    /// Reads the beginning of `file`, which is not empty.
    pub(crate) fn read(file: &mut File) -> Result<Look> {
        let len = file.metadata()?.len();
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        file.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
        let magic = bytes.len().min(MAGIC.len());
        if bytes[..magic] != MAGIC[..magic] {
            return Ok(Look::Foreign);
        }
        if bytes.len() < HEADER_BYTES {
            return Ok(Look::Cut);
        }
        if SLOT_VERSIONS_AT.iter().all(|at| bytes[*at] > SLOT_VERSION_MAX) {
            return Ok(Look::Newer);
        }
        let unclosed = bytes[FLAGS_AT] & RECOVERY_REQUIRED != 0;
        Ok(Look::Header(Header { doubtful: unclosed && len < recorded_len(&bytes) }))
    }
}

/// The length that the file had when its layout was last recorded.
fn recorded_len(header: &[u8]) -> u64 {
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&header[at..at + 4]);
        u64::from(u32::from_le_bytes(bytes))
    };
    let region_header = number(REGION_HEADER_PAGES_AT);
    let full = number(FULL_REGIONS_AT).saturating_mul(region_header + number(REGION_PAGES_AT));
    let last = match number(LAST_REGION_PAGES_AT) {
        0 => 0,
        pages => region_header + pages,
    };
    full.saturating_add(last + 1).saturating_mul(number(PAGE_BYTES_AT))
}
