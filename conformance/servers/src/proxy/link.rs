//! A client and its server.

use std::io::{self, BufReader, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::fault::{Faults, Moment};
use super::lock;
use super::message::{Asked, Message, Startup};
use super::request::Requests;
use super::socket::Socket;

/// `ReadyForQuery`, which ends an answer.
const READY: u8 = b'Z';

pub(super) struct Link {
    client: Socket,
    server: Socket,
    faults: Arc<Faults>,
    /// Requests that the server was sent and answers, the start of the session among them.
    sent: AtomicU64,
    /// The number of the request that strikes, and when.
    strikes: Mutex<Option<(u64, Moment)>>,
}

impl Link {
    pub(super) fn between(client: TcpStream, server: TcpStream, faults: Arc<Faults>) -> io::Result<Arc<Self>> {
        let (client, server) = (Socket::new(client)?, Socket::new(server)?);
        Ok(Arc::new(Link { client, server, faults, sent: AtomicU64::new(1), strikes: Mutex::default() }))
    }

    /// Passes on what is sent, in threads, until one side ends.
    pub(super) fn run(self: Arc<Self>) {
        thread::spawn(move || {
            let mut client = BufReader::new(&self.client);
            if let Ok(is_read) = self.start(&mut client) {
                let answers = self.clone();
                thread::spawn(move || {
                    // A failure is the end of a side, as is its end.
                    let _ = if is_read { answers.pass_answers() } else { copy(&answers.server, &answers.client) };
                    answers.close();
                });
                let _ = if is_read { self.pass_requests(&mut client) } else { copy(&mut client, &self.server) };
            }
            if lock(&self.strikes).is_none() {
                self.close();
            }
        });
    }

    pub(super) fn is_open(&self) -> bool {
        self.client.is_open() || self.server.is_open()
    }

    pub(super) fn cut(&self) {
        self.client.reset();
        self.server.reset();
    }

    fn close(&self) {
        self.client.close();
        self.server.close();
    }

    /// Up to the message that starts a session. Whether its messages can be read: not if they are encrypted.
    fn start(&self, client: &mut impl Read) -> io::Result<bool> {
        loop {
            let startup = Startup::read(client)?;
            self.server.write_all(&startup.0)?;
            match startup.asks_for() {
                Asked::Session => return Ok(true),
                Asked::Cancel => return Ok(false),
                Asked::Encryption => {
                    let mut answer = [0];
                    (&self.server).read_exact(&mut answer)?;
                    self.client.write_all(&answer)?;
                    if answer != *b"N" {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn pass_requests(&self, client: &mut impl Read) -> io::Result<()> {
        let mut requests = Requests::default();
        while let Some(message) = Message::read(client)? {
            let Some(request) = requests.take(&message) else { continue };
            let moment = request.is_answered.then(|| self.faults.take(&request.executes)).flatten();
            if moment == Some(Moment::Before) {
                self.faults.count();
                self.cut();
                return Ok(());
            }
            if request.is_answered {
                let number = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
                if let Some(moment) = moment {
                    *lock(&self.strikes) = Some((number, moment));
                }
            }
            if moment == Some(Moment::During) {
                // The server may answer, and the client be left, before we go on after this.
                self.faults.count();
            }
            self.server.write_all(&request.bytes)?;
            if moment == Some(Moment::During) {
                self.client.reset();
                return Ok(());
            }
        }
        Ok(())
    }

    fn pass_answers(&self) -> io::Result<()> {
        let mut server = BufReader::new(&self.server);
        let mut number = 1;
        while let Some(message) = Message::read(&mut server)? {
            let strikes = lock(&self.strikes).filter(|(at, _)| *at == number).map(|(_, moment)| moment);
            if matches!(strikes, None | Some(Moment::Answered)) {
                if strikes.is_some() && message.tag() == READY {
                    self.faults.count();
                }
                let passed = self.client.write_all(&message.0);
                // The answer of a request that has struck is waited for also if the client is gone.
                if lock(&self.strikes).is_none() {
                    passed?;
                }
            }
            if message.tag() == READY {
                match strikes {
                    None => number += 1,
                    Some(Moment::After) => {
                        self.faults.count();
                        self.cut();
                        return Ok(());
                    }
                    Some(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

fn copy(mut from: impl Read, to: &Socket) -> io::Result<()> {
    let mut buffer = [0; 8 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => to.write_all(&buffer[..read])?,
        }
    }
}
