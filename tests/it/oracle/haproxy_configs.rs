//! HAProxy configs from a seed: lines that HAProxy takes, and lines that are broken in one way each.

use std::sync::LazyLock;

/// A small generator of numbers (xorshift64*): the same seed, the same configs.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const GLOBAL: &[&str] = &[
    "maxconn 4000",
    "nbthread 2",
    "log 127.0.0.1:514 local0",
    "stats timeout 30s",
    "tune.bufsize 32768",
    "spread-checks 5",
    "ssl-server-verify none",
    "stats socket /tmp/x.sock mode 600 level admin",
    "hard-stop-after 30s",
    "tune.ssl.default-dh-param 2048",
    "log \"127.0.0.1:514\" local0 notice",
];

const DEFAULTS: &[&str] = &[
    "option httplog",
    "option dontlognull",
    "log global",
    "retries 2",
    "option redispatch",
    "no option redispatch",
    "option redispatch 1",
    "maxconn 2000",
    "timeout queue 5s",
    "timeout http-request 10s",
    "timeout check 2s",
    "timeout http-keep-alive 1m",
    "timeout tunnel 1h",
    "timeout client-fin 10s",
    "default-server inter 2s fall 3 rise 2",
    "default-server check maxconn 50 weight 10",
    "balance roundrobin",
    "balance leastconn",
    "option forwardfor",
    "option http-server-close",
    "http-reuse safe",
    "http-reuse never",
    "fullconn 100",
    "retry-on conn-failure 503",
    "errorloc 503 /sorry",
    "compression algo gzip",
    "option httpchk GET /health",
    "cookie SRV insert indirect nocache",
    "hash-type consistent",
    "stats enable",
    "option abortonclose",
    "option allbackups",
];

const FRONTEND: &[&str] = &[
    "maxconn 500",
    "acl is_api path_beg /api",
    "acl is_api hdr(host) -i a.example.com b.example.com",
    "acl big req.hdr_cnt(x) gt 3",
    "option httpclose",
    "http-request set-header X-A \"a b\"",
    "http-request set-header X-B 'it\\'",
    "http-request deny if { src 10.0.0.0/8 }",
    "http-request deny deny_status 429 if TRUE",
    "http-request redirect scheme https code 301 if !{ ssl_fc }",
    "use_backend b0 if { path -m beg /a } !{ method POST }",
    "use_backend b0 unless TRUE",
    "use_backend b0 if { hdr(host) -i x } or { path /y }",
    "http-response set-header X-C %[res.hdr(x),lower]",
    "capture request header Host len 64",
    "log-format \"%ci [%t] %ft %b/%s\"",
    "use_backend b%[path,field(2,/)]",
    "tcp-request inspect-delay 5s",
    "tcp-request content accept if HTTP",
    "http-request track-sc0 src table t0",
    "monitor-uri /up",
    "option http-buffer-request",
    "redirect prefix https://x.example.com if { hdr(host) x }",
    "bind 127.0.0.1:8081 maxconn 100",
    "bind 127.0.0.1:8082 name second id 7",
    "bind unix@/tmp/afterload-x.sock mode 600",
    "bind 127.0.0.1:8090-8092",
    "bind [::1]:8083 v6only",
    "errorloc 500 /oops",
    "unique-id-format %{+X}o%ci",
    "unique-id-header X-Id",
    "http-request set-var(txn.a) path,lower",
    "http-request return status 200 content-type text/plain string ok if { path /x }",
    "backlog 100",
    "description a frontend",
    "http-request add-header X-D %[src]",
    "http-request del-header X-E",
    "http-request set-path %[path,regsub(^/a,/b)]",
    "rate-limit sessions 100",
    "option logasap",
    "stats uri /stats",
    "stats auth u:p",
    "http-after-response set-header X-F 1",
    "option contstats",
    "http-request capture req.hdr(x) len 10",
    "id 42",
];

const BACKEND: &[&str] = &[
    "balance roundrobin",
    "balance static-rr",
    "balance leastconn",
    "balance first",
    "balance source",
    "balance uri",
    "balance uri whole",
    "balance uri len 10 depth 3",
    "balance url_param id",
    "balance url_param id check_post",
    "balance hdr(x-user)",
    "balance hdr(host) use_domain_only",
    "balance random",
    "balance random(3)",
    "balance hash path,lower",
    "balance rdp-cookie",
    "balance rdp-cookie(mstshash)",
    "hash-type consistent",
    "hash-type map-based sdbm avalanche",
    "hash-type consistent wt6",
    "hash-balance-factor 150",
    "cookie SRV insert indirect nocache httponly secure maxidle 30m maxlife 8h",
    "cookie SRV prefix",
    "cookie SRV rewrite",
    "cookie SRV insert attr SameSite=Lax domain .example.com",
    "cookie SRV insert dynamic",
    "dynamic-cookie-key abc",
    "option httpchk",
    "option httpchk /health",
    "option httpchk GET /health HTTP/1.1",
    "http-check expect status 200-399",
    "http-check send meth GET uri /h ver HTTP/1.1 hdr Host x",
    "http-check expect ! rstatus ^5",
    "option tcp-check",
    "tcp-check connect port 80",
    "tcp-check send PING\\r\\n",
    "tcp-check expect string +PONG",
    "option mysql-check user h",
    "option redis-check",
    "option ssl-hello-chk",
    "option smtpchk",
    "option pgsql-check user x",
    "option ldap-check",
    "retries 5",
    "option redispatch",
    "fullconn 1000",
    "timeout server 5s",
    "timeout connect 500ms",
    "timeout queue 0",
    "timeout tunnel 1d",
    "option allbackups",
    "http-reuse always",
    "retry-on all-retryable-errors",
    "retry-on none",
    "default-server check inter 1s fastinter 200ms downinter 5s",
    "default-server weight 20 maxconn 10 maxqueue 5",
    "default-server no-check",
    "default-server slowstart 10s",
    "stick-table type ip size 100k expire 30m",
    "server x9 127.0.0.1:9009 check backup",
    "server x8 127.0.0.1:9008 disabled cookie c8",
    "server x7 [::1]:9007 weight 0",
    "server x6 unix@/tmp/x6.sock check",
    "server x5 127.0.0.1 check port 80",
    "server x4 127.0.0.1:+10",
    "server x3 ipv4@127.0.0.1:9003 ssl verify none sni str(x)",
    "server-template t 1-3 127.0.0.1:9100 check",
    "server-template u 2 127.0.0.1:9200 weight 3",
    "server x2 127.0.0.1:9002 minconn 5 maxconn 50",
    "server x1 127.0.0.1:9001 track b0/s0",
    "server xa 127.0.0.1:9010 check observe layer4 error-limit 5 on-error mark-down",
    "server xb 127.0.0.1:9011 send-proxy-v2 check-send-proxy",
    "server xc 127.0.0.1:9012 agent-check agent-port 9999 agent-inter 5s",
    "server xd 127.0.0.1:9013 on-marked-down shutdown-sessions slowstart 30s",
    "server xe 127.0.0.1:9014 resolvers dns init-addr none",
    "server xf 127.0.0.1:9015 source 127.0.0.2 usesrc clientip",
    "use-server s0 if { path /s0 }",
    "acl local src 127.0.0.1",
    "http-request set-header X-A 1",
    "http-response deny if { status 500 }",
    "option log-health-checks",
    "http-send-name-header X-S",
    "server xg 127.0.0.1:9016 id 77 proto h2",
    "stats enable",
    "option prefer-last-server",
    "errorloc 503 /s",
    "source 127.0.0.1",
    "option persist",
    "force-persist if { path /f }",
    "server xh 127.0.0.1:9017 check addr 127.0.0.1 port 81 rise 1 fall 1 inter 100ms",
];

/// Lines that HAProxy perhaps refuses, by the section that they go into. Left out is what the machine decides and the
/// text does not: files that are there or not, users, namespaces, open file descriptors, names that resolve, variables of
/// the environment, what HAProxy was built with (QUIC) or is started with (`program` needs `-W`).
/// In the file, `[g]` and the like name the section, and `⏎`, `⇥` and `␍` stand for line feed, tab and CR.
static ODD: LazyLock<Vec<(char, Vec<String>)>> = LazyLock::new(|| {
    let mut groups: Vec<(char, Vec<String>)> = Vec::new();
    for line in include_str!("../../fixtures/haproxy/odd_lines.txt").lines() {
        match (line.as_bytes(), groups.last_mut()) {
            ([b'[', section, b']'], _) => groups.push((char::from(*section), Vec::new())),
            (_, Some((_, lines))) => lines.push(line.replace('⏎', "\n").replace('⇥', "\t").replace('␍', "\r")),
            (_, None) => panic!("a line without a section"),
        }
    }
    groups
});

/// Lines that are tried one by one.
pub fn odd_lines() -> usize {
    [GLOBAL, DEFAULTS, FRONTEND, BACKEND].iter().map(|lines| lines.len()).sum::<usize>()
        + ODD.iter().map(|(_, lines)| lines.len()).sum::<usize>()
}

/// Line `number` of all, and the section that it goes into.
fn odd_line(mut number: usize) -> (char, String) {
    let good = [('g', GLOBAL), ('d', DEFAULTS), ('f', FRONTEND), ('b', BACKEND)];
    for (section, lines) in ODD.iter() {
        match lines.get(number) {
            Some(line) => return (*section, line.clone()),
            None => number -= lines.len(),
        }
    }
    for (section, lines) in good {
        match lines.get(number) {
            Some(line) => return (section, (*line).to_owned()),
            None => number -= lines.len(),
        }
    }
    panic!("there are fewer lines")
}

/// A config that HAProxy takes unless a broken line is in it. What is broken, if anything, is answered too.
pub fn config(seed: u64) -> (String, String) {
    let mut dice = Dice::new(seed);
    let odd = dice.chance(70).then(|| dice.below(odd_lines()));
    build(dice, 7, odd)
}

/// A small config with one line of all in it.
pub fn with_line(number: usize) -> (String, String) {
    build(Dice::new(number as u64 + 1), 0, Some(number))
}

fn build(mut dice: Dice, most: usize, odd: Option<usize>) -> (String, String) {
    let some = |dice: &mut Dice, from: &[&'static str]| -> Vec<String> {
        (0..dice.below(most + 1)).map(|_| dice.pick(from).to_owned()).collect()
    };
    let mut global = some(&mut dice, GLOBAL);
    let mut defaults =
        vec!["mode http".to_owned(), "timeout client 10s".into(), "timeout connect 1s".into(), "timeout server 10s".into()];
    defaults.extend(some(&mut dice, DEFAULTS));
    let mut frontend = vec!["bind 127.0.0.1:8080".to_owned()];
    frontend.extend(some(&mut dice, FRONTEND));
    frontend.push("default_backend b0".into());
    let mut backend = some(&mut dice, BACKEND);
    backend.push("server s0 127.0.0.1:9000 check".into());
    let mut last = String::new();
    let mut broken = String::new();
    if let Some((section, line)) = odd.map(odd_line) {
        broken = line;
        let into = match section {
            'g' => Some(&mut global),
            'd' => Some(&mut defaults),
            'f' => Some(&mut frontend),
            'b' => Some(&mut backend),
            _ => None,
        };
        match into {
            Some(lines) => {
                let at = dice.below(lines.len() + 1);
                lines.insert(at, broken.clone());
            }
            None => last = format!("{broken}\n"),
        }
    }
    let indent = dice.pick(&[" ", "    ", "\t"]);
    let mut text = String::new();
    let mut section = |head: &str, lines: &[String]| {
        text.push_str(head);
        lines.iter().for_each(|line| text.push_str(&format!("\n{indent}{line}")));
        text.push_str("\n\n");
    };
    section("global", &global);
    section("defaults named\n mode http\n timeout connect 1s\n timeout server 1s\n timeout client 1s\n\ndefaults", &defaults);
    section("resolvers dns", &["nameserver a 127.0.0.1:53".into()]);
    section("frontend f0", &frontend);
    section("backend b0", &backend);
    section("backend b1", &["server s0 127.0.0.1:9001".into()]);
    section("backend t0", &["stick-table type ip size 1k store http_req_rate(10s),conn_cur".into()]);
    text.push_str(&last);
    if most > 0 && dice.chance(2) {
        text.truncate(text.trim_end().len());
        broken.push_str(" (no line feed at the end)");
    }
    (text, broken)
}
