//! Mounting on other systems than Linux: not there.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::machine::Machine;
use crate::medium::Attributes;

const OBSTACLE: &str = "the disk needs FUSE on Linux (run the tests on Linux)";

pub(crate) struct Mount;

impl Mount {
    pub(crate) fn new(_machine: Arc<Mutex<Machine>>, _path: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, OBSTACLE))
    }
}

pub(crate) fn root_attributes(_folder: &Path) -> io::Result<Attributes> {
    Ok(Attributes { mode: 0o755, uid: 0, gid: 0, modified: SystemTime::UNIX_EPOCH })
}

pub(crate) fn obstacle() -> Result<(), String> {
    Err(OBSTACLE.into())
}
