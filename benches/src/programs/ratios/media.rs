//! Media, put and got, next to the same bytes by the object store alone and to the cipher alone.

use strongroom::Result;
use strongroom::matrix::MediaId;

use super::Run;
use crate::baselines::Aead;
use crate::figures::{Bound, Figure};
use crate::media::{Place, SIZES, content, get, put};
use crate::rounds::Rounds;

/// Bytes that go through each variant in all, by which the rounds of a size are counted.
const BYTES: usize = 256 << 20;
/// Rounds of any size, at least and at most.
const ROUNDS: std::ops::RangeInclusive<usize> = 11..=101;
/// Of a smoke test.
const QUICK: (usize, usize) = (2, 1 << 20);

pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for place in Place::ALL {
        for size in SIZES.into_iter().filter(|size| !run.quick || *size <= QUICK.1) {
            let rounds = if run.quick { QUICK.0 } else { (BYTES / size).clamp(*ROUNDS.start(), *ROUNDS.end()) };
            figures.extend(one_size(run, place, size, rounds).await?);
        }
    }
    Ok(figures)
}

async fn one_size(run: &Run, place: Place, size: usize, rounds: usize) -> Result<[Figure; 2]> {
    let folder = run.path(&format!("media-{}-{size}", place.name()));
    let (encrypted, bare) =
        (place.media(&folder.join("encrypted"), true).await?, place.media(&folder.join("bare"), false).await?);
    let plain = place.plain(&folder.join("plain"))?;
    let (bytes, mut scratch, aead, id) = (content(size), content(size), Aead::default(), MediaId::from("medium"));
    let [mut puts, mut gets] = [(); 2].map(|()| [(); 3].map(|()| Rounds::default()));
    let mut seals = Rounds::default();
    for _ in 0..rounds {
        puts[0].time(1, |_| put(&encrypted, &id, &bytes[..])).await?;
        puts[1].time(1, |_| put(&bare, &id, &bytes[..])).await?;
        let begin = std::time::Instant::now();
        let parts = plain.put(&bytes[..]).await?;
        puts[2].note(begin.elapsed(), 1);
        seals.time_plain(1, |_| aead.seal_chunks(&mut scratch));
        gets[0].time(1, |_| get(&encrypted, &id)).await?;
        gets[1].time(1, |_| get(&bare, &id)).await?;
        gets[2].time(1, |_| plain.get(parts)).await?;
        assert_eq!(get(&encrypted, &id).await?, size as u64, "the medium has another length");
        encrypted.delete(&id).await?;
        bare.delete(&id).await?;
    }
    encrypted.database().close().await?;
    bare.database().close().await?;
    std::fs::remove_dir_all(&folder).map_err(strongroom::Error::application)?;
    let (seal, kib, place) = (seals.median(), size >> 10, place.name());
    Ok([("put", puts), ("get", gets)].map(|(what, [encrypted, bare, plain])| {
        let [encrypted, bare, plain] = [encrypted, bare, plain].map(|rounds| rounds.median());
        let name =
            format!("{what} of an encrypted medium of {kib} KiB, {place} / object_store's {what} of the same bytes");
        let micros = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let note = format!("bare, with its checksum: {:.1} µs; the AEAD alone: {:.1} µs", micros(bare), micros(seal));
        Figure::times(name, (encrypted, plain), Bound::Context).note(note)
    }))
}
