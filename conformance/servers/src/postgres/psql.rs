//! Statements through PostgreSQL's own client, for what a test sets up and looks at from outside.

use std::io;

use super::programs::run;
use super::{DATABASE, Postgres, USER};

/// How long a connection and a statement may take.
const CONNECT_MAX_S: &str = "10";
const STATEMENT_MAX: &str = "-c statement_timeout=60s";

impl Postgres {
    /// Runs one statement, or several, separated by semicolons, as one transaction. A commit that waits for a standby waits
    /// without end.
    ///
    /// # Errors
    ///
    /// If the server does not answer or refuses one, or one takes a minute: with its message.
    pub fn execute(&self, sql: &str) -> io::Result<()> {
        self.psql(DATABASE, &[sql]).map(drop)
    }

    /// What a statement answers: a line for each row, `|` between the columns, and no end of line after the last row.
    ///
    /// # Errors
    ///
    /// As [`Postgres::execute`].
    pub fn query(&self, sql: &str) -> io::Result<String> {
        let mut answer = self.psql(DATABASE, &[sql])?;
        if answer.ends_with('\n') {
            answer.pop();
        }
        Ok(answer)
    }

    /// Runs each text as one transaction, in one connection.
    pub(super) fn psql(&self, database: &str, texts: &[&str]) -> io::Result<String> {
        let mut command = self.programs.command("psql");
        command.env("PGCONNECT_TIMEOUT", CONNECT_MAX_S).env("PGOPTIONS", STATEMENT_MAX);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]);
        command.args(["-h", &self.address.ip().to_string(), "-p", &self.address.port().to_string()]);
        command.args(["-U", USER, "-d", database]);
        for text in texts {
            command.args(["-c", text]);
        }
        run(&mut command)
    }
}
