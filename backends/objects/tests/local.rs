//! Local files: the tests that `object_store` publishes, and what a folder may have in it that is not ours.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

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

/// Only a part of an object that was being written goes.
#[test]
fn what_a_user_has_in_the_folder_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (space, id) = ("0123456789abcdef".repeat(2), "fedcba9876543210".repeat(2));
    let stays = [
        "track#3".to_owned(),
        "tax/Invoice #12".to_owned(),
        "tax/2025/Invoice #12".to_owned(),
        "tax/2025/track#3".to_owned(),
        "tax/2025/A receipt for the new bicycle #12".to_owned(),
        "tax/2025/#12".to_owned(),
        "tax/2025/deep/er/track#3".to_owned(),
        format!("{id}-0-0#1"),
        format!("{space}/{id}-0-0#1"),
        format!("{space}/fe/deeper/{id}-0-0#1"),
        format!("{space}/fe/{id}-0-0"),
        format!("{space}/fe/{id}-0-0#"),
        format!("{space}/fe/{id}-0-0#1a"),
        format!("{space}/fe/{id}-0-0 #1"),
    ];
    let goes = [format!("{space}/fe/{id}-0-0#1"), format!("{space}/fe/{id}-12-345#678")];
    for name in stays.iter().chain(&goes) {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "mine").unwrap();
    }
    drop(LocalObjects::open(folder.path()).unwrap());
    for name in &stays {
        assert!(folder.path().join(name).exists(), "{name} is gone");
    }
    for name in &goes {
        assert!(!folder.path().join(name).exists(), "{name} is left");
    }
}
