//! The corpus in JSON, YAML, TOML and Caddyfiles: Envoy, Traefik and Caddy.

use super::Template;

pub const ENVOY: &str = "\
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

pub const ENVOY_SECRETS: &[Template] = &[
    (
        's',
        "- name: cert\n  tls_certificate:\n    certificate_chain: { filename: /etc/cert.pem }\n    private_key:\n      inline_string: |\n        -----BEGIN PRIVATE KEY-----«\n        @b@\n        »-----END PRIVATE KEY-----",
    ),
    ('s', "- name: oauth\n  generic_secret: { secret: { inline_string: \"«@l@»\" } }"),
    ('s', "- name: hmac\n  generic_secret:\n    secret:\n      inline_bytes: «@b@»"),
    ('s', "- { name: tickets, session_ticket_keys: { keys: [ { inline_bytes: '«@b@»' } ] } }"),
    ('s', "- name: pw\n  tls_certificate: { private_key: { filename: /etc/key.pem }, password: { inline_string: «@l@» } }"),
    (
        'f',
        "- name: envoy.filters.http.lua\n  typed_config:\n    default_source_code:\n      inline_string: |\n        «function envoy_on_request(handle)\n          handle:headers():add(\"x-k\", \"@l@\")\n        end»",
    ),
    ('f', "- name: envoy.filters.http.lua\n  typed_config:\n    inline_code: \"«local k = '@l@'»\""),
    (
        'f',
        "- name: envoy.filters.http.basic_auth\n  typed_config:\n    users:\n      inline_string: |-\n        «mk:{SHA}@b@=\n        jl:{SHA}t7fSbBVnrJbmAkGZfhRqA1zJkVU=»",
    ),
    (
        'f',
        "- name: envoy.filters.http.oauth2\n  typed_config: { config: { credentials: { client_id: app, token_secret: { name: t }, client_secret: «@l@» } } }",
    ),
    (
        'f',
        "- name: envoy.filters.http.wasm\n  typed_config:\n    config:\n      vm_config: { runtime: envoy.wasm.runtime.v8, code: { local: { filename: /x.wasm } } }\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.StringValue\n        value: '«{\"k\": \"@l@\"}»'",
    ),
    (
        'f',
        "- name: envoy.filters.http.jwt_authn\n  typed_config:\n    providers:\n      p: { issuer: x, local_jwks: { inline_string: '«{\"keys\":[{\"kty\":\"oct\",\"k\":\"@b@\"}]}»' } }",
    ),
    ('f', "- name: envoy.filters.http.api_key_auth\n  typed_config:\n    credentials:\n    - key: «@l@»\n      client: one"),
    (
        'r',
        "- match: { prefix: /a }\n  route: { cluster: app }\n  request_headers_to_add:\n  - header: { key: authorization, value: \"Bearer «@l@»\" }",
    ),
    (
        'r',
        "- match: { prefix: /b }\n  route: { cluster: app }\n  request_headers_to_add:\n  - header:\n      key: x-api-key\n      value: «@s@»\n    append_action: OVERWRITE_IF_EXISTS_OR_ADD",
    ),
    (
        'r',
        "- match:\n    prefix: /c\n    headers:\n    - name: x-auth-token\n      string_match: { exact: \"«@l@»\" }\n  route: { cluster: app }",
    ),
    (
        'r',
        "- match: { prefix: /d, query_parameters: [ { name: access_token, string_match: { exact: «@l@» } } ] }\n  route: { cluster: app }",
    ),
    ('r', "- match: { prefix: /e }\n  redirect: { path_redirect: \"/login?client_secret=«@l@»\" }"),
    ('r', "- match: { prefix: /f }\n  response_headers_to_add:\n  - { header: { key: Set-Cookie, value: '«sid=@p@; Path=/»' } }"),
    (
        'c',
        "- name: redis\n  typed_extension_protocol_options:\n    envoy.filters.network.redis_proxy:\n      auth_password: { inline_string: \"«@s@»\" }",
    ),
    (
        'c',
        "- name: grpc\n  health_checks:\n  - http_health_check:\n      path: /health\n      request_headers_to_add: [ { header: { key: X-Api-Key, value: «@l@» } } ]",
    ),
    ('c', "- name: google\n  grpc_service:\n    google_grpc:\n      call_credentials: [ { access_token: «@l@» } ]"),
    ('c', "- name: google2\n  grpc_service:\n    initial_metadata:\n    - key: x-goog-api-key\n      value: >-\n        «@l@»"),
    (
        'c',
        "- name: aws\n  credential_provider:\n    inline_credential:\n      access_key_id: app\n      secret_access_key: \"«@b@»\"",
    ),
    ('c', "- name: meta\n  metadata: { filter_metadata: { app: { password: «@l@» } } }"),
    ('c', "- name: folded\n  metadata:\n    filter_metadata:\n      app:\n        api_key: \"«@l@\n          rest of it»\""),
    ('c', "- name: commented\n  # password: «@l@»\n  connect_timeout: 1s"),
    ('c', "# - name: old\n#   request_headers_to_add:\n#   - header: { key: authorization, value: \"Basic «@l@»\" }"),
    ('c', "- name: anchored\n  metadata: { filter_metadata: { app: { token: &t «@l@», again: { token: *t } } } }"),
    ('c', "- name: chance\n  metadata: { filter_metadata: { app: { license: «@b@» } } }"),
];

pub const ENVOY_JSON: &str = "\
{
  \"static_resources\": {
    \"clusters\": [
      %c
      { \"name\": \"app\", \"connect_timeout\": \"1s\", \"lb_policy\": \"RING_HASH\" }
    ]
  }
}
";

pub const ENVOY_JSON_SECRETS: &[Template] = &[
    ('c', "{ \"name\": \"a\", \"metadata\": { \"filterMetadata\": { \"x\": { \"clientSecret\": \"«@l@»\" } } } },"),
    (
        'c',
        "{ \"name\": \"b\", \"transportSocket\": { \"typedConfig\": { \"privateKey\": { \"inlineString\": \"-----BEGIN PRIVATE KEY-----«\\n@b@\\n»-----END PRIVATE KEY-----\\n\" } } } },",
    ),
    (
        'c',
        "{ \"name\": \"c\", \"requestHeadersToAdd\": [ { \"header\": { \"key\": \"Authorization\", \"value\": \"Bearer «@s@»\" } } ] },",
    ),
    ('c', "{ \"name\": \"d\", \"secret\": { \"inlineBytes\": \"«@b@»\" } },"),
    ('c', "{ \"name\": \"e\",\n  \"password\":\n    \"«@l@\\\" x»\" },"),
    ('c', "{ \"name\": \"f\", \"inlineCode\": \"«local k = \\\"@l@\\\"»\" },"),
    ('c', "{ \"name\": \"g\", \"configuration\": \"{\\\"api_key\\\": \\\"«@l@»\\\"}\" },"),
    ('c', "{ \"name\": \"h\", \"authPassword\": { \"inlineString\": \"«\\u0040@l@»\" } },"),
];

pub const TRAEFIK: &str = "\
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

pub const TRAEFIK_SECRETS: &[Template] = &[
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
    (
        't',
        "- certFile: /etc/b.pem\n  keyFile: |-\n    -----BEGIN RSA PRIVATE KEY-----«\n    @b@\n    »-----END RSA PRIVATE KEY-----",
    ),
    ('p', "redis: { endpoints: [ \"10.0.0.3:6379\" ], username: app, password: «@l@» }"),
    ('p', "consul:\n  token: \"«@l@»\""),
    ('p', "nomad: { endpoint: { address: http://10.0.0.4, token: «@h@» } }"),
];

pub const TRAEFIK_TOML: &str = "\
[http.routers.app]
rule = \"PathPrefix(`/`)\"
service = \"app\"
[http.services.app.loadBalancer]
servers = [ { url = \"http://10.0.0.1:80\" } ]
%m
%p
";

pub const TRAEFIK_TOML_SECRETS: &[Template] = &[
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

pub const CADDYFILE: &str = "\
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

pub const CADDYFILE_SECRETS: &[Template] = &[
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

pub const CADDY_JSON: &str = "\
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

pub const CADDY_JSON_SECRETS: &[Template] = &[
    (
        'r',
        "{ \"handle\": [ { \"handler\": \"reverse_proxy\", \"load_balancing\": { \"selection_policy\": { \"policy\": \"cookie\", \"name\": \"srv\", \"secret\": \"«@l@»\" } } } ] },",
    ),
    (
        'r',
        "{ \"handle\": [ { \"handler\": \"reverse_proxy\", \"headers\": { \"request\": { \"set\": { \"Authorization\": [\"Basic «@b@»\"] } } } } ] },",
    ),
    (
        'r',
        "{ \"handle\": [ { \"handler\": \"headers\", \"response\": { \"add\": { \"Set-Cookie\": [ \"«sid=@p@; Path=/»\" ] } } } ] },",
    ),
    (
        'r',
        "{ \"handle\": [ { \"handler\": \"authentication\", \"providers\": { \"http_basic\": { \"accounts\": [ { \"username\": \"mk\", \"password\": \"«$2a$14$@b@»\" } ] } } } ] },",
    ),
    ('r', "{ \"match\": [ { \"header\": { \"X-Api-Key\": [ \"«@l@»\" ] } } ] },"),
    ('r', "{ \"match\": [ { \"query\": { \"token\": [\"«@l@»\"] } } ] },"),
    (
        'r',
        "{ \"handle\": [ { \"handler\": \"static_response\", \"headers\": { \"Location\": [\"https://mk:«@p@»@x.example/\"] } } ] },",
    ),
    (
        't',
        "{ \"issuers\": [ { \"module\": \"acme\", \"challenges\": { \"dns\": { \"provider\": { \"name\": \"cloudflare\", \"api_token\": \"«@l@»\" } } } } ] },",
    ),
    ('t', "{ \"issuers\": [ { \"module\": \"acme\", \"external_account\": { \"key_id\": \"k\", \"mac_key\": \"«@s@»\" } } ] },"),
    ('t', "{ \"issuers\": [ { \"module\": \"zerossl\", \"api_key\": \"«@h@»\" } ] },"),
];
