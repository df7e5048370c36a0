//! `leakage`

use strongroom::encryption::leakage;
use strongroom::matrix;

use crate::failure::Result;
use crate::output::{Format, Output};

/// Of the program's schema: the same for every store that it encrypts, so none is opened.
pub(crate) fn run(output: &mut Output) -> Result<()> {
    let report = leakage(&matrix::schema());
    match output.format {
        Format::Json => output.json(&report),
        Format::Table => {
            output.line("Of a store that is encrypted; of one in clear everything shows.")?;
            report.to_string().lines().try_for_each(|line| output.line(line))
        }
    }
}
