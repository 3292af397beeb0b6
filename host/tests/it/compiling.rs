//! Compiling plugins: within bounds, away from traffic, and once; and reading
//! what they say of themselves.

use std::{fs, path::Path, time::Duration};

use crate::support::{
    Gateway, Upstream, bomb, children, command, eventually, hostile, lay_out, one_route, put,
    within,
};

/// What is wrong with the bomb, as the admin API has it; empty until it is known.
fn reason(gateway: &Gateway) -> String {
    let plugins = gateway.admin("/api/v1/plugins").json()["plugins"].clone();
    let plugins = plugins.as_array().expect("a list");
    let bomb = plugins.iter().find(|plugin| plugin["name"] == "bomb");
    bomb.map_or(String::new(), |bomb| {
        bomb["error"].as_str().unwrap_or("").to_owned()
    })
}

#[test]
fn a_bomb_is_refused_and_what_runs_keeps_running() {
    for (variables, loops, limits, expected) in [
        (
            49_000,
            1_000,
            "timeout: 60s, memory: 256MiB",
            "compiling it takes more than 256 MiB",
        ),
        (
            5_000,
            200,
            "timeout: 1s, memory: 1GiB",
            "compiling it takes longer than 1s",
        ),
    ] {
        let upstream = Upstream::start("a");
        let route = "pipeline: [{ plugin: hello-filter, config: { name: Ann } }]";
        let config = one_route(&[upstream.address], "", route);
        let config = format!("plugins: {{ compile: {{ {limits} }} }}\n{config}");
        // The plugin that serves is compiled without these limits.
        let directory = lay_out(&["hello-filter"], &config);
        warm(directory.path());
        let gateway = Gateway::start_in(directory, &[]);
        let mut client = gateway.client();
        put(
            &bomb(variables, loops),
            &gateway.plugins().join("bomb.wasm"),
        );
        let told = within(Duration::from_secs(60), || {
            assert_eq!(client.get("/", &[]).status, 200);
            !reason(&gateway).is_empty()
        });
        assert!(told, "{}", gateway.log());
        let reason = reason(&gateway);
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(gateway.get("/").status, 200);
        eventually("no compiler is left, alive or dead", || {
            children(gateway.pid()).is_empty()
        });
    }
}

/// Fills the cache of a directory without limits worth mentioning.
fn warm(directory: &Path) {
    let file = directory.join("warm.yaml");
    fs::write(&file, "listeners: [{ address: \"127.0.0.1:0\" }]\n").expect("a file is written");
    let output = command(&["check", "--config", file.to_str().expect("text")], &[]);
    assert!(output.status.success());
}

#[test]
fn without_a_cache_nothing_is_kept_and_plugins_work() {
    let upstream = Upstream::start("a");
    let route = "pipeline: [{ plugin: hello-filter, config: { name: Ann } }]";
    let config = one_route(&[upstream.address], "", route);
    let config = format!("plugins: {{ cache: false }}\n{config}");
    let gateway = Gateway::start(&["hello-filter"], &config);
    assert_eq!(gateway.get("/hello").text(), "hello, Ann!\n");
    let files = fs::read_dir(gateway.plugins()).expect("a directory");
    assert_eq!(files.count(), 1, "the plugin alone");
}

#[test]
fn what_a_plugin_says_of_itself_is_written_into_its_file_once() {
    let directory = lay_out(&[], "");
    let file = directory.path().join("plugins/hostile.wasm");
    put(hostile(), &file);
    let file = file.to_str().expect("text");
    let run = |arguments: &[&str]| {
        let output = command(&[&["plugin"], arguments].concat(), &[]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let by_itself = run(&["inspect", file]);
    assert!(by_itself.contains("it was run for this"), "{by_itself}");
    assert!(run(&["embed", file]).contains("describes itself"));
    let written = fs::read(file).expect("a file");
    assert!(written.starts_with(hostile()), "nothing else is changed");
    let by_its_file = run(&["inspect", file]);
    assert!(
        by_its_file.contains("nothing of it was run"),
        "{by_its_file}"
    );
    let schema = |shown: &str| shown.split("wants: ").nth(1).map(str::to_owned);
    assert_eq!(schema(&by_itself), schema(&by_its_file));

    assert!(run(&["embed", file]).contains("unchanged"));
    let copy = format!("{file}.copy.wasm");
    run(&["embed", file, "--out", &copy]);
    assert_eq!(fs::read(copy).expect("a file"), written);
}
