//! The effective configuration as the admin API shows it, without secrets.
//!
//! A value in a plugin's configuration is hidden if it came from the
//! environment, in part or whole, or if its key, or one around it, sounds like
//! a secret. Better one harmless value hidden than one secret shown.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Allow, Capability, Config, HealthCheck, Http2Limits, Instance, Isolation, KeyPair, Limits,
    Listener, ListenerTls, Match, NamedFile, Networks, OnError, PluginConfig, PluginLimits,
    Plugins, QuarantinePolicy, Retries, RetryOn, Route, Service, ServiceTls, Step,
    node::pointer_token, size,
};

const HIDDEN: &str = "[redacted]";

const SECRET_WORDS: [&str; 8] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "key",
    "private",
    "credential",
];

impl Config {
    /// The effective configuration, defaults included, in the shape of the
    /// file. Secrets are replaced by `[redacted]`.
    pub fn redacted(&self) -> Value {
        let services: Map<String, Value> = (self.services.iter())
            .map(|service| (service.name.clone(), self::service(service)))
            .collect();
        json!({
            "workers": self.workers,
            "listeners": self.listeners.iter()
                .map(listener)
                .collect::<Vec<_>>(),
            "admin": match &self.admin {
                Some(admin) => json!({ "address": admin.address.to_string() }),
                None => json!({ "enabled": false }),
            },
            "plugins": plugins(&self.plugins),
            "services": services,
            "routes": self.routes.iter().map(route).collect::<Vec<_>>(),
            "limits": limits(&self.limits),
        })
    }
}

fn listener(listener: &Listener) -> Value {
    let pair = |pair: &KeyPair| {
        let (certificate, key) = (pair.certificate.shown(), pair.key.shown());
        json!({ "certificate": certificate, "key": key })
    };
    let tls = |tls: &ListenerTls| {
        json!({
            "certificates": tls.certificates.iter().map(pair).collect::<Vec<_>>(),
            "client_auth": tls.client_auth.as_ref().map(|auth| json!({
                "ca": auth.ca.shown(),
                "required": auth.required,
                "forward": auth.forward,
            })),
            "min_version": tls.min_version.as_str(),
        })
    };
    json!({
        "address": listener.address.to_string(),
        "tls": listener.tls.as_ref().map(tls),
        "trusted_proxies": listener.trusted_proxies.shown(),
        "proxy_protocol": match &listener.proxy_protocol {
            None => json!(false),
            Some(senders) if *senders == Networks::all() => json!(true),
            Some(senders) => json!(senders.shown()),
        },
    })
}

fn plugins(plugins: &Plugins) -> Value {
    let mut limits = plugins.limits.shown();
    limits["file_size"] = bytes(plugins.file_size).into();
    let named = (plugins.named.iter()).map(|(name, plugin)| {
        let shown = json!({ "limits": plugin.limits.shown(), "allow": plugin.allow.shown() });
        (name.clone(), shown)
    });
    json!({
        "directory": plugins.directory.display().to_string(),
        "cache": match &plugins.cache {
            Some(directory) => json!(directory.display().to_string()),
            None => json!(false),
        },
        "cache_size": size::shown(plugins.cache_size),
        "compile": {
            "timeout": time(plugins.compile.timeout),
            "memory": size::shown(plugins.compile.memory),
        },
        "limits": limits,
        "quarantine": quarantine(&plugins.quarantine),
        "named": named.collect::<Map<_, _>>(),
    })
}

impl PluginLimits {
    /// In the shape of the file.
    pub fn shown(&self) -> Value {
        let Self {
            memory,
            table,
            call_timeout,
            wait_timeout,
            start_timeout,
            instances,
            queue,
            host_calls,
            log_lines,
            counters,
            store_keys,
            store_bytes,
            metric_series,
            response_size,
            body_buffer,
            body_buffers,
            http,
        } = self;
        json!({
            "memory": bytes(*memory),
            "table": table,
            "call_timeout": time(*call_timeout),
            "wait_timeout": time(*wait_timeout),
            "start_timeout": time(*start_timeout),
            "instances": instances,
            "queue": queue,
            "host_calls": host_calls,
            "log_lines": log_lines,
            "counters": counters,
            "store_keys": store_keys,
            "store_bytes": bytes(*store_bytes),
            "metric_series": metric_series,
            "response_size": bytes(*response_size),
            "body_buffer": bytes(*body_buffer),
            "body_buffers": bytes(*body_buffers),
            "http_timeout": time(http.timeout),
            "http_response_size": bytes(http.response_size),
            "http_request_size": bytes(http.request_size),
            "http_calls": http.calls,
        })
    }
}

impl Allow {
    /// In the shape of the file: every capability, granted or not.
    pub fn shown(&self) -> Value {
        let all = Capability::ALL.map(|capability| {
            let shown = match (capability, self.services(), self.reach()) {
                (Capability::Discovery, Some(services), _) => json!(services),
                (Capability::Http, _, Some(reach)) => json!(reach.shown()),
                _ => json!(self.has(capability)),
            };
            (capability.name().to_owned(), shown)
        });
        Value::Object(all.into_iter().collect())
    }
}

fn quarantine(policy: &QuarantinePolicy) -> Value {
    json!({
        "enabled": policy.enabled,
        "failures": policy.failures,
        "percent": policy.percent,
        "within": time(policy.within),
        "base": time(policy.base),
        "max": time(policy.max),
    })
}

fn limits(limits: &Limits) -> Value {
    json!({
        "request_head": bytes(limits.request_head),
        "request_headers": limits.request_headers,
        "request_body": size::shown(limits.request_body),
        "head_timeout": time(limits.head_timeout),
        "handshake_timeout": time(limits.handshake_timeout),
        "connections": limits.connections,
        "connections_per_client": limits.connections_per_client,
        "flood_penalty": time(limits.flood_penalty),
        "requests": limits.requests,
        "requests_per_connection": limits.requests_per_connection,
        "connection_age": time(limits.connection_age),
        "keep_alive_timeout": time(limits.keep_alive_timeout),
        "body_timeout": time(limits.body_timeout),
        "body_total_timeout": time(limits.body_total_timeout),
        "write_timeout": time(limits.write_timeout),
        "stream_timeout": time(limits.stream_timeout),
        "http2": http2(&limits.http2),
        "connect_timeout": time(limits.connect_timeout),
        "idle_connections": limits.idle_connections,
        "idle_timeout": time(limits.idle_timeout),
        "tunnel_idle_timeout": time(limits.tunnel_idle_timeout),
        "drain_timeout": time(limits.drain_timeout),
        "counters": limits.counters,
        "store": bytes(limits.store),
    })
}

fn http2(limits: &Http2Limits) -> Value {
    json!({
        "streams": limits.streams,
        "stream_window": size::shown(limits.stream_window.into()),
        "connection_window": size::shown(limits.connection_window.into()),
        "send_buffer": bytes(limits.send_buffer),
        "heads": bytes(limits.heads),
        "resets": limits.resets,
        "control_frames": limits.control_frames,
        "small_frames": limits.small_frames,
        "ping_interval": time(limits.ping_interval),
        "ping_timeout": time(limits.ping_timeout),
        "idle_timeout": time(limits.idle_timeout),
    })
}

fn service(service: &Service) -> Value {
    json!({
        "instances": service.instances.iter().map(instance).collect::<Vec<_>>(),
        "balancer": service.balancer.as_ref().map(balancer),
        "health_check": service.health_check.as_ref().map(health_check),
        "tls": match &service.tls {
            Some(tls) => service_tls(tls),
            None => json!(false),
        },
        "protocol": service.protocol.as_str(),
    })
}

fn service_tls(tls: &ServiceTls) -> Value {
    let identity = tls.identity.as_ref();
    json!({
        "server_name": tls.server_name,
        "ca": tls.ca.as_ref().map(NamedFile::shown),
        "certificate": identity.map(|pair| pair.certificate.shown()),
        "key": identity.map(|pair| pair.key.shown()),
        "insecure_skip_verify": tls.insecure_skip_verify,
    })
}

fn instance(instance: &Instance) -> Value {
    json!({
        "address": instance.address,
        "weight": instance.weight,
        "metadata": instance.metadata.iter()
            .map(|(name, value)| (name.clone(), named(name, value)))
            .collect::<Map<_, _>>(),
    })
}

fn health_check(check: &HealthCheck) -> Value {
    json!({
        "path": check.path,
        "interval": time(check.interval),
        "timeout": time(check.timeout),
        "unhealthy_after": check.unhealthy_after,
        "healthy_after": check.healthy_after,
    })
}

fn route(route: &Route) -> Value {
    let limits = &route.limits;
    json!({
        "name": route.name,
        "match": matching(&route.matches),
        "pipeline": route.pipeline.iter().map(step).collect::<Vec<_>>(),
        "service": route.service,
        "timeout": time(route.timeout),
        "retries": retries(&route.retries),
        "upgrades": route.upgrades,
        "limits": {
            "request_body": limits.request_body.map(size::shown),
            "body_timeout": limits.body_timeout.map(time),
            "body_total_timeout": limits.body_total_timeout.map(time),
            "stream_timeout": limits.stream_timeout.map(time),
        },
    })
}

fn matching(matches: &Match) -> Value {
    let headers = matches
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value));
    let query = matches
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value));
    let pairs = |(name, value): (&str, &String)| (name.to_owned(), named(name, value));
    json!({
        "host": matches.host,
        "path": matches.path.as_ref().map(ToString::to_string),
        "methods": matches.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "headers": headers.map(pairs).collect::<Map<_, _>>(),
        "query": query.map(pairs).collect::<Map<_, _>>(),
    })
}

fn retries(retries: &Retries) -> Value {
    json!({
        "attempts": retries.attempts,
        "per_try_timeout": retries.per_try_timeout.map(time),
        "on": retries.on.iter().copied().map(RetryOn::as_str).collect::<Vec<_>>(),
        "backoff": { "base": time(retries.backoff.base), "max": time(retries.backoff.max) },
        "budget": {
            "percent": retries.budget_percent,
            "min_per_second": retries.budget_min_per_second,
        },
    })
}

fn step(step: &Step) -> Value {
    json!({
        "plugin": step.plugin,
        "config": step.config.redacted(),
        "on_error": match step.on_error {
            OnError::Fail => "fail",
            OnError::Skip => "skip",
        },
        "required": step.required,
        "isolation": match step.isolation {
            Isolation::Reuse => "reuse",
            Isolation::PerRequest => "per_request",
        },
        "allow": step.allow.shown(),
        "limits": step.limits.shown(),
        "namespace": step.namespace,
        "tick": step.tick.map(time),
    })
}

/// A step without what means nothing for a balancer.
fn balancer(balancer: &Step) -> Value {
    let mut shown = step(balancer);
    if let Some(keys) = shown.as_object_mut() {
        keys.retain(|key, _| !["on_error", "isolation", "tick"].contains(&key.as_str()));
    }
    shown
}

impl PluginConfig {
    /// The value with secrets replaced by `[redacted]`.
    pub fn redacted(&self) -> Value {
        self.part(&self.json, "", false)
    }

    fn part(&self, value: &Value, pointer: &str, secret: bool) -> Value {
        match value {
            Value::Array(items) => (items.iter().enumerate())
                .map(|(number, item)| self.part(item, &format!("{pointer}/{number}"), secret))
                .collect(),
            Value::Object(entries) => (entries.iter())
                .map(|(key, value)| {
                    let pointer = format!("{pointer}/{}", pointer_token(key));
                    let part = self.part(value, &pointer, secret || sounds_secret(key));
                    (key.clone(), part)
                })
                .collect(),
            _ if secret || self.interpolated.contains(pointer) => HIDDEN.into(),
            _ => value.clone(),
        }
    }
}

fn named(name: &str, value: &str) -> Value {
    let secret = sounds_secret(name) || matches!(name, "authorization" | "cookie");
    if secret { HIDDEN.into() } else { value.into() }
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

fn time(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn bytes(bytes: usize) -> String {
    size::shown(bytes as u64)
}
