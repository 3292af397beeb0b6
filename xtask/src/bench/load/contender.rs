//! Who is compared: a program, its configuration, and what shows that it does
//! what its name says. Made by `own` and `peers`.

use std::path::PathBuf;

/// The token that every request carries: HS256, for [`SECRET`], of issuer
/// `bench` and subject `ann`, until the year 2100.
pub(crate) const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJiZW5jaCIsInN1YiI6ImFubiIsImV4cCI6NDEwMjQ0NDgwMH0.DuRHH_T--ODxW0soSFld-WZU4-9JOyL8nwOucZ3zcaw";
/// What [`TOKEN`] is signed with.
pub(crate) const SECRET: &str = "a-secret-of-the-benchmark-alone!";

/// Whose program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    Portcullis,
    Nginx,
    HaProxy,
    Envoy,
}

impl Gateway {
    pub(crate) const ALL: [Self; 4] = [Self::Portcullis, Self::Nginx, Self::HaProxy, Self::Envoy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portcullis => "Portcullis",
            Self::Nginx => "nginx",
            Self::HaProxy => "HAProxy",
            Self::Envoy => "Envoy",
        }
    }
}

/// One who takes part. `@NAME@` in arguments and configuration stands for what
/// only its [`Site`](super::site::Site) knows.
#[derive(Clone)]
pub(crate) struct Contender {
    /// Its short name, for `--only`, logs and the record.
    pub(crate) id: String,
    /// What it is, for the table.
    pub(crate) title: String,
    pub(crate) gateway: Gateway,
    /// How many filters that read a header and set one it has; `None` if it has
    /// others, and is no point of the plot.
    pub(crate) filters: Option<u32>,
    pub(crate) program: PathBuf,
    /// The arguments of a run beforehand that compiles what is kept compiled,
    /// so that nobody's memory has a compiler in it; empty if there is nothing.
    pub(crate) preparation: &'static [&'static str],
    pub(crate) arguments: &'static [&'static str],
    pub(crate) configuration: String,
    /// The file that the configuration is written to.
    pub(crate) file: &'static str,
    pub(crate) proof: Proof,
}

/// What is to be seen of a request through the contender.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Proof {
    /// That many headers `x-bench-N: bearer`, each set by a filter.
    Marks(u32),
    /// The traces of the five standard plugins and the balancer.
    StandardPlugins,
}

/// Somebody who could have taken part, and why not.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    pub(crate) id: String,
    pub(crate) reason: String,
}
