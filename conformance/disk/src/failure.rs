//! Why an operation of a program failed.

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The reasons, named as in `errno(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// `EIO`: the machine is off, or was since the handle was opened, or the fault says so.
    InputOutput,
    /// `ENOSPC`.
    NoSpace,
    /// `ENOENT`.
    NotFound,
    /// `EEXIST`.
    Exists,
    /// `ENOTEMPTY`.
    NotEmpty,
    /// `ENOTDIR`.
    NotDirectory,
    /// `EISDIR`.
    IsDirectory,
    /// `EINVAL`: not an operation of this file system.
    Invalid,
    /// `ESTALE`: the node went between the look-up and the operation. The kernel looks it up again.
    Stale,
}
