//! An encrypted store: made with a passphrase, opened with it and with a second key, and with nothing else:
//! `cargo run --example encryption`. What encryption costs is measured by `cargo run --release -p strongroom-benches -- encryption`.

use strongroom::encryption::{Argon2Params, SecretKey, Unlock};
use strongroom::matrix::{self, Message};
use strongroom::{Database, Json, Timestamp, open};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("chat.redb");
    let url = format!("redb:{}", path.display());
    let passphrase = || Unlock::passphrase("correct horse battery staple");

    let store = open(&url).encrypted(passphrase()).await?;
    let db = Database::builder(matrix::schema()).open(store.clone()).await?;
    let content: Json = r#"{"msgtype":"m.text","body":"Who has the keys?"}"#.parse()?;
    let sent_at = Timestamp::from_millis(1_714_564_800_000);
    db.put(&Message::new("!kitchen", "$1", "m.room.message", "@ada:example.org", sent_at, content)).await?;

    // A second way in, such as a key that the system's keychain holds.
    let key = SecretKey::random()?;
    store.add_slot("keychain", &Unlock::raw_key(key.clone()), Argon2Params::DEFAULT).await?;
    db.close().await?;

    // Neither text nor ids lie in the file.
    let file = std::fs::read(&path)?;
    for secret in ["Who has the keys?", "!kitchen", "@ada:example.org"] {
        assert!(!file.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
    assert!(open(&url).encrypted(Unlock::passphrase("a guess")).await.is_err());

    let db = Database::builder(matrix::schema()).open(open(&url).encrypted(Unlock::raw_key(key)).await?).await?;
    let message = db.get(&Message::key(&"!kitchen".into(), &"$1".into())).await?.ok_or("the message is there")?;
    assert!(message.content.as_str().contains("Who has the keys?"));
    db.close().await?;
    Ok(())
}
