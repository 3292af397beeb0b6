//! What a step grants, and what a plugin makes of its configuration.

use crate::{
    config::Allow,
    plugin::{Capability, Configured, ConfiguredOptions, PluginErrorKind},
};

use super::harness::*;

#[test]
fn what_is_not_granted_is_named() {
    let with = |allow: Allow| {
        let options = ConfiguredOptions {
            allow,
            ..options("request:nothing")
        };
        Configured::new(plugin(), options)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(with(Allow::all()), Ok(()));
    for (capability, import) in [
        (Capability::Counters, "portcullis:gateway/counters@0.1.0"),
        (Capability::Store, "portcullis:gateway/store@0.1.0"),
        (Capability::Discovery, "portcullis:gateway/discovery@0.1.0"),
        (Capability::Crypto, "portcullis:gateway/crypto@0.1.0"),
        (Capability::Clock, "wasi:clocks/"),
        (Capability::Random, "wasi:random/"),
    ] {
        let mut allow = Allow::all();
        allow.set(capability, false);
        let error = with(allow).unwrap_err();
        assert!(
            error.starts_with("needs what is not granted: ") && error.contains(import),
            "{error}"
        );
    }
    let usual = with(Allow::default()).unwrap_err();
    assert_eq!(
        usual,
        "needs what is not granted: portcullis:gateway/store@0.1.0, \
         portcullis:gateway/discovery@0.1.0"
    );
}

#[test]
fn a_plugin_refuses_its_configuration_in_its_own_words() {
    let error = configured("configure:fail")
        .instantiate()
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Fail);
    assert_eq!(
        error.to_string(),
        "plugin hostile: refuses its configuration: as it was told"
    );
    let nothing = configured("").instantiate().map(drop).unwrap_err();
    assert!(
        nothing
            .to_string()
            .contains("the configuration is HOOK:DEED"),
        "{nothing}"
    );
}

#[test]
fn there_is_no_exchange_while_a_plugin_is_configured() {
    let error = configured("configure:header")
        .instantiate()
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Trap);
    assert!(error.message.contains("outside the hooks"), "{error}");
}

#[test]
fn a_spare_takes_the_place_of_an_instance_that_failed() {
    let configured = configured("request:panic");
    configured.refill().unwrap();
    configured.refill().unwrap();
    for _ in 0..3 {
        let mut instance = configured.replacement().unwrap();
        assert!(instance.on_request(&mut exchange()).is_err());
    }
}
