//! Users as whom trials run: from the option of a trial, or of the run, to an account.
//!
//! Accounts are looked up by the supervisor, since a user database may ask a server that no trial
//! can reach.

use std::collections::HashMap;

use super::args::Arguments;
use crate::kernel::process::user::{Account, account_of, account_with};
use crate::trial::{LackEffect, TestUser, Trial};

/// Finds the accounts of the trials that the filters let through. A trial whose user nobody knows
/// fails.
pub(crate) fn find(args: &Arguments, trials: &mut [Trial]) {
    let mut known: HashMap<String, Option<Account>> = HashMap::new();
    for trial in trials {
        let wanted = match trial.options().user {
            Some(TestUser::Id(uid)) => uid.to_string(),
            Some(TestUser::Name(name)) => name.to_owned(),
            None => match &args.user {
                Some(user) => user.clone(),
                None => continue,
            },
        };
        if !args.lets_through(trial.name()) {
            continue;
        }
        let found = known
            .entry(wanted.clone())
            .or_insert_with(|| look_up(&wanted));
        match *found {
            // Root of the trial is who every body is by itself.
            Some(account) => trial.set_account((account.uid != 0).then_some(account)),
            None => {
                let reason = format!(
                    "there is no user `{wanted}` as whom the trial could run; name one that `getent passwd` lists, or give an id"
                );
                trial.set_lack(reason, LackEffect::Fails);
            }
        }
    }
}

/// Returns the account of this name or number, if there is one.
pub(crate) fn look_up(user: &str) -> Option<Account> {
    match user.parse() {
        // The kernel takes this number for no id at all (setuid(2), -1).
        Ok(u32::MAX) => None,
        Ok(uid) => Some(account_with(uid)),
        Err(_) => account_of(user),
    }
}
