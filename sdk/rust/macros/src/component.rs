//! The component's exports: for each hook the guest's trait and the call of
//! the export macro of that hook's world.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Type;

use crate::hooks::{Hooks, Kind};

/// Writes them, for WebAssembly only.
pub(crate) fn expand(ty: &Type, hooks: &Hooks<'_>, optional: bool) -> TokenStream {
    let mut exports = vec![metadata(ty)];
    exports.extend(optional.then(|| capabilities(ty)));
    exports.extend(hooks.iter().filter_map(|hook| match hook.kind {
        Kind::Configure => Some(configuration()),
        Kind::Start => Some(startup()),
        Kind::Request => Some(verdict("request")),
        Kind::RequestBody => Some(chunks("request")),
        Kind::RequestBuffered => Some(buffered("request")),
        Kind::Response => Some(verdict("response")),
        Kind::ResponseBody => Some(chunks("response")),
        Kind::ResponseBuffered => Some(buffered("response")),
        Kind::Completion => Some(completion()),
        Kind::Tick => Some(tick()),
        Kind::Pick => Some(balancer()),
        // Exported with `pick`, which is always there, too.
        Kind::InstancesChanged => None,
    }));
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

/// The hook of a head: `on_request` or `on_response`.
fn verdict(side: &str) -> TokenStream {
    let world = format_ident!("{side}");
    let hook = format_ident!("on_{side}");
    let export = format_ident!("export_{side}");
    quote! {
        impl bindings::#world::exports::portcullis::gateway::#world::Guest for Component {
            fn #hook() -> bindings::#world::exports::portcullis::gateway::#world::Verdict {
                INSTANCE.with(|slot| slot.#world())
            }
        }
        bindings::#world::#export!(Component with_types_in bindings::#world);
    }
}

/// The hook of a whole body.
fn buffered(side: &str) -> TokenStream {
    let world = format_ident!("{side}_buffered");
    let hook = format_ident!("on_{side}_buffered");
    let export = format_ident!("export_{side}_buffered");
    quote! {
        impl bindings::#world::exports::portcullis::gateway::#world::Guest for Component {
            fn #hook(
                length: u32,
            ) -> bindings::#world::exports::portcullis::gateway::#world::Verdict {
                INSTANCE.with(|slot| slot.#world(length))
            }
        }
        bindings::#world::#export!(Component with_types_in bindings::#world);
    }
}

/// The hooks of a body that streams by.
fn chunks(side: &str) -> TokenStream {
    let world = format_ident!("{side}_body");
    let hook = format_ident!("on_{side}_body");
    let dropped = format_ident!("{side}_body_dropped");
    let on_dropped = format_ident!("on_{side}_body_dropped");
    let export = format_ident!("export_{side}_body");
    quote! {
        impl bindings::#world::exports::portcullis::gateway::#world::Guest for Component {
            fn #hook(
                stream: u64,
                length: u32,
                end: bool,
            ) -> bindings::#world::exports::portcullis::gateway::#world::ChunkVerdict {
                INSTANCE.with(|slot| slot.#world(stream, length, end))
            }

            fn #on_dropped(stream: u64) {
                INSTANCE.with(|slot| slot.#dropped(stream))
            }
        }
        bindings::#world::#export!(Component with_types_in bindings::#world);
    }
}

fn capabilities(ty: &Type) -> TokenStream {
    quote! {
        impl bindings::capabilities::exports::portcullis::gateway::capabilities::Guest
            for Component
        {
            fn optional() -> ::std::vec::Vec<::std::string::String> {
                ::portcullis_sdk::component::Slot::<#ty>::optional()
            }
        }
        bindings::capabilities::export_capabilities!(
            Component with_types_in bindings::capabilities
        );
    }
}

fn startup() -> TokenStream {
    quote! {
        impl bindings::startup::exports::portcullis::gateway::startup::Guest for Component {
            fn on_start() -> ::core::result::Result<(), ::std::string::String> {
                INSTANCE.with(|slot| slot.start())
            }
        }
        bindings::startup::export_startup!(Component with_types_in bindings::startup);
    }
}

fn tick() -> TokenStream {
    quote! {
        impl bindings::tick::exports::portcullis::gateway::tick::Guest for Component {
            fn on_tick() {
                INSTANCE.with(|slot| slot.tick())
            }
        }
        bindings::tick::export_tick!(Component with_types_in bindings::tick);
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
