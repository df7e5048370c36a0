//! Encrypted objects on a real server: the tests that `object_store` publishes, each of them.

use object_store::aws::AmazonS3;
use object_store::prefix::PrefixStore;
use strongroom_conformance_servers::Server;
use strongroom_encryption::{EncryptedObjects, Names, ObjectsOptions, SecretKey};

use super::Kind;
use super::objects::client;

#[path = "../../../../encryption/tests/objects/suite.rs"]
mod suite;

pub(crate) fn pass_the_published_tests(kind: Kind) {
    let server = (kind.shared)().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for names in [Names::Encrypted, Names::Clear] {
        runtime.block_on(suite::all(&encrypted(server, names), abilities(kind)));
    }
}

/// Of the published tests the one that moto cannot pass, whatever is above it: its HTTP server drops headers with underscores in their
/// names, and this test sets such ones.
pub(crate) fn pass_the_published_test_of_attributes(kind: Kind) {
    let server = (kind.shared)().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(suite::put_get_attributes(&encrypted(server, Names::Encrypted)));
}

fn encrypted(server: &Server, names: Names) -> EncryptedObjects<PrefixStore<AmazonS3>> {
    let below = PrefixStore::new(client(server), server.new_prefix());
    let mut options = ObjectsOptions::default();
    options.names = names;
    options.over(below, &SecretKey::new([7; 32])).unwrap()
}

/// garage takes a write whatever its condition is, so what rests on conditions cannot pass there. The test of attributes has a case of
/// its own.
fn abilities(kind: Kind) -> suite::Abilities {
    let honours = kind.name == "moto";
    suite::Abilities { update: honours, copy_if_not_exists: honours, attributes: false }
}
