//! Messages of the protocol: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use std::io::{self, Read};

/// Bytes of one message, at most: more than what a test sends.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One message as it was sent, with its tag and its length.
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    /// The next message; none at the end of the stream.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut tag = [0];
        if from.read(&mut tag)? == 0 {
            return Ok(None);
        }
        let mut bytes = tag.to_vec();
        read_counted(from, &mut bytes)?;
        Ok(Some(Message(bytes)))
    }

    pub(super) fn tag(&self) -> u8 {
        self.0[0]
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.0[5..]
    }
}

/// The first message of a client has no tag.
pub(super) struct Startup(pub(super) Vec<u8>);

/// What it asks for.
#[derive(PartialEq, Eq)]
pub(super) enum Asked {
    /// Encryption, which the server takes or refuses with one byte.
    Encryption,
    /// That a request of another connection be cancelled. There is no answer.
    Cancel,
    Session,
}

impl Startup {
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        read_counted(from, &mut bytes)?;
        Ok(Startup(bytes))
    }

    pub(super) fn asks_for(&self) -> Asked {
        // Versions that no protocol has: for TLS, for GSSAPI, and for a cancel.
        match self.0.get(4..8) {
            Some([0x04, 0xd2, 0x16, 0x2f | 0x30]) => Asked::Encryption,
            Some([0x04, 0xd2, 0x16, 0x2e]) => Asked::Cancel,
            _ => Asked::Session,
        }
    }
}

/// A length, which counts itself, and what it counts.
fn read_counted(from: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let rest = usize::try_from(u32::from_be_bytes(length)).ok().and_then(|length| length.checked_sub(4));
    let rest = rest.filter(|rest| *rest <= MESSAGE_BYTES_MAX).ok_or(io::ErrorKind::InvalidData)?;
    bytes.extend(length);
    let begin = bytes.len();
    bytes.resize(begin + rest, 0);
    from.read_exact(&mut bytes[begin..])
}
