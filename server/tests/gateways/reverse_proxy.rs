//! The proxies of `docs/deploy`, in front of Latchkey. Their addresses and certificates are replaced.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::atomic::{AtomicU16, Ordering},
};

use super::program::{self, Program};

/// A proxy, identified by its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReverseProxy {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
}

/// Whether the proxy compresses responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Off,
    On,
}

/// The documented file with these replacements.
fn documented(name: &str, replaced: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/deploy")
        .join(name);
    let mut text = fs::read_to_string(path).unwrap();
    for (documented, here) in replaced {
        assert!(text.contains(documented), "{name} has no {documented:?}");
        text = text.replace(documented, here);
    }
    text
}

impl ReverseProxy {
    /// Starts the proxy in front of these servers; `None` if it is not installed, which is reported.
    pub(super) fn start(
        self,
        folder: &Path,
        at: SocketAddr,
        servers: &[String],
        compression: Compression,
    ) -> Option<Program> {
        let first = servers[0].clone();
        let is_compressed = compression == Compression::On;
        let place = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        match self {
            Self::Nginx => {
                let mut replaced = vec![
                    ("listen 443 ssl;", format!("listen {at};")),
                    ("ssl_certificate ", "# ssl_certificate ".to_owned()),
                    ("ssl_certificate_key ", "# ssl_certificate_key ".to_owned()),
                    ("127.0.0.1:3000", first),
                ];
                if let Some(second) = servers.get(1) {
                    replaced.push(("# server 127.0.0.1:3001", format!("server {second}")));
                }
                let site = place("latchkey.conf", documented("nginx.conf", &replaced));
                let more = if is_compressed {
                    "gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;"
                } else {
                    ""
                };
                let main = program::nginx_main(folder, &site, more);
                let arguments = ["-c".as_ref(), main.as_ref(), "-p".as_ref(), folder.as_ref()];
                program::start(folder, at, "nginx", &arguments, &[])
            }
            Self::Caddy => {
                let mut text = documented("Caddyfile", &[]);
                text = text.replacen("{\n", "{\n\tadmin off\n", 1);
                let more = if is_compressed {
                    "\tbind 127.0.0.1\n\tencode gzip\n\n\treverse_proxy"
                } else {
                    "\tbind 127.0.0.1\n\n\treverse_proxy"
                };
                text = text.replacen("\treverse_proxy", more, 1);
                let file = place("Caddyfile", text);
                let arguments = [
                    "run".as_ref(),
                    "--adapter".as_ref(),
                    "caddyfile".as_ref(),
                    "--config".as_ref(),
                    file.as_ref(),
                ];
                let environment = [
                    ("LATCHKEY_SITE", format!("http://:{}", at.port())),
                    ("LATCHKEY_UPSTREAMS", servers.join(" ")),
                ];
                program::start(folder, at, "caddy", &arguments, &environment)
            }
            Self::Haproxy => {
                let mut replaced = vec![
                    (
                        "bind :443 ssl crt /etc/haproxy/keys.example.pem",
                        format!("bind {at}"),
                    ),
                    ("127.0.0.1:3000", first),
                ];
                if let Some(second) = servers.get(1) {
                    replaced.push((
                        "# server latchkey-2 127.0.0.1:3001",
                        format!("server latchkey-2 {second}"),
                    ));
                }
                let file = place("haproxy.cfg", documented("haproxy.cfg", &replaced));
                program::start(folder, at, "haproxy", &["-f".as_ref(), file.as_ref()], &[])
            }
            Self::Apache => {
                let site = documented(
                    "apache.conf",
                    &[
                        ("<VirtualHost *:443>", format!("<VirtualHost {at}>")),
                        ("SSL", "# SSL".to_owned()),
                        ("127.0.0.1:3000", first),
                        ("${APACHE_LOG_DIR}", folder.display().to_string()),
                    ],
                );
                let modules = [
                    "mpm_event",
                    "authz_core",
                    "headers",
                    "proxy",
                    "proxy_http",
                    "filter",
                    "deflate",
                ];
                let modules: String = modules
                    .map(|name| {
                        format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
                    })
                    .concat();
                let more = if is_compressed {
                    "AddOutputFilterByType DEFLATE application/json\n"
                } else {
                    ""
                };
                let folder_name = folder.display();
                let file = place(
                    "apache.conf",
                    format!(
                        "ServerRoot {folder_name}\nServerName localhost\nPidFile {folder_name}/pid\n\
                         DefaultRuntimeDir {folder_name}\nListen {at}\n{modules}User www-data\nGroup www-data\n\
                         ErrorLog {folder_name}/error.log\nLogLevel info\n\
                         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\n\
                         CustomLog {folder_name}/access.log combined\n{more}{site}"
                    ),
                );
                let arguments = [
                    "-D".as_ref(),
                    "FOREGROUND".as_ref(),
                    "-f".as_ref(),
                    file.as_ref(),
                ];
                program::start(folder, at, "apache2", &arguments, &[])
            }
        }
    }
}

/// A port outside the range of outgoing connections, so that it stays free for a server that is restarted.
pub(super) fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 11_000).unwrap();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (start + step * 7) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An address of the loopback interface.
pub(super) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
