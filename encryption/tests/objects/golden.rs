//! An object of this form opens for ever.
//!
//! It was made by another program, on other implementations of every algorithm: Python's `hmac` and `cryptography`, by the page
//! `docs/format.md`.

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use strongroom_encryption::{Names, ObjectsOptions, SecretKey};

use crate::objects::support::{get, put};

const SEALED: &[u8] = include_bytes!("../golden/object.bin");
const PATH: &str = "attachments/golden.bin";
const BELOW: &str = "s_74f2HbKp0a34TKZr1q3o5z2k7_dCnpPuBW/oJ9c_B45p9ozk-Zra54ynVuiA-CGPdGbteM";

fn content() -> Vec<u8> {
    (0..4_101_u32).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn the_bytes_of_an_object_and_of_its_name() {
    for (names, below) in [(Names::Clear, PATH), (Names::Encrypted, BELOW)] {
        let mut options = ObjectsOptions::default();
        (options.names, options.chunk_bytes) = (names, 4_096);
        let objects = options.over(InMemory::new(), &SecretKey::new([0x42; 32])).unwrap();
        put(objects.inner(), below, SEALED).await;
        assert_eq!(get(&objects, PATH).await.unwrap(), content());
        let range = 4_090..4_100;
        assert_eq!(objects.get_range(&Path::from(PATH), range.clone()).await.unwrap(), content()[4_090..4_100]);
        let listed = objects.list_with_delimiter(Some(&Path::from("attachments"))).await.unwrap();
        assert_eq!((listed.objects[0].location.as_ref(), listed.objects[0].size), (PATH, 4_101));
        // What is written today lies in the same place.
        objects.delete(&Path::from(PATH)).await.unwrap();
        put(&objects, PATH, content()).await;
        assert_eq!(get(objects.inner(), below).await.unwrap().len(), SEALED.len());
    }
}
