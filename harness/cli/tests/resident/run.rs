//! A nextest run as `snowglobe exec` sees it.

use std::process::Command;

use crate::wrapper::with_usual_signals;

/// Returns the variables that nextest sets for a start in a slot of the run of this name.
pub(crate) fn variables(run: &str, slot: u32) -> Vec<String> {
    vec![
        "NEXTEST=1".to_owned(),
        "NEXTEST_EXECUTION_MODE=process-per-test".to_owned(),
        format!("NEXTEST_TEST_GLOBAL_SLOT={slot}"),
        format!("NEXTEST_RUN_ID={}", id(run)),
    ]
}

fn id(run: &str) -> String {
    format!("{run}-{}", std::process::id())
}

/// Returns a start of `snowglobe exec` in the first slot of such a run. This test plays nextest.
pub(crate) fn start(run: &str, words: &[&str]) -> Command {
    let mut command = with_usual_signals();
    command.args(variables(run, 0));
    command.arg(env!("CARGO_BIN_EXE_snowglobe"));
    command.arg("exec").args(words);
    command
}

/// Returns the numbers of the processes that belong to such a run and have this name, or any.
pub(crate) fn processes(run: &str, name: Option<&str>) -> Vec<u32> {
    let variable = format!("NEXTEST_RUN_ID={}", id(run));
    let has_variable = |environment: Vec<u8>| {
        let mut all = environment.split(|byte| *byte == 0);
        all.any(|it| it == variable.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_one = |pid: &u32| {
        let read = |file| std::fs::read(format!("/proc/{pid}/{file}"));
        let comm = read("comm").unwrap_or_default();
        name.is_none_or(|name| comm.trim_ascii_end() == name.as_bytes())
            && read("environ").is_ok_and(has_variable)
    };
    numbers.filter(is_one).collect()
}

/// Returns the processes of such a run that run the programs of starts.
pub(crate) fn residents(run: &str) -> Vec<u32> {
    processes(run, Some("snowglobe:exec"))
}
