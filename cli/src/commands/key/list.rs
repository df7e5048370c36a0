//! `key list`

use serde::Serialize;
use strongroom::StoreUrl;
use strongroom::encryption::{SlotInfo, SlotKind};
use strongroom::store::Store;

use crate::access::Access;
use crate::failure::Result;
use crate::output::{Format, Output};
use crate::store::{Opening, unchecked_slots};
use crate::text::{count, counted};

#[derive(Serialize)]
struct List<'a> {
    slots: Vec<Slot<'a>>,
    /// Whether the list was checked with a key.
    checked: bool,
}

#[derive(Serialize)]
struct Slot<'a> {
    label: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kdf: Option<Kdf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
}

#[derive(Serialize)]
struct Kdf {
    algorithm: &'static str,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Nobody is asked for a passphrase: to know which one is wanted, people list the slots.
pub(super) async fn run(url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    let checked = matches!(access, Access::Key(_));
    let slots = if checked {
        let store = Opening::of_existing(url, access).await?.encrypted().await?;
        let slots = store.slots().await;
        store.close().await?;
        slots?
    } else {
        unchecked_slots(url).await?
    };
    if output.format == Format::Json {
        return output.json(&List { slots: slots.iter().map(slot).collect(), checked });
    }
    output.table(["SLOT", "OPENED BY", "KEY DERIVATION"], slots.iter().map(row).collect())?;
    if checked { Ok(()) } else { output.note("as the store says; with a key the list is checked as well") }
}

fn slot(info: &SlotInfo) -> Slot<'_> {
    let (kind, kdf, provider) = match &info.kind {
        SlotKind::Passphrase(kdf) => {
            let (memory_kib, passes, lanes) = (kdf.memory_kib(), kdf.passes(), kdf.lanes());
            ("passphrase", Some(Kdf { algorithm: "argon2id", memory_kib, passes, lanes }), None)
        }
        SlotKind::RawKey => ("key", None, None),
        SlotKind::Provider(name) => ("provider", None, Some(name.as_str())),
        _ => ("unknown", None, None),
    };
    Slot { label: &info.label, kind, kdf, provider }
}

fn row(info: &SlotInfo) -> [String; 3] {
    let slot = slot(info);
    let kdf = slot.kdf.map_or_else(String::new, |kdf| {
        let (passes, lanes) = (counted(kdf.passes.into(), "pass").replace("passs", "passes"), kdf.lanes);
        format!(
            "Argon2id, {} MiB, {passes}, {}",
            count(u64::from(kdf.memory_kib) / 1024),
            counted(lanes.into(), "lane")
        )
    });
    let opened_by = match slot.provider {
        Some(provider) => format!("provider {provider}"),
        None => slot.kind.to_owned(),
    };
    [slot.label.to_owned(), opened_by, kdf]
}
