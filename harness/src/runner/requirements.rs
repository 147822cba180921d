//! Requirements of trials that this machine does not meet.
//!
//! A kernel module, a capability or a fixture may be missing on one machine of many. A trial that
//! needs it should say so, not fail in an obscure way, and not pass.

use std::collections::HashMap;

use super::args::{Arguments, REQUIRE, is_on};
use super::error::{RunError, usage};
use crate::trial::{LackEffect, Need, Trial};

/// A requirement that is not met.
#[derive(Clone, Debug)]
struct Unmet {
    reason: String,
    /// No machine could meet the requirement, so that the trial would never run anywhere.
    is_mistake: bool,
}

/// Probes the requirements of the trials that the filters let through, each requirement once.
///
/// A trial whose requirements are not met is ignored with the reason. It fails with that reason
/// under `SNOWGLOBE_REQUIRE=1`, or if the user asks for ignored trials, or if no machine could meet
/// the requirements.
///
/// # Errors
/// Fails if a probe cannot be made at all.
pub(crate) fn check(args: &Arguments, trials: &mut [Trial]) -> Result<(), RunError> {
    let required =
        is_on(REQUIRE, |key| std::env::var_os(key)).map_err(|error| usage(error.to_string()))?;
    let mut known: HashMap<Need, Option<Unmet>> = HashMap::new();
    for trial in trials {
        // A probe may cost a sandbox, so nothing is probed for trials that will not run.
        if trial.options().needs.is_empty() || !args.lets_through(trial.name()) {
            continue;
        }
        let mut lacks = Vec::new();
        for need in trial.options().needs {
            let lack = match known.get(need) {
                Some(lack) => lack.clone(),
                None => known.entry(*need).or_insert(lack(need)?).clone(),
            };
            lacks.extend(lack);
        }
        if !lacks.is_empty() {
            let fails = required || lacks.iter().any(|unmet| unmet.is_mistake);
            let reasons: Vec<String> = lacks.into_iter().map(|unmet| unmet.reason).collect();
            let effect = if fails {
                LackEffect::Fails
            } else {
                LackEffect::Ignored
            };
            trial.set_lack(reasons.join("; "), effect);
        }
    }
    Ok(())
}

/// Returns how a need is not met, if it is not.
fn lack(need: &Need) -> Result<Option<Unmet>, RunError> {
    match need {
        Need::Feature(feature) => match feature.probe() {
            Ok(()) => Ok(None),
            Err(missing) => Ok(Some(Unmet {
                reason: format!("needs {feature}: {missing}"),
                is_mistake: false,
            })),
        },
        // A name that was mistyped, or a manifest that cannot be read, is no lack of this machine.
        Need::Fixture(name) => Ok(crate::Fixture::find(name).err().map(|error| Unmet {
            is_mistake: !error.is_missing() && !error.is_stale(),
            reason: error.to_string(),
        })),
    }
}
