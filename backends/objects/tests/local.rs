//! Local files: the tests that `object_store` publishes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use object_store::integration;
use strongroom_objects::LocalObjects;

#[tokio::test]
async fn local_objects_pass_the_published_tests() {
    let folder = tempfile::tempdir().unwrap();
    let objects = LocalObjects::open(folder.path()).unwrap();
    integration::put_get_delete_list(&objects).await;
    integration::get_opts(&objects).await;
    integration::put_opts(&objects, false).await;
    integration::list_uses_directories_correctly(&objects).await;
    integration::list_with_delimiter(&objects).await;
    integration::rename_and_copy(&objects).await;
    integration::copy_if_not_exists(&objects).await;
    integration::copy_rename_nonexistent_object(&objects).await;
    integration::stream_get(&objects).await;
}
