//! Attachments as Matrix encrypts them: AES-256 in counter mode, the SHA-256 of the ciphertext in the event that names them.
//!
//! The form is that of the Matrix client-server specification, "Sending encrypted attachments", version `v2`. It is what arrives; how
//! media are kept afterwards is another matter: [`EncryptedObjects`](crate::EncryptedObjects).

mod description;
mod reader;

pub use description::Attachment;
pub use reader::OpenedAttachment;
