//! The options of `#[snowglobe::test(…)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, LitInt, LitStr, Meta, Token, parenthesized};

/// What was asked for.
pub(crate) struct Options {
    /// Method calls on `Options::NEW`.
    pub(crate) calls: TokenStream,
    pub(crate) name: Option<LitStr>,
    /// The tokio runtime of an async test.
    pub(crate) flavor: Flavor,
    pub(crate) ignored: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread(usize),
}

impl Default for Options {
    fn default() -> Options {
        Options {
            calls: TokenStream::new(),
            name: None,
            flavor: Flavor::CurrentThread,
            ignored: false,
        }
    }
}

const KNOWN: &str = "timeout, ignore, should_panic, name, seed, requires, fixtures, isolation, threads, exclusive, group, allow_panics, nested, flavor, worker_threads";

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Options> {
        let mut options = Options::default();
        while !input.is_empty() {
            options.option(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key = input.call(Ident::parse_any)?;
        match key.to_string().as_str() {
            "timeout" => {
                let text: LitStr = value(input).map_err(|error| {
                    syn::Error::new(
                        error.span(),
                        "a timeout is a text with a unit, as in `timeout = \"30s\"`",
                    )
                })?;
                let time = quote_spanned!(text.span()=> ::snowglobe::__private::time(#text));
                self.call(quote!(.timeout(const { #time })));
            }
            "name" => self.name = Some(one_line(value(input)?)?),
            "seed" => {
                let seed: LitInt = value(input)?;
                self.call(quote!(.seed(#seed)));
            }
            "ignore" => {
                let reason = optional(input)?;
                self.ignore(reason);
            }
            "should_panic" => self.should_panic_option(input)?,
            "requires" => self.requires(input)?,
            "fixtures" => {
                let names = list::<LitStr>(input)?;
                self.needs(names.iter().map(fixture).collect());
            }
            "isolation" => self.isolation(input)?,
            "threads" => {
                let threads: LitInt = value(input)?;
                if threads.base10_parse::<usize>()? == 0 {
                    return Err(syn::Error::new(
                        threads.span(),
                        "a test takes the room of 1 trial or more",
                    ));
                }
                self.call(quote!(.threads(#threads)));
            }
            "exclusive" => self.call(quote!(.exclusive())),
            "group" => {
                let group: LitStr = value(input)?;
                self.call(quote!(.group(#group)));
            }
            "allow_panics" => self.call(quote!(.allow_panics())),
            "nested" => self.call(quote!(.nested())),
            "flavor" => self.flavor(&value(input)?)?,
            "worker_threads" => {
                let threads: LitInt = value(input)?;
                self.flavor = Flavor::MultiThread(threads.base10_parse()?);
            }
            other => {
                let message = format!("there is no option `{other}`; there are: {KNOWN}");
                return Err(syn::Error::new(key.span(), message));
            }
        }
        Ok(())
    }

    fn call(&mut self, call: TokenStream) {
        self.calls.extend(call);
    }

    fn ignore(&mut self, reason: Option<LitStr>) {
        let reason = reason.unwrap_or_else(|| LitStr::new("", Span::call_site()));
        self.ignored = true;
        self.call(quote!(.ignore(#reason)));
    }

    fn should_panic(&mut self, expected: Option<LitStr>) {
        self.call(match expected {
            Some(expected) => quote!(.should_panic_with(#expected)),
            None => quote!(.should_panic()),
        });
    }

    /// `should_panic`, `should_panic = "text"` or `should_panic(expected = "text")`.
    fn should_panic_option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let expected = match input.peek(syn::token::Paren) {
            true => {
                let inner;
                parenthesized!(inner in input);
                Some(expected(&inner)?)
            }
            false => optional(input)?,
        };
        self.should_panic(expected);
        Ok(())
    }

    /// `requires(netem, fixture("nginx"))`.
    fn requires(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let needs = list::<Need>(input)?;
        self.needs(needs.into_iter().map(|need| need.0).collect());
        Ok(())
    }

    fn needs(&mut self, needs: Vec<TokenStream>) {
        self.call(quote!(.requires(&[#(#needs),*])));
    }

    /// `isolation(net, pid)`: these; `isolation(!net)`: all but these.
    fn isolation(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let kinds = list::<Kind>(input)?;
        let without = kinds.iter().any(|kind| kind.not);
        if let Some(odd) = kinds.iter().find(|kind| kind.not != without) {
            let message =
                "either name the namespaces that are wanted, or with `!` those that are not";
            return Err(syn::Error::new(odd.ident.span(), message));
        }
        let mut set = quote!(::snowglobe::Isolation::NONE);
        for kind in &kinds {
            let constant = kind.constant()?;
            set.extend(quote!(.with(::snowglobe::Isolation::#constant)));
        }
        self.call(match without {
            true => quote!(.isolation(::snowglobe::Isolation::ALL.without(#set))),
            false => quote!(.isolation(#set)),
        });
        Ok(())
    }

    fn flavor(&mut self, flavor: &LitStr) -> syn::Result<()> {
        self.flavor = match (flavor.value().as_str(), self.flavor) {
            ("current_thread", _) => Flavor::CurrentThread,
            ("multi_thread", Flavor::CurrentThread) => Flavor::MultiThread(2),
            ("multi_thread", chosen) => chosen,
            _ => {
                let message = "the flavors are \"current_thread\" and \"multi_thread\"";
                return Err(syn::Error::new(flavor.span(), message));
            }
        };
        Ok(())
    }

    /// `#[ignore]` and `#[should_panic]` below the attribute; true if this was one of them.
    pub(crate) fn take(&mut self, attribute: &Attribute) -> syn::Result<bool> {
        if attribute.path().is_ident("ignore") {
            self.ignore(attribute_text(&attribute.meta));
            return Ok(true);
        }
        if attribute.path().is_ident("should_panic") {
            let expected = match &attribute.meta {
                Meta::List(list) => Some(list.parse_args_with(expected)?),
                meta => attribute_text(meta),
            };
            self.should_panic(expected);
            return Ok(true);
        }
        Ok(false)
    }
}

fn attribute_text(meta: &Meta) -> Option<LitStr> {
    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(lit) => match &lit.lit {
                syn::Lit::Str(text) => Some(text.clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn expected(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let key: Ident = input.parse()?;
    match key == "expected" {
        true => value(input),
        false => Err(syn::Error::new(
            key.span(),
            "should_panic takes `expected = \"…\"`",
        )),
    }
}

fn value<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn optional<T: Parse>(input: ParseStream<'_>) -> syn::Result<Option<T>> {
    match input.peek(Token![=]) {
        true => value(input).map(Some),
        false => Ok(None),
    }
}

fn list<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    let inner;
    parenthesized!(inner in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&inner)?
        .into_iter()
        .collect())
}

fn one_line(name: LitStr) -> syn::Result<LitStr> {
    match name.value() {
        text if text.is_empty() || text.contains(['\n', '\r']) => Err(syn::Error::new(
            name.span(),
            "a name is one line, and not empty",
        )),
        _ => Ok(name),
    }
}

fn fixture(name: &LitStr) -> TokenStream {
    quote!(::snowglobe::Need::Fixture(#name))
}

/// `netem` or `fixture("nginx")`.
struct Need(TokenStream);

impl Parse for Need {
    fn parse(input: ParseStream<'_>) -> syn::Result<Need> {
        let name: Ident = input.parse()?;
        if name == "fixture" {
            let names = list::<LitStr>(input)?;
            let [name] = names.as_slice() else {
                return Err(syn::Error::new(name.span(), "write fixture(\"name\")"));
            };
            return Ok(Need(fixture(name)));
        }
        let variant: String = name
            .to_string()
            .split('_')
            .map(|word| {
                let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
                format!("{}{rest}", first.to_uppercase())
            })
            .collect();
        let variant = Ident::new(&variant, name.span());
        Ok(Need(
            quote!(::snowglobe::Need::Feature(::snowglobe::Feature::#variant)),
        ))
    }
}

/// `net` or `!net`.
struct Kind {
    not: bool,
    ident: Ident,
}

impl Parse for Kind {
    fn parse(input: ParseStream<'_>) -> syn::Result<Kind> {
        let not = input.parse::<Option<Token![!]>>()?.is_some();
        let ident = input.call(Ident::parse_any)?;
        Ok(Kind { not, ident })
    }
}

impl Kind {
    fn constant(&self) -> syn::Result<Ident> {
        let name = self.ident.to_string();
        match name.as_str() {
            "user" | "net" | "mnt" | "uts" | "ipc" | "pid" | "all" | "none" => {
                Ok(Ident::new(&name.to_uppercase(), self.ident.span()))
            }
            _ => Err(syn::Error::new(
                self.ident.span(),
                format!(
                    "there is no namespace `{name}`; there are: user, net, mnt, uts, ipc and pid (and `all`, `none`)"
                ),
            )),
        }
    }
}
