//! The command line of a member.

use std::path::PathBuf;

/// A mistake that a member makes on purpose, so that tests have something to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A vote is not written to the disk: term and vote are written with the next entry of the log.
    ForgottenVote,
    /// A leader answers reads at once, and does not ask a majority whether it still leads.
    StaleRead,
}

/// The settings of a member.
#[derive(Debug)]
pub(crate) struct Options {
    /// Number of this member in Raft, which counts members from 1 on.
    pub(crate) id: u64,
    /// Names of all members, in the order of their numbers.
    pub(crate) members: Vec<String>,
    /// Directory of the journal.
    pub(crate) data: PathBuf,
    /// Seed of the election time-outs.
    pub(crate) seed: u64,
    pub(crate) bug: Option<Bug>,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// An option is unknown or lacks its value, or an option that is needed is not there.
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut name, mut members) = (None, Vec::new());
        let (mut data, mut seed, mut bug) = (None, 0, None);
        while let Some(option) = args.next() {
            let value = args.next().ok_or(format!("{option} has no value"))?;
            match option.as_str() {
                "--name" => name = Some(value),
                "--members" => members = value.split(',').map(str::to_owned).collect(),
                "--data" => data = Some(PathBuf::from(value)),
                "--seed" => {
                    let wrong = |error| format!("--seed {value}: {error}");
                    seed = value.parse().map_err(wrong)?;
                }
                "--bug" => {
                    bug = Some(match value.as_str() {
                        "forgotten-vote" => Bug::ForgottenVote,
                        "stale-read" => Bug::StaleRead,
                        _ => return Err(format!("there is no bug {value}")),
                    });
                }
                _ => return Err(format!("there is no option {option}")),
            }
        }
        let name = name.ok_or("--name is missing")?;
        let place = members.iter().position(|it| *it == name);
        let place = place.ok_or(format!("{name} is not among the members {members:?}"))?;
        Ok(Self {
            id: place as u64 + 1,
            members,
            data: data.ok_or("--data is missing")?,
            seed,
            bug,
        })
    }

    /// Returns the name of a member by its number.
    pub(crate) fn name_of(&self, id: u64) -> &str {
        &self.members[id as usize - 1]
    }
}
