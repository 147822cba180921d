//! Rules about lines: how long files and comments are, how many files lie in one folder, how many
//! comments say why.

use std::collections::BTreeMap;

use crate::source::Source;

/// Files of more lines than `limit`.
pub(crate) fn long_files(sources: &[Source], limit: usize) -> Vec<String> {
    let long = sources
        .iter()
        .map(|source| (source, source.text.lines().count()));
    long.filter(|(_, lines)| *lines > limit)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path))
        .collect()
}

/// Folders with more Rust files at one level than `limit`.
pub(crate) fn crowded_folders(sources: &[Source], limit: usize) -> Vec<String> {
    let folders = files_by_folder(sources);
    let crowded = folders.iter().filter(|(_, files)| **files > limit);
    crowded
        .map(|(folder, files)| format!("{folder}: {files} files"))
        .collect()
}

/// Number of Rust files in the folder that has most at one level.
pub(crate) fn fullest_folder(sources: &[Source]) -> usize {
    files_by_folder(sources).into_values().max().unwrap_or(0)
}

fn files_by_folder(sources: &[Source]) -> BTreeMap<&str, usize> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources {
        let (folder, _) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        *folders.entry(folder).or_default() += 1;
    }
    folders
}

/// Comment lines of more columns than `limit`.
pub(crate) fn wide_comments(source: &Source, limit: usize) -> Vec<String> {
    let wide = |(_, line): &(usize, &str)| {
        line.trim_start().starts_with("//") && line.chars().count() > limit
    };
    let lines = source.text.lines().enumerate().filter(wide);
    lines
        .map(|(number, line)| {
            let columns = line.chars().count();
            format!(
                "{}:{}: a comment of {columns} columns",
                source.path,
                number + 1
            )
        })
        .collect()
}

/// Comments of a file that say why: plain `//` comments, a block of adjacent lines counting once.
pub(crate) fn why_comments(source: &Source) -> usize {
    let plain = |line: &str| {
        let line = line.trim_start();
        line.starts_with("// ") && !line.starts_with("// SAFETY")
    };
    let mut before = false;
    let mut count = 0;
    for line in source.text.lines() {
        let now = plain(line);
        count += usize::from(now && !before);
        before = now;
    }
    count
}

/// Lines of code of a file: neither blank nor a comment.
pub(crate) fn code_lines(source: &Source) -> usize {
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//")
    };
    source.text.lines().filter(is_code).count()
}

/// Documentation that is half a sentence: at most nine words that begin with a word that asks
/// for, or points at, a noun that is not there.
pub(crate) fn half_sentences(source: &Source) -> Vec<String> {
    const FIRST: [&str; 24] = [
        "What",
        "Where",
        "Which",
        "Who",
        "Whose",
        "Whom",
        "Those",
        "These",
        "Of",
        "By",
        "As",
        "Not",
        "Its",
        "It",
        "Until",
        "So",
        "Such",
        "Same",
        "That",
        "Otherwise",
        "Here",
        "There",
        "How",
        "Whether",
    ];
    let mut found = Vec::new();
    for (number, block) in doc_blocks(&source.text) {
        let mut words = block.split_whitespace();
        let first = words
            .next()
            .unwrap_or_default()
            .trim_end_matches([',', '.', ':']);
        let count = 1 + words.count();
        let points = FIRST.contains(&first) && first != "Whether" || block.starts_with("The same");
        if count <= 9 && points {
            found.push(format!(
                "{}:{number}: half a sentence: {block:?}",
                source.path
            ));
        }
    }
    found
}

/// Documentation blocks with the numbers of their first lines.
fn doc_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let doc = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        match doc.map(str::trim) {
            Some(doc) if !doc.is_empty() && open => {
                let (_, block) = blocks.last_mut().expect("an open block is the last one");
                block.push(' ');
                block.push_str(doc);
            }
            Some(doc) if !doc.is_empty() => {
                blocks.push((number + 1, doc.to_owned()));
                open = true;
            }
            _ => open = false,
        }
    }
    blocks
}
