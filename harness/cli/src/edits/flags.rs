//! The options that all commands with edits have.

use snowglobe_model::cli::Flag;

use super::{EditOptions, git_url};

/// Makes the option `--yes`.
pub(crate) const fn yes<T: EditOptions>() -> Flag<T> {
    Flag::switch("yes", "Write without asking", |options: &mut T| {
        options.consent().yes = true;
    })
    .short('y')
}

/// Makes the option `--dry-run`.
pub(crate) const fn dry_run<T: EditOptions>() -> Flag<T> {
    Flag::switch(
        "dry-run",
        "Show the diff, and write nothing",
        |options: &mut T| options.consent().dry_run = true,
    )
    .short('n')
}

/// Makes the option `--path`.
pub(crate) const fn path<T: EditOptions>() -> Flag<T> {
    Flag::value(
        "path",
        "DIRECTORY",
        "Depend on the snowglobe of this directory",
        |options: &mut T, path| {
            options.origin().path = Some(path.path());
            Ok(())
        },
    )
}

/// Makes the option `--git`.
pub(crate) const fn git<T: EditOptions>() -> Flag<T> {
    Flag::value(
        "git",
        "URL",
        "Depend on the snowglobe of this git repository",
        |options: &mut T, url| {
            options.origin().git = Some(url.parse_with(|text| match git_url::problem(text) {
                Some(problem) => Err(problem),
                None => Ok(text.to_owned()),
            })?);
            Ok(())
        },
    )
}
