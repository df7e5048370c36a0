//! A large file into encrypted media and out again, next to the parts that this is made of: a plain object store, the cipher and the
//! hash, each alone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use strongroom::encryption::EncryptedObjects;
use strongroom::matrix::MediaId;
use strongroom::objects::object_store::path::Path as ObjectPath;
use strongroom::objects::object_store::{ObjectStore, ObjectStoreExt};
use strongroom::objects::{LocalObjects, Media, MediaOptions, NewMedia};
use strongroom::{Database, Error, Result, matrix, open};

use crate::machine::peak_bytes;
use crate::stacks::unlock;

const MIB: u64 = 1 << 20;
/// Of the cipher: as many bytes as a chunk has.
const CHUNK: usize = 64 << 10;
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

    let media = media(folder.path()).await?;
    let mut ours = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let id = MediaId::from(format!("round {round}"));
        ours.0.push(timed(put(&media, &id, &source)).await?);
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
    let objects = LocalObjects::open(folder.path().join("plain"))?;
    let part = MediaOptions::default().part_bytes;
    let (mut puts, mut gets, mut seals, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        puts.push(timed(plain_put(&objects, &source, part)).await?);
        gets.push(timed(plain_get(&objects, (mib * MIB).div_ceil(part as u64))).await?);
        seals.push(alone(mib, seal()));
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

/// As a program has it: an encrypted store, encrypted objects.
async fn media(folder: &Path) -> Result<Media> {
    let store = open(&format!("redb:{}", folder.join("store.redb").display())).encrypted(unlock()).await?;
    let objects = EncryptedObjects::new(LocalObjects::open(folder.join("media"))?, &store.objects_key()?);
    Media::open(Database::open(store, matrix::schema()).await?, Arc::new(objects)).await
}

async fn timed(what: impl Future<Output = Result<()>>) -> Result<Duration> {
    let begin = Instant::now();
    what.await?;
    Ok(begin.elapsed())
}

async fn put(media: &Media, id: &MediaId, source: &Path) -> Result<()> {
    let file = tokio::fs::File::open(source).await.map_err(Error::application)?;
    media.put(NewMedia::new("!room", "video/mp4").id(id.clone()), file).await?;
    Ok(())
}

async fn get(media: &Media, id: &MediaId) -> Result<()> {
    let content = media.get(id).await?.ok_or_else(gone)?;
    let mut stream = content.stream();
    while let Some(bytes) = stream.try_next().await? {
        std::hint::black_box(bytes);
    }
    Ok(())
}

async fn ranges(media: &Media, id: &MediaId, source: &Path, size: u64) -> Result<()> {
    let mut file = File::open(source).map_err(Error::application)?;
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..RANGES {
        let (start, length) = (random.u64(0..size), random.u64(0..256 << 10));
        let end = (start + length).min(size);
        let got: Vec<Bytes> = media.get_range(id, start..end).await?.ok_or_else(gone)?.stream().try_collect().await?;
        let mut wanted = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut wanted)).map_err(Error::application)?;
        assert!(got.concat() == wanted, "the range {start}..{end} is another");
    }
    Ok(())
}

fn gone() -> Error {
    Error::new(strongroom::ErrorKind::NotFound, "the medium is gone")
}

async fn plain_put(objects: &LocalObjects, source: &Path, part: usize) -> Result<()> {
    let file = File::open(source).map_err(Error::application)?;
    let pieces = stream::unfold((file, 0_u64), |(mut file, number)| async move {
        let mut piece = Vec::with_capacity(part);
        let read = Read::by_ref(&mut file).take(part as u64).read_to_end(&mut piece);
        match read {
            Ok(0) => None,
            read => Some((read.map(|_| (number, Bytes::from(piece))), (file, number + 1))),
        }
    });
    let transfers = MediaOptions::default().transfers_max;
    let sent = pieces.map_err(Error::application).try_for_each_concurrent(transfers, |(number, piece)| async move {
        objects.put(&ObjectPath::from(number.to_string()), piece.into()).await.map_err(Error::application)?;
        Ok(())
    });
    sent.await
}

async fn plain_get(objects: &LocalObjects, parts: u64) -> Result<()> {
    let transfers = MediaOptions::default().transfers_max;
    let paths = stream::iter(0..parts).map(|number| ObjectPath::from(number.to_string()));
    let fetched = paths.map(|path| async move { objects.get_opts(&path, Default::default()).await?.bytes().await });
    let mut fetched = fetched.buffered(transfers);
    while let Some(bytes) = fetched.try_next().await.map_err(Error::application)? {
        std::hint::black_box(bytes);
    }
    Ok(())
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

fn seal() -> impl FnMut(&mut [u8]) {
    let cipher = XChaCha20Poly1305::new(&[1; 32].into());
    move |chunk| {
        let tag = cipher.encrypt_inout_detached(&[2; 24].into(), b"associated", chunk.into());
        std::hint::black_box(tag.is_ok());
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
