//! A file that is only read: what is written to it stays in memory.
//!
//! Opening a file with redb writes to it, and repairs it first if it was not closed. A file that turns out to be damaged,
//! newer or somebody else's must stay as it is, so it is opened over this at first.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

type Result<T, E = Error> = std::result::Result<T, E>;

const PAGE_BYTES: u64 = 4096;

/// Reads pass through to `file`, writes stay here, locks are the file's.
pub(crate) struct Overlay<B> {
    file: B,
    state: Mutex<State>,
}

struct State {
    len: u64,
    /// Bytes from here on are not the file's any more: it was cut, and maybe extended with zeros.
    file_end: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl<B: StorageBackend> Overlay<B> {
    /// Over a file as it is now.
    pub(crate) fn new(file: B) -> Result<Self> {
        let len = file.len()?;
        Ok(Overlay { file, state: Mutex::new(State { len, file_end: len, pages: BTreeMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self, state: &State, page: u64) -> Result<Vec<u8>> {
        if let Some(bytes) = state.pages.get(&page) {
            return Ok(bytes.clone());
        }
        let start = page * PAGE_BYTES;
        let mut bytes = vec![0; PAGE_BYTES as usize];
        let in_file = state.file_end.saturating_sub(start).min(PAGE_BYTES) as usize;
        if in_file > 0 {
            self.file.read(start, &mut bytes[..in_file])?;
        }
        Ok(bytes)
    }
}

/// Splits `bytes` bytes from `offset` on into parts of one page each: page, offset in it, offset in the whole, length.
fn parts(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE_BYTES) as usize;
        let part = (PAGE_BYTES as usize - within).min(bytes - done);
        let start = done;
        done += part;
        (part > 0).then_some((at / PAGE_BYTES, within, start, part))
    })
}

fn within(state: &State, offset: u64, bytes: usize) -> Result<()> {
    match offset.checked_add(bytes as u64) {
        Some(end) if end <= state.len => Ok(()),
        _ => Err(Error::new(ErrorKind::UnexpectedEof, "beyond the end of the file")),
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let state = self.state();
        within(&state, offset, out.len())?;
        for (page, at, start, bytes) in parts(offset, out.len()) {
            out[start..start + bytes].copy_from_slice(&self.page(&state, page)?[at..at + bytes]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.state();
        state.file_end = state.file_end.min(len);
        if len < state.len {
            state.pages.split_off(&len.div_ceil(PAGE_BYTES));
            if let Some(last) = state.pages.get_mut(&(len / PAGE_BYTES)) {
                last[(len % PAGE_BYTES) as usize..].fill(0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut state = self.state();
        within(&state, offset, data.len())?;
        for (page, at, start, bytes) in parts(offset, data.len()) {
            let mut changed = self.page(&state, page)?;
            changed[at..at + bytes].copy_from_slice(&data[start..start + bytes]);
            state.pages.insert(page, changed);
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

impl<B> fmt::Debug for Overlay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overlay")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A file that a test can look at while an overlay has it.
    #[derive(Clone, Debug)]
    struct Shared(Arc<InMemoryBackend>);

    impl StorageBackend for Shared {
        fn len(&self) -> Result<u64> {
            self.0.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
            self.0.read(offset, out)
        }

        fn set_len(&self, len: u64) -> Result<()> {
            self.0.set_len(len)
        }

        fn sync_data(&self) -> Result<()> {
            self.0.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
            self.0.write(offset, data)
        }
    }

    fn content(file: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read(0, &mut bytes).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn it_reads_like_a_file_that_was_written_and_leaves_the_file_alone(
            first in 0_usize..20_000,
            steps in vec((0_usize..20_000, 0_usize..9_000, any::<bool>()), 0..12),
        ) {
            let file = Shared(Arc::new(InMemoryBackend::new()));
            file.set_len(first as u64).unwrap();
            file.write(0, &vec![1; first]).unwrap();
            let overlay = Overlay::new(file.clone()).unwrap();
            let mut expected = vec![1; first];
            for (step, (at, bytes, resize)) in steps.into_iter().enumerate() {
                if resize {
                    overlay.set_len(at as u64).unwrap();
                    expected.resize(at, 0);
                } else {
                    let data = vec![step as u8 + 2; bytes];
                    let written = overlay.write(at as u64, &data);
                    prop_assert_eq!(written.is_ok(), at + bytes <= expected.len());
                    if written.is_ok() {
                        expected[at..at + bytes].copy_from_slice(&data);
                    }
                    let mut part = vec![0; bytes];
                    prop_assert_eq!(overlay.read(at as u64, &mut part).is_ok(), at + bytes <= expected.len());
                }
                prop_assert!(content(&overlay) == expected);
            }
            prop_assert!(content(&file) == vec![1; first]);
        }
    }
}
