//! How the components of a key become stored bytes.

use std::fmt::Debug;

use crate::Result;

/// Turns `exact` components into their stored form. `ordered` ones are always stored as they are encoded.
///
/// An encrypting layer replaces the plain codec by one that blinds. It must then replace the values' form as well: both or
/// neither.
pub trait KeyCodec: Debug + Send + Sync + 'static {
    /// Appends the stored form of one component to `key`, which holds the keyspace and the components before it.
    ///
    /// # Behavior
    ///
    /// - Deterministic: the same `key` and `component` give the same bytes, and different components different ones.
    /// - Self-delimiting: no stored form is a prefix of another one's, so that whole components are a prefix of the key.
    /// - Errors: a layer's own, when its keys have been dropped.
    fn exact(&self, component: &[u8], key: &mut Vec<u8>) -> Result<()>;

    /// Whether each value that is read, but for those of stamped rows, was surely written under the key where it was found, as it is where
    /// values are sealed together with their keys. Then a record's key need not be made again to see that the record is not another's.
    fn binds_values(&self) -> bool {
        false
    }
}

/// Stores components as they are encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainCodec;

impl KeyCodec for PlainCodec {
    fn exact(&self, component: &[u8], key: &mut Vec<u8>) -> Result<()> {
        key.extend_from_slice(component);
        Ok(())
    }
}
