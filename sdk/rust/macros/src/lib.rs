//! The attribute macros of `portcullis-sdk`, which re-exports them: use them
//! from there. `plugin` reads an author's `impl`, `config` dresses the type of
//! a configuration; neither does anything at run time.

mod component;
mod hooks;
mod plugin;

use proc_macro::TokenStream;
use quote::quote;

/// Makes a plugin of a type: put it on the `impl` that has the hooks.
///
/// `summary` is a sentence or two for people; `config` names the type of the
/// configuration, which `configure` then takes; `optional(http)` names
/// capabilities that the plugin imports but can do without. The names of functions decide
/// which hooks the component exports: `configure`, `on_start`, `on_tick`,
/// `on_request`, `on_request_body`, `on_request_buffered`, the same three for
/// responses, `on_completion`, and for balancers `instances_changed` and
/// `pick`. Those that may wait may be an `async fn`. Other functions are left alone,
/// but a name that begins with `on_`
/// and is no hook is an error, for it would never be called.
///
/// A crate has one plugin: its component has one set of exports.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    plugin::expand(arguments.into(), item.into())
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}

/// Makes a configuration's type of a struct or enum: short for deriving
/// `Deserialize` and `JsonSchema` with `deny_unknown_fields`, without a
/// dependency on `serde` and `schemars`. For a struct within the configuration
/// too. Doc comments of fields become descriptions in the schema, and
/// `#[serde(…)]` and `#[schemars(…)]` attributes work as ever.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    if !arguments.is_empty() {
        let error = syn::Error::new(
            proc_macro2::Span::call_site(),
            "`#[config]` takes no arguments",
        );
        let error = error.into_compile_error();
        return quote! { #error #item }.into();
    }
    quote! {
        #[derive(::portcullis_sdk::serde::Deserialize, ::portcullis_sdk::schemars::JsonSchema)]
        #[serde(crate = "::portcullis_sdk::serde", deny_unknown_fields)]
        #[schemars(crate = "::portcullis_sdk::schemars")]
        #item
    }
    .into()
}
