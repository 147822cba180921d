//! The options of `#[snowglobe::test(…)]`, one function an option.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Lit, LitBool, LitInt, LitStr, Meta, Result, Token};

use crate::values::{
    NamespaceName, NeedTokens, expected_panic, fixture, list, one_line, optional, text_of, value,
};

/// The options of one attribute.
pub(crate) struct TestOptions {
    /// Method calls on `Options::NEW`.
    pub(crate) calls: TokenStream,
    pub(crate) name: Option<LitStr>,
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
type Parser = fn(&mut TestOptions, ParseStream<'_>) -> Result<()>;

/// Options by name.
const OPTIONS: [(&str, Parser); 20] = [
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
        options.name = Some(one_line(value(input)?)?);
        Ok(())
    }),
    ("seed", |options, input| {
        let seed: LitInt = value(input)?;
        options.one_seed_option(&seed)?;
        options.call(quote!(.seed(#seed)))
    }),
    ("seeds", |options, input| {
        let seeds: LitInt = value(input)?;
        options.one_seed_option(&seeds)?;
        if seeds.base10_parse::<u64>()? == 0 {
            let message = "a test runs with 1 seed or more";
            return Err(Error::new(seeds.span(), message));
        }
        options.call(quote!(.seeds(#seeds)))
    }),
    // A list looks like `requires(netem, fixture("nginx"))`.
    ("requires", |options, input| {
        let needs = list::<NeedTokens>(input)?;
        let needs = needs.into_iter().map(|need| need.0);
        options.call(quote!(.requires(&[#(#needs),*])))
    }),
    ("fixtures", |options, input| {
        let names = list::<LitStr>(input)?;
        let needs = names.iter().map(fixture);
        options.call(quote!(.requires(&[#(#needs),*])))
    }),
    ("isolation", TestOptions::isolation),
    ("threads", TestOptions::threads),
    ("exclusive", |options, _| options.call(quote!(.exclusive()))),
    ("group", |options, input| {
        let group: LitStr = value(input)?;
        options.call(quote!(.group(#group)))
    }),
    ("allow_panics", |options, _| {
        options.call(quote!(.allow_panics()))
    }),
    ("nested", |options, _| options.call(quote!(.nested()))),
    ("user", TestOptions::user),
    ("home", TestOptions::home),
    ("starved", TestOptions::starved),
    ("flavor", |options, input| options.flavor(&value(input)?)),
    ("worker_threads", |options, input| {
        let threads: LitInt = value(input)?;
        options.flavor = Flavor::MultiThread(threads.base10_parse()?);
        Ok(())
    }),
    ("start_paused", |options, input| {
        let paused: LitBool = value(input)?;
        options.start_paused = paused.value.then(|| paused.span());
        Ok(())
    }),
];

/// Options that this crate gives to itself, in `company.rs`.
const OWN_OPTIONS: [(&str, Parser); 2] = [
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

impl Parse for TestOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self {
            calls: TokenStream::new(),
            name: None,
            flavor: Flavor::CurrentThread,
            start_paused: None,
            ignored: false,
            has_seeds: false,
            expected_panic: None,
            is_last: false,
        };
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            let known = OPTIONS.iter().chain(&OWN_OPTIONS);
            let Some((_, parse)) = known.into_iter().find(|(name, _)| key == name) else {
                return Err(unknown(&key));
            };
            parse(&mut options, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn unknown(key: &Ident) -> Error {
    let names = OPTIONS.map(|(name, _)| name).join(", ");
    let message = format!("there is no option `{key}`; there are: {names}");
    Error::new(key.span(), message)
}

impl TestOptions {
    /// Notes a call of a method of `snowglobe::Options`.
    fn call(&mut self, call: TokenStream) -> Result<()> {
        self.calls.extend(call);
        Ok(())
    }

    /// Notes that the seed, or the number of seeds, was given; they exclude each other.
    fn one_seed_option(&mut self, at: &LitInt) -> Result<()> {
        if std::mem::replace(&mut self.has_seeds, true) {
            let message = "`seed` and `seeds` exclude each other: give one of them, once";
            return Err(Error::new(at.span(), message));
        }
        Ok(())
    }

    fn timeout(&mut self, input: ParseStream<'_>) -> Result<()> {
        let text: LitStr = value(input).map_err(|error| {
            Error::new(
                error.span(),
                "a timeout is a text with a unit, as in `timeout = \"30s\"`",
            )
        })?;
        // With the span of the text, so that an error of the constant's evaluation points there.
        let time = quote_spanned!(text.span()=> ::snowglobe::__private::time(#text));
        self.call(quote!(.timeout(const { #time })))
    }

    /// Reads `isolation(net, pid)`, which means these, or `isolation(!net)`, all but these.
    fn isolation(&mut self, input: ParseStream<'_>) -> Result<()> {
        let names = list::<NamespaceName>(input)?;
        let is_excluding = names.iter().any(|name| name.is_excluded);
        if let Some(odd) = names.iter().find(|name| name.is_excluded != is_excluding) {
            let message =
                "either name the namespaces that are wanted, or with `!` those that are not";
            return Err(Error::new(odd.ident.span(), message));
        }
        let mut set = quote!(::snowglobe::Isolation::NONE);
        for name in &names {
            let constant = name.constant()?;
            set.extend(quote!(.with(::snowglobe::Isolation::#constant)));
        }
        if is_excluding {
            set = quote!(::snowglobe::Isolation::ALL.without(#set));
        }
        self.call(quote!(.isolation(#set)))
    }

    fn threads(&mut self, input: ParseStream<'_>) -> Result<()> {
        let threads: LitInt = value(input)?;
        if threads.base10_parse::<usize>()? == 0 {
            let message = "a test takes the room of 1 trial or more";
            return Err(Error::new(threads.span(), message));
        }
        self.call(quote!(.threads(#threads)))
    }

    /// Reads `user = "name"` or `user = 1000`.
    fn user(&mut self, input: ParseStream<'_>) -> Result<()> {
        let user: Lit = value(input)?;
        match &user {
            Lit::Str(name) if !name.value().is_empty() => self.call(quote!(.user(#name))),
            Lit::Int(id) if id.base10_parse::<u32>().is_ok_and(|id| id != u32::MAX) => {
                self.call(quote!(.user_id(#id)))
            }
            _ => {
                let message =
                    "a user is a name or an id, as in `user = \"nobody\"` or `user = 1000`";
                Err(Error::new(user.span(), message))
            }
        }
    }

    fn home(&mut self, input: ParseStream<'_>) -> Result<()> {
        let home: LitStr = value(input)?;
        if home.value() != "private" {
            let message = "a home is \"private\", or without the option the user's own";
            return Err(Error::new(home.span(), message));
        }
        self.call(quote!(.private_home()))
    }

    fn starved(&mut self, input: ParseStream<'_>) -> Result<()> {
        let verdict: LitStr = value(input)?;
        if verdict.value() != "inconclusive" {
            let message = "a test on a starved machine is \"inconclusive\", or without the option what it is elsewhere";
            return Err(Error::new(verdict.span(), message));
        }
        self.call(quote!(.inconclusive_if_starved()))
    }

    fn flavor(&mut self, flavor: &LitStr) -> Result<()> {
        self.flavor = match (flavor.value().as_str(), self.flavor) {
            ("current_thread", _) => Flavor::CurrentThread,
            ("multi_thread", Flavor::CurrentThread) => Flavor::MultiThread(2),
            ("multi_thread", chosen) => chosen,
            _ => {
                let message = "the flavors are \"current_thread\" and \"multi_thread\"";
                return Err(Error::new(flavor.span(), message));
            }
        };
        Ok(())
    }

    fn ignore(&mut self, reason: Option<LitStr>) {
        let reason = reason.unwrap_or_else(|| LitStr::new("", Span::call_site()));
        self.ignored = true;
        self.calls.extend(quote!(.ignore(#reason)));
    }

    fn should_panic(&mut self, expected: Option<LitStr>) {
        let text = expected.as_ref().map(LitStr::value);
        self.expected_panic = Some(text.unwrap_or_default());
        self.calls.extend(match expected {
            Some(expected) => quote!(.should_panic_with(#expected)),
            None => quote!(.should_panic()),
        });
    }

    /// Notes `#[ignore]` or `#[should_panic]` below the attribute. Returns whether `attribute` is
    /// one of them.
    pub(crate) fn read_attribute(&mut self, attribute: &Attribute) -> Result<bool> {
        if attribute.path().is_ident("ignore") {
            let reason = match &attribute.meta {
                Meta::List(_) => None,
                meta @ (Meta::Path(_) | Meta::NameValue(_)) => text_of(meta)?,
            };
            self.ignore(reason);
            return Ok(true);
        }
        if attribute.path().is_ident("should_panic") {
            self.should_panic(text_of(&attribute.meta)?);
            return Ok(true);
        }
        Ok(false)
    }
}
