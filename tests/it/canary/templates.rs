//! The corpus: every directive and field that carries secrets, by balancer, plain and in odd spots.

use super::{Language, Template};

pub fn of(kind: &str) -> Language {
    match kind {
        "haproxy" => Language { skeletons: &[(HAPROXY, HAPROXY_SECRETS)], comment: Some("# "), breaks: &["    acl x path \"never closed\n", "    no such { keyword 'x\n", "\u{1}\u{2}\n"] },
        "nginx" => Language { skeletons: &[(NGINX, NGINX_SECRETS)], comment: Some("# "), breaks: &["set $x \"never closed;\n", "}}\n", "location / {\n", "add_header X 'it;\n"] },
        "envoy" => Language { skeletons: &[(ENVOY, ENVOY_SECRETS), (ENVOY_JSON, ENVOY_JSON_SECRETS)], comment: None, breaks: &["  bad: [never closed\n", "\tx: y\n", "}}\n", "\"never closed\n"] },
        "traefik" => Language { skeletons: &[(TRAEFIK, TRAEFIK_SECRETS), (TRAEFIK_TOML, TRAEFIK_TOML_SECRETS)], comment: Some("# "), breaks: &["  bad: [never closed\n", "= = =\n", "\"never closed\n"] },
        _ => Language { skeletons: &[(CADDYFILE, CADDYFILE_SECRETS), (CADDY_JSON, CADDY_JSON_SECRETS)], comment: None, breaks: &["}\n}\n", "\"never closed\n", "{ {\n"] },
    }
}

const HAPROXY: &str = "\
global
    log /dev/log local0
    maxconn 4000
    %g
userlist people
    group g1
    %u
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend fe
    bind :8080
    acl is_api path_beg /api
    %f
    use_backend be if is_api
    default_backend be
backend be
    balance roundrobin
    cookie SRV insert indirect nocache
    %b
    server a 10.0.0.1:80 check weight 10 cookie a1
    server b 10.0.0.2:80 check weight 10 cookie b1
listen stats
    bind :8404
    stats enable
    %s
    stats uri /stats
";

const HAPROXY_SECRETS: &[Template] = &[
    ('u', "user mk password «$5$saltsalt$@b@»"),
    ('u', "user jl insecure-password «@l@» groups g1"),
    ('u', "user ro groups g1 insecure-password \"«two words @s@»\""),
    ('s', "stats auth admin:«@p@»"),
    ('s', "stats auth \"ops:«@s@ x»\""),
    ('g', "setenv DB_URL «@l@»"),
    ('g', "presetenv TOKEN '«@p@»'"),
    ('g', "cluster-secret «@l@»"),
    ('g', "lua-load /etc/haproxy/auth.lua «@p@»"),
    ('b', "dynamic-cookie-key «@l@»"),
    ('b', "http-request set-header Authorization \"Basic «@b@»\""),
    ('b', "http-request set-header X-Api-Key «@l@» if { path_beg /v1 }"),
    ('b', "http-response add-header Set-Cookie \"«sid=@p@; Path=/»\""),
    ('b', "http-request replace-header Authorization (.*) Bearer\\ «@p@»"),
    ('b', "http-check send meth GET uri /health hdr Host a.example hdr X-Auth-Token «@l@»"),
    ('b', "option httpchk GET /health HTTP/1.1\\r\\nHost:\\ a.example\\r\\nAuthorization:\\ Basic\\ «@b@»\\r\\nAccept:\\ any"),
    ('b', "tcp-check send AUTH\\ «@l@»\\r\\n"),
    ('b', "tcp-check send \"LOGIN mk «@s@\\x21»\\r\\n\""),
    ('b', "http-check send body \"{\\\"user\\\":\\\"mk\\\",\\\"password\\\":\\\"«@l@»\\\"}\""),
    ('f', "http-request deny unless { req.hdr(x-api-key) -m str «@l@» }"),
    ('f', "acl known url_param(token) -m str «@l@»"),
    ('f', "acl bearer hdr(authorization) -m beg \"Bearer «@p@»\""),
    ('f', "http-request set-header X-Sig %[path,hmac(sha256,«@b@»),hex]"),
    ('f', "http-request set-var(txn.ok) req.hdr(x),jwt_verify(txn.alg,\"«@s@»\")"),
    ('f', "http-request set-var(txn.v) str(x),aes_gcm_dec(128,txn.nonce,«@b@»,txn.tag)"),
    ('f', "http-request set-var(txn.api_token) str(«@l@»)"),
    ('f', "http-request lua.check «@l@» if is_api"),
    ('f', "http-request redirect location https://sso.example/?client_secret=«@l@»&page=2 if is_api"),
    ('f', "http-request redirect location https://mk:«@s@»@files.example/ if is_api"),
    ('f', "http-request set-path /hooks/«@b@»/run"),
    ('f', "log-format \"%ci %ST static=«@b@»\""),
    ('g', "# the password was «@t@» until May"),
    ('g', "# db_password = «@l@»"),
    ('g', "## stats auth old:«@l@»  # until May"),
    ('g', "# -----BEGIN EC PRIVATE KEY-----«\n# MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtL\n# @b@\n# »-----END EC PRIVATE KEY-----"),
    ('g', "# https://hooks.slack.com/services/«T0000/B0000/@b@»"),
    ('g', "# token: «ghp_@b@»"),
    ('s', "stats auth\tro:«@l@»\t# for the screens"),
];

const NGINX: &str = "\
user www-data;
worker_processes 2;
%m
events { worker_connections 1024; }
http {
    %h
    upstream app {
        zone app 64k;
        server 10.0.0.1:80 weight=5 max_fails=2;
        server 10.0.0.2:80 backup;
    }
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    map $http_x_api_key $client {
        default \"\";
        %k
    }
    map $host $upstream_token {
        default \"\";
        %v
    }
    server {
        listen 80;
        server_name www.example.com;
        %s
        location / {
            %l
            proxy_set_header Host $host;
            proxy_pass http://app;
        }
    }
}
";

const NGINX_SECRETS: &[Template] = &[
    ('m', "env DB_PASSWORD=«@l@»;"),
    ('m', "env \"API=«@s@»\";"),
    ('k', "\"«@l@»\" client_a;"),
    ('k', "«@p@» client_b;"),
    ('k', "~^«@l@»$ client_c;"),
    ('v', "www.example.com \"«@l@»\";"),
    ('v', "api.example.com «@p@»;"),
    ('l', "proxy_set_header Authorization \"Basic «@b@»\";"),
    ('l', "proxy_set_header X-Api-Key «@l@»;"),
    ('l', "proxy_set_header Cookie \"«sid=@l@; $http_cookie»\";"),
    ('l', "proxy_set_header\n    X-Auth-Token\n    '«@l@»'\n    ;"),
    ('l', "add_header Set-Cookie \"«sid=@p@; Path=/; HttpOnly»\" always;"),
    ('l', "grpc_set_header authorization \"Bearer «@p@»\";"),
    ('l', "fastcgi_param DB_PASS \"«@l@»\";"),
    ('l', "uwsgi_param HTTP_X_API_KEY «@l@»;"),
    ('l', "more_set_input_headers 'Authorization: Bearer «@l@»';"),
    ('l', "proxy_pass http://mk:«@s@»@files.example;"),
    ('l', "return 302 \"https://sso.example/?client_secret=«@l@»&x=$arg_x\";"),
    ('l', "set $api_token \"«@l@»\";"),
    ('l', "set $password «@s@»;"),
    ('l', "secure_link_md5 \"$secure_link_expires$uri$remote_addr «@l@»\";"),
    ('s', "secure_link_secret «@l@»;"),
    ('s', "ssl_certificate_key \"data:-----BEGIN PRIVATE KEY-----«\n@b@\n»-----END PRIVATE KEY-----\";"),
    ('s', "if ($http_authorization != \"Bearer «@l@»\") { return 403; }"),
    ('s', "if ($arg_token = «@l@») { set $ok 1; }"),
    ('s', "auth_jwt_key \"«@h@»\";"),
    ('s', "encrypted_session_key «@l@»;"),
    ('s', "location = /lua { content_by_lua_block { «local db = connect(\"app\", \"@l@\") if db then ngx.say(\"} {\") end» } }"),
    ('s', "access_by_lua_block {\n    «local keys = { a = \"@p@\" }\n    -- it's } here\n    return keys»\n}"),
    ('s', "access_by_lua '«return ngx.var.arg_k == \"@l@\"»';"),
    ('h', "perl_set $sig '«sub { return \"@l@\"; }»';"),
    ('h', "log_format x '$remote_addr static=«@b@»';"),
    ('h', "# set $old_password \"«@l@»\";"),
    ('h', "# proxy_set_header Authorization \"Basic «@b@»\"; # old"),
    ('h', "# the password is «@t@»"),
    ('h', "# api_key: «@s@»"),
    ('h', "# wget --password «@l@» https://x.example/"),
    ('s', "oidc_provider x { client_id app; client_secret \"«@l@»\"; }"),
    ('l', "set $dsn \"app:«@p@»@tcp(db.example:3306)/shop\";"),
    ('h', "otel_exporter { endpoint otel.example:4317; header X-Api-Key \"«@l@»\"; }"),
];

const ENVOY: &str = "\
node: { id: edge, cluster: edge }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
static_resources:
  secrets:
  - name: validation
    validation_context: { trusted_ca: { filename: /etc/ca.pem } }
  %s
  listeners:
  - name: web
    address: { socket_address: { address: 0.0.0.0, port_value: 8080 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          stat_prefix: web
          route_config:
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes:
              - match: { prefix: \"/\" }
                route: { cluster: app }
              %r
          http_filters:
          %f
          - name: envoy.filters.http.router
  clusters:
  - name: app
    connect_timeout: 1s
    lb_policy: LEAST_REQUEST
  %c
";

const ENVOY_SECRETS: &[Template] = &[
    ('s', "- name: cert\n  tls_certificate:\n    certificate_chain: { filename: /etc/cert.pem }\n    private_key:\n      inline_string: |\n        -----BEGIN PRIVATE KEY-----«\n        @b@\n        »-----END PRIVATE KEY-----"),
    ('s', "- name: oauth\n  generic_secret: { secret: { inline_string: \"«@l@»\" } }"),
    ('s', "- name: hmac\n  generic_secret:\n    secret:\n      inline_bytes: «@b@»"),
    ('s', "- { name: tickets, session_ticket_keys: { keys: [ { inline_bytes: '«@b@»' } ] } }"),
    ('s', "- name: pw\n  tls_certificate: { private_key: { filename: /etc/key.pem }, password: { inline_string: «@l@» } }"),
    ('f', "- name: envoy.filters.http.lua\n  typed_config:\n    default_source_code:\n      inline_string: |\n        «function envoy_on_request(handle)\n          handle:headers():add(\"x-k\", \"@l@\")\n        end»"),
    ('f', "- name: envoy.filters.http.lua\n  typed_config:\n    inline_code: \"«local k = '@l@'»\""),
    ('f', "- name: envoy.filters.http.basic_auth\n  typed_config:\n    users:\n      inline_string: |-\n        «mk:{SHA}@b@=\n        jl:{SHA}t7fSbBVnrJbmAkGZfhRqA1zJkVU=»"),
    ('f', "- name: envoy.filters.http.oauth2\n  typed_config: { config: { credentials: { client_id: app, token_secret: { name: t }, client_secret: «@l@» } } }"),
    ('f', "- name: envoy.filters.http.wasm\n  typed_config:\n    config:\n      vm_config: { runtime: envoy.wasm.runtime.v8, code: { local: { filename: /x.wasm } } }\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.StringValue\n        value: '«{\"k\": \"@l@\"}»'"),
    ('f', "- name: envoy.filters.http.jwt_authn\n  typed_config:\n    providers:\n      p: { issuer: x, local_jwks: { inline_string: '«{\"keys\":[{\"kty\":\"oct\",\"k\":\"@b@\"}]}»' } }"),
    ('f', "- name: envoy.filters.http.api_key_auth\n  typed_config:\n    credentials:\n    - key: «@l@»\n      client: one"),
    ('r', "- match: { prefix: /a }\n  route: { cluster: app }\n  request_headers_to_add:\n  - header: { key: authorization, value: \"Bearer «@l@»\" }"),
    ('r', "- match: { prefix: /b }\n  route: { cluster: app }\n  request_headers_to_add:\n  - header:\n      key: x-api-key\n      value: «@s@»\n    append_action: OVERWRITE_IF_EXISTS_OR_ADD"),
    ('r', "- match:\n    prefix: /c\n    headers:\n    - name: x-auth-token\n      string_match: { exact: \"«@l@»\" }\n  route: { cluster: app }"),
    ('r', "- match: { prefix: /d, query_parameters: [ { name: access_token, string_match: { exact: «@l@» } } ] }\n  route: { cluster: app }"),
    ('r', "- match: { prefix: /e }\n  redirect: { path_redirect: \"/login?client_secret=«@l@»\" }"),
    ('r', "- match: { prefix: /f }\n  response_headers_to_add:\n  - { header: { key: Set-Cookie, value: '«sid=@p@; Path=/»' } }"),
    ('c', "- name: redis\n  typed_extension_protocol_options:\n    envoy.filters.network.redis_proxy:\n      auth_password: { inline_string: \"«@s@»\" }"),
    ('c', "- name: grpc\n  health_checks:\n  - http_health_check:\n      path: /health\n      request_headers_to_add: [ { header: { key: X-Api-Key, value: «@l@» } } ]"),
    ('c', "- name: google\n  grpc_service:\n    google_grpc:\n      call_credentials: [ { access_token: «@l@» } ]"),
    ('c', "- name: google2\n  grpc_service:\n    initial_metadata:\n    - key: x-goog-api-key\n      value: >-\n        «@l@»"),
    ('c', "- name: aws\n  credential_provider:\n    inline_credential:\n      access_key_id: app\n      secret_access_key: \"«@b@»\""),
    ('c', "- name: meta\n  metadata: { filter_metadata: { app: { password: «@l@» } } }"),
    ('c', "- name: folded\n  metadata:\n    filter_metadata:\n      app:\n        api_key: \"«@l@\n          rest of it»\""),
    ('c', "- name: commented\n  # password: «@l@»\n  connect_timeout: 1s"),
    ('c', "# - name: old\n#   request_headers_to_add:\n#   - header: { key: authorization, value: \"Basic «@l@»\" }"),
    ('c', "- name: anchored\n  metadata: { filter_metadata: { app: { token: &t «@l@», again: { token: *t } } } }"),
    ('c', "- name: chance\n  metadata: { filter_metadata: { app: { license: «@b@» } } }"),
];

const ENVOY_JSON: &str = "\
{
  \"static_resources\": {
    \"clusters\": [
      %c
      { \"name\": \"app\", \"connect_timeout\": \"1s\", \"lb_policy\": \"RING_HASH\" }
    ]
  }
}
";

const ENVOY_JSON_SECRETS: &[Template] = &[
    ('c', "{ \"name\": \"a\", \"metadata\": { \"filterMetadata\": { \"x\": { \"clientSecret\": \"«@l@»\" } } } },"),
    ('c', "{ \"name\": \"b\", \"transportSocket\": { \"typedConfig\": { \"privateKey\": { \"inlineString\": \"-----BEGIN PRIVATE KEY-----«\\n@b@\\n»-----END PRIVATE KEY-----\\n\" } } } },"),
    ('c', "{ \"name\": \"c\", \"requestHeadersToAdd\": [ { \"header\": { \"key\": \"Authorization\", \"value\": \"Bearer «@s@»\" } } ] },"),
    ('c', "{ \"name\": \"d\", \"secret\": { \"inlineBytes\": \"«@b@»\" } },"),
    ('c', "{ \"name\": \"e\",\n  \"password\":\n    \"«@l@\\\" x»\" },"),
    ('c', "{ \"name\": \"f\", \"inlineCode\": \"«local k = \\\"@l@\\\"»\" },"),
    ('c', "{ \"name\": \"g\", \"configuration\": \"{\\\"api_key\\\": \\\"«@l@»\\\"}\" },"),
    ('c', "{ \"name\": \"h\", \"authPassword\": { \"inlineString\": \"«\\u0040@l@»\" } },"),
];

const TRAEFIK: &str = "\
http:
  routers:
    app: { rule: \"PathPrefix(`/`)\", service: app, entryPoints: [web] }
  services:
    app:
      loadBalancer:
        sticky: { cookie: { name: SRV, httpOnly: true } }
        servers: [ { url: \"http://10.0.0.1:80\" }, { url: \"http://10.0.0.2:80\" } ]
        healthCheck:
          path: /health
          headers:
            Host: app.example.com
            %k
  middlewares:
    limit: { rateLimit: { average: 100 } }
    %m
tls:
  certificates:
  - certFile: /etc/cert.pem
    keyFile: /etc/key.pem
  %t
providers:
  file: { filename: /etc/dyn.yml }
  %p
";

const TRAEFIK_SECRETS: &[Template] = &[
    ('k', "Authorization: Basic «@b@»"),
    ('k', "X-Api-Key: \"«@l@»\""),
    ('m', "auth1: { basicAuth: { users: [ \"mk:«$apr1$saltsalt$@p@»\" ] } }"),
    ('m', "auth2:\n  basicAuth:\n    users:\n    - mk:«$2y$05$@b@»\n    realm: x"),
    ('m', "auth3:\n  digestAuth:\n    users:\n    - 'mk:traefik:«@h@»'"),
    ('m', "head1: { headers: { customRequestHeaders: { X-Auth-Token: \"«@l@»\", X-Script-Name: app } } }"),
    ('m', "head2:\n  headers:\n    customResponseHeaders:\n      Set-Cookie: «sid=@p@»"),
    ('m', "head3:\n  headers:\n    customRequestHeaders:\n      Authorization: |\n        Bearer «@l@»"),
    ('m', "plug1: { plugin: { auth: { clientSecret: «@s@», sessionName: x } } }"),
    ('m', "plug2:\n  plugin:\n    jwt:\n      secret: '«@l@''s»'"),
    ('m', "redirect1: { redirectRegex: { regex: \"^/(.*)\", replacement: \"https://mk:«@p@»@x.example/$1\" } }"),
    ('t', "- certFile: /etc/b.pem\n  keyFile: |-\n    -----BEGIN RSA PRIVATE KEY-----«\n    @b@\n    »-----END RSA PRIVATE KEY-----"),
    ('p', "redis: { endpoints: [ \"10.0.0.3:6379\" ], username: app, password: «@l@» }"),
    ('p', "consul:\n  token: \"«@l@»\""),
    ('p', "nomad: { endpoint: { address: http://10.0.0.4, token: «@h@» } }"),
];

const TRAEFIK_TOML: &str = "\
[http.routers.app]
rule = \"PathPrefix(`/`)\"
service = \"app\"
[http.services.app.loadBalancer]
servers = [ { url = \"http://10.0.0.1:80\" } ]
%m
%p
";

const TRAEFIK_TOML_SECRETS: &[Template] = &[
    ('m', "[http.middlewares.a.basicAuth]\nusers = [\n  \"mk:«$apr1$saltsalt$@p@»\",\n]"),
    ('m', "[http.middlewares.b.headers.customRequestHeaders]\nX-Api-Key = \"«@l@»\""),
    ('m', "[http.middlewares.c.headers.customRequestHeaders]\nAuthorization = 'Basic «@b@»'"),
    ('m', "[http.middlewares.d.plugin.auth]\nclientSecret = \"\"\"\n«@l@\nmore of it»\"\"\""),
    ('p', "[providers.redis]\nendpoints = [\"10.0.0.3:6379\"]\npassword = \"«@s@»\""),
    ('p', "[providers.consul]\ntoken = '«@l@»'"),
    ('p', "[certificatesResolvers.x.acme.eab]\nkid = \"k1\"\nhmacEncoded = \"«@l@»\""),
    ('p', "# providers.etcd.password = \"«@l@»\""),
    ('p', "[tracing.otlp.http.headers]\nAuthorization = \"Bearer «@l@»\""),
    ('p', "[hub]\ntoken = \"«@h@\\u0041»\""),
];

const CADDYFILE: &str = "\
{
\tadmin 127.0.0.1:2019
\temail ops@example.com
\t%g
}
www.example.com {
\tencode gzip
\t%s
\treverse_proxy 10.0.0.1:80 10.0.0.2:80 {
\t\tlb_policy least_conn
\t\thealth_uri /health
\t\t%r
\t}
}
";

const CADDYFILE_SECRETS: &[Template] = &[
    ('g', "acme_dns cloudflare «@l@»"),
    ('g', "acme_eab {\n\tkey_id k1\n\tmac_key «@l@»\n}"),
    ('g', "storage redis {\n\thost 10.0.0.3\n\tpassword \"«@s@ x»\"\n}"),
    ('s', "basic_auth {\n\tmk «$2a$14$@b@»\n}"),
    ('s', "basicauth /admin/* {\n\tmk «@l@»\n}"),
    ('s', "tls {\n\tdns route53 {\n\t\tsecret_access_key `«@b@»`\n\t}\n}"),
    ('s', "tls {\n\tdns digitalocean «@l@»\n}"),
    ('s', "header Set-Cookie \"«sid=@p@; Path=/»\""),
    ('s', "@known header X-Api-Key «@l@»"),
    ('s', "request_header +Authorization \"Bearer «@l@»\""),
    ('s', "header {\n\tX-Auth-Token «@l@»\n}"),
    ('s', "redir https://sso.example/?client_secret=«@l@»&x=1"),
    ('s', "php_fastcgi 10.0.0.5:9000 {\n\tenv DB_PASSWORD «@l@»\n}"),
    ('s', "vars api_token «@l@»"),
    ('s', "respond /x \"{$API_KEY:«@b@»}\""),
    ('r', "header_up Authorization \"Basic «@b@»\""),
    ('r', "header_up X-Api-Key «@l@»"),
    ('r', "lb_policy cookie srv «@l@»"),
    ('r', "health_headers {\n\tX-Api-Key «@l@»\n}"),
    ('r', "# header_up X-Api-Key «@l@»"),
    ('s', "# the token was «@t@» before"),
    ('s', "reverse_proxy /b https://mk:«@s@»@b.example"),
];

const CADDY_JSON: &str = "\
{
  \"admin\": { \"listen\": \"127.0.0.1:2019\" },
  \"apps\": {
    \"http\": { \"servers\": { \"srv0\": { \"listen\": [\":443\"], \"routes\": [
      %r
      { \"handle\": [ { \"handler\": \"reverse_proxy\", \"upstreams\": [ { \"dial\": \"10.0.0.1:80\" } ] } ] }
    ] } } },
    \"tls\": { \"automation\": { \"policies\": [
      %t
      { \"subjects\": [\"www.example.com\"] }
    ] } }
  }
}
";

const CADDY_JSON_SECRETS: &[Template] = &[
    ('r', "{ \"handle\": [ { \"handler\": \"reverse_proxy\", \"load_balancing\": { \"selection_policy\": { \"policy\": \"cookie\", \"name\": \"srv\", \"secret\": \"«@l@»\" } } } ] },"),
    ('r', "{ \"handle\": [ { \"handler\": \"reverse_proxy\", \"headers\": { \"request\": { \"set\": { \"Authorization\": [\"Basic «@b@»\"] } } } } ] },"),
    ('r', "{ \"handle\": [ { \"handler\": \"headers\", \"response\": { \"add\": { \"Set-Cookie\": [ \"«sid=@p@; Path=/»\" ] } } } ] },"),
    ('r', "{ \"handle\": [ { \"handler\": \"authentication\", \"providers\": { \"http_basic\": { \"accounts\": [ { \"username\": \"mk\", \"password\": \"«$2a$14$@b@»\" } ] } } } ] },"),
    ('r', "{ \"match\": [ { \"header\": { \"X-Api-Key\": [ \"«@l@»\" ] } } ] },"),
    ('r', "{ \"match\": [ { \"query\": { \"token\": [\"«@l@»\"] } } ] },"),
    ('r', "{ \"handle\": [ { \"handler\": \"static_response\", \"headers\": { \"Location\": [\"https://mk:«@p@»@x.example/\"] } } ] },"),
    ('t', "{ \"issuers\": [ { \"module\": \"acme\", \"challenges\": { \"dns\": { \"provider\": { \"name\": \"cloudflare\", \"api_token\": \"«@l@»\" } } } } ] },"),
    ('t', "{ \"issuers\": [ { \"module\": \"acme\", \"external_account\": { \"key_id\": \"k\", \"mac_key\": \"«@s@»\" } } ] },"),
    ('t', "{ \"issuers\": [ { \"module\": \"zerossl\", \"api_key\": \"«@h@»\" } ] },"),
];
