//! `#[plugin]`: the author's `impl` as it is, the trait that the component and
//! the fake gateway call, and the component's exports.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Error, ItemImpl, LitStr, Result, Type, parse::Parser, spanned::Spanned};

use crate::{component, hooks::Hooks};

/// What stands in `#[plugin(…)]`.
struct Arguments {
    summary: LitStr,
    config: Option<Type>,
}

/// Writes all of it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::parse(arguments)?;
    let item = inherent(item)?;
    let hooks = Hooks::of(&item)?;
    let plugin = plugin(&arguments, &item, &hooks)?;
    let component = component::expand(&item.self_ty, &hooks);
    Ok(quote! { #item #plugin #component })
}

impl Arguments {
    fn parse(tokens: TokenStream) -> Result<Self> {
        let (mut summary, mut config) = (None, None);
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("summary") {
                summary = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("config") {
                config = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error("`#[plugin]` takes `summary = \"…\"` and `config = Type`"));
            }
            Ok(())
        });
        parser.parse2(tokens)?;
        let missing = "say what the plugin does: `#[plugin(summary = \"…\")]`";
        let summary = summary.ok_or_else(|| Error::new(proc_macro2::Span::call_site(), missing))?;
        Ok(Self { summary, config })
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
    let configuration = configuration(arguments, ty, hooks)?;
    let calls = calls(ty, hooks);
    Ok(quote! {
        #[automatically_derived]
        impl ::portcullis_sdk::Plugin for #ty {
            const SUMMARY: &'static str = #summary;
            const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
            #configuration
            #(#calls)*
        }
    })
}

fn configuration(arguments: &Arguments, ty: &Type, hooks: &Hooks<'_>) -> Result<TokenStream> {
    match (&arguments.config, hooks.configure) {
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
        (None, Some(function)) => {
            let message =
                "name the configuration's type: `#[plugin(summary = \"…\", config = Config)]`";
            Err(Error::new_spanned(&function.sig, message))
        }
    }
}

/// One method of the trait per hook; the span is the hook's, so that a wrong
/// type is reported there.
fn calls(ty: &Type, hooks: &Hooks<'_>) -> Vec<TokenStream> {
    let exchange = quote! { exchange: &mut ::portcullis_sdk::Exchange };
    let verdict = quote! { ::portcullis_sdk::Result<::portcullis_sdk::Verdict> };
    let mut calls = Vec::new();
    if let Some(hook) = hooks.request {
        calls.push(quote_spanned! { hook.sig.span() =>
            fn request(&mut self, #exchange) -> #verdict { <#ty>::on_request(self, exchange) }
        });
    }
    if let Some(hook) = hooks.response {
        calls.push(quote_spanned! { hook.sig.span() =>
            fn response(&mut self, #exchange) -> #verdict { <#ty>::on_response(self, exchange) }
        });
    }
    if let Some(hook) = hooks.completion {
        calls.push(quote_spanned! { hook.sig.span() =>
            fn completion(&mut self, #exchange, outcome: &::portcullis_sdk::Outcome) {
                <#ty>::on_completion(self, exchange, outcome)
            }
        });
    }
    if let (Some(changed), Some(pick)) = (hooks.instances_changed, hooks.pick) {
        calls.push(quote_spanned! { changed.sig.span() =>
            fn instances(&mut self, instances: ::std::vec::Vec<::portcullis_sdk::Instance>) {
                <#ty>::instances_changed(self, instances)
            }
        });
        calls.push(quote_spanned! { pick.sig.span() =>
            fn choice(&mut self, #exchange, attempt: u32) -> ::core::option::Option<u32> {
                <#ty>::pick(self, exchange, attempt)
            }
        });
    }
    calls
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
                "takes `summary = \"…\"` and `config = Type`",
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
                "impl F { async fn on_response(&mut self, e: &mut Exchange) {} }",
                "its form is `fn on_response(",
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
    }
}
