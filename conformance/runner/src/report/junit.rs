//! The results as JUnit XML: a suite a stack.

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};
use strongroom_conformance::Outcome;

use super::Report;

pub(super) fn render(report: &Report) -> Result<String, SerializeError> {
    let mut document = quick_junit::Report::new("strongroom-conformance");
    for stack in &report.stacks {
        let mut suite = TestSuite::new(stack.as_str());
        for finished in report.results.iter().filter(|finished| finished.stack == *stack) {
            let mut status = match &finished.outcome {
                Outcome::Pass => TestCaseStatus::success(),
                Outcome::Fail(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
                // JUnit knows no third kind; the message begins with which it is.
                Outcome::NotApplicable(_) | Outcome::Skip(_) => TestCaseStatus::skipped(),
            };
            if finished.outcome.reason().is_some() {
                status.set_message(finished.outcome.to_string());
            }
            let mut case = TestCase::new(finished.name, status);
            case.set_classname(format!("{stack}.{}", finished.group));
            case.set_time(Duration::from_secs_f64(finished.seconds));
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    document.to_string()
}
