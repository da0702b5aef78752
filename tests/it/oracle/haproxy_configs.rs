//! HAProxy configs from a seed: lines that HAProxy takes, and lines that are broken in one way each.

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
    "maxconn 4000", "nbthread 2", "log 127.0.0.1:514 local0", "stats timeout 30s", "tune.bufsize 32768", "spread-checks 5", "ssl-server-verify none",
    "stats socket /tmp/x.sock mode 600 level admin", "hard-stop-after 30s", "tune.ssl.default-dh-param 2048", "log \"127.0.0.1:514\" local0 notice",
];

const DEFAULTS: &[&str] = &[
    "option httplog", "option dontlognull", "log global", "retries 2", "option redispatch", "no option redispatch", "option redispatch 1", "maxconn 2000",
    "timeout queue 5s", "timeout http-request 10s", "timeout check 2s", "timeout http-keep-alive 1m", "timeout tunnel 1h", "timeout client-fin 10s",
    "default-server inter 2s fall 3 rise 2", "default-server check maxconn 50 weight 10", "balance roundrobin", "balance leastconn", "option forwardfor",
    "option http-server-close", "http-reuse safe", "http-reuse never", "fullconn 100", "retry-on conn-failure 503", "errorloc 503 /sorry", "compression algo gzip",
    "option httpchk GET /health", "cookie SRV insert indirect nocache", "hash-type consistent", "stats enable", "option abortonclose", "option allbackups",
];

const FRONTEND: &[&str] = &[
    "maxconn 500", "acl is_api path_beg /api", "acl is_api hdr(host) -i a.example.com b.example.com", "acl big req.hdr_cnt(x) gt 3", "option httpclose",
    "http-request set-header X-A \"a b\"", "http-request set-header X-B 'it\\'", "http-request deny if { src 10.0.0.0/8 }", "http-request deny deny_status 429 if TRUE",
    "http-request redirect scheme https code 301 if !{ ssl_fc }", "use_backend b0 if { path -m beg /a } !{ method POST }", "use_backend b0 unless TRUE",
    "use_backend b0 if { hdr(host) -i x } or { path /y }", "http-response set-header X-C %[res.hdr(x),lower]", "capture request header Host len 64", "log-format \"%ci [%t] %ft %b/%s\"",
    "use_backend b%[path,field(2,/)]", "tcp-request inspect-delay 5s", "tcp-request content accept if HTTP", "http-request track-sc0 src table t0", "monitor-uri /up",
    "option http-buffer-request", "redirect prefix https://x.example.com if { hdr(host) x }", "bind 127.0.0.1:8081 maxconn 100", "bind 127.0.0.1:8082 name second id 7",
    "bind unix@/tmp/afterload-x.sock mode 600", "bind 127.0.0.1:8090-8092", "bind [::1]:8083 v6only", "errorloc 500 /oops", "unique-id-format %{+X}o%ci", "unique-id-header X-Id",
    "http-request set-var(txn.a) path,lower", "http-request return status 200 content-type text/plain string ok if { path /x }", "backlog 100", "description a frontend",
    "http-request add-header X-D %[src]", "http-request del-header X-E", "http-request set-path %[path,regsub(^/a,/b)]", "rate-limit sessions 100", "option logasap",
    "stats uri /stats", "stats auth u:p", "http-after-response set-header X-F 1", "option contstats", "http-request capture req.hdr(x) len 10", "id 42",
];

const BACKEND: &[&str] = &[
    "balance roundrobin", "balance static-rr", "balance leastconn", "balance first", "balance source", "balance uri", "balance uri whole", "balance uri len 10 depth 3",
    "balance url_param id", "balance url_param id check_post", "balance hdr(x-user)", "balance hdr(host) use_domain_only", "balance random", "balance random(3)", "balance hash path,lower",
    "balance rdp-cookie", "balance rdp-cookie(mstshash)", "hash-type consistent", "hash-type map-based sdbm avalanche", "hash-type consistent wt6", "hash-balance-factor 150",
    "cookie SRV insert indirect nocache httponly secure maxidle 30m maxlife 8h", "cookie SRV prefix", "cookie SRV rewrite", "cookie SRV insert attr SameSite=Lax domain .example.com",
    "cookie SRV insert dynamic", "dynamic-cookie-key abc", "option httpchk", "option httpchk /health", "option httpchk GET /health HTTP/1.1", "http-check expect status 200-399",
    "http-check send meth GET uri /h ver HTTP/1.1 hdr Host x", "http-check expect ! rstatus ^5", "option tcp-check", "tcp-check connect port 80", "tcp-check send PING\\r\\n",
    "tcp-check expect string +PONG", "option mysql-check user h", "option redis-check", "option ssl-hello-chk", "option smtpchk", "option pgsql-check user x", "option ldap-check",
    "retries 5", "option redispatch", "fullconn 1000", "timeout server 5s", "timeout connect 500ms", "timeout queue 0", "timeout tunnel 1d", "option allbackups",
    "http-reuse always", "retry-on all-retryable-errors", "retry-on none", "default-server check inter 1s fastinter 200ms downinter 5s", "default-server weight 20 maxconn 10 maxqueue 5",
    "default-server no-check", "default-server slowstart 10s", "stick-table type ip size 100k expire 30m", "server x9 127.0.0.1:9009 check backup", "server x8 127.0.0.1:9008 disabled cookie c8",
    "server x7 [::1]:9007 weight 0", "server x6 unix@/tmp/x6.sock check", "server x5 127.0.0.1 check port 80", "server x4 127.0.0.1:+10", "server x3 ipv4@127.0.0.1:9003 ssl verify none sni str(x)",
    "server-template t 1-3 127.0.0.1:9100 check", "server-template u 2 127.0.0.1:9200 weight 3", "server x2 127.0.0.1:9002 minconn 5 maxconn 50", "server x1 127.0.0.1:9001 track b0/s0",
    "server xa 127.0.0.1:9010 check observe layer4 error-limit 5 on-error mark-down", "server xb 127.0.0.1:9011 send-proxy-v2 check-send-proxy", "server xc 127.0.0.1:9012 agent-check agent-port 9999 agent-inter 5s",
    "server xd 127.0.0.1:9013 on-marked-down shutdown-sessions slowstart 30s", "server xe 127.0.0.1:9014 resolvers dns init-addr none", "server xf 127.0.0.1:9015 source 127.0.0.2 usesrc clientip",
    "use-server s0 if { path /s0 }", "acl local src 127.0.0.1", "http-request set-header X-A 1", "http-response deny if { status 500 }", "option log-health-checks", "http-send-name-header X-S",
    "server xg 127.0.0.1:9016 id 77 proto h2", "stats enable", "option prefer-last-server", "errorloc 503 /s", "source 127.0.0.1", "option persist", "force-persist if { path /f }", "server xh 127.0.0.1:9017 check addr 127.0.0.1 port 81 rise 1 fall 1 inter 100ms",
];

/// Lines that HAProxy perhaps refuses, by the section that they go into. Left out is what the machine decides and the
/// text does not: files that are there or not, users, namespaces, open file descriptors, names that resolve, variables of
/// the environment, what HAProxy was built with (QUIC) or is started with (`program` needs `-W`).
const ODD: &[(char, &[&str])] = &[
    ('g', &[
        "maxconn abc", "maxconn", "maxconn 10x", "maxconn 0", "nbthread 0", "nbthread x", "nbthread -1", "nbproc 2", "nbthread 100000", "stats socket", "stats foo", "stats timeout 5x", "stats timeout",
        "log", "ulimit-n x", "ssl-server-verify maybe", "fooo bar", "log 127.0.0.1:514", "log 127.0.0.1:514 local9", "log 127.0.0.1:514 local0 loud", "stats socket /tmp/x level god",
        "spread-checks 60", "spread-checks x", "daemon x", "tune.bufsize x", "tune.bufsize", "hard-stop-after", "hard-stop-after 5y", "user", "chroot", "pidfile", "node a b", "balance roundrobin", "server a 127.0.0.1:1", "timeout client 1s",
        "stats maxconn 10", "stats maxconn x", "maxconnrate x", "ssl-default-bind-options foo", "setenv A", "description", "tune.ssl.default-dh-param 10", "cpu-map x", "no daemon", "no maxconn", "external-check", "set-var x int(1)", "set-var proc.x int(1)",
    ]),
    ('d', &[
        "mode htp", "mode", "mode health", "timeout client", "timeout client 5x", "timeout cliet 5s", "timeout client 5s 6s", "timeout client 25d", "timeout", "timeout client -1", "timeout client 1.5s", "timeout client 0",
        "retries", "retries abc", "maxconn", "maxconn abc", "bind :80", "server a 127.0.0.1:1", "use_backend b0", "acl a path /x", "balance rounrobin", "balance", "option htplog", "option", "no balance", "no timeout client", "no option foo",
        "default option httplog", "default-server weight 300", "default-server check foo", "default-server", "default-server id 5", "default-server cookie x", "default-server disabled", "fullconn", "fullconn x", "cookie", "cookie S insert foo", "stick on src", "stick-table type ip size 1k", "http-request deny", "http-request set-header X 1",
        "tcp-request content accept", "errorfile 503", "errorloc 503", "errorloc 99 /", "log", "log-format", "stats auth", "stats uri", "stats refresh x", "stats foo", "compression foo", "compression algo", "hash-type", "hash-type consistent foo", "hash-type consistent sdbm foo",
        "http-reuse", "retry-on foo", "retry-on", "default_backend", "default_backend b0 x", "default_backend nowhere", "use-server a if TRUE", "dispatch 127.0.0.1:1", "redirect location / ", "capture request header X len 10", "unique-id-header", "monitor-uri", "monitor-uri /x", "enabled", "option httpchk a b c d", "http-check expect", "http-check expect status", "http-check foo", "http-check",
        "option redispatch x", "grace 5", "clitimeout 5s", "description x", "id 5", "backlog", "option forwardfor foo", "option forwardfor except x", "option forwardfor header", "load-server-state-from-file", "load-server-state-from-file foo", "balance hash", "timeout check", "timeout http-request 5m m", "email-alert foo", "max-keep-alive-queue x", "http-send-name-header", "server-template a 1 b:1", "filter foo", "filter trace", "monitor fail if TRUE", "monitor", "rate-limit sessions", "rate-limit sessions x", "option tcp-check foo", "tcp-check connect",
    ]),
    ('f', &[
        "bind", "bind 127.0.0.1", "bind 127.0.0.1:x", "bind 127.0.0.1:0", "bind 127.0.0.1:99999", "bind 127.0.0.1:80-70", "bind 127.0.0.1:81 foo", "bind 127.0.0.1:81 maxconn", "bind 127.0.0.1:81 ssl", "bind 127.0.0.1:81 maxconn x", "bind 127.0.0.1:81 id 0", "bind 127.0.0.1:81 nice 5000", "bind 127.0.0.1:81 name", "bind 127.0.0.1:81,127.0.0.1:82",
        "bind 300.0.0.1:80", "bind 127.0.0.1:81 process x", "bind 127.0.0.1:81 thread x", "bind 127.0.0.1:81 backlog x", "bind 127.0.0.1:81 alpn", "bind 127.0.0.1:81 v4v6 accept-proxy", "bind 127.0.0.1:81 level foo", "bind 127.0.0.1:81 tcp-ut x", "bind 127.0.0.1:81 mss x", "bind 127.0.0.1:81 interface", "bind 127.0.0.1:81 proto foo", "bind 127.0.0.1:81 mode",
        "acl", "acl x", "acl x foo", "acl x path_begin /a", "acl x hdr(host", "acl x/y path /", "acl or path /", "acl x path", "acl x src foo", "acl x src 10.0.0.0/99", "acl x src_port abc", "acl x path -m foo /a", "acl x hdr()", "acl x path,foo /", "acl x hdr(host),lower -m beg a", "acl x path_reg ( ", "acl x path_reg [", "acl x int gt 5",
        "use_backend", "use_backend nowhere", "use_backend nowhere if TRUE", "use_backend f0 if TRUE", "use_backend b0 foo", "use_backend b0 if", "use_backend b0 if foo", "use_backend b0 if { path /", "use_backend b0 if { }", "use_backend b0 if { foo }", "use_backend b0 if { path /a } }", "use_backend b0 if !TRUE", "use_backend b0 if ! TRUE", "use_backend b0 if TRUE or", "use_backend b0 if or TRUE", "use_backend b0 if TRUE || FALSE", "use_backend b0 if TRUE and FALSE", "use_backend %[path", "use_backend %[foo]", "use_backend b0 unless",
        "default_backend", "default_backend nowhere", "default_backend b0 b1", "server a 127.0.0.1:1", "balance roundrobin", "stick on src", "cookie S insert", "option httpchk", "default-server check", "timeout server 1s", "timeout connect x", "fullconn 10", "http-check expect status 200", "use-server a if TRUE", "dispatch 127.0.0.1:9", "retries 3", "http-reuse safe",
        "http-request", "http-request foo", "http-request deny foo", "http-request deny if", "http-request deny if foo", "http-request deny deny_status x", "http-request deny deny_status", "http-request set-header", "http-request set-header X", "http-request set-header X 1 if", "http-request set-header X 1 2", "http-request set-header X %[foo]", "http-request set-header X %[path,foo]", "http-request set-header X %[path", "http-request set-header X %zz", "http-request set-var(x) path", "http-request set-var(txn.x)", "http-request set-var(foo.x) path", "http-request redirect", "http-request redirect location", "http-request redirect location / code 200", "http-request redirect foo /", "http-request return status x", "http-request return", "http-request auth foo", "http-request track-sc0", "http-request track-sc0 src table", "http-request track-sc9 src", "http-request track-sc0 foo", "http-request use-service foo", "http-request replace-header X", "http-request replace-path (", "http-request capture", "http-request lua.foo", "http-request tarpit", "http-request silent-drop", "http-request set-log-level loud", "http-request set-method", "http-request del-header",
        "http-response foo", "http-response set-status x", "http-response set-status 200", "http-response", "http-after-response foo", "tcp-request", "tcp-request foo", "tcp-request content", "tcp-request content foo", "tcp-request content accept if foo", "tcp-request connection reject if { path / }", "tcp-request inspect-delay", "tcp-request inspect-delay x", "tcp-request connection accept", "tcp-request session foo", "tcp-response content accept", "tcp-response inspect-delay 5s", "tcp-request content track-sc0 src", "tcp-request connection track-sc0 src table t0",
        "redirect", "redirect foo /x", "redirect location", "redirect location /x code 999", "redirect prefix / if foo", "capture request header", "capture request header X", "capture request header X len", "capture cookie X len 10", "capture response header Y len x", "capture foo", "log-format \"%foo\"", "log-format %[foo]", "log-format", "log-format %ci %cp x", "mode tcp", "mode foo", "option foo", "option httplog foo", "option httplog clf", "option tcplog foo", "option forwardfor if-none", "no foo", "no option httplog", "no use_backend b0", "no acl x path /", "maxconn", "maxconn -1", "maxconn 5 6", "id", "id 0", "id x", "monitor-uri", "monitor fail", "monitor fail if FALSE", "monitor-net 10.0.0.0/8", "stats http-request auth", "stats http-request foo", "stats admin if TRUE", "stats admin", "stats realm", "stats refresh", "stats hide-version x", "stats scope", "compression algo gzip", "compression algo foo", "compression type", "errorfile", "errorfiles foo", "http-error status 503", "http-error", "http-error status 200 string x content-type text/plain", "unique-id-format", "unique-id-format %foo", "rate-limit sessions -1", "rate-limit foo 5", "filter", "filter compression", "declare capture request len 10", "declare foo", "description", "backlog x", "guid abc",
        "http-request set-header X \"a", "http-request set-header X 'a", "http-request set-header X \\x4", "http-request set-header X \"$\"", "http-request set-header X \"${A\"", "http-request set-header X \"${A-b}\"", "http-request set-header X \"$A b\"", "http-request set-header X a\\", "http-request set-header X \"\\$5\"", "http-request set-header X $5", "http-request set-header X \"${A:b}\"", "http-request set-header X \"$1\"", "http-request set-header X \"${}\"", "http-request set-header X \"${.FILE}\"",
        "w w w w w w w w w w", "acl many path 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5", "\"\"", "''",
        ".if 0", ".else", ".endif", ".elif 1", ".foo", ".alert x", ".warning x", ".notice x", ".diag x",
    ]),
    ('b', &[
        "server", "server a", "server a 127.0.0.1:x", "server a 127.0.0.1:99999", "server a 127.0.0.1:-5", "server a/b 127.0.0.1:1", "server s0 127.0.0.1:1", "server a 127.0.0.1:1 weight", "server a 127.0.0.1:1 weight 257", "server a 127.0.0.1:1 weight -1", "server a 127.0.0.1:1 weight abc", "server a 127.0.0.1:1 weight 256", "server a 127.0.0.1:1 weight 1x", "server a 127.0.0.1:1 maxconn", "server a 127.0.0.1:1 maxconn x", "server a 127.0.0.1:1 inter x", "server a 127.0.0.1:1 inter 0", "server a 127.0.0.1:1 inter 1us", "server a 127.0.0.1:1 fall 0", "server a 127.0.0.1:1 fall x", "server a 127.0.0.1:1 rise -1", "server a 127.0.0.1:1 chek", "server a 127.0.0.1:1 check foo",
        "server a 127.0.0.1:1 port x check", "server a 127.0.0.1:1 check port 99999", "server a 127.0.0.1:1 port", "server a 127.0.0.1 check", "server a 127.0.0.1:+5 check", "server a 127.0.0.1:0", "server a 127.0.0.1:0 check", "server a :80", "server a *:80", "server a 0.0.0.0:80", "server a 127.0.0.1:80-90", "server a ipv6@127.0.0.1:1", "server a foo@127.0.0.1:1", "server a /tmp/x", "server a unix@", "server a abns@x", "server a fd@3", "server a fd@x", "server a udp@127.0.0.1:1", "server a 127.0.0.1:1,127.0.0.1:2", "server a [::1:80", "server a [::1]:80", "server a ::1:80", "server a quic4@127.0.0.1:1", "server a [::1]80", "server a 300.1.1.1:80",
        "server a 127.0.0.1:1 slowstart x", "server a 127.0.0.1:1 slowstart 0", "server a 127.0.0.1:1 slowstart 10", "server a 127.0.0.1:1 cookie", "server a 127.0.0.1:1 ssl", "server a 127.0.0.1:1 ssl verify foo", "server a 127.0.0.1:1 ssl verify required", "server a 127.0.0.1:1 verify none", "server a 127.0.0.1:1 verify required", "server a 127.0.0.1:1 ssl verify none alpn", "server a 127.0.0.1:1 track", "server a 127.0.0.1:1 track b0/zz", "server a 127.0.0.1:1 track zz", "server a 127.0.0.1:1 track zz/s0", "server a 127.0.0.1:1 track b0/s0 check", "server a 127.0.0.1:1 track b0/s0", "server a 127.0.0.1:1 track a", "server a 127.0.0.1:1 resolvers", "server a 127.0.0.1:1 resolvers zz", "server a 127.0.0.1:1 init-addr foo", "server a 127.0.0.1:1 init-addr last,none", "server a 127.0.0.1:1 observe", "server a 127.0.0.1:1 observe layer5", "server a 127.0.0.1:1 observe layer7 check", "server a 127.0.0.1:1 error-limit 0", "server a 127.0.0.1:1 error-limit x", "server a 127.0.0.1:1 on-error foo", "server a 127.0.0.1:1 on-error fastinter", "server a 127.0.0.1:1 on-marked-down foo", "server a 127.0.0.1:1 on-marked-up foo", "server a 127.0.0.1:1 on-marked-up shutdown-backup-sessions", "server a 127.0.0.1:1 minconn x", "server a 127.0.0.1:1 maxqueue -1", "server a 127.0.0.1:1 id 0", "server a 127.0.0.1:1 id x", "server a 127.0.0.1:1 id 5", "server a 127.0.0.1:1 redir", "server a 127.0.0.1:1 source", "server a 127.0.0.1:1 source x", "server a 127.0.0.1:1 source 127.0.0.1:5-6", "server a 127.0.0.1:1 source 127.0.0.1 usesrc", "server a 127.0.0.1:1 source 127.0.0.1 interface lo", "server a 127.0.0.1:1 usesrc clientip", "server a 127.0.0.1:1 sni", "server a 127.0.0.1:1 sni foo", "server a 127.0.0.1:1 sni str(x)", "server a 127.0.0.1:1 agent-check", "server a 127.0.0.1:1 agent-port x", "server a 127.0.0.1:1 agent-inter 0", "server a 127.0.0.1:1 agent-inter x", "server a 127.0.0.1:1 agent-addr", "server a 127.0.0.1:1 addr", "server a 127.0.0.1:1 check addr 127.0.0.2", "server a 127.0.0.1:1 pool-max-conn x", "server a 127.0.0.1:1 pool-max-conn -1", "server a 127.0.0.1:1 pool-max-conn -2", "server a 127.0.0.1:1 pool-purge-delay x", "server a 127.0.0.1:1 max-reuse x", "server a 127.0.0.1:1 max-reuse -2", "server a 127.0.0.1:1 proto foo", "server a 127.0.0.1:1 proto h1", "server a 127.0.0.1:1 check-proto h2", "server a 127.0.0.1:1 ws foo", "server a 127.0.0.1:1 ws h1", "server a 127.0.0.1:1 resolve-prefer ipv5", "server a 127.0.0.1:1 resolve-net x", "server a 127.0.0.1:1 resolve-opts foo", "server a 127.0.0.1:1 resolve-opts allow-dup-ip", "server a 127.0.0.1:1 proxy-v2-options foo", "server a 127.0.0.1:1 proxy-v2-options crc32c", "server a 127.0.0.1:1 socks4", "server a 127.0.0.1:1 socks4 127.0.0.1:1080", "server a 127.0.0.1:1 tcp-ut x", "server a 127.0.0.1:1 no-check no-backup no-ssl", "server a 127.0.0.1:1 no-weight", "server a 127.0.0.1:1 backup disabled enabled", "server a 127.0.0.1:1 namespace", "server a 127.0.0.1:1 shard x", "server a 127.0.0.1:1 shard 1", "server a 127.0.0.1:1 guid x", "server a 127.0.0.1:1 init-state up", "server a 127.0.0.1:1 log-proto foo", "server a 127.0.0.1:1 fastinter x", "server a 127.0.0.1:1 downinter 0", "server a 127.0.0.1:1 \"\"", "server a 127.0.0.1:1 check inter 5s 6s", "server a 127.0.0.1:1 ssl-min-ver foo", "server a 127.0.0.1:1 ssl-min-ver TLSv1.2", "server a 127.0.0.1:1 force-tlsv12", "server a 127.0.0.1:1 tfo", "server a 127.0.0.1:1 non-stick", "server a 127.0.0.1:1 verifyhost",
        "server-template", "server-template a", "server-template a 3", "server-template a x 127.0.0.1:1", "server-template a 0 127.0.0.1:1", "server-template a 3-1 127.0.0.1:1", "server-template a 0-3 127.0.0.1:1", "server-template a 1-3 127.0.0.1:1 foo", "server-template a/b 3 127.0.0.1:1", "server-template s 0-1 127.0.0.1:1", "server-template a 1-3 127.0.0.1:1 id 5", "server-template a 1- 127.0.0.1:1", "server-template a -3 127.0.0.1:1", "server-template a 3 127.0.0.1:1 cookie x",
        "default-server", "default-server weight 300", "default-server foo", "default-server 127.0.0.1:1", "default-server inter", "default-server inter 0", "default-server track b0/s0", "default-server port 80", "default-server addr 127.0.0.1", "default-server id 4", "default-server ssl verify none", "default-server enabled", "default-server backup", "default-server cookie x", "default-server redir /x", "default-server init-addr none", "default-server observe layer7", "default-server source 127.0.0.1", "default-server resolvers zz", "default-server shard 1", "default-server ws h1", "default-server socks4 127.0.0.1:1", "default-server usesrc x", "default-server stick", "default-server non-stick", "default-server disabled",
        "balance foo", "balance", "balance roundrobin foo", "balance random(0)", "balance random(x)", "balance random(2", "balance random()", "balance random(2)x", "balance random(-1)", "balance hdr", "balance hdr()", "balance hdr(x", "balance hdr(x) foo", "balance url_param", "balance url_param x foo", "balance url_param x check_post 10", "balance url_param x check_post y", "balance url_param x check_post 2", "balance uri len", "balance uri len x", "balance uri len 0", "balance uri depth -1", "balance uri foo", "balance uri path-only", "balance uri whole foo", "balance hash", "balance hash foo", "balance hash path,foo", "balance hash path if TRUE", "balance hash src", "balance source foo", "balance leastconn x", "balance rdp-cookie()", "balance rdp-cookie(x", "balance rdp-cookiefoo", "balance sticky", "balance log-hash lower", "balance first x", "balance hash req.hdr(x) foo", "balance hash hdr(x),lower", "balance hash rand",
        "hash-type", "hash-type foo", "hash-type consistent foo", "hash-type consistent sdbm foo", "hash-type map-based crc32", "hash-type consistent none avalanche", "hash-type consistent avalanche", "hash-type map-based sdbm avalanche foo", "hash-type avalanche", "hash-balance-factor", "hash-balance-factor 50", "hash-balance-factor 100", "hash-balance-factor 0", "hash-balance-factor 101", "hash-balance-factor x", "hash-balance-factor -5", "hash-balance-factor 70000", "hash-balance-factor 65535", "hash-preserve-affinity always",
        "cookie", "cookie S", "cookie S foo", "cookie S insert prefix", "cookie S insert rewrite", "cookie S insert maxidle", "cookie S insert maxidle x", "cookie S insert maxidle 5s", "cookie S maxidle 5s", "cookie S rewrite maxlife 5s", "cookie S prefix indirect", "cookie S insert domain", "cookie S insert domain example", "cookie S insert domain .example.com", "cookie S insert attr", "cookie S insert attr a;b", "cookie S insert postonly preserve", "cookie S rewrite dynamic", "cookie S insert maxidle 0", "cookie S indirect nocache", "cookie S insert secure secure", "dynamic-cookie-key", "dynamic-cookie-key x y", "cookie \"S T\" insert",
        "stick", "stick on", "stick on src", "stick on src table zz", "stick on src table t0", "stick match src", "stick foo src", "stick on foo", "stick on src if foo", "stick on src table t0 if TRUE", "stick store-request src table t0", "stick store-response src table t0", "stick on path table t0", "stick on src table", "stick-table", "stick-table type ip", "stick-table type", "stick-table type foo size 1k", "stick-table type ip size x", "stick-table type ip size 0", "stick-table type ip size 1k expire", "stick-table type ip size 1k expire x", "stick-table type ip size 1k store foo", "stick-table type ip size 1k store conn_cur", "stick-table type ip size 1k store http_req_rate", "stick-table type ip size 1k store http_req_rate(10s)", "stick-table type ip size 1k store http_req_rate(x)", "stick-table type ip size 1k peers zz", "stick-table type string len 32 size 1m", "stick-table type string size 1k", "stick-table type string len x size 1k", "stick-table type ip len 5 size 1k", "stick-table size 1k", "stick-table type ip size 1k nopurge", "stick-table type ip size 1k foo", "stick-table type binary len 16 size 1k store gpc0,gpt0", "stick-table type ip size 1kk", "stick-table type ip size 1g", "stick-table type ip size 1k expire 25d", "stick-table type ip size 1k srvkey addr", "stick-table type ip size 1k srvkey foo", "stick-table type ip size 1k store server_id", "stick-table type ip size -5",
        "option", "option foo", "option httpchk GET", "option httpchk GET / HTTP/1.1 x", "option httpchk GET / HTTP/1.1", "option httpchk GET / foo", "option mysql-check", "option mysql-check user", "option mysql-check foo", "option mysql-check user x pre-41", "option mysql-check user x foo", "option mysql-check user x post-41 y", "option pgsql-check", "option pgsql-check user", "option pgsql-check foo x", "option redis-check x", "option tcp-check x", "option ssl-hello-chk x", "option smtpchk HELO x", "option smtpchk HELO", "option smtpchk EHLO x", "option smtpchk foo", "option smtpchk x y z", "option ldap-check x", "option spop-check", "option external-check", "option redispatch x", "option redispatch -1", "option redispatch 3 4", "option allbackups x", "option httplog", "option tcplog", "no option httpchk", "no option allbackups", "no option mysql-check", "no server s0", "no cookie", "option forwardfor header X if-none", "option originalto", "option persist x", "option http-server-close x", "option forwarded", "option http-keep-alive", "option httpclose", "no option httpclose", "option accept-invalid-http-request", "option splice-auto", "option transparent", "option http_proxy", "option dontlognull",
        "http-check", "http-check foo", "http-check expect", "http-check expect foo", "http-check expect status", "http-check expect status x", "http-check expect status 99", "http-check expect status 200,x", "http-check expect status 200-100", "http-check expect status 200", "http-check expect ! status 500", "http-check expect !status 500", "http-check expect rstatus (", "http-check expect string", "http-check expect string a b", "http-check expect hdr name x", "http-check expect hdr", "http-check expect hdr x", "http-check expect hdr name x value y", "http-check expect min-recv 5 string x", "http-check expect comment c status 200", "http-check expect status 200 comment c", "http-check send", "http-check send foo", "http-check send meth", "http-check send meth GET", "http-check send hdr X", "http-check send hdr X y body z", "http-check send uri / ver HTTP/1.0", "http-check connect", "http-check connect port", "http-check connect port x", "http-check connect port 80 ssl", "http-check connect foo", "http-check connect default", "http-check disable-on-404", "http-check disable-on-404 x", "http-check send-state", "http-check set-var(check.x) int(1)", "http-check set-var(txn.x) int(1)", "http-check comment", "http-check comment x", "http-check expect rstring (", "http-check expect fhdr name x value y",
        "tcp-check", "tcp-check foo", "tcp-check connect", "tcp-check connect port x", "tcp-check connect ssl", "tcp-check connect foo", "tcp-check send", "tcp-check send a b", "tcp-check send a comment c", "tcp-check send-binary", "tcp-check send-binary zz", "tcp-check send-binary 50494e470d0a", "tcp-check expect", "tcp-check expect string", "tcp-check expect string x", "tcp-check expect foo x", "tcp-check expect binary zz", "tcp-check expect rstring (", "tcp-check expect ! string x", "tcp-check expect min-recv x string y", "tcp-check expect min-recv 5 string y", "tcp-check comment", "tcp-check comment x", "tcp-check set-var(check.x) int(1)", "tcp-check send-lf %[foo]", "tcp-check send-lf x",
        "use-server", "use-server s0", "use-server zz if TRUE", "use-server s0 if foo", "use-server s0 foo TRUE", "use-server s%[rand] if TRUE", "use_backend b0", "default_backend b0", "default_backend b1", "bind 127.0.0.1:1", "acl x foo", "acl x path /", "maxconn 10", "mode tcp", "mode foo", "mode http foo", "fullconn", "fullconn x", "fullconn -1", "retries", "retries x", "retries -1", "retries 3 4", "retry-on", "retry-on foo", "retry-on none 503", "retry-on 503 504", "retry-on 400", "http-reuse", "http-reuse foo", "http-reuse safe x", "timeout", "timeout foo 1s", "timeout server", "timeout server x", "timeout server 1x", "timeout server 1s 2s", "timeout server 1h1m", "timeout server 99999999999", "timeout server 2147483647", "timeout server 2147483648", "timeout server s", "timeout server 0", "timeout client 1s", "timeout http-request 1s", "timeout tarpit x", "timeout server \"5s\"", "timeout server 5S", "timeout conn 5s", "timeout check 0", "srvtimeout 5s", "contimeout 5s", "dispatch", "dispatch 127.0.0.1:9", "dispatch 127.0.0.1", "source", "source 0.0.0.0 usesrc clientip", "errorloc", "errorloc302 503 /", "http-send-name-header", "id 9", "id -1", "description", "force-persist", "force-persist if foo", "ignore-persist if TRUE", "persist rdp-cookie", "persist", "persist foo", "load-server-state-from-file global", "server-state-file-name", "server-state-file-name x", "email-alert from", "email-alert mailers zz", "email-alert level foo", "email-alert to x", "external-check command", "external-check path", "compression algo gzip", "http-request deny if foo", "http-request foo", "http-response set-header X", "http-response set-header X %[res.hdr(a)]", "http-response return status 200", "tcp-request content reject", "tcp-request connection reject", "tcp-request session accept", "tcp-response content accept", "tcp-response content close if foo", "tcp-response foo", "redirect location /x", "stats uri", "stats auth u:p", "monitor-uri /x", "rate-limit sessions 5", "option logasap", "log global", "log 127.0.0.1:514 local0", "log foo", "log stdout format raw local0", "filter compression", "max-session-srv-conns x", "appsession X len 5 timeout 1m", "reqadd X", "transparent", "enabled", "disabled", "no log", "wibble", "blance roundrobin", "serverr a 127.0.0.1:1", "Server a 127.0.0.1:1", "BALANCE roundrobin", "server\\ a x", "default-servr check", "capture request header X len 5", "unique-id-format x", "clitcpka-cnt x", "clitcpka-cnt 3", "srvtcpka-idle x", "srvtcpka-idle 5s",
    ]),
    ('s', &[
        "frontend", "backend", "listen", "backend b/c", "backend b0", "frontend f0", "listen b0", "listen f0", "frontend b0", "backend f0", "frontend z\n bind 127.0.0.1:83\n default_backend b0", "listen z 127.0.0.1:90", "listen z\n bind 127.0.0.1:84\n server a 127.0.0.1:1", "backend z from nowhere", "backend z from", "backend z form named", "backend z from named", "defaults", "defaults x y", "defaults named", "defaults named from named", "defaults n2 from nowhere", "defaults from named", "defaults a/b", "defaults a/b\nbackend z from a/b", "defaults named\nbackend z from named", "frontnd z", "fronted z\n bind :1", "[web]", "resolvers", "resolvers r\n nameserver", "resolvers r\n nameserver a", "resolvers r\n nameserver a 127.0.0.1:53", "resolvers r\n nameserver a 127.0.0.1", "resolvers r\n hold foo 5s", "resolvers r\n hold valid x", "resolvers r\n hold valid 5s", "resolvers r\n timeout resolve 5s", "resolvers r\n timeout foo 5s", "resolvers r\n timeout retry", "resolvers r\n resolve_retries x", "resolvers r\n resolve_retries", "resolvers r\n foo", "resolvers r\n accepted_payload_size 10", "resolvers r\n accepted_payload_size 4096", "resolvers dns", "resolvers r\n parse-resolv-conf", "resolvers r/x", "peers", "peers p", "peers p\n peer a", "peers p\n peer a 127.0.0.1", "peers p\n peer a 127.0.0.1:1024", "peers p\n foo", "peers p/q", "peers p\npeers p", "userlist", "userlist u", "userlist u\nuserlist u", "userlist u\n user", "userlist u\n user a", "userlist u\n user a password x", "userlist u\n user a insecure-password x groups g", "userlist u\n user a foo x", "userlist u\n group g", "userlist u\n group g users a", "userlist u\n group g users a\n user a insecure-password x", "userlist u\n foo", "mailers", "mailers m\n mailer a 127.0.0.1:25", "mailers m\n mailer a", "mailers m\n foo", "mailers m\n timeout mail 5s", "mailers m\n timeout mail x", "cache", "cache c", "cache c\n total-max-size 4", "cache c\n total-max-size x", "cache c\n foo 1", "cache c\n max-age 60\n total-max-size 1", "program", "http-errors", "http-errors e", "ring", "ring r\n size 32768", "ring r\n format foo", "ring r\n foo", "log-forward", "log-forward l", "log-forward l\n dgram-bind 127.0.0.1:5140\n log global", "fcgi-app", "fcgi-app a", "fcgi-app a\n docroot /x", "fcgi-app a\n foo", "crt-store x", "traces", "global", "global x", "global\n maxconn 5", "frontend z", "backend z", "backend \"z y\"", "backend z.y:x_1-2", "backend zü", "listen z\n bind 127.0.0.1:84\n balance uri", "listen z\n mode tcp\n bind 127.0.0.1:84\n balance uri\n server a 127.0.0.1:1", "frontend z\n mode tcp\n bind 127.0.0.1:84\n default_backend b0", "backend z\n mode tcp\n cookie S insert\n server a 127.0.0.1:1 cookie a", "backend z\n mode tcp\n http-request deny", "backend z\n mode tcp\n option httpchk\n server a 127.0.0.1:1 check", "backend z\n mode tcp\n server a 127.0.0.1:1 cookie x", "backend z\n mode tcp\n stick on hdr(x) table t0", "backend z\n mode tcp\n http-reuse always", "backend z\n server a 127.0.0.1:1\n server a 127.0.0.1:2", "backend z\n balance hash path\n mode tcp\n server a 127.0.0.1:1", "backend z\n server a 127.0.0.1:1 id 3\n server b 127.0.0.1:2 id 3", "backend z\n id 5\nbackend y\n id 5", "listen z\n bind 127.0.0.1:84\n use_backend z if TRUE", "listen z\n bind 127.0.0.1:84\n default_backend b0\n server a 127.0.0.1:1", "listen z\n bind 127.0.0.1:84\n server-template a 3 127.0.0.1:1\n server a2 127.0.0.1:2", "backend z\n\tserver\ta\t127.0.0.1:1", "backend z\r\n server a 127.0.0.1:1\r", "backend z # comment\n server a 127.0.0.1:1 # check foo", "backend z\n server a 127.0.0.1:1 check \\\n  inter 5s",
        ".if 1\nbackend z\n.endif", ".if 0\nfoo\n.endif", ".if 1\nfoo\n.endif", ".if 0\n.else\nfoo\n.endif", ".if 1\n.else\nfoo\n.endif", ".if 1", ".if", ".if\n.endif", ".if foo\n.endif", ".if foo(\n.endif", ".if foo(x)\n.endif", ".if defined(X)\n.endif", ".if streq(a,a)\nfoo\n.endif", ".if streq(a,b)\nfoo\n.endif", ".if strneq(a,b)\nfoo\n.endif", ".if !1\nfoo\n.endif", ".if version_atleast(2.0)\nfoo\n.endif", ".if version_before(2.0)\nfoo\n.endif", ".if 1\n.elif 1\nfoo\n.endif", ".if 0\n.elif 1\nfoo\n.endif", ".if 0\n.elif 0\n.else\nfoo\n.endif", ".if 0\n.if 1\nfoo\n.endif\n.endif", ".if 1\n.if 0\n.else\nfoo\n.endif\n.endif", ".if 0\n.else\n.else\n.endif", ".if 0\n.else\n.elif 1\n.endif", ".endif", ".else", ".if 1 x\n.endif", ".if 1 && 0\nfoo\n.endif", ".if 1 || 0\nfoo\n.endif", ".if (0)\nfoo\n.endif", ".if true\nfoo\n.endif", ".if 5\nfoo\n.endif", ".if -1\nfoo\n.endif", ".if strstr(abc,b)\nfoo\n.endif", ".if feature(OPENSSL)\n.endif", ".if 0\n\"unclosed\n.endif", ".if 0\n.alert x\n.endif", ".if 0 && 1\nfoo\n.endif", ".if !streq(a,b)\nfoo\n.endif", ".endif x",
    ]),
];

/// Lines that are tried one by one.
pub fn odd_lines() -> usize {
    [GLOBAL, DEFAULTS, FRONTEND, BACKEND].iter().map(|lines| lines.len()).sum::<usize>() + ODD.iter().map(|(_, lines)| lines.len()).sum::<usize>()
}

/// Line `number` of all, and the section that it goes into.
fn odd_line(mut number: usize) -> (char, &'static str) {
    let good = [('g', GLOBAL), ('d', DEFAULTS), ('f', FRONTEND), ('b', BACKEND)];
    for (section, lines) in ODD.iter().copied().chain(good) {
        match lines.get(number) {
            Some(line) => return (section, line),
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
    let mut defaults = vec!["mode http".to_owned(), "timeout client 10s".into(), "timeout connect 1s".into(), "timeout server 10s".into()];
    defaults.extend(some(&mut dice, DEFAULTS));
    let mut frontend = vec!["bind 127.0.0.1:8080".to_owned()];
    frontend.extend(some(&mut dice, FRONTEND));
    frontend.push("default_backend b0".into());
    let mut backend = some(&mut dice, BACKEND);
    backend.push("server s0 127.0.0.1:9000 check".into());
    let mut last = String::new();
    let mut broken = String::new();
    if let Some((section, line)) = odd.map(odd_line) {
        broken = line.to_owned();
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
