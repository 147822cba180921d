//! The options of `#[snowglobe::test(…)]`, one function an option.

use proc_macro::{Ident, Span, TokenStream, TokenTree};

use crate::function::{Attribute, AttributeMeta};
use crate::literal::{self, Number, Text, Value, number, text};
use crate::tokens::{Cursor, Result, SourceError, fill, fill_at};
use crate::values::{
    expected_panic, fixture, list, namespace, need, one_line, optional, text_of, value,
};

/// The options of one attribute.
pub(crate) struct TestOptions {
    /// Method calls on `Options::NEW`.
    pub(crate) calls: TokenStream,
    pub(crate) name: Option<Text>,
    /// The tokio runtime of an async test.
    pub(crate) flavor: Flavor,
    /// Place of the option that stops tokio's clock, if it is given.
    pub(crate) start_paused: Option<Span>,
    pub(crate) ignored: bool,
    /// `seed` or `seeds` was given.
    has_seeds: bool,
    /// Text that a panic must contain to be a pass, if a panic is one.
    pub(crate) expected_panic: Option<String>,
    /// The attribute was put behind all others already.
    pub(crate) is_last: bool,
    /// The attribute of a `main` on whose runtime the test runs (`runtime.rs`).
    pub(crate) runtime: Option<TokenStream>,
}

/// A kind of tokio runtime.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Flavor {
    /// The runtime runs on the test's thread.
    CurrentThread,
    /// The runtime has this many threads.
    MultiThread(usize),
    /// There is none: the function is `async` in name only, and never waits.
    None,
}

/// Reads the value of an option, if it has one, and notes the option.
type Parser = fn(&mut TestOptions, &mut Cursor) -> Result<()>;

/// Options by name.
const OPTIONS: [(&str, Parser); 21] = [
    ("timeout", TestOptions::timeout),
    ("ignore", |options, input| {
        let reason = optional(input)?;
        options.ignore(reason);
        Ok(())
    }),
    ("should_panic", |options, input| {
        let expected = expected_panic(input)?;
        options.should_panic(expected);
        Ok(())
    }),
    ("name", |options, input| {
        options.name = Some(one_line(value(input, text)?)?);
        Ok(())
    }),
    ("seed", |options, input| {
        let seed = value(input, number)?;
        options.one_seed_option(&seed)?;
        options.call_with(".seed(__value)", &seed.tokens())
    }),
    ("seeds", |options, input| {
        let seeds = value(input, number)?;
        options.one_seed_option(&seeds)?;
        if seeds.below(u64::MAX)? == 0 {
            let message = "a test runs with 1 seed or more";
            return Err(SourceError::new(seeds.span(), message));
        }
        options.call_with(".seeds(__value)", &seeds.tokens())
    }),
    // A list looks like `requires(netem, fixture("nginx"))`.
    ("requires", |options, input| {
        let needs = list(input, need)?.into_iter().collect();
        options.call_with(".requires(&[__value])", &needs)
    }),
    ("fixtures", |options, input| {
        let needs = list(input, text)?.iter().map(fixture).collect();
        options.call_with(".requires(&[__value])", &needs)
    }),
    ("isolation", TestOptions::isolation),
    ("threads", TestOptions::threads),
    ("exclusive", |options, _| options.call(".exclusive()")),
    ("group", |options, input| {
        let group = value(input, text)?;
        options.call_with(".group(__value)", &group.tokens())
    }),
    ("allow_panics", |options, _| options.call(".allow_panics()")),
    ("nested", |options, _| options.call(".nested()")),
    ("user", TestOptions::user),
    ("home", TestOptions::home),
    ("starved", TestOptions::starved),
    ("flavor", |options, input| {
        options.flavor(&value(input, text)?)
    }),
    ("worker_threads", |options, input| {
        let threads = value(input, number)?.below(usize::MAX as u64)?;
        options.flavor = Flavor::MultiThread(threads as usize);
        Ok(())
    }),
    // `own_crate.rs` has read the value.
    ("crate", |_, input| value(input, text).map(drop)),
    ("start_paused", |options, input| {
        let (is_paused, at) = value(input, literal::truth)?;
        options.start_paused = is_paused.then_some(at);
        Ok(())
    }),
];

/// Options that this crate gives to itself, in `company.rs` and `runtime.rs`.
const OWN_OPTIONS: [(&str, Parser); 3] = [
    ("__runtime", |options, input| {
        options.runtime = Some(input.parentheses()?.stream());
        Ok(())
    }),
    ("__last", |options, _| {
        options.is_last = true;
        Ok(())
    }),
    ("__last_and_polled_once", |options, _| {
        options.is_last = true;
        options.flavor = Flavor::None;
        Ok(())
    }),
];

impl TestOptions {
    /// Reads the options of an attribute.
    ///
    /// # Errors
    /// There is no such option, or its value is wrong.
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let mut input = Cursor::of_values(tokens);
        let mut options = Self {
            calls: TokenStream::new(),
            name: None,
            flavor: Flavor::CurrentThread,
            start_paused: None,
            ignored: false,
            has_seeds: false,
            expected_panic: None,
            is_last: false,
            runtime: None,
        };
        while !input.is_empty() {
            let key = input.word()?;
            let known = OPTIONS.iter().chain(&OWN_OPTIONS);
            let Some((_, parse)) = known.into_iter().find(|(name, _)| key.to_string() == *name)
            else {
                return Err(unknown(&key));
            };
            parse(&mut options, &mut input)?;
            if !input.is_empty() {
                input.expect(',')?;
            }
        }
        Ok(options)
    }
}

fn unknown(key: &Ident) -> SourceError {
    let names = OPTIONS.map(|(name, _)| name).join(", ");
    let message = format!("there is no option `{key}`; there are: {names}");
    SourceError::new(key.span(), message)
}

impl TestOptions {
    /// Notes a call of a method of `snowglobe::Options`.
    fn call(&mut self, call: &str) -> Result<()> {
        self.call_with(call, &TokenStream::new())
    }

    /// Notes a call, in which `__value` stands for these tokens.
    fn call_with(&mut self, call: &str, value: &TokenStream) -> Result<()> {
        self.calls.extend(fill(call, &[("__value", value)]));
        Ok(())
    }

    /// Notes that the seed, or the number of seeds, was given; they exclude each other.
    fn one_seed_option(&mut self, at: &Number) -> Result<()> {
        if std::mem::replace(&mut self.has_seeds, true) {
            let message = "`seed` and `seeds` exclude each other: give one of them, once";
            return Err(SourceError::new(at.span(), message));
        }
        Ok(())
    }

    fn timeout(&mut self, input: &mut Cursor) -> Result<()> {
        let text = value(input, text).map_err(|error| {
            SourceError::new(
                error.span(),
                "a timeout is a text with a unit, as in `timeout = \"30s\"`",
            )
        })?;
        // With the span of the text, so that an error of the constant's evaluation points there.
        let time = fill_at(
            text.span(),
            "::snowglobe::__private::time(__text)",
            &[("__text", &text.tokens())],
        );
        self.call_with(".timeout(const { __value })", &time)
    }

    /// Reads `isolation(net, pid)`, which means these, or `isolation(!net)`, all but these.
    fn isolation(&mut self, input: &mut Cursor) -> Result<()> {
        let names = list(input, namespace)?;
        let is_excluding = names.iter().any(|name| name.is_excluded);
        if let Some(odd) = names.iter().find(|name| name.is_excluded != is_excluding) {
            let message =
                "either name the namespaces that are wanted, or with `!` those that are not";
            return Err(SourceError::new(odd.ident.span(), message));
        }
        let mut set = fill("::snowglobe::Isolation::NONE", &[]);
        for name in &names {
            let constant = TokenTree::from(name.constant()?).into();
            let with = ".with(::snowglobe::Isolation::__constant)";
            set.extend(fill(with, &[("__constant", &constant)]));
        }
        if is_excluding {
            let without = "::snowglobe::Isolation::ALL.without(__set)";
            set = fill(without, &[("__set", &set)]);
        }
        self.call_with(".isolation(__value)", &set)
    }

    fn threads(&mut self, input: &mut Cursor) -> Result<()> {
        let threads = value(input, number)?;
        if threads.below(usize::MAX as u64)? == 0 {
            let message = "a test takes the room of 1 trial or more";
            return Err(SourceError::new(threads.span(), message));
        }
        self.call_with(".threads(__value)", &threads.tokens())
    }

    /// Reads `user = "name"` or `user = 1000`.
    fn user(&mut self, input: &mut Cursor) -> Result<()> {
        let message = "a user is a name or an id, as in `user = \"nobody\"` or `user = 1000`";
        let at = match value(input, literal::value)? {
            Value::Text(name) if !name.value().is_empty() => {
                return self.call_with(".user(__value)", &name.tokens());
            }
            Value::Number(id) if id.below(u32::MAX.into()).is_ok() => {
                return self.call_with(".user_id(__value)", &id.tokens());
            }
            Value::Text(name) => name.span(),
            Value::Number(id) => id.span(),
            Value::Other(at) => at,
        };
        Err(SourceError::new(at, message))
    }

    fn home(&mut self, input: &mut Cursor) -> Result<()> {
        let home = value(input, text)?;
        if home.value() != "private" {
            let message = "a home is \"private\", or without the option the user's own";
            return Err(SourceError::new(home.span(), message));
        }
        self.call(".private_home()")
    }

    fn starved(&mut self, input: &mut Cursor) -> Result<()> {
        let verdict = value(input, text)?;
        if verdict.value() != "inconclusive" {
            let message = "a test on a starved machine is \"inconclusive\", or without the option what it is elsewhere";
            return Err(SourceError::new(verdict.span(), message));
        }
        self.call(".inconclusive_if_starved()")
    }

    fn flavor(&mut self, flavor: &Text) -> Result<()> {
        self.flavor = match (flavor.value(), self.flavor) {
            ("current_thread", _) => Flavor::CurrentThread,
            ("multi_thread", Flavor::CurrentThread) => Flavor::MultiThread(2),
            ("multi_thread", chosen) => chosen,
            _ => {
                let message = "the flavors are \"current_thread\" and \"multi_thread\"";
                return Err(SourceError::new(flavor.span(), message));
            }
        };
        Ok(())
    }

    fn ignore(&mut self, reason: Option<Text>) {
        let reason = reason.unwrap_or_else(Text::empty).tokens();
        self.ignored = true;
        self.calls
            .extend(fill(".ignore(__reason)", &[("__reason", &reason)]));
    }

    fn should_panic(&mut self, expected: Option<Text>) {
        let text = expected.as_ref().map(|text| text.value().to_owned());
        self.expected_panic = Some(text.unwrap_or_default());
        self.calls.extend(match expected {
            Some(expected) => fill(
                ".should_panic_with(__expected)",
                &[("__expected", &expected.tokens())],
            ),
            None => fill(".should_panic()", &[]),
        });
    }

    /// Notes `#[ignore]` or `#[should_panic]` below the attribute. Returns whether `attribute` is
    /// one of them.
    pub(crate) fn read_attribute(&mut self, attribute: &Attribute) -> Result<bool> {
        if attribute.ident() == Some("ignore") {
            let reason = match &attribute.meta {
                AttributeMeta::List(_) => None,
                meta @ (AttributeMeta::Path | AttributeMeta::NameValue(_)) => text_of(meta)?,
            };
            self.ignore(reason);
            return Ok(true);
        }
        if attribute.ident() == Some("should_panic") {
            self.should_panic(text_of(&attribute.meta)?);
            return Ok(true);
        }
        Ok(false)
    }
}
