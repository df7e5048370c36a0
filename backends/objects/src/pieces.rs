//! A file as a stream of long pieces.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::{Error, Result};

/// Bytes that are read at once. `object_store` reads a file 8 KiB at a time, each on another thread: the way there then costs more
/// than the reading.
const PIECE_BYTES: u64 = 1 << 20;

/// These bytes of the file.
pub(crate) fn pieces(file: File, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
    let read = stream::try_unfold((file, range), |(mut file, left)| async move {
        if left.is_empty() {
            return Ok(None);
        }
        let end = left.end.min(left.start + PIECE_BYTES);
        let reading = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; (end - left.start) as usize];
            file.seek(SeekFrom::Start(left.start))?;
            file.read_exact(&mut piece)?;
            Ok((Bytes::from(piece), file))
        });
        let failed = |source: std::io::Error| Error::Generic { store: "LocalFileSystem", source: Box::new(source) };
        let (piece, file) = reading.await?.map_err(failed)?;
        Ok(Some((piece, (file, end..left.end))))
    });
    read.boxed()
}
