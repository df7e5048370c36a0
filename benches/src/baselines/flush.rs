//! A write to the medium alone: one page and `fdatasync`.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes that are written before each flush: a page.
const PAGE: [u8; 4_096] = [7; 4_096];
/// Pages of the file, which is never longer: so no flush has to write the file's new length.
const PAGES: u64 = 256;

/// A file that is written and flushed.
#[derive(Debug)]
pub struct Flush {
    file: File,
    flushes: u64,
}

impl Flush {
    /// In a new file.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn new(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        for _ in 0..PAGES {
            file.write_all(&PAGE)?;
        }
        file.sync_all()?;
        Ok(Flush { file, flushes: 0 })
    }

    /// Writes a page and waits until it is on the medium.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        self.file.seek(SeekFrom::Start(self.flushes % PAGES * PAGE.len() as u64))?;
        self.file.write_all(&PAGE)?;
        self.file.sync_data()
    }
}
