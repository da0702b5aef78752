//! The corpus: every directive and field that carries secrets, by balancer, plain and in odd spots.

use super::templates_data::{
    CADDY_JSON, CADDY_JSON_SECRETS, CADDYFILE, CADDYFILE_SECRETS, ENVOY, ENVOY_JSON, ENVOY_JSON_SECRETS, ENVOY_SECRETS, TRAEFIK,
    TRAEFIK_SECRETS, TRAEFIK_TOML, TRAEFIK_TOML_SECRETS,
};
use super::{Language, Template};

pub fn of(kind: &str) -> Language {
    match kind {
        "haproxy" => Language {
            skeletons: &[(HAPROXY, HAPROXY_SECRETS)],
            comment: Some("# "),
            breaks: &["    acl x path \"never closed\n", "    no such { keyword 'x\n", "\u{1}\u{2}\n"],
        },
        "nginx" => Language {
            skeletons: &[(NGINX, NGINX_SECRETS)],
            comment: Some("# "),
            breaks: &["set $x \"never closed;\n", "}}\n", "location / {\n", "add_header X 'it;\n"],
        },
        "envoy" => Language {
            skeletons: &[(ENVOY, ENVOY_SECRETS), (ENVOY_JSON, ENVOY_JSON_SECRETS)],
            comment: None,
            breaks: &["  bad: [never closed\n", "\tx: y\n", "}}\n", "\"never closed\n"],
        },
        "traefik" => Language {
            skeletons: &[(TRAEFIK, TRAEFIK_SECRETS), (TRAEFIK_TOML, TRAEFIK_TOML_SECRETS)],
            comment: Some("# "),
            breaks: &["  bad: [never closed\n", "= = =\n", "\"never closed\n"],
        },
        _ => Language {
            skeletons: &[(CADDYFILE, CADDYFILE_SECRETS), (CADDY_JSON, CADDY_JSON_SECRETS)],
            comment: None,
            breaks: &["}\n}\n", "\"never closed\n", "{ {\n"],
        },
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
