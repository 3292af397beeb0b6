//! What `wit-bindgen` makes of `wit/`: the imports once, and one small world
//! per hook, each with an export macro of its own.
//!
//! A world of its own per hook is what makes a plugin export just the hooks
//! that its author wrote: the macro `#[plugin]` calls the export macros of
//! those, and the others leave no trace in the component. The types are used
//! on every target; the functions only work within a component.

/// The imports, for the modules of this crate.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "portcullis:gateway/imports",
        ownership: Borrowing { duplicate_if_necessary: true },
        additional_derives: [PartialEq],
        additional_derives_ignore: ["part"],
        generate_all,
    });
}

/// `export portcullis:gateway/metadata`.
pub mod metadata {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world metadata { export portcullis:gateway/metadata@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/metadata",
        pub_export_macro: true,
        export_macro_name: "export_metadata",
        generate_all,
    });
}

/// `export portcullis:gateway/configuration`.
pub mod configuration {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world configuration { export portcullis:gateway/configuration@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/configuration",
        pub_export_macro: true,
        export_macro_name: "export_configuration",
        generate_all,
    });
}

/// `export portcullis:gateway/request`.
pub mod request {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world request { export portcullis:gateway/request@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/request",
        pub_export_macro: true,
        export_macro_name: "export_request",
        generate_all,
    });
}

/// `export portcullis:gateway/response`.
pub mod response {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world response { export portcullis:gateway/response@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/response",
        pub_export_macro: true,
        export_macro_name: "export_response",
        generate_all,
    });
}

/// `export portcullis:gateway/completion`.
pub mod completion {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world completion { export portcullis:gateway/completion@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/completion",
        pub_export_macro: true,
        export_macro_name: "export_completion",
        additional_derives: [PartialEq],
        generate_all,
    });
}

/// `export portcullis:gateway/request-body`.
pub mod request_body {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world request-body { export portcullis:gateway/request-body@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/request-body",
        pub_export_macro: true,
        export_macro_name: "export_request_body",
        generate_all,
    });
}

/// `export portcullis:gateway/response-body`.
pub mod response_body {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world response-body { export portcullis:gateway/response-body@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/response-body",
        pub_export_macro: true,
        export_macro_name: "export_response_body",
        generate_all,
    });
}

/// `export portcullis:gateway/request-buffered`.
pub mod request_buffered {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world request-buffered { export portcullis:gateway/request-buffered@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/request-buffered",
        pub_export_macro: true,
        export_macro_name: "export_request_buffered",
        generate_all,
    });
}

/// `export portcullis:gateway/response-buffered`.
pub mod response_buffered {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world response-buffered { export portcullis:gateway/response-buffered@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/response-buffered",
        pub_export_macro: true,
        export_macro_name: "export_response_buffered",
        generate_all,
    });
}

/// `export portcullis:gateway/capabilities`.
pub mod capabilities {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world capabilities { export portcullis:gateway/capabilities@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/capabilities",
        pub_export_macro: true,
        export_macro_name: "export_capabilities",
        generate_all,
    });
}

/// `export portcullis:gateway/startup`.
pub mod startup {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world startup { export portcullis:gateway/startup@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/startup",
        pub_export_macro: true,
        export_macro_name: "export_startup",
        generate_all,
    });
}

/// `export portcullis:gateway/tick`.
pub mod tick {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world tick { export portcullis:gateway/tick@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/tick",
        pub_export_macro: true,
        export_macro_name: "export_tick",
        generate_all,
    });
}

/// `export portcullis:gateway/balancer`.
pub mod balancer {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk; world balancer { export portcullis:gateway/balancer@0.1.0; }",
        path: "../../wit",
        world: "portcullis:sdk/balancer",
        pub_export_macro: true,
        export_macro_name: "export_balancer",
        with: {
            "portcullis:gateway/discovery@0.1.0": crate::bindings::imports::portcullis::gateway::discovery,
        },
    });
}
