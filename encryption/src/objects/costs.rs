//! What an object costs: `cargo test --release -p strongroom-encryption -- --ignored --nocapture costs_of_objects`, and the same
//! with `--features ring`.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::*;
use crate::seal::Cipher;

const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 512;

/// MB a second of what handles `CHUNKS` chunks: the most of several rounds, which is the one that other work disturbed least.
fn mb_per_second(mut round: impl FnMut()) -> f64 {
    let best = (0..15).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64()
    });
    (CHUNK * CHUNKS) as f64 / best.fold(f64::INFINITY, f64::min) / 1e6
}

#[test]
#[ignore = "a measurement, of use in a release build alone"]
fn costs_of_objects() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let key = SecretKey::random().unwrap();
    let cipher = Cipher::new(&key);
    let mut chunk = vec![0x61; CHUNK];
    let seal = mb_per_second(|| {
        for _ in 0..CHUNKS {
            black_box(cipher.seal(&[7; 24], b"associated", black_box(&mut chunk)));
        }
    });
    let mut chunks = vec![chunk.clone(); CHUNKS];
    let tag = cipher.seal(&[7; 24], b"associated", &mut chunk);
    let open = mb_per_second(|| {
        chunks.iter_mut().for_each(|text| {
            text.copy_from_slice(&chunk);
            cipher.open(&[7; 24], b"associated", text, &tag).unwrap();
        });
    });
    println!("the cipher alone, in place: {seal:.0} MB/s to seal; with a copy: {open:.0} MB/s to open");

    let objects = EncryptedObjects::new(InMemory::new(), &key);
    let content = Bytes::from(vec![0x61; CHUNK * CHUNKS]);
    let path = Path::from("a");
    let seal = mb_per_second(|| {
        let payload = PutPayload::from(content.clone());
        drop(black_box(runtime.block_on(write::sealed(&objects.shared, &path, payload)).unwrap()));
    });
    runtime.block_on(objects.put(&path, content.into())).unwrap();
    let open = mb_per_second(|| {
        runtime.block_on(async {
            use futures_util::TryStreamExt;
            let mut stream = objects.get(&path).await.unwrap().into_stream();
            while let Some(bytes) = stream.try_next().await.unwrap() {
                black_box(bytes);
            }
        });
    });
    println!("an object: {seal:.0} MB/s to seal, {open:.0} MB/s to open as a stream");
}
