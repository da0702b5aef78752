//! Names that a config declares and refers to: variables, zones, log formats, upstreams.

use std::ops::Range;
use std::sync::LazyLock;

use super::routes::said;
use super::tree::Directive;
use crate::balancer::maps::{HashMap, HashSet};
use crate::domain::time::shorten;

/// Variables that nginx itself knows in `http`; those that end in `_` are the beginnings of families.
const HTTP_VARIABLES: &str = "http_ sent_http_ sent_trailer_ cookie_ arg_ upstream_http_ upstream_trailer_ upstream_cookie_ \
    jwt_ host server_protocol scheme https request_port is_request_port request_uri uri document_uri request document_root \
    realpath_root query_string args is_args request_filename request_method remote_user body_bytes_sent pipe \
    request_completion request_body request_body_file request_length request_time request_id limit_rate connection_requests \
    connection_time tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd tcpinfo_rcv_space content_length content_type \
    upstream_status upstream_header_time upstream_response_time upstream_response_length upstream_cache_status \
    upstream_cache_last_modified upstream_cache_etag upstream_queue_time upstream_last_server_name date_local date_gmt http2 \
    http3 quic limit_req_status ssl_client_s_dn_legacy ssl_client_i_dn_legacy proxy_host proxy_port \
    proxy_add_x_forwarded_for fastcgi_script_name fastcgi_path_info msie modern_browser ancient_browser gzip_ratio \
    secure_link secure_link_expires uid_got uid_set uid_reset invalid_referer slice_range connections_active \
    connections_reading connections_writing connections_waiting session_log_id session_log_binary_id spdy \
    spdy_request_priority echo_ otel_ opentelemetry_ brotli_ zstd_ vts_ modsecurity_";

/// Those of `stream`.
const STREAM_VARIABLES: &str = "bytes_received session_time protocol upstream_first_byte_time upstream_session_time \
    ssl_preread_protocol ssl_preread_server_name ssl_preread_alpn_protocols";

/// Those of both.
const COMMON_VARIABLES: &str = "proxy_protocol_tlv_ binary_remote_addr remote_addr remote_port proxy_protocol_addr \
    proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port server_addr server_port server_name bytes_sent \
    status connection nginx_version hostname pid msec time_iso8601 time_local upstream_addr upstream_connect_time \
    upstream_bytes_received upstream_bytes_sent limit_conn_status realip_remote_addr realip_remote_port ssl_protocol \
    ssl_cipher ssl_ciphers ssl_curve ssl_curves ssl_sigalg ssl_sigalgs ssl_session_id ssl_session_reused ssl_early_data \
    ssl_server_name ssl_alpn_protocol ssl_ech_status ssl_ech_outer_server_name ssl_client_cert ssl_client_raw_cert \
    ssl_client_escaped_cert ssl_client_s_dn ssl_client_i_dn ssl_client_serial ssl_client_fingerprint ssl_client_verify \
    ssl_client_v_start ssl_client_v_end ssl_client_v_remain ssl_client_sigalg geoip_";

/// Directives whose arguments name variables that they set.
fn declares(name: &str) -> bool {
    matches!(
        name,
        "set"
            | "map"
            | "geo"
            | "split_clients"
            | "perl_set"
            | "js_set"
            | "js_var"
            | "auth_request_set"
            | "keyval"
            | "geoip2"
            | "proxy_set"
            | "userid"
            | "set_random"
            | "uwsgi_param"
            | "match"
            | "oidc_provider"
    ) || name.starts_with("set_")
        || name.as_bytes().windows(7).any(|part| part == b"_by_lua")
        || name.starts_with("auth_jwt")
        || name.starts_with("lua_")
        || name.starts_with("echo")
}

/// What a config declares.
#[derive(Debug, Default)]
pub struct Declared {
    variables: HashSet<String>,
    /// Whether variables that are not declared can come from somewhere: a module that is loaded, a file not read.
    open: bool,
    /// Whether all is read that can declare something.
    pub complete: bool,
    /// Whether modules are loaded that can bring directives of their own.
    pub modules: bool,
    /// Zones of `limit_req_zone`, `limit_conn_zone` and of caches.
    pub zones: HashSet<String>,
    pub formats: HashSet<String>,
    /// `set $name value`, `map … $name { … }` and their like: what a variable can be, as far as it is constant.
    pub values: HashMap<String, Vec<String>>,
    /// Tables that set a variable, as people write them on one line.
    tables: HashMap<String, Vec<String>>,
    /// `upstream` names of http and of stream, in small letters.
    pub upstreams: [HashSet<String>; 2],
    /// Whether a `resolver` stands anywhere.
    pub resolver: bool,
}

impl Declared {
    pub fn of(directives: &[Directive], complete: bool) -> Self {
        let mut declared = Self { open: !complete, complete, ..Self::default() };
        declared.formats.insert("combined".to_owned());
        declared.collect(directives, false);
        declared
    }

    fn collect(&mut self, directives: &[Directive], stream: bool) {
        for directive in directives {
            let name = directive.name.text.as_str();
            let arguments = || directive.arguments.iter().map(|word| word.text.as_str());
            match name {
                "load_module" => {
                    self.modules = true;
                    self.open = true;
                }
                "upstream" => {
                    let known = directive.argument(0).unwrap_or_default().to_ascii_lowercase();
                    self.upstreams[usize::from(stream)].insert(known);
                }
                "log_format" => {
                    self.formats.extend(directive.argument(0).map(str::to_owned));
                }
                "resolver" => self.resolver = true,
                "limit_req_zone" | "limit_conn_zone" => self.zones.extend(
                    arguments()
                        .filter_map(|text| text.strip_prefix("zone="))
                        .map(|zone| zone.split(':').next().unwrap_or(zone).to_owned()),
                ),
                _ if name.ends_with("_cache_path") => self.zones.extend(
                    arguments()
                        .filter_map(|text| text.strip_prefix("keys_zone="))
                        .map(|zone| zone.split(':').next().unwrap_or(zone).to_owned()),
                ),
                "set" => {
                    if let (Some(name), Some(value)) = (directive.argument(0), directive.argument(1)) {
                        self.value(name, [value]);
                    }
                }
                "map" | "split_clients" | "geo" => {
                    let flag = |key: &Directive| {
                        matches!(key.name.text.as_str(), "hostnames" | "volatile" | "ranges" | "proxy" | "delete")
                    };
                    let keys = directive.block().iter().filter(|key| !flag(key));
                    if let Some(name) = arguments().next_back() {
                        self.value(name, keys.filter_map(|key| key.argument(0)));
                        self.tables.entry(name.trim_start_matches('$').to_owned()).or_default().push(table(directive));
                    }
                }
                _ => {}
            }
            if declares(name) {
                let one = match name {
                    "set" | "auth_request_set" | "js_set" | "js_var" | "perl_set" => 0..1,
                    "map" | "split_clients" | "keyval" => 1..2,
                    _ => 0..usize::MAX,
                };
                let found = arguments().enumerate().filter(|(index, _)| one.contains(index));
                self.variables.extend(found.filter_map(|(_, text)| text.strip_prefix('$')).map(str::to_ascii_lowercase));
            }
            for text in arguments().chain([name]).filter(|text| text.as_bytes().windows(2).any(|part| part == b"(?")) {
                self.captures(text);
            }
            self.collect(directive.block(), stream || name == "stream");
        }
    }

    fn value<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        let Some(name) = name.strip_prefix('$') else { return };
        let known = self.values.entry(name.to_owned()).or_default();
        for value in values {
            if known.len() < 1000 && !known.iter().any(|old| old == value) {
                known.push(value.to_owned());
            }
        }
    }

    /// Names of the groups `(?<name>…)` of a pattern.
    fn captures(&mut self, text: &str) {
        for part in text.split("(?").skip(1) {
            let part = part.strip_prefix('P').unwrap_or(part);
            if let Some((name, _)) = part.strip_prefix('<').and_then(|part| part.split_once('>')) {
                self.variables.insert(name.to_ascii_lowercase());
            } else if let Some((name, _)) = part.strip_prefix('\'').and_then(|part| part.split_once('\'')) {
                self.variables.insert(name.to_ascii_lowercase());
            }
        }
    }

    /// Whether nginx can know the variable `name` (without `$`), in `stream` or else in `http`.
    pub fn knows(&self, name: &str, stream: bool) -> bool {
        let name = name.to_ascii_lowercase();
        let builtin = &BUILTIN[usize::from(stream)];
        // A family is known by its name up to some `_`.
        let family = || name.match_indices('_').any(|(at, _)| builtin.contains(&name[..=at]));
        self.open
            || name.bytes().all(|b| b.is_ascii_digit())
            || builtin.contains(name.as_str())
            || family()
            || self.variables.contains(&name)
    }
}

/// `map $a $b { default x; /y z; }` with what holds for the rest first, or with a word where nothing does.
fn table(directive: &Directive) -> String {
    let rest = |key: &Directive| key.is("default") || (directive.is("split_clients") && key.is("*"));
    let keys = directive.block();
    // An included file may bring one; of `geo` nothing written is the empty text too.
    let open = keys.iter().any(|key| key.is("include"));
    let (rests, others): (Vec<&Directive>, Vec<&Directive>) = keys.iter().partition(|key| rest(key));
    let said = rests.iter().chain(&others).map(|key| format!(" {};", said(key))).collect::<String>();
    let none = if rests.is_empty() && !open && !directive.is("split_clients") { " (no default)" } else { "" };
    shorten(&format!("{}{none} {{{said} }}", self::said(directive)), TABLE_MAX)
}

/// What nginx knows in `http` and in `stream`.
static BUILTIN: LazyLock<[HashSet<&str>; 2]> = LazyLock::new(|| {
    [HTTP_VARIABLES, STREAM_VARIABLES]
        .map(|own| own.split_ascii_whitespace().chain(COMMON_VARIABLES.split_ascii_whitespace()).collect())
});

/// The variables of a text: where each stands, and its name. The error is the place of a `$` without a name.
pub fn variables(text: &str) -> Result<Vec<(Range<usize>, &str)>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|offset| at + offset) {
        let rest = &text[dollar + 1..];
        let (name, length) = match rest.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find('}').ok_or(dollar)?;
                (&inner[..end], end + 2)
            }
            None => {
                // One digit names a group of the last pattern.
                let length = match rest.bytes().next() {
                    Some(b'1'..=b'9') => 1,
                    _ => rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count(),
                };
                (&rest[..length], length)
            }
        };
        if name.is_empty() {
            return Err(dollar);
        }
        at = dollar + 1 + length;
        found.push((dollar..at, name));
    }
    Ok(found)
}

/// Most tables of one expression.
const TABLES_MAX: usize = 8;

/// Longest table that is told, in characters.
const TABLE_MAX: usize = 2000;

/// Most values that an expression is followed to.
const VALUES_MAX: usize = 256;

impl Declared {
    /// The tables that decide what `text` is, each once, those of its own variables first.
    pub fn tables(&self, text: &str) -> Vec<String> {
        let mut names: Vec<&str> = variables(text).unwrap_or_default().into_iter().map(|(_, name)| name).collect();
        let mut found: Vec<String> = Vec::new();
        let mut at = 0;
        while at < names.len() && at < VALUES_MAX {
            let name = names[at];
            at += 1;
            for table in self.tables.get(name).into_iter().flatten() {
                if found.len() < TABLES_MAX && !found.contains(table) {
                    found.push(table.clone());
                }
            }
            let inner = self.values.get(name).into_iter().flatten().filter_map(|value| variables(value).ok()).flatten();
            for (_, name) in inner {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        found
    }

    /// What `text` can be once its variables are put in, as far as they are constant. Variables of the request that
    /// stand for a path end it. None where something else decides.
    pub fn expand(&self, text: &str) -> Option<Vec<String>> {
        let mut done = Vec::new();
        let mut open = vec![(text.to_owned(), 0)];
        while let Some((text, depth)) = open.pop() {
            let first = variables(&text).ok()?.into_iter().next().map(|(span, name)| (span, name.to_owned()));
            let Some((span, name)) = first else {
                if !done.contains(&text) {
                    done.push(text);
                }
                continue;
            };
            let values = match name.as_str() {
                "request_uri" | "uri" | "document_uri" | "is_args" | "args" => {
                    open.push((text[..span.start].to_owned(), depth));
                    continue;
                }
                "scheme" => vec!["http".to_owned()],
                _ => self.values.get(&name)?.clone(),
            };
            if depth >= 8 || done.len() + open.len() + values.len() > VALUES_MAX {
                return None;
            }
            // The first value is on top, so that candidates keep their order.
            for value in values.iter().rev() {
                open.push((format!("{}{value}{}", &text[..span.start], &text[span.end..]), depth + 1));
            }
        }
        Some(done)
    }
}
