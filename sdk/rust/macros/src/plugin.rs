//! `#[plugin]`: the author's `impl` as it is, the trait that the component and
//! the fake gateway call, and the component's exports.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Error, ItemImpl, LitStr, Result, Type, parse::Parser, spanned::Spanned};

use crate::{
    component,
    hooks::{Hook, Hooks, Kind},
};

/// What stands in `#[plugin(…)]`.
struct Arguments {
    summary: LitStr,
    config: Option<Type>,
    /// Capabilities that the plugin can do without.
    optional: Vec<String>,
}

/// What may stand in `optional(…)`: what can say that it is not allowed.
const OPTIONAL: [&str; 2] = ["http", "store"];

/// Writes all of it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::parse(arguments)?;
    let item = inherent(item)?;
    let hooks = Hooks::of(&item)?;
    let plugin = plugin(&arguments, &item, &hooks)?;
    let component = component::expand(&item.self_ty, &hooks, !arguments.optional.is_empty());
    Ok(quote! { #item #plugin #component })
}

impl Arguments {
    fn parse(tokens: TokenStream) -> Result<Self> {
        let (mut summary, mut config) = (None, None);
        let mut optional = Vec::new();
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("summary") {
                summary = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("config") {
                config = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("optional") {
                meta.parse_nested_meta(|meta| {
                    let known = OPTIONAL.iter().find(|name| meta.path.is_ident(name));
                    let wrong = || meta.error("what can be optional: `http`, `store`");
                    optional.push((*known.ok_or_else(wrong)?).to_owned());
                    Ok(())
                })?;
            } else {
                return Err(meta.error(
                    "`#[plugin]` takes `summary = \"…\"`, `config = Type` and `optional(…)`",
                ));
            }
            Ok(())
        });
        parser.parse2(tokens)?;
        let missing = "say what the plugin does: `#[plugin(summary = \"…\")]`";
        let summary = summary.ok_or_else(|| Error::new(proc_macro2::Span::call_site(), missing))?;
        Ok(Self {
            summary,
            config,
            optional,
        })
    }
}

/// The `impl` block, if it is one of the type itself.
fn inherent(item: TokenStream) -> Result<ItemImpl> {
    let wrong = "`#[plugin]` goes on the `impl` block that has the hooks: `impl MyFilter { … }`";
    let span = item.span();
    let item: ItemImpl = syn::parse2(item).map_err(|_| Error::new(span, wrong))?;
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new_spanned(path, wrong));
    }
    if !item.generics.params.is_empty() {
        let message = "a plugin is one type: it cannot have type parameters";
        return Err(Error::new_spanned(&item.generics, message));
    }
    Ok(item)
}

fn plugin(arguments: &Arguments, item: &ItemImpl, hooks: &Hooks<'_>) -> Result<TokenStream> {
    let ty = &item.self_ty;
    let summary = &arguments.summary;
    let optional = &arguments.optional;
    let configuration = configuration(arguments, ty, hooks)?;
    let calls = hooks.iter().filter_map(|hook| call(ty, hook));
    let state = |kind| match hooks.find(kind).and_then(|hook| hook.state) {
        Some(state) => quote! { #state },
        None => quote! { () },
    };
    let (request, response) = (state(Kind::RequestBody), state(Kind::ResponseBody));
    Ok(quote! {
        #[automatically_derived]
        impl ::portcullis_sdk::Plugin for #ty {
            const SUMMARY: &'static str = #summary;
            const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
            const OPTIONAL: &'static [&'static str] = &[#(#optional),*];
            type RequestBody = #request;
            type ResponseBody = #response;
            #configuration
            #(#calls)*
        }
    })
}

fn configuration(arguments: &Arguments, ty: &Type, hooks: &Hooks<'_>) -> Result<TokenStream> {
    match (&arguments.config, hooks.find(Kind::Configure)) {
        (Some(config), Some(_)) => Ok(quote! {
            fn schema() -> ::std::string::String {
                ::portcullis_sdk::plugin::schema::<#config>()
            }
            fn from_configuration(text: &str) -> ::portcullis_sdk::Result<Self> {
                <#ty>::configure(::portcullis_sdk::plugin::configuration::<#config>(text)?)
            }
        }),
        (None, None) => Ok(quote_spanned! { ty.span() =>
            fn from_configuration(_: &str) -> ::portcullis_sdk::Result<Self> {
                ::core::result::Result::Ok(<#ty as ::core::default::Default>::default())
            }
        }),
        (Some(config), None) => {
            let message = "there is no `fn configure(config: …) -> Result<Self>` to take this";
            Err(Error::new_spanned(config, message))
        }
        (None, Some(hook)) => {
            let message =
                "name the configuration's type: `#[plugin(summary = \"…\", config = Config)]`";
            Err(Error::new_spanned(&hook.function.sig, message))
        }
    }
}

/// The method of the trait for a hook; the span is the hook's, so that a wrong
/// type is reported there.
fn call(ty: &Type, hook: Hook<'_>) -> Option<TokenStream> {
    let signature = &hook.function.sig;
    let name = &signature.ident;
    let span = signature.span();
    let exchange = quote! { exchange: &mut ::portcullis_sdk::Exchange };
    let verdict = quote! { ::portcullis_sdk::Result<::portcullis_sdk::Verdict> };
    let body = quote! { body: &mut ::portcullis_sdk::Body };
    let done = quote! { ::portcullis_sdk::Result<()> };
    let (head, arguments) = match hook.kind {
        Kind::Configure => return None,
        Kind::Start => (quote! { start(&mut self) -> #done }, quote! {}),
        Kind::Request => (
            quote! { request(&mut self, #exchange) -> #verdict },
            quote! { exchange },
        ),
        Kind::Response => (
            quote! { response(&mut self, #exchange) -> #verdict },
            quote! { exchange },
        ),
        Kind::RequestBody => chunk(quote! { request_body }, quote! { RequestBody }, hook),
        Kind::ResponseBody => chunk(quote! { response_body }, quote! { ResponseBody }, hook),
        Kind::RequestBuffered => (
            quote! { request_buffered(&mut self, #exchange, #body) -> #verdict },
            quote! { exchange, body },
        ),
        Kind::ResponseBuffered => (
            quote! { response_buffered(&mut self, #exchange, #body) -> #verdict },
            quote! { exchange, body },
        ),
        Kind::Completion => (
            quote! { completion(&mut self, #exchange, outcome: &::portcullis_sdk::Outcome) },
            quote! { exchange, outcome },
        ),
        Kind::Tick => (quote! { tick(&mut self) -> #done }, quote! {}),
        Kind::InstancesChanged => (
            quote! {
                instances(&mut self, instances: ::std::vec::Vec<::portcullis_sdk::Instance>)
            },
            quote! { instances },
        ),
        Kind::Pick => (
            quote! {
                choice(&mut self, #exchange, attempt: u32) -> ::core::option::Option<u32>
            },
            quote! { exchange, attempt },
        ),
    };
    let call = quote_spanned! { span => <#ty>::#name(self, #arguments) };
    let call = match signature.asyncness {
        Some(_) => quote_spanned! { span => ::portcullis_sdk::executor::run(#call) },
        None => call,
    };
    Some(quote_spanned! { span => fn #head { #call } })
}

/// The head of a body hook's method, and what is handed on of its arguments.
fn chunk(name: TokenStream, state: TokenStream, hook: Hook<'_>) -> (TokenStream, TokenStream) {
    let head = quote! {
        #name(
            &mut self,
            exchange: &mut ::portcullis_sdk::Exchange,
            state: &mut Self::#state,
            chunk: &mut ::portcullis_sdk::Chunk,
        ) -> ::portcullis_sdk::Result<::portcullis_sdk::ChunkVerdict>
    };
    match hook.state {
        Some(_) => (head, quote! { exchange, state, chunk }),
        None => (
            quote! {
                #name(
                    &mut self,
                    exchange: &mut ::portcullis_sdk::Exchange,
                    _: &mut Self::#state,
                    chunk: &mut ::portcullis_sdk::Chunk,
                ) -> ::portcullis_sdk::Result<::portcullis_sdk::ChunkVerdict>
            },
            quote! { exchange, chunk },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = r#"summary = "does nothing""#;

    fn error(arguments: &str, item: &str) -> String {
        let expanded = expand(arguments.parse().unwrap(), item.parse().unwrap());
        expanded.expect_err("the macro refuses it").to_string()
    }

    #[test]
    fn mistakes_are_named() {
        let request = "fn on_request(&mut self, e: &mut Exchange) -> Result<Verdict> { todo!() }";
        let configure = "fn configure(config: Config) -> Result<Self> { todo!() }";
        let filter = format!("impl F {{ {request} }}");
        for (arguments, item, says) in [
            ("", filter.as_str(), "say what the plugin does"),
            (
                "summary = \"\", name = \"x\"",
                &filter,
                "takes `summary = \"…\"`, `config = Type` and `optional(…)`",
            ),
            (SUMMARY, "struct F;", "goes on the `impl` block"),
            (SUMMARY, "impl Trait for F {}", "goes on the `impl` block"),
            (SUMMARY, "impl<T> F<T> {}", "cannot have type parameters"),
            (
                SUMMARY,
                "impl F { fn on_requets(&mut self) {} }",
                "`on_requets` is no hook",
            ),
            (
                SUMMARY,
                "impl F { fn helper(&self) {} }",
                "no hook to be called",
            ),
            (
                SUMMARY,
                "impl F { fn on_request(&mut self) -> Result<Verdict> {} }",
                "its form is `fn on_request(",
            ),
            (
                SUMMARY,
                "impl F { async fn on_completion(&mut self, e: &mut Exchange, o: &Outcome) {} }",
                "this hook cannot wait: its form is `fn on_completion(",
            ),
            (
                SUMMARY,
                "impl F { fn on_response(&mut self) -> Result<Verdict> {} }",
                "its form is `fn on_response(",
            ),
            (
                SUMMARY,
                "impl F { fn on_request_body(&mut self, c: &mut Chunk) {} }",
                "its form is `fn on_request_body(",
            ),
            (
                SUMMARY,
                "impl F { fn on_response_body(&mut self, e: &mut E, s: State, c: &mut Chunk) {} }",
                "its form is `fn on_response_body(",
            ),
            (
                SUMMARY,
                "impl F { async fn on_request_body(&mut self, e: &mut E, c: &mut Chunk) {} }",
                "this hook cannot wait",
            ),
            (
                SUMMARY,
                "impl F { async fn on_tick(&mut self) -> Result<()> {} }",
                "no hook to be called",
            ),
            (
                SUMMARY,
                "impl F { async fn on_tick(&mut self, e: &mut Exchange) -> Result<()> {} }",
                "its form is `async fn on_tick(",
            ),
            (
                "summary = \"\", optional(counters)",
                &filter,
                "what can be optional: `http`",
            ),
            (
                SUMMARY,
                "impl F { fn pick(&mut self, e: &mut Exchange, attempt: u32) -> Option<u32> {} }",
                "`instances_changed` is missing",
            ),
            (
                SUMMARY,
                "impl F { fn instances_changed(&mut self, i: Vec<Instance>) {} }",
                "`pick` is missing",
            ),
            (
                SUMMARY,
                &format!("impl F {{ {configure} {request} }}"),
                "name the configuration's type",
            ),
            (
                "summary = \"\", config = Config",
                &filter,
                "there is no `fn configure(",
            ),
        ] {
            let text = error(arguments, item);
            assert!(text.contains(says), "{item}: {text}");
        }
    }

    #[test]
    fn only_the_hooks_that_are_there_are_exported() {
        let item = "impl F { fn on_completion(&mut self, e: &mut Exchange, o: &Outcome) {} }";
        let expanded = expand(SUMMARY.parse().unwrap(), item.parse().unwrap())
            .unwrap()
            .to_string();
        let exported = |hook: &str| expanded.contains(&format!("export_{hook} !"));
        assert!(exported("metadata") && exported("completion"));
        assert!(!exported("configuration") && !exported("request") && !exported("balancer"));
        assert!(!exported("capabilities") && !exported("request_body") && !exported("tick"));
    }

    #[test]
    fn what_waits_is_run_to_its_end_and_what_does_not_is_called() {
        let item = "impl F {
            async fn on_request(&mut self, e: &mut Exchange) -> Result<Verdict> {}
            fn on_response(&mut self, e: &mut Exchange) -> Result<Verdict> {}
        }";
        let expanded = expand(SUMMARY.parse().unwrap(), item.parse().unwrap()).unwrap();
        assert_eq!(expanded.to_string().matches("executor :: run").count(), 1);
    }
}
