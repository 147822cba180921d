//! Whether the fixtures of the workspace are provisioned.

use snowglobe_fixtures::{Fixture, Manifest, Workspace, command};

use super::finding::{Evidence, Finding};

const NAME: &str = "fixtures";

/// Looks for all fixtures of the workspace that are provisioned without being named.
pub(super) fn finding() -> Finding {
    let Ok(workspace) = Workspace::locate() else {
        return Finding::ok(NAME, Evidence::read("fixtures.toml", "none here"));
    };
    let manifest = match Manifest::read(workspace.manifest()) {
        Ok(manifest) => manifest,
        Err(error) => {
            return Finding::degraded(NAME, Evidence::read("fixtures.toml", error.to_string()))
                .lost("all fixtures")
                .fix("correct that line");
        }
    };
    let wanted = manifest.names().filter(|name| !manifest.is_on_demand(name));
    let names: Vec<&str> = wanted.collect();
    let absent: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| Fixture::find_in(&workspace, name).is_err())
        .collect();
    judge(names.len(), &absent)
}

fn judge(all: usize, absent: &[&str]) -> Finding {
    if absent.is_empty() {
        return Finding::ok(
            NAME,
            Evidence::read("fixtures.toml", format!("all {all} are there")),
        );
    }
    let names = absent.join(" ");
    let evidence = Evidence::read("fixtures.toml", format!("not there: {names}"));
    let finding = match absent.len() == all {
        true => Finding::missing(NAME, evidence),
        false => Finding::degraded(NAME, evidence),
    };
    finding
        .lost("the trials that need them")
        .fix(command::with(&format!("provision {names}")))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::judge;

    #[test]
    fn the_command_names_what_is_absent() {
        assert_eq!(judge(3, &[]).state, State::Ok);
        let some = judge(3, &["nginx", "redis"]);
        assert_eq!(some.state, State::Degraded);
        assert_eq!(
            some.fix.as_deref(),
            Some("cargo xtask provision nginx redis")
        );
        assert_eq!(judge(1, &["nginx"]).state, State::Missing);
    }
}
