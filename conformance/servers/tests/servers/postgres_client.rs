//! A client that asks for what it is told and for nothing else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer that does not come is a failure and no wait.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A version that no protocol has: the wish for TLS, which our servers refuse.
const TLS: [u8; 4] = 80_877_103_u32.to_be_bytes();
const VERSION_3: [u8; 4] = 196_608_u32.to_be_bytes();

#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut client = Client::ask_for_session(address, "strongroom")?;
        client.answer()?;
        Ok(client)
    }

    /// What a user is asked for, by its
    /// [number](https://www.postgresql.org/docs/current/protocol-message-formats.html): 0 for nothing, 10 for SASL.
    pub(crate) fn authentication(address: SocketAddr, user: &str) -> io::Result<u32> {
        let mut asked = [0; 9];
        Client::ask_for_session(address, user)?.0.read_exact(&mut asked)?;
        assert_eq!(asked[0], b'R');
        Ok(u32::from_be_bytes(asked[5..].try_into().unwrap()))
    }

    fn ask_for_session(address: SocketAddr, user: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let mut client = Client(stream);
        client.0.write_all(&counted(&TLS))?;
        let mut answer = [0];
        client.0.read_exact(&mut answer)?;
        assert_eq!(&answer, b"N");
        let session = format!("user\0{user}\0database\0strongroom\0\0");
        client.0.write_all(&counted(&[VERSION_3.as_slice(), session.as_bytes()].concat()))?;
        Ok(client)
    }

    /// Prepares a statement, as a request of its own.
    pub(crate) fn prepare(&mut self, name: &str, sql: &str) -> io::Result<Vec<u8>> {
        let parse = message(b'P', format!("{name}\0{sql}\0\0\0").as_bytes());
        let describe = message(b'D', format!("S{name}\0").as_bytes());
        self.request(&[parse, describe, message(b'S', b"")])
    }

    /// Executes a prepared statement.
    pub(crate) fn execute(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let bind = message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes());
        self.request(&[bind, message(b'E', b"\0\0\0\0\0"), message(b'S', b"")])
    }

    /// A simple query.
    pub(crate) fn query(&mut self, sql: &str) -> io::Result<Vec<u8>> {
        self.request(&[message(b'Q', format!("{sql}\0").as_bytes())])
    }

    /// Whether the other side has ended the connection in order. It waits for what comes.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }

    fn request(&mut self, messages: &[Vec<u8>]) -> io::Result<Vec<u8>> {
        self.0.write_all(&messages.concat())?;
        self.answer()
    }

    /// The tags of the answer, up to that of `ReadyForQuery`.
    fn answer(&mut self) -> io::Result<Vec<u8>> {
        let mut tags = Vec::new();
        while tags.last() != Some(&b'Z') {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let length = u32::from_be_bytes(head[1..].try_into().unwrap());
            io::copy(&mut (&self.0).take(u64::from(length) - 4), &mut io::sink())?;
            tags.push(head[0]);
        }
        assert!(!tags.contains(&b'E'), "the server refuses it");
        Ok(tags)
    }
}

pub(crate) fn is_reset(answer: &io::Result<Vec<u8>>) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], counted(body).as_slice()].concat()
}

fn counted(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes(), body].concat()
}
