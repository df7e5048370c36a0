//! From a passphrase to a key: Argon2id, with parameters that are stored in the slot.

use std::thread;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::unlock::Passphrase;
use crate::{EncryptionError, SecretKey};

/// Bytes of the salt: what RFC 9106, section 3.1, recommends.
pub(crate) const SALT_BYTES: usize = 16;

/// How dear a guess at a passphrase is: Argon2id, version 1.3 (RFC 9106).
///
/// Every instance is within [`FLOOR`](Self::FLOOR) and [`CEILING`](Self::CEILING), so nothing that a file says can ask for
/// next to nothing or for all memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Params {
    /// 64 MiB, 3 passes, 1 lane: the second recommended option of RFC 9106, section 4, but for the lanes.
    ///
    /// It takes 4 lanes for a defender who computes them at once. Here they would be computed one after the other, and only
    /// an attacker would gain.
    pub const DEFAULT: Argon2Params = Argon2Params { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// 19 MiB, 2 passes, 1 lane, for devices with little memory: what the OWASP Password Storage Cheat Sheet asks for at
    /// least.
    pub const MOBILE: Argon2Params = Argon2Params { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// The least that is accepted: 8 MiB, 1 pass, 1 lane.
    pub const FLOOR: Argon2Params = Argon2Params { memory_kib: 8 * 1024, passes: 1, lanes: 1 };

    /// The most that is accepted: 1 GiB, 16 passes, 8 lanes.
    pub const CEILING: Argon2Params = Argon2Params { memory_kib: 1024 * 1024, passes: 16, lanes: 8 };

    /// Parameters of one's own: memory in KiB, passes over it, and lanes that an implementation may compute at once.
    ///
    /// # Errors
    ///
    /// `KdfOutOfRange` if one of them is below [`FLOOR`](Self::FLOOR) or above [`CEILING`](Self::CEILING).
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, EncryptionError> {
        let (least, most) = (Self::FLOOR, Self::CEILING);
        let within = (least.memory_kib..=most.memory_kib).contains(&memory_kib)
            && (least.passes..=most.passes).contains(&passes)
            && (least.lanes..=most.lanes).contains(&lanes);
        if within { Ok(Argon2Params { memory_kib, passes, lanes }) } else { Err(EncryptionError::KdfOutOfRange) }
    }

    /// Memory, in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Lanes, which an implementation may compute at once. This one does not.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// The key of a passphrase, computed on a thread of its own, so that no executor waits.
    ///
    /// Dropping the future gives nothing up: the thread ends its work and wipes it.
    pub(crate) async fn derive(
        self,
        passphrase: &Passphrase,
        salt: [u8; SALT_BYTES],
    ) -> Result<SecretKey, EncryptionError> {
        let (reply, answer) = oneshot::channel();
        let owned = passphrase.clone();
        let job = move || {
            // Nobody may be waiting any more.
            let _ = reply.send(self.run(&owned, &salt));
        };
        match thread::Builder::new().name("strongroom-argon2".to_owned()).spawn(job) {
            // A thread that ends without an answer could not go on.
            Ok(_) => answer.await.unwrap_or(Err(EncryptionError::NoMemory)),
            // Where there are no threads, it is done here.
            Err(_) => self.run(passphrase, &salt),
        }
    }

    fn run(self, passphrase: &Passphrase, salt: &[u8; SALT_BYTES]) -> Result<SecretKey, EncryptionError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        let params = params.map_err(|_| EncryptionError::KdfOutOfRange)?;
        run(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params), passphrase.as_bytes(), salt)
    }
}

impl Default for Argon2Params {
    fn default() -> Self {
        Argon2Params::DEFAULT
    }
}

fn run(argon2: &Argon2<'_>, passphrase: &[u8], salt: &[u8]) -> Result<SecretKey, EncryptionError> {
    let blocks = argon2.params().block_count();
    // The blocks could give the key away, so they are wiped as well.
    let mut memory = Zeroizing::new(Vec::<Block>::new());
    memory.try_reserve_exact(blocks).map_err(|_| EncryptionError::NoMemory)?;
    memory.resize(blocks, Block::new());
    let mut key = SecretKey::blank();
    let done = argon2.hash_password_into_with_memory(passphrase, salt, key.as_mut_bytes(), memory.as_mut_slice());
    done.map_err(|_| EncryptionError::KdfOutOfRange)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};

    use super::*;

    /// RFC 9106, section 5.3.
    #[test]
    fn the_vector_of_rfc_9106() {
        let data = AssociatedData::new(&[4; 12]).unwrap();
        let params = ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(data).build().unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let expected = [
            0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0, 0x1e,
            0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
        ];
        assert_eq!(run(&argon2, &[1; 32], &[2; 16]).unwrap().as_bytes(), &expected);
    }

    #[test]
    fn parameters_have_a_floor_and_a_ceiling() {
        let (kib, gib) = (8 * 1024, 1024 * 1024);
        for (memory_kib, passes, lanes) in [(kib, 1, 1), (gib, 16, 8), (64 * 1024, 3, 4)] {
            let params = Argon2Params::new(memory_kib, passes, lanes).unwrap();
            assert_eq!((params.memory_kib(), params.passes(), params.lanes()), (memory_kib, passes, lanes));
        }
        let refused = [
            (kib - 1, 1, 1),
            (gib + 1, 1, 1),
            // 1 TiB.
            (1 << 30, 1, 1),
            (u32::MAX, 1, 1),
            (0, 1, 1),
            (kib, 0, 1),
            (kib, 17, 1),
            (kib, u32::MAX, 1),
            (kib, 1, 0),
            (kib, 1, 9),
            (kib, 1, u32::MAX),
        ];
        for (memory_kib, passes, lanes) in refused {
            let params = Argon2Params::new(memory_kib, passes, lanes);
            assert_eq!(params, Err(EncryptionError::KdfOutOfRange), "{memory_kib} {passes} {lanes}");
        }
        for params in [Argon2Params::DEFAULT, Argon2Params::MOBILE, Argon2Params::FLOOR, Argon2Params::CEILING] {
            assert_eq!(Argon2Params::new(params.memory_kib, params.passes, params.lanes), Ok(params));
        }
    }

    #[test]
    fn runs_without_a_runtime_and_when_nobody_waits() {
        let passphrase = Passphrase::from("correct horse".to_owned().into_bytes());
        let mut future = Box::pin(Argon2Params::FLOOR.derive(&passphrase, [7; SALT_BYTES]));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = future.as_mut().poll(&mut context);
        drop(future);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let key = runtime.block_on(Argon2Params::FLOOR.derive(&passphrase, [7; SALT_BYTES])).unwrap();
        assert_eq!(key, Argon2Params::FLOOR.run(&passphrase, &[7; SALT_BYTES]).unwrap());
        assert_ne!(key, Argon2Params::FLOOR.run(&passphrase, &[8; SALT_BYTES]).unwrap());
    }
}
