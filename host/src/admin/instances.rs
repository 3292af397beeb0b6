//! Registration of instances: `PUT` with a time to live, repeated as the
//! heartbeat, and `DELETE`.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, time::Duration};

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::discovery::{RegisterError, Registration};

use super::{
    Admin,
    server::{Answer, json, problem},
};

/// The body of a registration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// `ip:port`.
    address: SocketAddr,
    /// Share of traffic relative to others.
    #[serde(default = "one")]
    weight: NonZeroU32,
    /// Labels for balancers.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// How long the registration lives without another: `30s`. Default 30 s.
    ttl: Option<String>,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// `PUT /api/v1/services/SERVICE/instances/ID`: 201 if the instance is new,
/// 200 for a heartbeat.
pub(super) fn put(admin: &Admin, service: &str, id: &str, body: &[u8]) -> Answer {
    let registration = match read(body) {
        Ok(registration) => registration,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, &detail),
    };
    match admin.registry.register(service, id, registration) {
        Ok(registered) => json(
            match registered.created {
                true => StatusCode::CREATED,
                false => StatusCode::OK,
            },
            &json!({ "service": service, "id": id, "expires_in_ms": registered.expires_in.as_millis() as u64 }),
        ),
        Err(error) => refused(&error),
    }
}

/// `DELETE /api/v1/services/SERVICE/instances/ID`: 204 if it was there.
pub(super) fn delete(admin: &Admin, service: &str, id: &str) -> Answer {
    match admin.registry.deregister(service, id) {
        Ok(()) => {
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::NO_CONTENT;
            answer
        }
        Err(error) => refused(&error),
    }
}

fn read(body: &[u8]) -> Result<Registration, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        format!(r#"the body is not like {{"address":"127.0.0.1:9001","ttl":"30s"}}: {error}"#)
    })?;
    let ttl = body.ttl.as_deref().map(read_ttl).transpose()?;
    Ok(Registration {
        address: body.address,
        weight: body.weight,
        metadata: body.metadata,
        ttl,
    })
}

fn read_ttl(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("ttl {text:?} is not like \"30s\": {error}"))
}

fn refused(error: &RegisterError) -> Answer {
    let status = match error {
        RegisterError::UnknownService(_) | RegisterError::UnknownInstance(_) => {
            StatusCode::NOT_FOUND
        }
        RegisterError::FromFile | RegisterError::AddressTaken(_) => StatusCode::CONFLICT,
        RegisterError::Full => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::BAD_REQUEST,
    };
    problem(status, &error.to_string())
}
