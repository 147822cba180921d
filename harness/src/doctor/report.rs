//! All findings about a machine, and what they come to.

use snowglobe_derive::Serialize;

use super::finding::Finding;

/// All that was found out about a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// In a fixed order; the same names on every machine.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the finding of this name.
    pub fn find(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.name == name)
    }

    /// Returns 0 if all is well, 1 if something is degraded or missing, 2 if what is missing is
    /// essential: no trial can run then.
    pub fn exit_code(&self) -> u8 {
        let worst = self.findings.iter().map(Finding::exit_code);
        worst.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Evidence, State};
    use super::*;

    fn report(states: &[(State, bool)]) -> Report {
        let findings = states.iter().map(|(state, essential)| {
            let finding = Finding::new("x", *state, Evidence::read("y", "z"));
            if *essential {
                finding.essential()
            } else {
                finding
            }
        });
        Report {
            findings: findings.collect(),
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        let ok = (State::Ok, true);
        assert_eq!(report(&[ok]).exit_code(), 0);
        assert_eq!(report(&[ok, (State::Degraded, true)]).exit_code(), 1);
        assert_eq!(report(&[ok, (State::Missing, false)]).exit_code(), 1);
        let worst = [(State::Missing, true), (State::Degraded, false)];
        assert_eq!(report(&worst).exit_code(), 2);
    }
}
