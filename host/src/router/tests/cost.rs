//! What a look-up costs, at worst and with many routes.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method};

use crate::exchange::RouteIndex;

use super::{Found, Router, router};

/// Every way through twelve levels of literal and parameter is a route; the
/// path takes all of them and fits none. Each node is visited once at most, so
/// that this ends; two ways at each of 200 segments would not.
#[test]
fn going_back_costs_no_more_than_the_tree_is_large() {
    let levels = 12_u32;
    let mut shorts = Vec::new();
    for way in 0..1_u32 << levels {
        let segment = |level: u32| match way >> level & 1 {
            0 => "/a".to_owned(),
            _ => format!("/{{p{level}}}"),
        };
        shorts.push(format!(
            "- {}/end",
            (0..levels).map(segment).collect::<String>()
        ));
    }
    let shorts: Vec<&str> = shorts.iter().map(String::as_str).collect();
    let router = router(&shorts);
    let path = "/a".repeat(200);
    let headers = HeaderMap::new();
    let start = Instant::now();
    for _ in 0..20 {
        let found = router.find(&Method::GET, "", &path, None, &headers);
        assert!(matches!(found, Found::NotFound), "{found:?}");
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );

    let (host, path) = ("a.".repeat(50_000), "/".repeat(50_000));
    let found = router.find(&Method::GET, &host, &path, None, &headers);
    assert!(matches!(found, Found::NotFound), "{found:?}");
}

/// The bound is wide, since this runs unoptimised beside other work: it tells
/// a look-up by hash (microseconds) from one that goes through all routes.
#[test]
fn ten_thousand_routes_cost_no_more_than_ten() {
    for pattern in ["/api/service-N/items/{id}", "/api/service-N/items/all"] {
        let shorts: Vec<String> = (0..10_000)
            .map(|number| format!("GET {}", pattern.replace('N', &number.to_string())))
            .collect();
        let shorts: Vec<&str> = shorts.iter().map(String::as_str).collect();
        let (few, many) = (router(&shorts[..10]), router(&shorts));
        let headers = HeaderMap::new();
        let time = |router: &Router| {
            let start = Instant::now();
            for _ in 0..20_000 {
                let found = router.find(
                    &Method::GET,
                    "h",
                    "/api/service-7/items/all",
                    None,
                    &headers,
                );
                assert!(matches!(
                    found,
                    Found::Route {
                        route: RouteIndex(7),
                        ..
                    }
                ));
            }
            start.elapsed()
        };
        let least = |router| (0..5).map(|_| time(router)).min().unwrap_or_default();
        let (few, many) = (least(&few), least(&many));
        assert!(
            many < few * 20,
            "{few:?} with 10 routes, {many:?} with 10,000"
        );
    }
}
