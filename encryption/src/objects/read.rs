//! `get` and `head`.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::{self, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, Error, Extensions, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore,
    ObjectStoreExt, Result,
};

use super::EncryptedObjects;
use super::errors::{Renamed, generic, refused, unsteady};
use super::header::{HEADER_LEN, Header};
use super::keys::ObjectKey;
use super::open::{Body, Plan, opened};
use super::pace::Pace;
use crate::EncryptionError;

/// How often a read begins anew because the object was written between its requests.
const TRIES: usize = 4;

/// The range of the header.
const HEADER: Range<u64> = 0..HEADER_LEN as u64;

/// An object whose header was read. The plan is for all of it.
struct Begun {
    meta: ObjectMeta,
    attributes: Attributes,
    extensions: Extensions,
    key: ObjectKey,
    /// What the first request gave, behind the header.
    body: Body,
    plan: Plan,
}

impl<O: ObjectStore> EncryptedObjects<O> {
    pub(super) async fn read(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let below = self.below(location)?;
        if options.head {
            return self.read_head(location, &below, options).await;
        }
        if let Some(range) = &options.range {
            range.is_valid().map_err(generic)?;
        }
        let (first, is_all) = self.first_request(options.range.as_ref());
        for _ in 0..TRIES {
            let Begun { meta, attributes, extensions, key, mut body, mut plan } =
                self.begin(location, &below, &options, first.clone()).await?;
            match wanted(options.range.as_ref(), plan.plain) {
                Ok(range) => plan.range = range,
                Err(error) => {
                    self.see_end(&below, &options, &meta, plan, key).await.about(location)?;
                    return Err(error);
                }
            }
            if !is_all {
                match self.go_on(&below, &options, &meta, &plan).await.about(location)? {
                    Some(chunks) => body = chunks,
                    None => continue,
                }
            }
            let meta = ObjectMeta { location: location.clone(), size: plan.plain, ..meta };
            let range = plan.range.clone();
            let payload = GetResultPayload::Stream(opened(body, plan, key));
            return Ok(GetResult { payload, meta, range, attributes, extensions });
        }
        Err(unsteady())
    }

    async fn read_head(&self, location: &Path, below: &Path, mut options: GetOptions) -> Result<GetResult> {
        // The range is of the content, so it means nothing below.
        let range = options.range.take();
        let mut result = self.inner.get_opts(below, options).await.about(location)?;
        let size = self.shared.layout.plain_len(result.meta.size).map_err(refused)?;
        result.range = wanted(range.as_ref(), size)?;
        result.meta = ObjectMeta { location: location.clone(), size, ..result.meta };
        result.payload = GetResultPayload::Stream(stream::empty().boxed());
        Ok(result)
    }

    pub(super) async fn read_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let below = self.below(location)?;
        let mut refused_before = None;
        for _ in 0..TRIES {
            let header = Some(GetRange::Bounded(HEADER));
            let options = GetOptions::default();
            let Begun { key, plan, meta, .. } = self.begin(location, &below, &options, header).await?;
            // If it is still the object that did not open before, it is not that it was written meanwhile.
            match refused_before {
                Some((header, error)) if header == *key.header() => return Err(refused(error)),
                _ => {}
            }
            let plans = ranges.iter().map(|range| {
                let range = wanted(Some(&GetRange::Bounded(range.clone())), plan.plain)?;
                Ok(Plan { range, ..plan.clone() })
            });
            let plans: Vec<Plan> = match plans.collect::<Result<_>>() {
                Ok(plans) => plans,
                Err(error) => {
                    self.see_end(&below, &options, &meta, plan, key).await.about(location)?;
                    return Err(error);
                }
            };
            let spans: Vec<Range<u64>> = plans.iter().map(span).collect::<Result<_>>()?;
            let sealed = self.inner.get_ranges(&below, &spans).await.about(location)?;
            match open_all(&key, &plans, sealed).await {
                Ok(opened) => return Ok(opened),
                Err(error) => refused_before = Some((*key.header(), error)),
            }
        }
        Err(unsteady())
    }

    /// What to ask for first, and whether it is all that is needed.
    fn first_request(&self, range: Option<&GetRange>) -> (Option<GetRange>, bool) {
        let chunk_bytes = self.shared.layout.chunk_bytes() as u64;
        match range {
            None => (None, true),
            Some(GetRange::Offset(start)) if *start < chunk_bytes => (None, true),
            Some(GetRange::Bounded(range)) if range.start < chunk_bytes => {
                let chunks = self.shared.layout.chunks_of(range, range.end);
                // An end that no number says is beyond the object's.
                (self.shared.layout.span(&chunks).map(|span| GetRange::Bounded(0..span.end)), true)
            }
            _ => (Some(GetRange::Bounded(HEADER)), false),
        }
    }

    /// The first request: preconditions are checked, and the header is read and compared.
    async fn begin(
        &self,
        location: &Path,
        below: &Path,
        options: &GetOptions,
        range: Option<GetRange>,
    ) -> Result<Begun> {
        let first = GetOptions { range: range.clone(), ..options.clone() };
        let result = match self.inner.get_opts(below, first).await {
            Ok(result) => result,
            // A store refuses a range of an empty object; say what is wrong with it.
            Err(error @ Error::Generic { .. }) if range.is_some() => {
                let size = self.inner.head(below).await.map(|meta| self.shared.layout.plain_len(meta.size));
                return Err(if let Ok(Err(cut)) = size { refused(cut) } else { error });
            }
            Err(error) => return Err(error).about(location),
        };
        if result.range != wanted(range.as_ref(), result.meta.size)? {
            return Err(another_range());
        }
        let (meta, attributes, extensions) =
            (result.meta.clone(), result.attributes.clone(), result.extensions.clone());
        let mut body = Body::new(result.into_stream());
        let mut bytes = BytesMut::new();
        body.take(HEADER_LEN, &mut bytes).await.about(location)?;
        let layout = self.shared.layout;
        let header = Header::parse(&bytes, layout).map_err(refused)?;
        let key = ObjectKey::of(&self.shared.keys, layout, location.as_ref(), &header).map_err(refused)?;
        let plain = layout.plain_len(meta.size).map_err(refused)?;
        Ok(Begun { meta, attributes, extensions, key, body, plan: Plan { layout, plain, range: 0..plain } })
    }

    /// Opens the last chunk, to be sure that the object ends where it seems to: before a range is said to lie beyond its end.
    async fn see_end(
        &self,
        below: &Path,
        options: &GetOptions,
        meta: &ObjectMeta,
        plan: Plan,
        key: ObjectKey,
    ) -> Result<()> {
        let end = Plan { range: plan.plain..plan.plain, ..plan };
        match self.go_on(below, options, meta, &end).await? {
            Some(body) => opened(body, end, key).try_collect::<Vec<_>>().await.map(drop),
            // It was written meanwhile, and had this end before, or had not: nobody can tell any more.
            None => Ok(()),
        }
    }

    /// The second request: the chunks of a range that begins beyond the first. None if the object is not what it was.
    async fn go_on(
        &self,
        below: &Path,
        options: &GetOptions,
        before: &ObjectMeta,
        plan: &Plan,
    ) -> Result<Option<Body>> {
        let expected = span(plan)?;
        let second = GetOptions {
            range: Some(GetRange::Bounded(expected.clone())),
            version: options.version.clone(),
            extensions: options.extensions.clone(),
            ..GetOptions::default()
        };
        match self.inner.get_opts(below, second).await {
            Ok(result) if !is_same(&result.meta, before) => Ok(None),
            Ok(result) if result.range != expected => Err(another_range()),
            Ok(result) => Ok(Some(Body::new(result.into_stream()))),
            // The range may be beyond the end of what is there now.
            Err(error @ Error::Generic { .. }) => match self.inner.head(below).await {
                Ok(now) if options.version.is_none() && !is_same(&now, before) => Ok(None),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

/// Whether two answers are about one object. That is for the error to be right: chunks of two objects do not open together.
fn is_same(a: &ObjectMeta, b: &ObjectMeta) -> bool {
    a.size == b.size && a.e_tag == b.e_tag && a.version == b.version
}

/// The bytes of content that a request is about.
fn wanted(range: Option<&GetRange>, size: u64) -> Result<Range<u64>> {
    match range {
        Some(range) => range.as_range(size).map_err(generic),
        None => Ok(0..size),
    }
}

/// Where the chunks of a plan stand in the sealed object.
fn span(plan: &Plan) -> Result<Range<u64>> {
    let (span, sealed) = (plan.layout.span(&plan.chunks()), plan.layout.sealed_len(plan.plain));
    // The last one may be shorter.
    let span = span.zip(sealed).map(|(span, sealed)| span.start..span.end.min(sealed));
    span.ok_or_else(|| refused(EncryptionError::Truncated))
}

/// Opens the chunks of each plan.
async fn open_all(key: &ObjectKey, plans: &[Plan], sealed: Vec<Bytes>) -> Result<Vec<Bytes>, EncryptionError> {
    if sealed.len() != plans.len() {
        return Err(EncryptionError::Truncated);
    }
    let mut pace = Pace::default();
    let mut opened = Vec::with_capacity(plans.len());
    for (plan, mut sealed) in plans.iter().zip(sealed) {
        let mut content = BytesMut::new();
        for index in plan.chunks() {
            let chunk = sealed.split_to(plan.sealed_chunk(index).min(sealed.len()));
            pace.after(chunk.len()).await;
            let part = plan.open(key, index, BytesMut::from(chunk))?;
            match part.try_into_mut() {
                // Of one chunk, as it is.
                Ok(part) if content.is_empty() => content = part,
                Ok(part) => content.extend_from_slice(&part),
                Err(part) => content.extend_from_slice(&part),
            }
        }
        opened.push(content.freeze());
    }
    Ok(opened)
}

fn another_range() -> Error {
    generic(strongroom_core::Error::new(
        strongroom_core::ErrorKind::Io,
        "the store below gave another range than it was asked for",
    ))
}
