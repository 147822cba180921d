//! Tests of the machinery, on a command with an option of each kind.

use std::ffi::OsString;

use super::{CommandLine, Operands};

type Flag = super::Flag<Options>;

#[derive(Debug, Default, PartialEq)]
struct Options {
    loud: bool,
    timed: bool,
    rounds: Option<usize>,
    color: Option<u8>,
    words: Vec<String>,
    help: bool,
}

const COLORS: &[(&str, u8)] = &[("red", 1), ("green", 2), ("blue", 3)];

const COMMAND_LINE: CommandLine<Options> = CommandLine {
    about: "Usage: say [OPTIONS] [WORD...]\n",
    operands: Operands::Each(|options, word| {
        options.words.push(word.text()?);
        Ok(())
    }),
    flags: &[
        Flag::switch("loud", "Say it loudly", |options| options.loud = true)
            .short('l')
            .aliases(&["shout"])
            .variable("SAY_LOUD"),
        Flag::loose_switch("timed", "Say how long it took", |options| {
            options.timed = true;
        }),
        Flag::value("rounds", "N", "Say it N times", |options, given| {
            options.rounds = Some(given.parse()?);
            Ok(())
        })
        .variable("SAY_ROUNDS"),
        Flag::value("", "COLOR", "red, green or blue", |options, given| {
            options.color = Some(given.one_of(COLORS)?);
            Ok(())
        })
        .short('c'),
        Flag::help(|options| options.help = true),
    ],
    variables: &[("SAY_WHERE", "place where it is said")],
    notes: "Exit status: 0\n",
};

fn parse(line: &str) -> Result<Options, String> {
    COMMAND_LINE
        .parse(line.split_whitespace())
        .map_err(|error| error.to_string())
}

#[test]
fn names_letters_and_aliases_set_the_same_option() {
    for line in ["--loud", "--shout", "-l"] {
        assert!(parse(line).unwrap().loud, "{line}");
    }
    let options = parse("a -lc green --rounds=3 b --timed=colors").unwrap();
    assert_eq!((options.rounds, options.color), (Some(3), Some(2)));
    assert!(options.timed);
    assert_eq!(options.words, ["a", "b"]);
}

#[test]
fn two_dashes_end_the_options() {
    assert_eq!(parse("-- --loud").unwrap().words, ["--loud"]);
}

#[test]
fn nothing_is_read_after_the_last_option() {
    let options = parse("--help --bogus").unwrap();
    assert!(options.help && options.words.is_empty());
}

#[test]
fn mistakes_are_named() {
    for (line, sentence) in [
        ("--bogus", "there is no option `--bogus`"),
        ("-x", "there is no option `-x`"),
        ("-c pink", "-c is `pink`: give red, green or blue"),
        (
            "--rounds many",
            "--rounds is `many`: invalid digit found in string",
        ),
        ("--rounds", "missing argument for option '--rounds'"),
        (
            "--loud=yes",
            "unexpected argument for option '--loud': \"yes\"",
        ),
    ] {
        assert_eq!(parse(line).unwrap_err(), sentence, "{line}");
    }
}

#[test]
fn the_environment_speaks_where_the_command_line_is_silent() {
    let read = |line: &str, environment: &[(&str, &str)]| {
        let mut options = Options::default();
        let given = COMMAND_LINE
            .parse_into(&mut options, line.split_whitespace())
            .unwrap();
        let get = |wanted: &str| {
            let found = environment.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).into())
        };
        let outcome = COMMAND_LINE.read_environment(&mut options, &given, get);
        outcome.map(|()| options).map_err(|error| error.to_string())
    };
    let environment = [("SAY_ROUNDS", "7"), ("SAY_LOUD", "1")];
    assert_eq!(read("", &environment).unwrap().rounds, Some(7));
    assert!(read("", &environment).unwrap().loud);
    assert_eq!(read("--rounds 2", &environment).unwrap().rounds, Some(2));
    assert!(!read("", &[("SAY_LOUD", "0")]).unwrap().loud);
    assert!(!read("", &[("SAY_LOUD", "")]).unwrap().loud);
    let error = read("", &[("SAY_LOUD", "yes")]).unwrap_err();
    assert_eq!(error, "SAY_LOUD is `yes`: give 1 to turn it on, or 0");
    let error = read("", &[("SAY_ROUNDS", "x")]).unwrap_err();
    assert!(error.starts_with("SAY_ROUNDS is `x`"), "{error}");
}

#[test]
fn a_command_line_behind_the_options_is_left_alone() {
    const RUN: CommandLine<Vec<OsString>> = CommandLine {
        about: "",
        operands: Operands::Program(|words, rest| *words = rest),
        flags: &[],
        variables: &[],
        notes: "",
    };
    let words = RUN.parse(["ls", "-l", "--all"]).unwrap();
    assert_eq!(words, ["ls", "-l", "--all"]);
}

#[test]
fn the_help_is_made_of_the_flags() {
    COMMAND_LINE.assert_sound();
    let expected = "\
Usage: say [OPTIONS] [WORD...]

Options:
  -l, --loud      Say it loudly (also --shout)
      --timed     Say how long it took
      --rounds N  Say it N times
  -c COLOR        red, green or blue
  -h, --help      Print this

Environment:
  SAY_LOUD    same as --loud
  SAY_ROUNDS  same as --rounds
  SAY_WHERE   place where it is said

Exit status: 0
";
    assert_eq!(COMMAND_LINE.help(), expected);
}

#[test]
fn the_texts_tell_which_options_take_values() {
    let options = COMMAND_LINE.text().options;
    let rounds = &options[2];
    assert_eq!(
        (&*rounds.names, rounds.value),
        (&["--rounds".to_owned()][..], Some("N"))
    );
    assert_eq!(options[0].names, ["-l", "--loud", "--shout"]);
    assert_eq!(options[0].value, None);
}

#[test]
#[should_panic(expected = "two options are named `--loud`")]
fn a_name_that_stands_twice_is_found() {
    const TWICE: CommandLine<Options> = CommandLine {
        flags: &[
            Flag::switch("loud", "Say it loudly", |options| options.loud = true),
            Flag::switch("quiet", "Whisper it", |_| {}).aliases(&["loud"]),
        ],
        ..COMMAND_LINE
    };
    TWICE.assert_sound();
}
