//! What sealing costs: `cargo test --release -p strongroom-encryption -- --ignored --nocapture costs`, and the same with
//! `--features ring`.

use std::hint::black_box;
use std::time::Instant;

use super::*;

/// Nanoseconds of one call: the least of several rounds, which is the one that other work disturbed least.
fn ns(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 20_000;
    let round = |_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..15).map(round).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "a measurement, of use in a release build alone"]
fn costs() {
    let (master, database) = (SecretKey::random().unwrap(), DatabaseId::random().unwrap());
    let key = ValueKey::derive(&master, KeyId(1), database, b"keyspace");
    let binding = [7; 50];
    let mut randomness = [0; RANDOMNESS_LEN];
    for on in [false, true] {
        let padding = Padding { on, padded_bytes_max: 1 << 20 };
        for len in [300, 4_096] {
            let value = vec![0x61; len];
            let sealed = key.seal(Binding::Key(&binding), &value, &randomness, padding);
            let seal = ns(|| {
                randomness[0] ^= 1;
                black_box(key.seal(Binding::Key(&binding), black_box(&value), &randomness, padding));
            });
            let open = ns(|| {
                let envelope = Envelope::parse(black_box(&sealed)).unwrap();
                black_box(key.open(&binding, &envelope).unwrap());
            });
            let bytes = sealed.len();
            println!("{len} bytes, padding {on}: {bytes} sealed, {seal:.0} ns to seal, {open:.0} ns to open");
        }
    }
    let derive = ns(|| drop(black_box(ValueKey::derive(&master, KeyId(1), database, b"keyspace"))));
    println!("{derive:.0} ns to derive a keyspace's key");
}
