//! What a server is started with.

/// Settings of a [`Postgres`](super::Postgres). Their default is for tests of what is stored and not of what a power cut
/// leaves: nothing waits for the disk.
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresOptions {
    durable: bool,
    max_connections: u32,
    shared_buffers_mib: u32,
    settings: Vec<(String, String)>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions { durable: false, max_connections: 400, shared_buffers_mib: 128, settings: Vec::new() }
    }
}

impl PostgresOptions {
    /// Whether a commit waits for the disk and pages are logged whole, as in production. A commit is confirmed after its
    /// record was handed to the kernel in either case, so it outlives the kill of every process.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Connections at once, 400 if not set.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Memory for pages, in MiB, 128 if not set.
    pub fn shared_buffers_mib(mut self, mib: u32) -> Self {
        self.shared_buffers_mib = mib;
        self
    }

    /// Any setting of `postgresql.conf`. It counts more than the others, and the last of a name counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Lines of `postgresql.conf`.
    pub(super) fn configuration(&self) -> String {
        let (connections, buffers) = (self.max_connections.to_string(), format!("{}MB", self.shared_buffers_mib));
        let mut settings = vec![
            ("max_connections", connections.as_str()),
            ("shared_buffers", &buffers),
            ("max_wal_size", "256MB"),
            ("min_wal_size", "32MB"),
            // A standby that has not connected yet is left what it needs.
            ("wal_keep_size", "128MB"),
            ("wal_retrieve_retry_interval", "100ms"),
            ("synchronous_commit", "on"),
            // The path of a socket may be too long in a temporary folder.
            ("unix_socket_directories", ""),
            // In the server's folder, so that a killed server leaves nothing elsewhere.
            ("dynamic_shared_memory_type", "mmap"),
            // Its messages are read here.
            ("lc_messages", "C"),
        ];
        if !self.durable {
            settings.extend([("fsync", "off"), ("full_page_writes", "off")]);
        }
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        settings.iter().map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::PostgresOptions;

    #[test]
    fn a_setting_is_quoted_and_comes_last() {
        let text = PostgresOptions::default().setting("max_connections", "7'").configuration();
        assert_eq!(text.lines().next(), Some("max_connections = '400'"));
        assert_eq!(text.lines().last(), Some("max_connections = '7'''"));
    }
}
