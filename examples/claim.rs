//! One-time keys, each given to one claimer however many there are: `cargo run --example claim`.

use std::collections::BTreeSet;

use strongroom::matrix::{DeviceId, MatrixStore, OneTimeKey, UserId};
use strongroom::{Timestamp, matrix};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = strongroom::open(&format!("redb:{}/keys.redb", folder.path().display())).await?;
    let db = strongroom::Database::builder(matrix::schema()).open(store).await?;
    let store = MatrixStore::new(db)?;
    let (user, device): (UserId, DeviceId) = ("@ada:example.org".into(), "PHONE".into());

    let keys: Vec<OneTimeKey> = (0..5)
        .map(|number| OneTimeKey {
            user_id: user.clone(),
            device_id: device.clone(),
            key_id: format!("signed_curve25519:{number}").into(),
            key: format!("the public key {number}"),
            algorithm: "signed_curve25519".into(),
            created_at: Timestamp::from_millis(number),
            used_at: None,
        })
        .collect();
    assert_eq!(store.publish_one_time_keys(&keys).await?, 5);

    // Eight peers begin a session at the same time.
    let claimers: Vec<_> = (0..8)
        .map(|_| {
            let (store, user, device) = (store.clone(), user.clone(), device.clone());
            tokio::spawn(async move { store.claim_one_time_key(&user, &device, "signed_curve25519").await })
        })
        .collect();
    let mut claimed = BTreeSet::new();
    for claimer in claimers {
        if let Some(key) = claimer.await?? {
            assert!(claimed.insert(key.key), "nobody else has it");
        }
    }
    assert_eq!(claimed.len(), 5, "three went away without one: time to publish more");
    // Published once more, as after an answer that was lost, a used key stays used.
    assert_eq!(store.publish_one_time_keys(&keys).await?, 0);
    assert!(store.count_one_time_keys(&user, &device).await?.is_empty());

    // A week later nobody needs to know which ones were used.
    let week_later = store.database().now().saturating_add(7 * 86_400_000);
    assert_eq!(store.sweep_used_one_time_keys(week_later).await?, 5);
    store.database().close().await?;
    Ok(())
}
