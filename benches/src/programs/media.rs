//! A large file into encrypted media and out again, next to the parts that this is made of: a plain object store, the cipher and the
//! hash, each alone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use strongroom::matrix::MediaId;
use strongroom::objects::Media;
use strongroom::{Error, ErrorKind, Result};

use crate::baselines::{Aead, CHUNK};
use crate::machine::peak_bytes;
use crate::media::{Place, get, put};

const MIB: u64 = 1 << 20;
const RANGES: usize = 1_000;
const ROUNDS: usize = 3;

/// Prints how fast each of them is, and the memory that it took.
///
/// # Errors
///
/// Those of the media and of the file system.
pub async fn run(mib: u64) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::application)?;
    let source = folder.path().join("source");
    make(&source, mib).map_err(Error::application)?;
    println!("a file of {mib} MiB on local files, {ROUNDS} rounds, MiB a second");

    let media = Place::Local.media(&folder.path().join("media"), true).await?;
    let mut ours = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let id = MediaId::from(format!("round {round}"));
        ours.0.push(timed(put_file(&media, &id, &source)).await?);
        ours.1.push(timed(get(&media, &id)).await?);
        if round == 0 {
            ranges(&media, &id, &source, mib * MIB).await?;
            println!(
                "{RANGES} random ranges are those of the file; at most {} MiB of memory so far",
                peak_bytes().unwrap_or_default() / MIB
            );
        }
        media.delete(&id).await?;
    }
    let plain = Place::Local.plain(&folder.path().join("plain"))?;
    let aead = Aead::default();
    let (mut puts, mut gets, mut seals, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut parts = 0;
        puts.push(timed(async { plain.put(open(&source).await?).await.map(|put| parts = put) }).await?);
        gets.push(timed(plain.get(parts)).await?);
        seals.push(alone(mib, |chunk| aead.seal_chunks(chunk)));
        let mut hash = Sha256::new();
        hashes.push(alone(mib, |chunk| hash.update(chunk)));
    }
    let (puts, gets, seal, hash) = (median(puts), median(gets), median(seals), median(hashes));
    let rate = |time: Duration| mib as f64 / time.as_secs_f64();
    println!("{:12} {:>8.0}\n{:12} {:>8.0}", "cipher", rate(seal), "SHA-256", rate(hash));
    for (name, plain, ours) in [("put", puts, median(ours.0)), ("get", gets, median(ours.1))] {
        let parts = plain + seal + hash;
        let ratio = rate(ours) / rate(parts);
        let (plain, parts, ours) = (rate(plain), rate(parts), rate(ours));
        println!(
            "{name:12} plain {plain:>6.0}   with cipher and hash, one after another {parts:>6.0}   media {ours:>6.0}   ratio {ratio:.2}"
        );
    }
    Ok(())
}

/// Bytes that do not repeat.
fn make(path: &Path, mib: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut random = fastrand::Rng::with_seed(7);
    let mut piece = vec![0; MIB as usize];
    for _ in 0..mib {
        random.fill(&mut piece);
        file.write_all(&piece)?;
    }
    file.sync_all()
}

async fn timed<T>(what: impl Future<Output = Result<T>>) -> Result<Duration> {
    let begin = Instant::now();
    what.await?;
    Ok(begin.elapsed())
}

async fn put_file(media: &Media, id: &MediaId, source: &Path) -> Result<()> {
    put(media, id, open(source).await?).await
}

async fn open(source: &Path) -> Result<tokio::fs::File> {
    tokio::fs::File::open(source).await.map_err(Error::application)
}

async fn ranges(media: &Media, id: &MediaId, source: &Path, size: u64) -> Result<()> {
    let mut file = File::open(source).map_err(Error::application)?;
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..RANGES {
        let (start, length) = (random.u64(0..size), random.u64(0..256 << 10));
        let end = (start + length).min(size);
        let got: Vec<Bytes> = got(media, id, start..end).await?;
        let mut wanted = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut wanted)).map_err(Error::application)?;
        assert!(got.concat() == wanted, "the range {start}..{end} is another");
    }
    Ok(())
}

async fn got(media: &Media, id: &MediaId, range: std::ops::Range<u64>) -> Result<Vec<Bytes>> {
    let content = media.get_range(id, range).await?;
    content.ok_or_else(|| Error::new(ErrorKind::NotFound, "the medium is gone"))?.stream().try_collect().await
}

/// Work on as many bytes in memory, chunk by chunk.
fn alone(mib: u64, mut work: impl FnMut(&mut [u8])) -> Duration {
    let mut chunk = vec![7; CHUNK];
    let begin = Instant::now();
    for _ in 0..mib * MIB / CHUNK as u64 {
        work(&mut chunk);
    }
    std::hint::black_box(&chunk);
    begin.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
