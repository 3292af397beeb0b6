//! The names of a snapshot's routes and services, for plugins.

use std::collections::HashMap;

use crate::exchange::{RouteIndex, ServiceIndex};

/// The names of a snapshot's routes and services, by index and back.
#[derive(Debug, Default)]
pub struct Names {
    routes: Vec<Box<str>>,
    services: Vec<Box<str>>,
    by_service: HashMap<Box<str>, ServiceIndex, foldhash::fast::RandomState>,
}

impl Names {
    /// Names in the order of their indices.
    pub fn new<'a>(
        routes: impl IntoIterator<Item = &'a str>,
        services: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let services: Vec<Box<str>> = services.into_iter().map(Box::from).collect();
        let by_service = services.iter().cloned().zip((0..).map(ServiceIndex));
        Self {
            routes: routes.into_iter().map(Box::from).collect(),
            by_service: by_service.collect(),
            services,
        }
    }

    /// A route's name.
    pub fn route(&self, index: RouteIndex) -> Option<&str> {
        self.routes.get(index.0 as usize).map(|name| &**name)
    }

    /// A service's name.
    pub fn service(&self, index: ServiceIndex) -> Option<&str> {
        self.services.get(index.0 as usize).map(|name| &**name)
    }

    /// The service of a name.
    pub fn find_service(&self, name: &str) -> Option<ServiceIndex> {
        self.by_service.get(name).copied()
    }
}
