//! Strongroom on memory: nothing outlives the process, everything else is as in the other backends.
//!
//! ```
//! # use strongroom_core::store::{Batch, Read, Store, StoredKey, Write};
//! # async fn example() -> strongroom_core::Result<()> {
//! let store = strongroom_memory::Memory::new();
//! let key = StoredKey::from(b"key".to_vec());
//! let writes = [(key.clone(), Write::Put("value".into()))].into();
//! store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
//! assert!(store.get(&[key]).await?.rows[0].is_some());
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

mod store;
mod table;

pub use store::{Memory, MemoryOptions};
