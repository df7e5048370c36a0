//! Where a figure was measured: without it an absolute one says nothing.

use std::fmt;
use std::fs;

use serde::Serialize;

/// The machine and what was built for it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name, as the system gives it.
    pub cpu: String,
    /// How many of it this process may use.
    pub cores: usize,
    /// Whether it has AVX2, with which RustCrypto's ciphers run several blocks at a time.
    pub avx2: bool,
    /// Whether it has instructions for SHA-256, on which blinded keys and nonces rest.
    pub sha_ni: bool,
    /// The system and its architecture.
    pub system: String,
    /// This library's version.
    pub strongroom: &'static str,
    /// The cipher's implementation: `RustCrypto`, or `ring` with the feature of that name.
    pub cipher: &'static str,
    /// The version of SQLite.
    pub sqlite: &'static str,
    /// The version of PostgreSQL and its settings, where one is measured.
    pub postgres: Option<String>,
    /// Whether the compiler optimized. Otherwise no figure means anything.
    pub optimized: bool,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let (avx2, sha_ni) = features();
        Machine {
            cpu: cpu(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            avx2,
            sha_ni,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            strongroom: env!("CARGO_PKG_VERSION"),
            cipher: if cfg!(feature = "ring") { "ring" } else { "RustCrypto" },
            sqlite: rusqlite::version(),
            postgres: None,
            optimized: !cfg!(debug_assertions),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |has: bool| if has { "yes" } else { "no" };
        let Machine { cpu, cores, system, strongroom, cipher, sqlite, .. } = self;
        let (avx2, sha_ni) = (has(self.avx2), has(self.sha_ni));
        write!(f, "{cpu}, {cores} cores, AVX2: {avx2}, SHA-NI: {sha_ni}, {system}, ")?;
        write!(f, "strongroom {strongroom}, cipher: {cipher}, SQLite {sqlite}")?;
        if let Some(postgres) = &self.postgres {
            write!(f, ", PostgreSQL {postgres}")?;
        }
        if self.optimized { Ok(()) } else { f.write_str(", NOT OPTIMIZED: build with --release") }
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> (bool, bool) {
    (std::is_x86_feature_detected!("avx2"), std::is_x86_feature_detected!("sha"))
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> (bool, bool) {
    (false, false)
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    name.trim_start_matches([' ', '\t', ':']).to_owned()
}

/// The most memory that this process has had, in bytes; `None` where the system does not say.
pub fn peak_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

/// The memory that this process has now, in bytes; `None` where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

fn status_bytes(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}
