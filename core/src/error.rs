//! The one error of every layer: what went wrong, in which operation, on which backend.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
///
/// New kinds may come with any release: match with a wildcard arm, or ask a predicate of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An `insert` met a record that has the same key.
    AlreadyExists,
    /// An `update` met no record with that key.
    NotFound,
    /// A unique index already has an entry with the same components, of another record.
    UniqueViolation,
    /// A concurrent commit changed what this transaction had read, more often than the retries allow.
    Conflict,
    /// A documented limit was passed; nothing was written.
    Limit(Limit),
    /// An argument that can never be right: a malformed cursor, an inverted range, a duplicate key in a batch.
    InvalidInput,
    /// Stored bytes are not what they must be; the message names the collection or file.
    Corrupt,
    /// An index entry leads to a record that does not have it.
    IndexMismatch,
    /// The index is still being built, by [`Database::migrate`](crate::Database::migrate) of this or another program. Ask again later.
    IndexBuilding,
    /// The store's content was sealed by an encryption layer, and was opened without it: open it with its key.
    Encrypted,
    /// The store's catalog and the program's schema differ in a way that is not safe to reconcile.
    SchemaMismatch,
    /// The bytes on disk have a version that this program cannot read.
    UnsupportedVersion,
    /// The file exists and is not a Strongroom store; it was not touched.
    NotAStore,
    /// Another process or handle has the store open, or an operation needs it alone.
    Busy,
    /// The store or database was closed.
    Closed,
    /// A snapshot was held longer than the store allows. Take a new one.
    SnapshotExpired,
    /// What follows this place in the change log was trimmed: read all records anew, and go on from the cursor of that view.
    ChangesTrimmed,
    /// The transaction's closure has already returned; its handle is sealed.
    TransactionEnded,
    /// This backend cannot do this, as it declares.
    Unsupported,
    /// The operating system or the engine failed.
    Io,
    /// The connection died in the middle of a commit: it may or may not have happened.
    CommitUnknown,
    /// An error that the caller's own closure returned through [`Error::application`].
    Application,
    /// A layer's own failure (encryption, cache); its typed error is in [`Error::get_ref`].
    Layer,
}

/// A documented limit of a store. All are in [`Limits`](crate::store::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes in one stored key.
    KeyBytes,
    /// Bytes in one stored value.
    ValueBytes,
    /// Writes in one batch.
    BatchWrites,
    /// Guards in one batch.
    BatchGuards,
    /// Bytes of keys and values in one batch.
    BatchBytes,
    /// Rows that the range guards of one batch may cover.
    GuardRows,
    /// Entries in one page.
    PageEntries,
    /// Keys in one `get`.
    GetKeys,
    /// Snapshots open at one time.
    Snapshots,
}

impl Limit {
    fn name(self) -> &'static str {
        match self {
            Limit::KeyBytes => "bytes in a key",
            Limit::ValueBytes => "bytes in a value",
            Limit::BatchWrites => "writes in a batch",
            Limit::BatchGuards => "guards in a batch",
            Limit::BatchBytes => "bytes in a batch",
            Limit::GuardRows => "rows under the range guards of a batch",
            Limit::PageEntries => "entries in a page",
            Limit::GetKeys => "keys in a get",
            Limit::Snapshots => "open snapshots",
        }
    }
}

/// An error of any layer. Cheap to clone, so that every member of a failed commit group gets its own.
///
/// It never holds key material or plaintext: collections and indexes are named, records are not.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<&'static str>,
    backend: Option<&'static str>,
    place: Option<Cow<'static, str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` says what happened and, where there is something, what to do next.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Arc::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            backend: None,
            place: None,
            source: None,
        }))
    }

    /// A limit that was passed: its name, the maximum and what was asked for.
    pub fn limit(limit: Limit, max: u64, asked: u64) -> Self {
        Error::new(ErrorKind::Limit(limit), format!("the limit is {max} {}, this has {asked}", limit.name()))
    }

    /// Wraps an error of the caller's own, to end a transaction with it. [`Error::get_ref`] finds it again.
    pub fn application(source: impl StdError + Send + Sync + 'static) -> Self {
        Error::new(ErrorKind::Application, "the transaction's closure returned an error").with_source(source)
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Names the operation; the first name given stays, since it is the closest to the failure.
    #[must_use]
    pub fn during(self, operation: &'static str) -> Self {
        self.change(|inner| inner.operation = inner.operation.or(Some(operation)))
    }

    /// Names the backend; the first name given stays.
    #[must_use]
    pub fn on(self, backend: &'static str) -> Self {
        self.change(|inner| inner.backend = inner.backend.or(Some(backend)))
    }

    /// Names the collection, index or file it is about; the first name given stays.
    #[must_use]
    pub fn at(self, place: impl Into<Cow<'static, str>>) -> Self {
        self.change(|inner| {
            inner.place.get_or_insert_with(|| place.into());
        })
    }

    /// Names what the place that was named is a part of, or the place itself if none was.
    pub(crate) fn within(self, whole: &str) -> Self {
        self.change(|inner| {
            let place = inner.place.take().map_or_else(|| whole.to_owned(), |place| format!("{whole}, {place}"));
            inner.place = Some(place.into());
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, where it is known.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The backend that failed, where one did.
    pub fn backend(&self) -> Option<&'static str> {
        self.0.backend
    }

    /// The collection, index or file it is about, where it is known.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// The source error, if it is a `T`.
    pub fn get_ref<T: StdError + 'static>(&self) -> Option<&T> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        source.downcast_ref::<T>()
    }

    /// Whether a concurrent commit was the reason.
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }

    /// Whether the same call may succeed when it is simply made again.
    ///
    /// Never true of [`ErrorKind::CommitUnknown`]: what happened must be looked up first.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Conflict
                | ErrorKind::SnapshotExpired
                | ErrorKind::Busy
                | ErrorKind::IndexBuilding
                | ErrorKind::Limit(Limit::Snapshots)
        )
    }

    /// Whether an `insert` met an existing record, or a unique index an existing entry.
    pub fn is_already_exists(&self) -> bool {
        matches!(self.kind(), ErrorKind::AlreadyExists | ErrorKind::UniqueViolation)
    }

    /// Whether a unique index already has the entry, of another record.
    pub fn is_unique_violation(&self) -> bool {
        self.kind() == ErrorKind::UniqueViolation
    }

    /// Whether an `update` met no record.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether a documented limit was passed.
    pub fn is_limit(&self) -> bool {
        matches!(self.kind(), ErrorKind::Limit(_))
    }

    /// Whether the changes that were asked for are no longer in the change log.
    pub fn is_changes_trimmed(&self) -> bool {
        self.kind() == ErrorKind::ChangesTrimmed
    }

    /// Whether stored bytes are damaged.
    pub fn is_corrupt(&self) -> bool {
        matches!(self.kind(), ErrorKind::Corrupt | ErrorKind::IndexMismatch)
    }

    /// Whether the store was closed.
    pub fn is_closed(&self) -> bool {
        self.kind() == ErrorKind::Closed
    }

    /// Whether somebody else holds what this needs.
    pub fn is_busy(&self) -> bool {
        self.kind() == ErrorKind::Busy
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(backend) = self.0.backend {
            write!(f, "{backend}: ")?;
        }
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        if let Some(place) = &self.0.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Display already prints the source, so a chain printer must start behind it.
        self.0.source.as_deref().and_then(StdError::source)
    }
}

impl Error {
    /// The message of a caught panic, for backends that call an engine which may panic on a damaged file.
    pub fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| "no message".to_owned());
        Error::new(ErrorKind::Corrupt, format!("the engine panicked, the file is probably damaged: {text}"))
    }
}
