//! Object stores that are wrong on purpose.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{
    GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, PutResult, Result,
};

use super::views::lock;
use crate::objects::{ObjectTwist, TwistedObjects};

/// A way for an object store to be wrong.
#[derive(Clone, Copy)]
pub struct BrokenObjects {
    /// Its name, in snake case: unique.
    pub name: &'static str,
    /// What it gets wrong, in one sentence.
    pub wrong: &'static str,
    /// The case that must catch it: its group and name.
    pub caught_by: &'static str,
    /// Makes a correct object store wrong.
    pub wrap: fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>,
}

impl Debug for BrokenObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} Caught by {}", self.name, self.wrong, self.caught_by)
    }
}

/// Every broken object store.
pub fn objects() -> &'static [BrokenObjects] {
    ALL
}

const ALL: &[BrokenObjects] = &[
    BrokenObjects {
        name: "a_put_is_acknowledged_and_not_stored",
        wrong: "Nothing is ever stored.",
        caught_by: "media::a_medium_of_any_size_is_read_back_whole",
        wrap: |inner| twisted(inner, Mistake::StoresNothing),
    },
    BrokenObjects {
        name: "a_put_is_stored_when_somebody_looks",
        wrong: "A put is kept in memory until something is read or listed.",
        caught_by: "media::acknowledged_media_survive_a_kill_at_any_moment",
        wrap: |inner| Arc::new(TwistedObjects::new(inner, Arc::new(Late::default()))),
    },
    BrokenObjects {
        name: "a_put_loses_its_last_byte",
        wrong: "The last byte of what is put is not stored.",
        caught_by: "media::a_source_in_any_pieces_makes_the_same_medium",
        wrap: |inner| twisted(inner, Mistake::LosesLastByte),
    },
    BrokenObjects {
        name: "the_last_part_is_lost",
        wrong: "What is shorter than a whole part is not stored.",
        caught_by: "media::eight_transfers_at_once_are_each_whole",
        wrap: |inner| twisted(inner, Mistake::LosesShortParts),
    },
    BrokenObjects {
        name: "two_parts_change_places",
        wrong: "Parts 0 and 1 of an object are read in each other's place.",
        caught_by: "media::a_medium_of_any_size_is_read_back_whole",
        wrap: |inner| twisted(inner, Mistake::SwapsParts),
    },
    BrokenObjects {
        name: "a_range_is_ignored",
        wrong: "Whoever asks for some bytes gets all.",
        caught_by: "media::a_range_is_exact_at_every_edge_of_a_part",
        wrap: |inner| twisted(inner, Mistake::IgnoresRange),
    },
    BrokenObjects {
        name: "a_range_begins_one_byte_late",
        wrong: "Of a range that does not begin with the first byte, the bytes after the right ones come.",
        caught_by: "media::random_ranges_equal_the_slice",
        wrap: |inner| twisted(inner, Mistake::RangeBeginsLate),
    },
    BrokenObjects {
        name: "a_range_ends_one_byte_early",
        wrong: "A range lacks its last byte.",
        caught_by: "media::a_range_may_lack_either_end",
        wrap: |inner| twisted(inner, Mistake::RangeEndsEarly),
    },
    BrokenObjects {
        name: "a_list_forgets_every_other_name",
        wrong: "A list has only half of the names.",
        caught_by: "media::bytes_that_no_record_names_are_swept",
        wrap: |inner| twisted(inner, Mistake::ForgetsNames),
    },
    BrokenObjects {
        name: "a_list_knows_no_prefix",
        wrong: "A list has all names, whatever they begin with.",
        caught_by: "media::databases_that_share_an_object_store_spare_each_other",
        wrap: |inner| twisted(inner, Mistake::IgnoresPrefix),
    },
    BrokenObjects {
        name: "a_delete_does_nothing",
        wrong: "What is deleted stays.",
        caught_by: "media::a_delete_removes_records_and_bytes",
        wrap: |inner| twisted(inner, Mistake::DeletesNothing),
    },
    BrokenObjects {
        name: "a_missing_object_is_all_zeros",
        wrong: "What is not there is read as zeros.",
        caught_by: "media::a_part_that_is_gone_is_noticed",
        wrap: |inner| twisted(inner, Mistake::MissingIsZeros),
    },
    BrokenObjects {
        name: "a_failure_is_no_failure",
        wrong: "A put without space is acknowledged.",
        caught_by: "media::without_space_a_put_fails_and_media_are_read",
        wrap: |inner| twisted(inner, Mistake::Deaf),
    },
];

fn twisted(inner: Arc<dyn ObjectStore>, mistake: Mistake) -> Arc<dyn ObjectStore> {
    Arc::new(TwistedObjects::new(inner, Arc::new(mistake)))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    StoresNothing,
    LosesLastByte,
    LosesShortParts,
    SwapsParts,
    IgnoresRange,
    RangeBeginsLate,
    RangeEndsEarly,
    ForgetsNames,
    IgnoresPrefix,
    DeletesNothing,
    MissingIsZeros,
    Deaf,
}

/// Bytes of a whole part in the suite.
const WHOLE_PART: usize = 64 << 10;

fn done() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Default::default() }
}

#[async_trait]
impl ObjectTwist for Mistake {
    async fn put(
        &self,
        inner: &Arc<dyn ObjectStore>,
        path: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let length = bytes.content_length();
        match self {
            Mistake::StoresNothing => return Ok(done()),
            Mistake::LosesShortParts if length < WHOLE_PART => return Ok(done()),
            Mistake::LosesLastByte => {
                let cut = Bytes::from(bytes).slice(..length.saturating_sub(1));
                return inner.put_opts(path, cut.into(), options).await;
            }
            _ => {}
        }
        match inner.put_opts(path, bytes, options).await {
            Err(_) if *self == Mistake::Deaf => Ok(done()),
            answer => answer,
        }
    }

    async fn get(&self, inner: &Arc<dyn ObjectStore>, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut options = options;
        let mut path = path.clone();
        match (self, options.range.as_mut()) {
            (Mistake::SwapsParts, _) => {
                let name = path.to_string();
                let other = [("-0-0", "-0-1"), ("-0-1", "-0-0")]
                    .into_iter()
                    .find_map(|(own, other)| Some(Path::from(format!("{}{other}", name.strip_suffix(own)?))));
                if let Some(other) = other
                    && inner.head(&other).await.is_ok_and(|meta| meta.size == WHOLE_PART as u64)
                {
                    path = other;
                }
            }
            (Mistake::IgnoresRange, _) => options.range = None,
            (Mistake::RangeBeginsLate, Some(GetRange::Bounded(range))) if range.start > 0 => {
                range.start += 1;
                range.end += 1;
            }
            (Mistake::RangeEndsEarly, Some(GetRange::Bounded(range))) if range.end > range.start + 1 => range.end -= 1,
            _ => {}
        }
        let answer = inner.get_opts(&path, options.clone()).await;
        if *self == Mistake::MissingIsZeros && answer.is_err() {
            // Zeros, as a file with a hole has them.
            let length = match &options.range {
                Some(GetRange::Bounded(range)) => range.end,
                _ => 0,
            };
            inner.put(&path, vec![0; length as usize].into()).await?;
            return inner.get_opts(&path, options).await;
        }
        answer
    }

    async fn delete(&self, inner: &Arc<dyn ObjectStore>, path: &Path) -> Result<()> {
        if *self == Mistake::DeletesNothing { Ok(()) } else { inner.delete(path).await }
    }

    async fn list(&self, inner: &Arc<dyn ObjectStore>, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        let prefix = if *self == Mistake::IgnoresPrefix { None } else { prefix };
        let listed: Vec<ObjectMeta> = inner.list(prefix).try_collect().await?;
        let step = if *self == Mistake::ForgetsNames { 2 } else { 1 };
        Ok(listed.into_iter().step_by(step).collect())
    }
}

/// Keeps what is put until somebody looks.
#[derive(Debug, Default)]
struct Late(Mutex<BTreeMap<Path, Bytes>>);

impl Late {
    async fn hand_on(&self, inner: &Arc<dyn ObjectStore>) -> Result<()> {
        let waiting = std::mem::take(&mut *lock(&self.0));
        for (path, bytes) in waiting {
            inner.put(&path, bytes.into()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectTwist for Late {
    async fn put(&self, _: &Arc<dyn ObjectStore>, path: &Path, bytes: PutPayload, _: PutOptions) -> Result<PutResult> {
        lock(&self.0).insert(path.clone(), bytes.into());
        Ok(done())
    }

    async fn get(&self, inner: &Arc<dyn ObjectStore>, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.hand_on(inner).await?;
        inner.get_opts(path, options).await
    }

    async fn list(&self, inner: &Arc<dyn ObjectStore>, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        self.hand_on(inner).await?;
        inner.list(prefix).try_collect().await
    }
}
