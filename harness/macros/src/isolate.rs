//! `#[snowglobe::isolate]`: every test of a module becomes a trial.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

use crate::company::{MAKERS, is_built_in, is_named, is_ours, is_plain_test};
use crate::function::{Attribute, all_tokens};
use crate::tokens::{Cursor, Result, SourceError, fill, group, is_punct, is_word};
use crate::{others, own_crate};

/// Expands the attribute, or returns the error and the module as it was.
pub(crate) fn expand(options: TokenStream, module: TokenStream) -> TokenStream {
    match try_expand(&options, module.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let error = error.to_compile_error();
            [error, module].into_iter().collect()
        }
    }
}

fn try_expand(options: &TokenStream, module: TokenStream) -> Result<TokenStream> {
    let _crate = own_crate::note(options)?;
    let mut input = Cursor::new(module);
    let attributes = Attribute::read_all(&mut input);
    let start = input.span();
    let mut tokens: Vec<TokenTree> = input.rest().into_iter().collect();
    let head = tokens
        .iter()
        .take_while(|token| group(Some(token), Delimiter::Brace).is_none());
    if !head.into_iter().any(|token| is_word(Some(token), "mod")) {
        let message = "#[snowglobe::isolate] goes on a module with its contents, `mod tests { … }`; in the file of a module, or of an integration test, write `use snowglobe::test;` at the top, which isolates every #[test] below";
        return Err(SourceError::new(start, message));
    }
    let Some(contents) = group(tokens.last(), Delimiter::Brace) else {
        let message = "the contents of this module are in another file: write `use snowglobe::test;` at its top, which isolates every #[test] of it";
        return Err(SourceError::over(tokens.into_iter().collect(), message));
    };
    let isolated = isolate(options, contents);
    let mut module = match isolated.has_unknown {
        true => others::error_of_plain(contents.span()).unwrap_or_default(),
        false => TokenStream::new(),
    };
    tokens.pop();
    module.extend(all_tokens(&attributes));
    module.extend(tokens);
    module.extend([TokenTree::from(isolated.contents)]);
    Ok(module)
}

/// The contents of a module whose tests are trials.
struct Isolated {
    contents: Group,
    /// Attributes stand there that may make tests, or may not.
    has_unknown: bool,
}

/// Makes trials of the tests among the items in braces.
fn isolate(options: &TokenStream, items: &Group) -> Isolated {
    let mut input = Cursor::new(items.stream());
    let mut isolated = TokenStream::new();
    let mut has_macros = false;
    let mut has_unknown = false;
    // What the module says of itself comes first: `#![allow(…)]` and its documentation.
    while is_punct(input.peek(), '#') && is_punct(input.peek_second(), '!') {
        isolated.extend((0..3).filter_map(|_| input.next()));
    }
    let mut made = TokenStream::new();
    while !input.is_empty() {
        let mut attributes = Attribute::read_all(&mut input);
        let mut item = ModuleItem::read(&mut input);
        match item.kind() {
            ModuleItemKind::Function => has_unknown |= !convert(options, &mut attributes),
            ModuleItemKind::Module => has_unknown |= item.isolate(options),
            ModuleItemKind::Macro => has_macros = true,
            ModuleItemKind::Other => {}
        }
        made.extend(all_tokens(&attributes));
        made.extend(item.0);
    }
    if has_macros {
        // What a macro makes is not seen here. The name makes trials of its tests.
        isolated.extend(fill("#[allow(unused_imports)] use ::snowglobe::test;", &[]));
    }
    isolated.extend(made);
    let mut contents = Group::new(items.delimiter(), isolated);
    contents.set_span(items.span());
    Isolated {
        contents,
        has_unknown,
    }
}

/// The tokens of an item without its attributes.
struct ModuleItem(Vec<TokenTree>);

enum ModuleItemKind {
    Function,
    /// A module with its contents.
    Module,
    /// The call of a macro. A macro that defines another makes no test.
    Macro,
    Other,
}

impl ModuleItem {
    /// Reads an item up to its semicolon, or to the braces at its end.
    fn read(input: &mut Cursor) -> Self {
        let mut item = Self(Vec::new());
        while let Some(token) = input.next() {
            let is_brace = group(Some(&token), Delimiter::Brace).is_some()
                // A macro hands the body of a function on in brackets that are not written.
                || group(Some(&token), Delimiter::None).is_some_and(|inner| {
                    let first = inner.stream().into_iter().next();
                    item.has("fn") && group(first.as_ref(), Delimiter::Brace).is_some()
                });
            let is_semicolon = is_punct(Some(&token), ';');
            item.0.push(token);
            if is_semicolon || (is_brace && !item.ends_with_semicolon()) {
                break;
            }
        }
        item
    }

    /// Returns whether a word stands in the item, outside of brackets.
    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|token| is_word(Some(token), word))
    }

    /// Returns whether the item may have braces ahead of its end.
    fn ends_with_semicolon(&self) -> bool {
        let is_constant = self.has("const") && !self.has("fn") && !self.has("impl");
        let has_value = self.0.iter().any(|token| is_punct(Some(token), '='));
        self.has("use") || (has_value && (is_constant || self.has("static") || self.has("type")))
    }

    fn kind(&self) -> ModuleItemKind {
        let is_mark = |token: &TokenTree| is_punct(Some(token), '!');
        let has_body = group(self.0.last(), Delimiter::Brace).is_some();
        if self
            .0
            .first()
            .is_some_and(|it| is_word(Some(it), "macro_rules"))
        {
            ModuleItemKind::Other
        } else if self.has("fn") && !self.ends_with_semicolon() {
            ModuleItemKind::Function
        } else if self.has("mod") && has_body {
            ModuleItemKind::Module
        } else if self.0.iter().any(is_mark) && !self.has("impl") && !self.ends_with_semicolon() {
            ModuleItemKind::Macro
        } else {
            ModuleItemKind::Other
        }
    }

    /// Makes trials of the tests of a module. Returns whether attributes stand there that may make
    /// tests, or may not.
    fn isolate(&mut self, options: &TokenStream) -> bool {
        let contents = group(self.0.last(), Delimiter::Brace);
        let Some(isolated) = contents.map(|contents| isolate(options, contents)) else {
            return false;
        };
        self.0.pop();
        self.0.push(isolated.contents.into());
        isolated.has_unknown
    }
}

/// Makes a trial of a function if its attributes make a test of it. Returns whether it is known
/// that the function is a trial now or is no test.
fn convert(options: &TokenStream, attributes: &mut Vec<Attribute>) -> bool {
    if attributes.iter().any(is_ours) {
        return true;
    }
    let ours = |options: &TokenStream| {
        let template = match options.is_empty() {
            true => "#[::snowglobe::test]",
            false => "#[::snowglobe::test(__options)]",
        };
        Attribute::of(fill(template, &[("__options", options)]))
    };
    if let Some(at) = attributes.iter().position(is_plain_test) {
        attributes[at] = ours(options);
    } else if let Some(at) = attributes.iter().position(is_tokio_test) {
        // The options of tokio's attribute are options of ours, but for the path of tokio.
        let of_tokio = attributes[at].list();
        let of_tokio = own_crate::split(&of_tokio).map_or(of_tokio, |(_, others)| others);
        attributes[at] = match (of_tokio.is_empty(), options.is_empty()) {
            (true, _) => ours(options),
            (false, true) => ours(&of_tokio),
            (false, false) => ours(&fill(
                "__options, __of_tokio",
                &[("__options", options), ("__of_tokio", &of_tokio)],
            )),
        };
    } else if attributes.iter().any(|it| is_named(it, &MAKERS)) {
        attributes.insert(0, ours(options));
    } else {
        // A condition may lead to `test`, and only the compiler knows whether it holds.
        let makes_no_test = |it: &Attribute| is_built_in(it) && !is_named(it, &["cfg_attr"]);
        return attributes.iter().all(makes_no_test);
    }
    true
}

fn is_tokio_test(attribute: &Attribute) -> bool {
    attribute.path == ["tokio", "test"]
}
