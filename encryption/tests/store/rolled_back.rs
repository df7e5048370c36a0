//! The keyring as it was before, put back: whoever has seen the later one does not take it.

use strongroom_core::store::{Batch, Content, Store, Write};
use strongroom_encryption::EncryptionError;

use crate::store::support::{
    FLOOR, commit, content, create, damage, key, key_ids, memory, open, own, put, put_of, raw_key, refused, value,
};

async fn keyring(raw: &dyn Store) -> bytes::Bytes {
    match content(raw, own("keyring")).await {
        Some(Content::Value(bytes)) => bytes,
        other => panic!("no keyring: {other:?}"),
    }
}

#[tokio::test]
async fn an_open_store_does_not_go_back_to_an_older_key() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    let older = keyring(&*raw).await;
    layer.rotate().await.unwrap();
    put(&layer, 2, "value").await;
    commit(&*raw, Batch { writes: [(own("keyring"), Write::Put(older))].into(), ..Batch::default() }).await;
    let tampered = EncryptionError::HeaderTampered;
    assert_eq!(refused(layer.commit(vec![put_of(3, "value")]).await), tampered);
    assert_eq!(refused(layer.rotate().await), tampered);
    assert_eq!(refused(layer.reseal(|_| {}).await), tampered);
    assert_eq!(key_ids(&*raw).await.len(), 2, "nothing was written");
    assert_eq!(value(&layer, 2).await, Some("value".into()), "what is there is read");
    // Who opens it now has nothing to compare with. This is not detected yet; values of the later key do not open.
    let anew = open(&raw).await.unwrap();
    assert_eq!(damage(&anew, key(2)).await, EncryptionError::UnknownKeyId);
}

/// A removed slot comes back with the header that had it: not detected yet, as documented.
#[tokio::test]
async fn a_header_put_back_opens_with_what_opened_it() {
    let raw = memory();
    let layer = create(&raw).await;
    let header = strongroom_core::store::ENCRYPTION_HEADER;
    let Some(Content::Value(older)) = content(&*raw, header.clone()).await else { panic!("a header") };
    layer.add_slot("new", &raw_key(9), FLOOR).await.unwrap();
    layer.remove_slot("main").await.unwrap();
    assert_eq!(refused(open(&raw).await), EncryptionError::WrongKeyOrDamagedSlot);
    commit(&*raw, Batch { writes: [(header, Write::Put(older))].into(), ..Batch::default() }).await;
    open(&raw).await.unwrap();
}
