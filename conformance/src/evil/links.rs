//! Index entries. They are not sealed: core's check of each record against the entry that led to it is what refuses them.

use bytes::Bytes;
use strongroom_core::store::{LinkTo, StoredKey, Write};

use super::{Attack, Evil, Keys, Order, STRUCK, Way, shows, target};
use crate::{Checked, Failure};

const BY_TIME: u8 = 1;
const HANDLE: u8 = 2;
const TAG: u8 = 3;
const EXPIRES_AT: u8 = 255;

const VERIFY: super::Shows = shows(Way::Verify, "Corrupt");

pub(super) const ALL: &[Attack] = &[
    Attack {
        name: "a_unique_entry_leads_to_another_record",
        does: "The unique entry of one record leads to another one.",
        shows: &[shows(Way::Handles(&[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move { evil.link(&evil.struck().entry(HANDLE)?, &evil.neighbour().record).await })
        },
    },
    Attack {
        name: "two_unique_entries_swapped",
        does: "The unique entries of two records lead to each other's.",
        shows: &[shows(Way::Handles(&[STRUCK, STRUCK + 1]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                evil.link(&evil.struck().entry(HANDLE)?, &evil.neighbour().record).await?;
                evil.link(&evil.neighbour().entry(HANDLE)?, &evil.struck().record).await
            })
        },
    },
    Attack {
        name: "a_unique_entry_leads_to_another_collection",
        does: "The unique entry of a letter leads to the draft that has the same handle.",
        shows: &[shows(Way::Handles(&[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                evil.link(&evil.struck().entry(HANDLE)?, &evil.scene.drafts[STRUCK as usize].record).await
            })
        },
    },
    Attack {
        name: "a_unique_entry_leads_nowhere",
        does: "The unique entry of a record leads to a key that no row has.",
        shows: &[shows(Way::Handles(&[STRUCK]), "Corrupt"), VERIFY],
        strike: |evil| Box::pin(async move { evil.link(&evil.struck().entry(HANDLE)?, &StoredKey::EMPTY).await }),
    },
    Attack {
        name: "a_unique_entry_leads_to_the_header",
        does: "The unique entry of a record leads to the layer's own row.",
        shows: &[shows(Way::Handles(&[STRUCK]), "Corrupt"), VERIFY],
        strike: |evil| Box::pin(async move { evil.link(&evil.struck().entry(HANDLE)?, &evil.scene.header).await }),
    },
    Attack {
        name: "a_unique_entry_leads_to_the_catalog",
        does: "The unique entry of a record leads to the catalog, which does open.",
        shows: &[shows(Way::Handles(&[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| Box::pin(async move { evil.link(&evil.struck().entry(HANDLE)?, &evil.scene.catalog).await }),
    },
    Attack {
        name: "a_unique_entry_leads_to_another_entry",
        does: "The unique entry of a record leads to that of another.",
        shows: &[shows(Way::Handles(&[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move { evil.link(&evil.struck().entry(HANDLE)?, &evil.neighbour().entry(HANDLE)?).await })
        },
    },
    Attack {
        name: "an_entry_leads_to_another_record",
        does: "An entry whose tail is one record leads to another.",
        shows: &[shows(Way::Page(Order::Time, 1, &[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move { evil.link(&evil.struck().entry(BY_TIME)?, &evil.neighbour().record).await })
        },
    },
    Attack {
        name: "an_entry_is_planted_for_another_record",
        does: "The time of one record, in an entry that leads to another.",
        shows: &[shows(Way::Page(Order::Time, 1, &[]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let front = front(evil, evil.struck(), BY_TIME)?;
                evil.plant(front, &evil.neighbour().record).await
            })
        },
    },
    Attack {
        name: "an_entry_is_planted_at_another_time",
        does: "An entry of a record with a time that it does not have: what is ordered is in clear.",
        shows: &[shows(Way::Page(Order::Time, 1, &[]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let mut front = front(evil, evil.struck(), BY_TIME)?;
                front.last_mut().map(|byte| *byte ^= 0x40).ok_or_else(|| Failure::new("an entry has a time"))?;
                evil.plant(front, &evil.struck().record).await
            })
        },
    },
    Attack {
        name: "an_entry_is_moved_to_another_time",
        does: "The entry of a record, taken away from its time and put at another.",
        shows: &[shows(Way::Page(Order::Time, 1, &[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let mut front = front(evil, evil.struck(), BY_TIME)?;
                front.last_mut().map(|byte| *byte ^= 0x40).ok_or_else(|| Failure::new("an entry has a time"))?;
                evil.delete(&[&evil.struck().entry(BY_TIME)?]).await?;
                evil.plant(front, &evil.struck().record).await
            })
        },
    },
    Attack {
        name: "an_entry_is_planted_for_a_record_of_another_collection",
        does: "The time of a letter, in an entry that leads to a draft.",
        shows: &[shows(Way::Page(Order::Time, 1, &[]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let front = front(evil, evil.struck(), BY_TIME)?;
                evil.plant(front, &evil.scene.drafts[STRUCK as usize].record).await
            })
        },
    },
    Attack {
        name: "an_entry_of_a_multi_index_is_planted",
        does: "The tag that one record alone has, in an entry that leads to another.",
        shows: &[VERIFY],
        strike: |evil| Box::pin(plant_tag(evil)),
    },
    Attack {
        name: "an_entry_of_the_expiry_is_planted",
        does: "An entry that says a record expired long ago.",
        shows: &[VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let mut front = front(evil, evil.struck(), EXPIRES_AT)?;
                front.iter_mut().skip(3).for_each(|byte| *byte = 0);
                evil.plant(front, &evil.struck().record).await
            })
        },
    },
    Attack {
        name: "an_entry_of_a_multi_index_leads_to_another_record",
        does: "The entry of a tag that all have leads to another record.",
        shows: &[shows(Way::Page(Order::Tag, 1, &[STRUCK]), "IndexMismatch"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let entry = common_tag(evil, evil.struck())?;
                evil.link(&entry, &evil.neighbour().record).await
            })
        },
    },
    Attack {
        name: "a_plain_value_in_place_of_an_entry",
        does: "A plain value where an entry was.",
        shows: &[shows(Way::Page(Order::Time, 1, &[STRUCK]), "NotAnEnvelope"), VERIFY],
        strike: |evil| {
            Box::pin(async move {
                let plain = Write::Put(Bytes::from_static(b"\x01plain"));
                evil.write(&evil.struck().entry(BY_TIME)?, plain).await
            })
        },
    },
    Attack {
        name: "a_record_in_place_of_an_entry",
        does: "The sealed value of the record itself where its entry was.",
        shows: &[shows(Way::Page(Order::Time, 1, &[STRUCK]), "AuthFailed"), VERIFY],
        strike: |evil| {
            Box::pin(async move { evil.copy(evil.scene, &evil.struck().record, &evil.struck().entry(BY_TIME)?).await })
        },
    },
    Attack {
        name: "a_link_in_place_of_a_record",
        does: "A link to another record where a record was.",
        shows: &[
            shows(Way::Letters(&[STRUCK]), "Corrupt"),
            shows(Way::Page(Order::Tag, 1, &[STRUCK]), "Corrupt"),
            VERIFY,
        ],
        strike: |evil| Box::pin(async move { evil.link(&evil.struck().record, &evil.neighbour().record).await }),
    },
    Attack {
        name: "a_link_to_itself_in_place_of_a_record",
        does: "A link that leads to where it is.",
        shows: &[
            shows(Way::Letters(&[STRUCK]), "Corrupt"),
            shows(Way::Page(Order::Tag, 1, &[STRUCK]), "Corrupt"),
            VERIFY,
        ],
        strike: |evil| Box::pin(async move { evil.link(&evil.struck().record, &evil.struck().record).await }),
    },
];

impl Evil<'_> {
    /// Writes an entry of these components that leads to a record.
    async fn plant(self, front: Vec<u8>, record: &StoredKey) -> Checked {
        let at = u16::try_from(front.len()).map_err(|error| Failure::new(error.to_string()))?;
        let key = StoredKey::from([&front[..], record.as_bytes()].concat());
        self.write(&key, Write::Link(LinkTo::Suffix(at))).await
    }
}

/// The components of an entry: what stands before the key of its record.
fn front(evil: Evil<'_>, keys: &Keys, index: u8) -> Checked<Vec<u8>> {
    cut(evil, &keys.entry(index)?)
}

fn cut(evil: Evil<'_>, entry: &StoredKey) -> Checked<Vec<u8>> {
    let target = target(&evil.scene.rows, entry)?;
    let front = entry.as_bytes().strip_suffix(target.as_bytes());
    front.map(<[u8]>::to_vec).ok_or_else(|| Failure::new("an entry ends in its record's key"))
}

/// The entry of the tag that all have: its front is that of an entry of the neighbour as well.
fn common_tag(evil: Evil<'_>, keys: &Keys) -> Checked<StoredKey> {
    let others = evil.neighbour().entries.get(&TAG).into_iter().chain(evil.scene.letters[0].entries.get(&TAG));
    let fronts = others.flatten().map(|entry| cut(evil, entry)).collect::<Checked<Vec<_>>>()?;
    for entry in keys.entries.get(&TAG).into_iter().flatten() {
        if fronts.iter().filter(|front| cut(evil, entry).is_ok_and(|cut| cut == **front)).count() == 2 {
            return Ok(entry.clone());
        }
    }
    Err(Failure::new("all have one tag"))
}

async fn plant_tag(evil: Evil<'_>) -> Checked {
    let common = common_tag(evil, evil.struck())?;
    let own = evil.struck().entries.get(&TAG).into_iter().flatten().find(|entry| **entry != common);
    let own = own.ok_or_else(|| Failure::new("each has a tag of its own"))?;
    evil.plant(cut(evil, own)?, &evil.neighbour().record).await
}
