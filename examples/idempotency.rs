//! A message that is sent once, however often it is tried: `cargo run --example idempotency`.

use strongroom::matrix::{self, MatrixStore, SendOutcome, SendTransaction, TransactionStatus};
use strongroom::{Database, Once, Timestamp};

/// What the client sends when somebody presses the button, perhaps twice, perhaps again after a crash.
fn pressed() -> SendTransaction {
    SendTransaction {
        txn_id: "m1714564800.1".into(),
        room_id: "!kitchen:example.org".into(),
        message_id: "~m1714564800.1".into(),
        status: TransactionStatus::Pending,
        timestamp: Timestamp::from_millis(1_714_564_800_000),
        finished_at: None,
        metadata: None,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("redb:{}/chat.redb", folder.path().display());
    let open = || async {
        let store = strongroom::open(&url).await?;
        MatrixStore::new(Database::builder(matrix::schema()).open(store).await?)
    };

    let store = open().await?;
    assert_eq!(store.begin_transaction(&pressed()).await?, Once::First);
    assert!(!store.begin_transaction(&pressed()).await?.is_first(), "the second press does nothing");
    store.database().close().await?;

    // The program starts again: what was begun and not finished is sent again, under the same id.
    let store = open().await?;
    let pending = store.pending_transactions(50, None).await?.records;
    assert_eq!(pending.len(), 1);
    store.finish_transaction(&pending[0].txn_id, &SendOutcome::sent("$event:example.org")).await?;

    // A third press is told what became of the first.
    let replay = store.begin_transaction(&pressed()).await?.stored().ok_or("it was begun")?;
    assert_eq!(replay.message_id.as_str(), "$event:example.org");

    // A month after it was sent nobody presses any more.
    let month_later = store.database().now().saturating_add(30 * 86_400_000);
    assert_eq!(store.age_out_transactions(month_later).await?, 1);
    store.database().close().await?;
    Ok(())
}
