//! Encrypted stores of the scene, on any backend: how they are made and opened.

use std::sync::Arc;

use strongroom_conformance::evil::{self, CANARY, Evil, MAIN, SPARE, Scene};
use strongroom_conformance::{Checked, Factory, Folder, Place, Settings};
use strongroom_core::store::Store;
use strongroom_core::{Database, Result};
use strongroom_encryption::{Argon2Params, Encrypted, EncryptedOptions, SecretKey, Unlock};
use strongroom_memory::Memory;

pub(crate) type Layer = Encrypted<Arc<dyn Store>>;

/// The store under attack, a twin that the same passphrase opens, and the attacker's own.
#[derive(Debug)]
pub(crate) struct Scenes {
    scene: Scene,
    twin: Scene,
    other: Scene,
}

impl Scenes {
    pub(crate) async fn make() -> Checked<Self> {
        let scene = || scene(passphrase(), key(7), false);
        Ok(Scenes { scene: scene().await?, twin: scene().await?, other: self::scene(others(), key(9), true).await? })
    }
}

/// What opens the first slot.
pub(crate) fn passphrase() -> Unlock {
    Unlock::passphrase(format!("passphrase {CANARY}"))
}

/// What opens the second slot.
pub(crate) fn spare() -> Unlock {
    key(7)
}

/// What opens the attacker's store.
pub(crate) fn others() -> Unlock {
    Unlock::passphrase(format!("passphrase of the attacker {CANARY}"))
}

/// What opens nothing.
pub(crate) fn strangers() -> [Unlock; 3] {
    // The last one is a passphrase that no slot can have.
    [Unlock::passphrase(format!("Passphrase {CANARY}")), key(8), Unlock::passphrase("")]
}

pub(crate) fn options() -> EncryptedOptions {
    let mut options = EncryptedOptions::default();
    options.label = MAIN.to_owned();
    options.kdf = kdf();
    options
}

/// Cheap, and with a pass that can be taken away.
fn kdf() -> Argon2Params {
    Argon2Params::new(8 * 1024, 2, 1).expect("it is in range")
}

fn key(byte: u8) -> Unlock {
    Unlock::raw_key(SecretKey::new([byte; 32]))
}

async fn scene(main: Unlock, spare: Unlock, rotated: bool) -> Checked<Scene> {
    let raw: Arc<dyn Store> = Arc::new(Memory::new());
    let layer = options().create(raw.clone(), &main).await?;
    layer.add_slot(SPARE, &spare, kdf()).await?;
    if rotated {
        layer.rotate().await?;
        layer.reseal(|_| {}).await?;
    }
    let sealed: Arc<dyn Store> = Arc::new(layer);
    Scene::make(&*raw, &sealed).await
}

/// The store under attack, on a backend, open.
pub(crate) struct Keeper<'s> {
    scenes: &'s Scenes,
    pub(crate) raw: Arc<dyn Store>,
    /// Open all the time.
    pub(crate) layer: Arc<Layer>,
    pub(crate) db: Database,
    _folder: Folder,
}

impl<'s> Keeper<'s> {
    pub(crate) async fn new(factory: &dyn Factory, scenes: &'s Scenes) -> Checked<Self> {
        let folder = factory.folder(&[])?;
        let place = Place { folder: folder.path().to_owned(), name: "store".to_owned() };
        let raw = factory.open(&place, &Settings::new(factory.limits())).await?;
        evil::replace(&*raw, &scenes.scene.rows).await?;
        let layer = Arc::new(options().open(raw.clone(), &passphrase()).await?);
        let db = evil::open(layer.clone()).await?;
        Ok(Keeper { scenes, raw, layer, db, _folder: folder })
    }

    pub(crate) fn evil(&self) -> Evil<'_> {
        let Scenes { scene, twin, other } = self.scenes;
        Evil { raw: &self.raw, scene, twin, other }
    }

    /// Opens the layer anew, as after a restart.
    pub(crate) async fn open(&self, unlock: &Unlock) -> Result<Layer> {
        options().open(self.raw.clone(), unlock).await
    }
}
