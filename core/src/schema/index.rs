//! An index as a type: which components it has, in which roles.

use std::fmt;
use std::marker::PhantomData;

use super::IndexRef;

/// A component that can only be matched for equality.
pub struct Exact<C>(PhantomData<fn() -> C>);

/// A component that can also be ranged over and sorted by.
pub struct Ordered<C>(PhantomData<fn() -> C>);

/// One of a record's orders, as the derive writes it: `Index<Message, (Exact<RoomId>, (Ordered<Timestamp>, ()))>`.
///
/// The second parameter lists the components; a query consumes it from the front. A range or an order on an exact component,
/// or a prefix of other components, does not compile.
pub struct Index<R, C> {
    pub(crate) index: IndexRef,
    record: PhantomData<fn() -> (R, C)>,
}

impl<R, C> Index<R, C> {
    /// For the derive: the types must be those of the definition.
    #[doc(hidden)]
    pub const fn new(index: IndexRef) -> Self {
        Index { index, record: PhantomData }
    }
}

impl<R, C> Clone for Index<R, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, C> Copy for Index<R, C> {}

impl<R, C> fmt::Debug for Index<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({:?})", self.index)
    }
}
