//! The process that serves a disk.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::machine::Machine;
use crate::mount::{self, Mount};
use crate::request::{Answer, Request, print_answer};

/// Serves one disk: the whole work of the process that [`Options::server`](crate::Options::server) names.
///
/// It takes requests from the standard input and answers them on the standard output. It ends, and the disk is
/// unmounted, when the input does: when the owner drops the disk, and also when the owner is killed.
///
/// # Errors
///
/// If the standard streams fail.
pub fn serve() -> io::Result<()> {
    let mut answers = io::stdout();
    let mut served = None;
    for line in io::stdin().lines() {
        let answer = answer(&mut served, &line?);
        answers.write_all(format!("{}\n", print_answer(&answer)).as_bytes())?;
        answers.flush()?;
    }
    Ok(())
}

/// A machine and its mount, which goes when this does.
struct Served(Arc<Mutex<Machine>>, #[allow(dead_code, reason = "held until the end")] Mount);

fn answer(served: &mut Option<Served>, line: &str) -> Answer {
    let request = Request::parse(line).ok_or("the request is not understood")?;
    if let Request::Mount { folder, capacity_bytes, names_sync_with_file } = &request {
        let mount = || {
            let root = mount::root_attributes(folder)?;
            let machine = Arc::new(Mutex::new(Machine::new(*capacity_bytes, *names_sync_with_file, root)));
            Ok(Served(Arc::clone(&machine), Mount::new(machine, folder)?))
        };
        *served = Some(mount().map_err(|error: io::Error| error.to_string())?);
    }
    let Some(Served(machine, _)) = served else { return Err("nothing is mounted".into()) };
    let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
    match request {
        Request::Cut { seed } => machine.cut(seed),
        Request::PowerOn => machine.power_on(),
        Request::Inject(fault) => machine.fault = fault,
        Request::Mount { .. } | Request::Count => {}
    }
    Ok(machine.counters)
}
