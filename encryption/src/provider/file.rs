//! The provider whose key lies in a file.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use strongroom_core::Result;

use crate::provider::{KeyFile, KeyProvider, ProviderError};
use crate::secret::fill_random;
use crate::{SecretKey, wrap};

const LABEL: &[u8] = b"strongroom/1 file provider";

/// A [`KeyProvider`] whose key lies in a [`KeyFile`], for servers whose secrets are mounted as files.
///
/// The file is read once. The key stays in memory as long as the provider does.
pub struct FileKeyProvider {
    path: PathBuf,
    key: SecretKey,
}

impl FileKeyProvider {
    /// The provider of the key in the file at `path`.
    ///
    /// # Errors
    ///
    /// As [`KeyFile::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(FileKeyProvider { path: path.to_owned(), key: KeyFile::load(path)? })
    }

    /// The same key must not seal anything else, wherever the file is used besides.
    fn wrapping_key(&self) -> SecretKey {
        self.key.derive(&[], &[LABEL])
    }
}

impl fmt::Debug for FileKeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeyProvider").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyProvider for FileKeyProvider {
    fn name(&self) -> &str {
        "file"
    }

    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let mut random = [0; wrap::NONCE_BYTES];
        fill_random(&mut random).map_err(|_| ProviderError::Failed)?;
        Ok(wrap::seal(&self.wrapping_key(), &random, context, key.as_bytes()))
    }

    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, ProviderError> {
        let content = wrap::open(&self.wrapping_key(), context, wrapped).ok_or(ProviderError::NotMine)?;
        SecretKey::from_slice(&content).ok_or(ProviderError::NotMine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wraps_for_its_own_file_and_context() {
        let folder = tempfile::tempdir().unwrap();
        let provider = |name: &str| {
            KeyFile::generate(folder.path().join(name)).unwrap();
            FileKeyProvider::load(folder.path().join(name)).unwrap()
        };
        let (one, two) = (provider("one"), provider("two"));
        let key = SecretKey::new([5; 32]);
        let wrapped = one.wrap(&key, b"slot").await.unwrap();
        assert_eq!(one.unwrap(&wrapped, b"slot").await, Ok(key.clone()));
        assert_eq!(one.unwrap(&wrapped, b"other").await, Err(ProviderError::NotMine));
        assert_eq!(two.unwrap(&wrapped, b"slot").await, Err(ProviderError::NotMine));
        assert_eq!(one.unwrap(b"", b"slot").await, Err(ProviderError::NotMine));
        assert_ne!(one.wrap(&key, b"slot").await.unwrap(), wrapped);
        assert!(!wrapped.windows(32).any(|part| part == key.as_bytes()));
        assert!(format!("{one:?}").ends_with("one\", .. }"));
    }

    #[test]
    fn needs_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = FileKeyProvider::load(folder.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("strongroom key generate"), "{error}");
    }
}
