//! The tests that `object_store` publishes for every store: those that take an `ObjectStore` and no other trait. The list is
//! here once; a test of another crate can take this file as it is.

use object_store::{ObjectStore, integration};

/// What the store below can do beyond what every store must.
#[derive(Clone, Copy)]
pub(crate) struct Abilities {
    /// `PutMode::Update`.
    pub(crate) update: bool,
    /// Copies and renames that do not overwrite.
    pub(crate) copy_if_not_exists: bool,
    /// Attributes whose names have underscores.
    pub(crate) attributes: bool,
}

/// All of them. The store must be empty, and is empty afterwards.
pub(crate) async fn all(store: &dyn ObjectStore, abilities: Abilities) {
    put_get_delete_list(store).await;
    if abilities.attributes {
        put_get_attributes(store).await;
    }
    get_opts(store).await;
    put_opts(store, abilities).await;
    stream_get(store).await;
    list_uses_directories_correctly(store).await;
    list_with_delimiter(store).await;
    list_with_offset_exclusivity(store).await;
    get_nonexistent_object(store).await;
    rename_and_copy(store).await;
    if abilities.copy_if_not_exists {
        copy_if_not_exists(store).await;
        copy_rename_nonexistent_object(store).await;
    }
    multipart_race_condition(store).await;
    multipart_out_of_order(store).await;
    clear(store).await;
}

pub(crate) async fn put_get_delete_list(store: &dyn ObjectStore) {
    integration::put_get_delete_list(store).await;
}

pub(crate) async fn put_get_attributes(store: &dyn ObjectStore) {
    integration::put_get_attributes(store).await;
    clear(store).await;
}

pub(crate) async fn get_opts(store: &dyn ObjectStore) {
    integration::get_opts(store).await;
    clear(store).await;
}

pub(crate) async fn put_opts(store: &dyn ObjectStore, abilities: Abilities) {
    integration::put_opts(store, abilities.update).await;
    clear(store).await;
}

pub(crate) async fn stream_get(store: &dyn ObjectStore) {
    integration::stream_get(store).await;
    clear(store).await;
}

pub(crate) async fn list_uses_directories_correctly(store: &dyn ObjectStore) {
    integration::list_uses_directories_correctly(store).await;
    clear(store).await;
}

pub(crate) async fn list_with_delimiter(store: &dyn ObjectStore) {
    integration::list_with_delimiter(store).await;
}

pub(crate) async fn list_with_offset_exclusivity(store: &dyn ObjectStore) {
    integration::list_with_offset_exclusivity(store).await;
}

pub(crate) async fn get_nonexistent_object(store: &dyn ObjectStore) {
    let missing = integration::get_nonexistent_object(store, None).await;
    let Err(object_store::Error::NotFound { path, .. }) = missing else { panic!("it is there: {missing:?}") };
    assert_eq!(path, "this_file_should_not_exist");
}

pub(crate) async fn rename_and_copy(store: &dyn ObjectStore) {
    integration::rename_and_copy(store).await;
}

pub(crate) async fn copy_if_not_exists(store: &dyn ObjectStore) {
    integration::copy_if_not_exists(store).await;
}

pub(crate) async fn copy_rename_nonexistent_object(store: &dyn ObjectStore) {
    integration::copy_rename_nonexistent_object(store).await;
}

pub(crate) async fn multipart_race_condition(store: &dyn ObjectStore) {
    integration::multipart_race_condition(store, true).await;
    clear(store).await;
}

pub(crate) async fn multipart_out_of_order(store: &dyn ObjectStore) {
    integration::multipart_out_of_order(store).await;
    clear(store).await;
}

/// Some of them leave something behind.
async fn clear(store: &dyn ObjectStore) {
    use futures_util::{StreamExt, TryStreamExt};
    let all = store.list(None).map_ok(|meta| meta.location).boxed();
    store.delete_stream(all).try_collect::<Vec<_>>().await.expect("what is listed can be deleted");
}
