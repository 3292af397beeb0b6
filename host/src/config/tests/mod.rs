//! What a user of the configuration would notice.

mod formats;
mod hostile;
mod mistakes;
mod mistakes_of_routes;
mod redaction;

use std::path::Path;

use super::{Config, Diagnostics, parse};

/// The example of the documentation.
const EXAMPLE: &str = r#"workers: 2                        # threads; default: the number of cores
listeners:
  - address: 127.0.0.1:8080
admin:
  address: 127.0.0.1:9901
plugins:
  directory: plugins              # NAME.wasm is the plugin NAME; relative to this file; watched
services:
  users:
    instances:
      - { address: "127.0.0.1:9001", weight: 3 }
      - { address: "127.0.0.1:9002" }
    balancer: { plugin: weighted-round-robin }
    health_check: { path: /health, interval: 5s, timeout: 1s, unhealthy_after: 3, healthy_after: 2 }
routes:
  - name: users
    match: { path: "/api/users/{*rest}", methods: [GET, POST], host: api.example.com }
    pipeline:
      - plugin: jwt-auth
        config: { algorithms: [HS256], secret: "${JWT_SECRET}", issuer: example }
      - plugin: rate-limit
        config: { algorithm: token_bucket, requests: 100, per: 1s, burst: 200, key: client_ip }
      - plugin: circuit-breaker
        config: { failure_threshold: 5, success_threshold: 3, timeout: 60s, max_requests: 1 }
      - plugin: traffic-split
        config: { services: [{ name: users-v2, weight: 20 }, { name: users, weight: 80 }] }
    service: users
    timeout: 5s
    retries: { attempts: 3, per_try_timeout: 2s, on: [connect_failure, gateway_error], backoff: { base: 25ms, max: 250ms } }
"#;

fn environment(name: &str) -> Option<String> {
    match name {
        "JWT_SECRET" => Some("very secret: {\"a\": [1]}".to_owned()),
        "WORKERS" => Some("7".to_owned()),
        "PORT" => Some("9001".to_owned()),
        "WRONG" => Some("s3cret".to_owned()),
        _ => None,
    }
}

fn yaml(text: &str) -> Result<Config, Diagnostics> {
    parse(Path::new("dir/portcullis.yaml"), text, &environment)
}
