//! What a client's messages execute.

use std::collections::HashMap;
use std::sync::Arc;

use super::message::Message;

/// Messages that belong together, as they were sent.
#[derive(Default)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// The text of each statement that it executes.
    pub(super) executes: Vec<Arc<[u8]>>,
    /// Whether the server answers it with `ReadyForQuery`.
    pub(super) is_answered: bool,
}

/// The statements of one connection by their names, and the portals that they are executed through.
#[derive(Default)]
pub(super) struct Requests {
    statements: HashMap<Vec<u8>, Arc<[u8]>>,
    portals: HashMap<Vec<u8>, Arc<[u8]>>,
    pending: Request,
}

impl Requests {
    /// Takes a message of the client, and gives what is to be passed on now.
    ///
    /// What prepares, binds and executes is held until a message that the server acts on. A client waits for nothing before.
    pub(super) fn take(&mut self, message: &Message) -> Option<Request> {
        self.pending.bytes.extend_from_slice(&message.0);
        let mut fields = message.body().split(|byte| *byte == 0);
        let mut field = || fields.next().unwrap_or_default();
        match message.tag() {
            // Parse: the name of the statement, its text.
            b'P' => {
                let (name, text) = (field().to_vec(), Arc::from(field()));
                self.statements.insert(name, text);
                return None;
            }
            // Bind: the names of the portal and of the statement.
            b'B' => {
                let (portal, name) = (field().to_vec(), field());
                if let Some(text) = self.statements.get(name) {
                    self.portals.insert(portal, text.clone());
                }
                return None;
            }
            // Execute: the name of the portal.
            b'E' => {
                self.pending.executes.extend(self.portals.get(field()).cloned());
                return None;
            }
            // Close: of a statement or of a portal, and its name.
            b'C' => {
                match field().split_first() {
                    Some((b'S', name)) => self.statements.remove(name),
                    Some((_, name)) => self.portals.remove(name),
                    None => None,
                };
                return None;
            }
            // Describe.
            b'D' => return None,
            // Sync.
            b'S' => self.pending.is_answered = true,
            // Query: its text.
            b'Q' => {
                self.pending.executes.push(Arc::from(field()));
                self.pending.is_answered = true;
            }
            _ => {}
        }
        Some(std::mem::take(&mut self.pending))
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Request, Requests};

    fn message(tag: u8, body: &[u8]) -> Message {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        Message([&[tag], length.as_slice(), body].concat())
    }

    fn sent(requests: &mut Requests, messages: &[(u8, &[u8])]) -> Request {
        let mut taken = messages.iter().filter_map(|(tag, body)| requests.take(&message(*tag, body)));
        let request = taken.next().unwrap();
        assert!(taken.next().is_none());
        request
    }

    #[test]
    fn a_statement_is_known_by_its_name_when_it_is_executed_and_not_before() {
        let mut requests = Requests::default();
        let prepares = sent(&mut requests, &[(b'P', b"s1\0SELECT 1\0\0\0"), (b'D', b"Ss1\0"), (b'S', b"")]);
        assert!(prepares.executes.is_empty() && prepares.is_answered);
        sent(&mut requests, &[(b'P', b"s2\0SELECT 2\0\0\0"), (b'S', b"")]);
        let executes = [(b'B', b"\0s1\0\0\0".as_slice()), (b'E', b"\0\0\0\0\0"), (b'S', b"")];
        let request = sent(&mut requests, &executes);
        assert_eq!(request.executes, [b"SELECT 1".as_slice().into()]);
        assert_eq!(request.bytes, executes.map(|(tag, body)| message(tag, body).0).concat());
    }

    #[test]
    fn a_simple_query_is_a_request_of_its_own() {
        let request = sent(&mut Requests::default(), &[(b'Q', b"SELECT 1\0")]);
        assert!(request.is_answered);
        assert_eq!(request.executes, [b"SELECT 1".as_slice().into()]);
    }
}
