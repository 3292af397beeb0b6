//! Plugins that take long, in each hook: found out, and then called beside the
//! workers.

use crate::support::{Upstream, eventually, hostile, start_with_files};

#[test]
fn a_plugin_that_takes_long_is_found_out_in_every_hook_and_serves_on() {
    let upstream = Upstream::start("a");
    for hook in ["request", "response", "completion", "pick", "instances"] {
        let told = format!("{{ plugin: hostile, config: \"{hook}:slow\" }}");
        let (step, balancer) = match hook {
            "pick" | "instances" => (String::new(), format!(", balancer: {told}")),
            _ => (told, String::new()),
        };
        let config = format!(
            "services:\n  s: {{ instances: [{{ address: \"{}\" }}]{balancer} }}\nroutes:\n  \
             - {{ name: r, match: {{ path: /slow }}, pipeline: [{step}], service: s }}\n  \
             - {{ name: fine, match: {{ path: /fine }}, pipeline: [{{ plugin: hostile, config: \"request:nothing\" }}] , service: t }}\n",
            upstream.address
        )
        .replace("routes:", &format!("  t: {{ instances: [{{ address: \"{}\" }}] }}\nroutes:", upstream.address));
        let limits = "{ call_timeout: 10s, wait_timeout: 60s }";
        let gateway = start_with_files(&[("hostile", hostile())], limits, &config);
        let slow = "portcullis_plugin_slow{plugin=\"hostile\"}";
        assert_eq!(gateway.metric(slow), Some(0.0), "{hook}");
        eventually("it is found out", || {
            assert_eq!(gateway.get("/slow").status, 200, "{hook}");
            gateway.metric(slow) == Some(1.0)
        });
        for _ in 0..5 {
            assert_eq!(gateway.get("/slow").status, 200, "{hook}");
            assert_eq!(gateway.get("/fine").status, 200, "{hook}");
        }
        let plugin = gateway.admin("/api/v1/plugins").json()["plugins"][0].clone();
        assert_eq!(plugin["slow"], 1, "{plugin}");
        assert_eq!(gateway.log().matches("takes long").count(), 1, "{hook}");
    }
}
