//! Secrets by their place in all five languages: each between `«` and `»`, and nothing else may change.

use super::*;
use crate::domain::balancer::BalancerKind::{Caddy, Envoy, Haproxy, Nginx, Traefik};

const PLANTED: &[(BalancerKind, &str)] = &[
    (Haproxy, "backend b\n  http-request set-header X-Consul-Token «kq3Lm9Zt2Wp»\n"),
    (Haproxy, "backend b\n  http-request set-header apikey \"«wexotrumba»\"\n"),
    (Haproxy, "userlist u\n  user a password «$6$rounds=5000$abcdefgh$JlKBxxHSwRv6JC0D7cV91abcdef»\n"),
    (Haproxy, "backend b\n  option httpchk\n  http-check send hdr Authorization \"Bearer «lumtarvexo»\"\n"),
    (Haproxy, "backend b\n  http-check connect\n  http-check send uri /h?token=«vurtolempa»\n"),
    (Haproxy, "listen s\n  stats auth \"root:«pl ain'ly»\"\n"),
    (Haproxy, "global\n  # vault token: «hvs.CAESIJ1234567890abcdefghij»\n"),
    (Haproxy, "global\n  # AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»\n"),
    (Haproxy, "backend b\n  http-request deny unless { req.hdr(X-Secret) «trovalimuz» }\n"),
    (Haproxy, "backend b\n  acl t req.cook(api_token) -m str «zomrelixat»\n"),
    (Haproxy, "backend b\n  http-request set-var(txn.sig) path,hmac(sha256,«YWJjZGVm»),hex\n"),
    (Haproxy, "program p\n  command consul-template -config /x --vault-token «xurmelopat»\n"),
    (Haproxy, "backend b\n  fcgi-app php\nfcgi-app php\n  set-param DB_PASSWORD «terlumixop»\n"),
    (Haproxy, "global\n  setenv SENTRY_DSN «https://abc@sentry.io/12»\n"),
    (Nginx, "http { server { location / { proxy_set_header X-Internal-Secret «velotrumix»; } } }\n"),
    (Nginx, "http { server { location / { proxy_set_header Authorization 'Token «velotrumix»'; } } }\n"),
    (Nginx, "http { server { location / { fastcgi_param APP_KEY «base64:2fl+Ktvkfl+Fuz4Qp/A75G2RTiWVA/ZoKZvp6fiiM10=»; } } }\n"),
    (Nginx, "http { map $arg_api_key $ok { default 0; «velotrum» 0; «tromulexi» 1; } }\n"),
    (Nginx, "http { server { set $aws_secret_key \"«wJalrXUtnFEMIbPxRfiCY»\"; } }\n"),
    (Nginx, "http { server { if ($cookie_auth_token != «morexulati») { return 403; } } }\n"),
    (Nginx, "http { server { if ($http_x_api_key ~* \"«lomtexuvar»\") { return 403; } } }\n"),
    (Nginx, "http { server { location /s { secure_link_md5 \"«rumtolexa» $secure_link_expires$uri\"; } } }\n"),
    (Nginx, "http { server { content_by_lua_file /x.lua; set_by_lua $k '«return \"rumtolexa\"»'; } }\n"),
    (Nginx, "env VAULT_TOKEN=«rumtolexa»;\n"),
    (
        Nginx,
        "http { server { proxy_ssl_certificate_key \"data:-----BEGIN RSA PRIVATE KEY-----«\nMIIEpAIBAAKCAQEA\n»-----END RSA PRIVATE KEY-----\"; } }\n",
    ),
    (Nginx, "http { proxy_pass_header X; # key=«abcdef123456»\n }\n"),
    (Nginx, "http { server { add_header Set-Cookie \"«session=rumtolexa; Path=/; Secure»\"; } }\n"),
    (Nginx, "mail { auth_http_header X-Auth-Key \"«rumtolexa»\"; }\n"),
    (Envoy, "a:\n  tls_certificates:\n  - private_key: { inline_string: \"«rumtolexa»\" }\n"),
    (Envoy, "a:\n  oauth2:\n    token_secret:\n      inline_string: «rumtolexa»\n"),
    (Envoy, "{\"a\": [{\"header\": {\"value\": \"Basic «cnVtdG9sZXhh»\", \"key\": \"proxy-authorization\"}}]}\n"),
    (Envoy, "a:\n  redis:\n    auth_password:\n      environment_variable: X\n      inline_string: '«it''s rum»'\n"),
    (Envoy, "a:\n  headers:\n  - name: authorization\n    exact_match: Bearer «rumtolexa»\n"),
    (Envoy, "a:\n  lua:\n    inline_code: |\n      «local t = 'rumtolexa'\n      return t»\nb: 1\n"),
    (Envoy, "a: { datadog: { api_key: «rumtolexa» , site: x } }\n"),
    (Envoy, "a:\n  google_refresh_token: { client_secret: «rumtolexa», refresh_token: «xyzzyx» }\n"),
    (Envoy, "a:\n  initial_metadata: [ { key: x-honeycomb-team, value: «a1B2c3D4e5F6g7H8i9J0k1L2» } ]\n"),
    (Envoy, "a:\n  json_key: '«{\"private_key_id\": \"rumtolexa\"}»'\n"),
    (
        Traefik,
        "http:\n  middlewares:\n    a:\n      basicAuth:\n        users:\n          - \"mk:«$2y$10$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234»\"\n",
    ),
    (Traefik, "providers:\n  consulCatalog:\n    endpoint: { address: x, token: «rumtolexa» }\n"),
    (Traefik, "providers:\n  etcd: { username: u, password: \"«rumtolexa»\" }\n"),
    (Traefik, "[http.middlewares.a.headers.customResponseHeaders]\n  X-Token = \"«rumtolexa»\"\n"),
    (
        Traefik,
        "http:\n  services:\n    a:\n      loadBalancer:\n        healthCheck: { headers: { X-Auth-Token: «rumtolexa» } }\n",
    ),
    (Traefik, "tracing:\n  otlp:\n    http:\n      headers:\n        x-api-key: «rumtolexa»\n"),
    (Traefik, "{\"middlewares\":{\"a@file\":{\"basicAuth\":{\"users\":[\"mk:«{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=»\"]}}}}\n"),
    (Traefik, "http:\n  middlewares:\n    a:\n      plugin:\n        keycloak: { ClientSecret: «rumtolexa» }\n"),
    (Traefik, "labels:\n- \"traefik.http.middlewares.a.headers.customrequestheaders.Authorization=Basic «cnVtdG9sZXhh»\"\n"),
    (
        Traefik,
        "http:\n  middlewares:\n    a:\n      digestAuth:\n        users: [ \"mk:realm:«a2688e031edb4be6a3797f3882655c05»\" ]\n",
    ),
    (Caddy, "x.com {\n\tbasic_auth {\n\t\tmk «$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT»\n\t}\n}\n"),
    (Caddy, "x.com {\n\ttls {\n\t\tdns cloudflare {\n\t\t\tapi_token «rumtolexa»\n\t\t}\n\t}\n}\n"),
    (Caddy, "{\n\tacme_dns namecheap {\n\t\tapi_key «rumtolexa»\n\t\tuser mk\n\t}\n}\n"),
    (Caddy, "x.com {\n\treverse_proxy a:80 {\n\t\theader_up -X-Api-Key\n\t\theader_up X-Api-Key \"«rumtolexa»\"\n\t}\n}\n"),
    (Caddy, "x.com {\n\t@a header Authorization \"Bearer «rumtolexa»\"\n\thandle @a {\n\t\trespond 200\n\t}\n}\n"),
    (Caddy, "x.com {\n\t@a {\n\t\tquery token=«rumtolexa»\n\t}\n}\n"),
    (
        Caddy,
        "{\"apps\":{\"tls\":{\"automation\":{\"policies\":[{\"issuers\":[{\"challenges\":{\"dns\":{\"provider\":{\"name\":\"route53\",\"secret_access_key\":\"«rumtolexa»\"}}}}]}]}}}}\n",
    ),
    (
        Caddy,
        "{\"apps\":{\"http\":{\"servers\":{\"a\":{\"routes\":[{\"handle\":[{\"handler\":\"reverse_proxy\",\"headers\":{\"request\":{\"set\":{\"X-Secret\":[\"«rumtolexa»\"]}}}}]}]}}}}}\n",
    ),
    (Caddy, "{\"storage\":{\"module\":\"redis\",\"password\":\"«rumtolexa»\",\"encryption_key\":\"\"}}\n"),
    (Caddy, "x.com {\n\tjwtauth {\n\t\tsign_key \"«rumtolexa»\"\n\t}\n}\n"),
    (
        Traefik,
        "http: { routers: { a: { rule: \"PathPrefix(`/a`) && Header(`X-Api-Key`, `«rumtolexa»`) && Query(`token`,`«lumexo»`)\" } } }\n",
    ),
    (Traefik, "{\"rule\": \"Header(\\\"Authorization\\\", \\\"«rumtolexa»\\\") || Header(`X-Tenant`, `blue`)\"}\n"),
];

const CLEAN: &[(BalancerKind, &str)] = &[
    (
        Nginx,
        "http { server { proxy_set_header Authorization $http_authorization; set $token $arg_token; auth_jwt \"closed\" token=$cookie_t; } }\n",
    ),
    (
        Nginx,
        "http { ssl_certificate_key /etc/k.pem; ssl_password_file /etc/pw; proxy_pass http://tokens; server_tokens off; proxy_cache_key $uri; }\n",
    ),
    (
        Nginx,
        "http { map $http_cookie $pool { default a; \"~*v=2\" b; } add_header Set-Cookie \"srv=$upstream_addr; Path=/\"; env PATH; }\n",
    ),
    (
        Nginx,
        "http { if ($http_authorization = \"\") { return 401; } ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384; }\n",
    ),
    (
        Envoy,
        "a: { private_key: { filename: /etc/key.pem }, token_bucket: { max_tokens: 100, tokens_per_fill: 10 }, sds: { name: tls_secret } }\n",
    ),
    (
        Envoy,
        "a:\n  headers: [ { name: authorization, present_match: true } ]\n  request_headers_to_add: [ { header: { key: authorization, value: \"%REQ(x-a)%\" } } ]\n",
    ),
    (
        Envoy,
        "a:\n  direct_response: { status: 200, body: { inline_string: \"all is well\" } }\n  hash_policy: [ { cookie: { name: SRV, ttl: 3600s } } ]\n",
    ),
    (
        Envoy,
        "{\"private_key\": {\"inline_string\": \"[redacted]\"}, \"verify_certificate_hash\": [\"df6ff72fe9116521268f6f2dd4966f51df479883fe7037b39f75916ac3049d1a\"]}\n",
    ),
    (Envoy, "a:\n  verify_certificate_spki: [ \"NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=\" ]\n"),
    (
        Traefik,
        "http:\n  services:\n    default-app-3a5b9c7d1e2f4a6b8c0d@kubernetescrd: { loadBalancer: { servers: [ { url: \"http://10.0.0.1\" } ] } }\n",
    ),
    (
        Traefik,
        "accessLog: { fields: { headers: { names: { Authorization: drop, Cookie: redact } } } }\nhttp: { middlewares: { a: { basicAuth: { usersFile: /x } } } }\n",
    ),
    (
        Traefik,
        "http:\n  middlewares:\n    a: { forwardAuth: { address: http://a, authResponseHeaders: [ X-Auth-Token ] } }\n    b: { stripPrefix: { prefixes: [ /token ] } }\n",
    ),
    (
        Caddy,
        "x.com {\n\treverse_proxy a:80 {\n\t\theader_up X-Api-Key {env.KEY}\n\t\theader_up -Cookie\n\t}\n\ttls /etc/c.pem /etc/k.pem\n}\n",
    ),
    (Caddy, "{\n\tacme_dns cloudflare {env.CF_API_TOKEN}\n}\nx.com {\n\tbasic_auth {\n\t\tmk {$HASH}\n\t}\n}\n"),
    (Caddy, "{\"logging\":{\"logs\":{\"default\":{\"encoder\":{\"level_key\":\"level\",\"message_key\":\"msg\"}}}}}\n"),
    (
        Haproxy,
        "backend b\n  server SMTPS2_Via_SocksProxy1 192.0.2.2:25\n  server 3f2504e04f8911d39a0c0305e82c3301ffee 10.0.0.1:80\n",
    ),
    (Haproxy, "frontend f\n  acl ours ssl_c_sha1,hex 5E884898DA28047151D0E56F8DC6292773603D0D\n  bind :80,ipv4@:443\n"),
];

#[test]
fn every_planted_secret_goes_and_nothing_else() {
    for (kind, planted) in PLANTED {
        let mut wanted = String::new();
        for (n, part) in planted.split(['«', '»']).enumerate() {
            wanted.push_str(&if n % 2 == 0 { part.to_owned() } else { mark(part, &RedactionKey([7; 32])) });
        }
        let redacted = redact(*kind, &planted.replace(['«', '»'], ""), &RedactionKey([7; 32]));
        assert_eq!(redacted.text, wanted, "{kind:?}");
        assert_eq!(redact(*kind, &wanted, &RedactionKey([7; 32])).secrets, 0, "{wanted}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for (kind, clean) in CLEAN {
        assert_eq!(redact(*kind, clean, &RedactionKey([7; 32])).text, *clean);
    }
}

#[test]
fn numbers_get_quotes_where_json_and_toml_need_them() {
    for (text, before, after) in [
        ("{\"password\": 12345}", "{\"password\": \"", "\"}"),
        ("a: { password: 12345 }\n", "a: { password: ", " }\n"),
        ("[a]\npassword = 12345\n", "[a]\npassword = \"", "\"\n"),
    ] {
        let redacted = redact(Traefik, text, &RedactionKey([7; 32])).text;
        assert_eq!(redacted, format!("{before}{}{after}", mark("12345", &RedactionKey([7; 32]))));
    }
}

#[test]
fn marks_of_files_stay_and_each_file_is_read_alone() {
    let dump = "# configuration file /etc/token:\nhttp { set $x \"never closed;\n# configuration file /etc/b.conf:\nsecure_link_secret abcdef;\n";
    let redacted = redact(Nginx, dump, &RedactionKey([7; 32])).text;
    assert_eq!(redacted, dump.replace("abcdef", &mark("abcdef", &RedactionKey([7; 32]))));
    let found = fingerprints(&redacted);
    assert_eq!(found.len(), 1);
    let (span, told) = &found[0];
    assert_eq!((&redacted[span.clone()], *told), (*told, mark("abcdef", &RedactionKey([7; 32])).as_str()));
    assert!(fingerprints("REDACTED- REDACTED-00112233445 REDACTED-00112233445Z").is_empty());
}

#[test]
fn what_stands_deeper_than_a_tree_is_read_goes_too() {
    for (kind, open, secret, close) in [
        (Envoy, "{\"a\":", "{\"password\":\"hunter\"}", "}"),
        (Caddy, "{\"a\":", "{\"password\":\"hunter\"}", "}"),
        (Nginx, "a {", "secure_link_secret hunter;", "}"),
    ] {
        let text = format!("{}{secret}{}", open.repeat(1000), close.repeat(1000));
        assert!(!redact(kind, &text, &RedactionKey([7; 32])).text.contains("hunter"), "{kind:?}");
    }
}

#[test]
fn a_mark_that_touches_a_variable_stays() {
    let text = "secure_link_md5 \"$uri-secret$remote_addr-more ä\";\n";
    let once = redact(Nginx, text, &RedactionKey([7; 32])).text;
    assert_eq!(
        once,
        format!(
            "secure_link_md5 \"$uri{}$remote_addr{}\";\n",
            mark("-secret", &RedactionKey([7; 32])),
            mark("-more ä", &RedactionKey([7; 32]))
        )
    );
    assert_eq!(redact(Nginx, &once, &RedactionKey([7; 32])).text, once);
}
