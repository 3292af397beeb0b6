//! A canary gets its share, and clients stay where they are put.

use std::{collections::HashMap, thread};

use crate::support::{Client, Gateway, Upstream};

fn canary(new: &Upstream, old: &Upstream, more: &str) -> String {
    format!(
        "services:\n  new: {{ instances: [{{ address: \"{}\" }}] }}\n  old: {{ instances: [{{ address: \"{}\" }}] }}\nroutes:\n  - name: r\n    pipeline:\n      - plugin: traffic-split\n        config: {{ services: [{{ name: new, weight: 20 }}, {{ name: old, weight: 80 }}]{more} }}\n",
        new.address, old.address
    )
}

#[test]
fn a_fifth_is_a_fifth() {
    let (new, old) = (Upstream::start("new"), Upstream::start("old"));
    let gateway = Gateway::start(&["traffic-split"], &canary(&new, &old, ""));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..625 {
                    assert_eq!(client.get("/a", &[]).status, 200);
                }
            });
        }
    });
    assert_eq!(new.hits() + old.hits(), 5_000);
    // Two points of a hundred; in truth a few requests.
    assert!((900..=1_100).contains(&new.hits()), "{}", new.hits());
}

#[test]
fn a_cookie_keeps_a_client_where_it_is() {
    let (new, old) = (Upstream::start("new"), Upstream::start("old"));
    let sticky = ", sticky: { cookie: release, max_age: 30d }";
    let gateway = Gateway::start(&["traffic-split"], &canary(&new, &old, sticky));
    let mut clients: HashMap<String, usize> = HashMap::new();
    for _ in 0..50 {
        let mut client = Client::new(gateway.address);
        let first = client.get("/a", &[]);
        let instance = first.json()["instance"]
            .as_str()
            .expect("a name")
            .to_owned();
        let set = first.header("set-cookie");
        assert!(set.starts_with(&format!("release={instance};")), "{set}");
        assert!(set.contains("Max-Age=2592000"), "{set}");
        let cookie = format!("other=1; release={instance}");
        for _ in 0..3 {
            let reply = client.get("/a", &[("cookie", &cookie)]);
            assert_eq!(reply.json()["instance"], instance.as_str());
            assert_eq!(
                reply.header("set-cookie"),
                "",
                "the cookie is there already"
            );
        }
        *clients.entry(instance).or_default() += 1;
    }
    assert_eq!(clients.len(), 2, "{clients:?}");
}

#[test]
fn new_weights_go_live_with_a_reload() {
    let (new, old) = (Upstream::start("new"), Upstream::start("old"));
    let config = canary(&new, &old, "");
    let gateway = Gateway::start(&["traffic-split"], &config);
    gateway.write_config(
        &config
            .replace("weight: 20", "weight: 1")
            .replace("weight: 80", "weight: 0"),
    );
    crate::support::eventually("the new weights are live", || gateway.generation() == 2);
    let before = old.hits();
    for _ in 0..20 {
        assert_eq!(gateway.get("/a").json()["instance"], "new");
    }
    assert_eq!(old.hits(), before);
}
