//! An encoded tuple that still knows where each component ends.

use std::ops::Range;

use super::Component;

/// The encoded components of one key, with their borders. Reusable: [`clear`](Components::clear) keeps the memory.
///
/// Has no `Debug`: it holds plaintext.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Components {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Components {
    /// No components.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one component.
    pub fn push<C: Component>(&mut self, value: &C::Borrowed) {
        C::encode(value, &mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Appends one component that is encoded already.
    pub(crate) fn push_encoded(&mut self, component: &[u8]) {
        self.bytes.extend_from_slice(component);
        self.ends.push(self.bytes.len());
    }

    /// Forgets all components.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many components there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The encodings, one after another.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encoding of each component.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|at| &self.bytes[self.range(at)])
    }

    /// The components from `at` on.
    pub fn skip(&self, at: usize) -> impl Iterator<Item = &[u8]> {
        self.iter().skip(at)
    }

    /// Whether the first components are exactly those of `prefix`.
    pub fn starts_with(&self, prefix: &Components) -> bool {
        // Encodings are self-delimiting, so equal bytes mean equal components.
        self.len() >= prefix.len() && self.bytes.starts_with(&prefix.bytes)
    }

    fn range(&self, at: usize) -> Range<usize> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        start..self.ends[at]
    }
}
