//! The component's exports: for each hook the guest's trait and the call of
//! the export macro of that hook's world.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use crate::hooks::Hooks;

/// Writes them, for WebAssembly only.
pub(crate) fn expand(ty: &Type, hooks: &Hooks<'_>) -> TokenStream {
    let mut exports = vec![metadata(ty)];
    exports.extend(hooks.configure.map(|_| configuration()));
    exports.extend(hooks.request.map(|_| request()));
    exports.extend(hooks.response.map(|_| response()));
    exports.extend(hooks.completion.map(|_| completion()));
    exports.extend(hooks.pick.map(|_| balancer()));
    quote! {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use ::portcullis_sdk::bindings;

            ::std::thread_local! {
                static INSTANCE: ::portcullis_sdk::component::Slot<#ty> =
                    const { ::portcullis_sdk::component::Slot::new() };
            }

            struct Component;
            #(#exports)*
        };
    }
}

fn metadata(ty: &Type) -> TokenStream {
    quote! {
        impl bindings::metadata::exports::portcullis::gateway::metadata::Guest for Component {
            fn describe()
            -> bindings::metadata::exports::portcullis::gateway::metadata::Description {
                ::portcullis_sdk::component::Slot::<#ty>::describe()
            }
        }
        bindings::metadata::export_metadata!(Component with_types_in bindings::metadata);
    }
}

fn configuration() -> TokenStream {
    quote! {
        impl bindings::configuration::exports::portcullis::gateway::configuration::Guest
            for Component
        {
            fn configure(
                config: ::std::string::String,
            ) -> ::core::result::Result<(), ::std::string::String> {
                INSTANCE.with(|slot| slot.configure(&config))
            }
        }
        bindings::configuration::export_configuration!(
            Component with_types_in bindings::configuration
        );
    }
}

fn request() -> TokenStream {
    quote! {
        impl bindings::request::exports::portcullis::gateway::request::Guest for Component {
            fn on_request() -> bindings::request::exports::portcullis::gateway::request::Verdict {
                INSTANCE.with(|slot| slot.request())
            }
        }
        bindings::request::export_request!(Component with_types_in bindings::request);
    }
}

fn response() -> TokenStream {
    quote! {
        impl bindings::response::exports::portcullis::gateway::response::Guest for Component {
            fn on_response()
            -> bindings::response::exports::portcullis::gateway::response::Verdict {
                INSTANCE.with(|slot| slot.response())
            }
        }
        bindings::response::export_response!(Component with_types_in bindings::response);
    }
}

fn completion() -> TokenStream {
    quote! {
        impl bindings::completion::exports::portcullis::gateway::completion::Guest for Component {
            fn on_completion(outcome: ::portcullis_sdk::Outcome) {
                INSTANCE.with(|slot| slot.completion(&outcome))
            }
        }
        bindings::completion::export_completion!(Component with_types_in bindings::completion);
    }
}

fn balancer() -> TokenStream {
    quote! {
        impl bindings::balancer::exports::portcullis::gateway::balancer::Guest for Component {
            fn instances_changed(instances: ::std::vec::Vec<::portcullis_sdk::Instance>) {
                INSTANCE.with(|slot| slot.instances_changed(instances))
            }

            fn pick(attempt: u32) -> ::core::option::Option<u32> {
                INSTANCE.with(|slot| slot.pick(attempt))
            }
        }
        bindings::balancer::export_balancer!(Component with_types_in bindings::balancer);
    }
}
