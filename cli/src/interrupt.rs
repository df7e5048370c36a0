//! Being asked to end: by Ctrl-C, and on Unix by SIGTERM and SIGHUP, so that a command can leave no half of a file behind.

/// Returns when the command is asked to end.
#[cfg(unix)]
pub(crate) async fn asked() {
    use tokio::signal::unix::SignalKind;
    let hangup = async {
        // Whoever began it with nohup wants it to go on.
        if is_ignored(SignalKind::hangup()) { std::future::pending().await } else { on(SignalKind::hangup()).await }
    };
    tokio::select! {
        () = on(SignalKind::interrupt()) => (),
        () = on(SignalKind::terminate()) => (),
        () = hangup => (),
    }
}

/// Returns when the command is asked to end.
#[cfg(not(unix))]
pub(crate) async fn asked() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(unix)]
async fn on(kind: tokio::signal::unix::SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signal) => _ = signal.recv().await,
        // Then the signal does what it does by itself.
        Err(_) => std::future::pending().await,
    }
}

/// Whether the process was begun with this signal ignored, where the system shows it in a file (Linux).
#[cfg(unix)]
fn is_ignored(kind: tokio::signal::unix::SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
