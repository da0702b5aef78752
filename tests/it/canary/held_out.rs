//! The held-out set: other shapes, names and spots than those of `templates`. Do not add a name to the redaction for one
//! of them; write a new one instead.

use super::{Language, Template};

pub fn of(kind: &str) -> Language {
    let (skeletons, comment): (&'static [(&'static str, &'static [Template])], _) = match kind {
        "haproxy" => (&[(HAPROXY, HAPROXY_SECRETS)], Some("#")),
        "nginx" => (&[(NGINX, NGINX_SECRETS)], Some("#")),
        "envoy" => (&[(ENVOY, ENVOY_SECRETS)], None),
        "traefik" => (&[(TRAEFIK, TRAEFIK_SECRETS)], Some("#")),
        _ => (&[(CADDY, CADDY_SECRETS)], None),
    };
    Language { skeletons, comment, breaks: &["\u{fffd}\u{fffd} ???\n"] }
}

const HAPROXY: &str = "\
global
  %g
defaults
  mode http
frontend web
  bind :80
  %f
backend pool
  server s1 192.0.2.1:8080
";

const HAPROXY_SECRETS: &[Template] = &[
    ('g', "setenv GITHUB_PAT \"«@p@»\""),
    ('g', "# old line: user root insecure-password «@l@»"),
    ('g', "# curl -H \"Authorization: Bearer «@p@»\" https://api.example.org/"),
    ('g', "# export PGPASSWORD=«@l@»"),
    ('f', "http-request set-header Proxy-Authorization 'Basic «@b@»' unless { src 10.0.0.0/8 }"),
    ('f', "http-request add-header X-Gitlab-Token \"«@s@»\""),
    ('f', "http-request set-header X-Amz-Security-Token «@b@»"),
    ('f', "http-request return status 200 content-type application/json string '{\"access_token\":\"«@p@»\"}' if { path /t }"),
    ('f', "http-request set-uri https://svc:«@p@»@[2001:db8::1]:8443/x"),
    ('f', "http-request deny if !{ http_auth_bearer -m str «@p@» }"),
    ('f', "http-request set-var(req.k) path,aes_cbc_enc(256,req.iv,«@b@»)"),
    ('f', "stats auth grafana:«@t@»"),
    ('f', "http-request set-header X-Webhook-Secret \"«@l@»\""),
];

const NGINX: &str = "\
http {
  %h
  server {
    listen 443 ssl;
    %s
  }
}
";

const NGINX_SECRETS: &[Template] = &[
    ('h', "map $cookie_admin_token $is_admin { default 0; '«@p@»' 1; }"),
    ('h', "map \"$http_authorization\" $who { default -; \"Basic «@b@»\" mk; }"),
    ('h', "init_by_lua_block { «config = { dsn = [[postgres://u:@p@@db/x]] }» }"),
    ('s', "location /a { proxy_set_header X-Vault-Token «@p@»; }"),
    ('s', "location /b { scgi_param SMTP_PASSWORD '«@s@»'; }"),
    ('s', "location /c { set $stripe_key «sk_live_@b@»; }"),
    ('s', "location /d { proxy_set_header Authorization $scheme_x; set $jwt_secret '«@l@»'; }"),
    ('s', "location /e { add_header X-Shared-Secret \"«@l@»\"; }"),
    ('s', "location /f { if ($http_x_gitlab_token !~ \"^«@p@»$\") { return 401; } }"),
    ('s', "location /g { rewrite ^ /z?sig=«@h@»&v=1 break; }"),
    ('s', "location /h { proxy_pass https://api.example.org/v1/?key=«@p@»; }"),
    ('s', "# basic auth for staging: mk:«$apr1$abcdefgh$@p@»"),
];

const ENVOY: &str = "\
static_resources:
  clusters:
  - name: one
    type: STATIC
  %c
";

const ENVOY_SECRETS: &[Template] = &[
    ('c', "- name: a\n  typed_config:\n    generic_secret:\n      secret: {\"inline_string\": '«@p@»'}"),
    (
        'c',
        "- {\"name\": \"b\", \"http_health_check\": {\"request_headers_to_add\": [{\"header\": {\"key\": \"x-vault-token\", \"value\": \"«@p@»\"}}]}}",
    ),
    ('c', "- name: c\n  tracing: { datadog_agent: { api_key: \"«@h@»\" } }"),
    ('c', "- name: d\n  lightstep: { access_token: { inline_string: «@l@» } }"),
    ('c', "- name: e\n  sts_service: { subject_token: \"«@p@»\", token_exchange_service_uri: https://x.example }"),
    ('c', "- name: f\n  mongo: { uri: \"mongodb://app:«@p@»@10.0.0.9:27017/x\" }"),
    ('c', "- name: g\n  rate_limited_as: { descriptor: { key: authorization, value: «@l@» } }"),
    ('c', "- name: h\n  source_codes: { hello.lua: { inline_string: \"«k = '@l@'»\" } }"),
    ('c', "- name: i\n  environment_variables: { key_values: { APP_SECRET: «@l@» } }"),
    ('c', "- name: j\n  hmac_secret:\n    inline_bytes: |\n      «@b@»"),
];

const TRAEFIK: &str = "\
entryPoints:
  web: { address: \":80\" }
%p
http:
  middlewares:
    %m
";

const TRAEFIK_SECRETS: &[Template] = &[
    ('p', "pilot:\n  token: «@p@»"),
    ('p', "certificatesResolvers: { le: { acme: { eab: { kid: k, hmacEncoded: \"«@p@»\" } } } }"),
    ('p', "environment:\n- CF_DNS_API_TOKEN=«@p@»"),
    ('p', "command: --providers.consul.token=«@l@» --ping"),
    ('p', "metrics: { influxDB2: { address: http://x, token: '«@b@»', org: o } }"),
    ('m', "a:\n  headers:\n    customRequestHeaders:\n      X-Forwarded-Secret: \"«@l@»\""),
    ('m', "b: { forwardAuth: { address: \"https://x:«@p@»@auth.example/verify\" } }"),
    ('m', "c: { plugin: { oidc: { client_secret: \"«@p@»\", provider_url: https://x } } }"),
    ('m', "d:\n  basicAuth: { users: [ mk:«{SHA}@b@=» ] }"),
    ('m', "e: { headers: { customRequestHeaders: { \"Cookie\": \"«a=@p@»\" } } }"),
];

const CADDY: &str = "\
{
\t%g
}
shop.example.com {
\t%s
}
";

const CADDY_SECRETS: &[Template] = &[
    ('g', "acme_dns gandi {\n\tbearer_token «@p@»\n}"),
    ('g', "dynamic_dns {\n\tprovider cloudflare «@p@»\n}"),
    ('g', "# acme_dns hetzner «@b@»"),
    ('s', "reverse_proxy 10.0.0.1:80 {\n\theader_up X-Vault-Token \"«@p@»\"\n}"),
    ('s', "forward_auth 10.0.0.2:80 {\n\theader_up Proxy-Authorization \"Basic «@b@»\"\n}"),
    ('s', "basic_auth * bcrypt \"staff only\" {\n\tjl «$2a$10$@b@»\n}"),
    ('s', "@hook {\n\theader X-Gitlab-Token «@l@»\n}"),
    ('s', "handle /x {\n\trequest_header X-Shared-Secret «@l@»\n}"),
    ('s', "respond /y `{\"token\":\"«@p@»\"}`"),
    ('s', "rewrite * /z?api_key=«@p@»&v=1"),
    ('s', "header >Set-Cookie \"«t=@p@»\""),
];
