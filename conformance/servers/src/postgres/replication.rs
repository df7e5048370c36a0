//! Servers that follow another: <https://www.postgresql.org/docs/current/warm-standby.html>.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::programs::run;
use super::{Postgres, USER, data};

/// How long a server may take to be as it was told.
const CHANGE_MAX: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

impl Postgres {
    /// A server that follows this one and can be read, from a copy of all that is stored here. It receives already, under
    /// this name, which is the one for [`Postgres::make_synchronous`].
    ///
    /// # Errors
    ///
    /// If this server is not running, or the other does not receive within a minute: with what it wrote.
    pub fn standby(&self, name: &str) -> io::Result<Postgres> {
        let folder = self.programs.account.folder()?;
        let (host, port) = (self.address.ip(), self.address.port());
        let escaped = name.replace('\\', r"\\").replace('\'', r"\'");
        let source = format!("host={host} port={port} user={USER} application_name='{escaped}'");
        let mut copy = self.programs.command("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-manifest"]);
        run(copy.args(["-d", &source, "-D"]).arg(data(&folder)))?;
        let standby = Postgres::launch(self.programs.clone(), folder)?;
        let receives = format!(
            "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = {}",
            quoted(name, '\'')
        );
        self.wait_for(&receives, "t").map_err(|error| io::Error::other(format!("{error}\n{}", standby.log())))?;
        Ok(standby)
    }

    /// Makes every commit wait until each of these standbys has it on its disk; none without names. It is so when this
    /// returns.
    ///
    /// # Errors
    ///
    /// If one of them does not receive within a minute.
    pub fn make_synchronous(&self, names: &[&str]) -> io::Result<()> {
        if names.is_empty() {
            return self.set_synchronous("");
        }
        let list: Vec<_> = names.iter().map(|name| quoted(name, '"')).collect();
        self.set_synchronous(&format!("FIRST {} ({})", names.len(), list.join(", ")))?;
        let list: Vec<_> = names.iter().map(|name| quoted(name, '\'')).collect();
        let synchronous = format!(
            "SELECT count(DISTINCT application_name) FROM pg_stat_replication
             WHERE sync_state = 'sync' AND application_name IN ({})",
            list.join(", ")
        );
        self.wait_for(&synchronous, &names.len().to_string())
    }

    /// Makes a standby a server of its own, which takes writes when this returns and waits for no other. The one that it
    /// followed is not told.
    ///
    /// # Errors
    ///
    /// If it is not a standby, or not ready within a minute.
    pub fn promote(&self) -> io::Result<()> {
        // It has this setting from the server that it followed. Its commits would wait for themselves.
        self.set_synchronous("")?;
        self.execute("SELECT pg_promote()")?;
        self.wait_for("SELECT pg_is_in_recovery()", "f")
    }

    fn set_synchronous(&self, value: &str) -> io::Result<()> {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = {}", quoted(value, '\''));
        self.psql("postgres", &[&set, "SELECT pg_reload_conf()"])?;
        self.wait_for("SHOW synchronous_standby_names", value)
    }

    /// Asks until the answer is as wanted.
    fn wait_for(&self, sql: &str, wanted: &str) -> io::Result<()> {
        let deadline = Instant::now() + CHANGE_MAX;
        loop {
            let answer = self.query(sql)?;
            if answer == wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = self.log();
                return Err(io::Error::other(format!("{sql} answers {answer:?} and not {wanted:?}; written:\n{log}")));
            }
            thread::sleep(PAUSE);
        }
    }
}

fn quoted(text: &str, quote: char) -> String {
    let doubled = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}
