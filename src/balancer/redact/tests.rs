//! What must go, what must stay, and the three properties: nothing planted survives, no other byte moves,
//! twice is once.

use proptest::prelude::*;

use super::*;

const KIND: BalancerKind = BalancerKind::Haproxy;

fn key() -> RedactionKey {
    RedactionKey([7; 32])
}

/// Each line with its secret between `«` and `»`.
const PLANTED: &str = r#"userlist people
  user mk password «$5$abc$Hfk/x.y» groups g1
  user jl groups g1 insecure-password «hunter2»
  user ro insecure-password "«two words»"
listen stats
  stats auth admin:«p:w!»#x
  stats auth "ops:«pa ss»"
global
  setenv DB_URL «whatever»
  presetenv A '«b c»'
  cluster-secret «s3»
backend b
  dynamic-cookie-key «MYKEY»
  # user old insecure-password «still-valid»
  ## stats auth a:«b»  # dynamic-cookie-key «x2»
  http-request set-header Authorization "Basic «dXNlcjpwYXNz»"
  http-request add-header X-Api-Key «k-1» if { path /x }
  http-response set-header Set-Cookie «sid=1»
  http-check send meth GET uri / hdr Host a.example hdr X-Auth-Token «t0» hdr Cookie «c=1»
  http-request return status 200 hdr x-secret «v»
  http-request replace-header Authorization (.*) Basic\ «xyz»
  http-request deny unless { req.hdr(x-api-key) -m str «alpha» «beta» }
  acl ok hdr(authorization) -i «abc» -f /etc/keys
  http-request set-header X-Sig %[path,hmac(sha256,«a2V5»),hex]
  http-request set-var(txn.ok) req.hdr(x),jwt_verify(txn.alg,"«s e»")
  http-request set-var(txn.v) str(x),aes_gcm_dec(128,txn.nonce,«a2V5a2V5»,txn.tag)
  tcp-check send AUTH\ «foobared»\r\n
  tcp-check send "AUTH «foo bar»\r\n"
  option httpchk GET / HTTP/1.1\r\nHost:\ a\r\nAuthorization:\ Basic\ «dXNlcjpw»\r\nX:\ 1
  # Authorization: Bearer «abc.def»
  http-check send body "{\"user\":\"mk\",\"password\":\"«hunter3»\"}"
  http-request redirect location https://u:«p%40w»@x.example/?token=«abc»&page=2
  # db_password = «hunter4» and API-KEY=«k»
  server a postgres://u:«x»@10.0.0.1
  http-request set-var(txn.j) str(«eyJhbGciOiJI.eyJzdWIi.c2ln»)
  # «AKIAIOSFODNN7EXAMPLE» https://hooks.slack.com/services/«T0000/B0000/XXXXXXXXXXXX»
  # -----BEGIN PRIVATE KEY-----«
  # MIIEvQIBADANBgkqhkiG9w0BAQEFAASC
  # »-----END PRIVATE KEY-----
  lua "-----BEGIN CERTIFICATE-----«\nMIIB\n»-----END CERTIFICATE-----"
  # -----BEGIN EC PRIVATE KEY-----«
Proc-Type: 4,ENCRYPTED

MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY»
  server x :1
"#;

#[test]
fn every_planted_secret_goes_and_nothing_else() {
    let text = PLANTED.replace(['«', '»'], "");
    let (mut wanted, mut count) = (String::new(), 0);
    for (n, part) in PLANTED.split(['«', '»']).enumerate() {
        match n % 2 {
            0 => wanted.push_str(part),
            _ => {
                wanted.push_str(&mark(part, &key()));
                count += 1;
            }
        }
    }
    let redacted = redact(KIND, &text, &key());
    for (got, wanted) in redacted.text.lines().zip(wanted.lines()) {
        assert_eq!(got, wanted);
    }
    assert_eq!((redacted.text, redacted.secrets), (wanted, count));
}

#[test]
fn clean_configs_stay_as_they_are() {
    for name in ["haproxy.cfg", "nasty_parser_input.cfg"] {
        let path = format!("{}/tests/fixtures/haproxy/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("fixture");
        assert_eq!(redact(KIND, &text, &key()), Redacted { text, secrets: 0 });
    }
    let clean = r#"
  user haproxy
  log-format "%ci token=%[capture.req.hdr(0)] pass=%ST"
  http-request set-header Authorization "Bearer %[var(txn.token)]"
  http-request set-header Host www.example.com
  http-request set-header X-Forwarded-Proto https
  http-response set-header WWW-Authenticate 'Basic realm="x"'
  http-request replace-path ^/token=([^/]*)$ /\1
  http-request deny unless { req.hdr(authorization) -m found }
  acl bearer req.hdr(authorization) -i -m beg "Bearer "
  acl beta req.cook(beta) -m str on
  user mk password "${PW}"
  http-request set-var(txn.ok) var(txn.b),jwt_verify(txn.alg,"/etc/ssl/pub.pem")
  redirect location https://www.example.com:8443/a@b
  tune.bypass=1 tokenized, passing, secretive: no
  server a 10.0.0.1:80 check cookie a1 sni str(a.example)
"#;
    assert_eq!(redact(KIND, clean, &key()), Redacted { text: clean.to_owned(), secrets: 0 });
}

#[test]
fn a_fingerprint_tells_same_from_changed_and_depends_on_the_key() {
    let one = redact(KIND, "stats auth a:one\nstats auth b:one\nstats auth c:two", &key()).text;
    let marks: Vec<_> = one.lines().map(|line| line.rsplit(':').next().expect("mark")).collect();
    assert_eq!(marks[0].len(), MARK.len() + DIGITS);
    assert!(marks[0] == marks[1] && marks[1] != marks[2], "{one}");
    assert_ne!(redact(KIND, "stats auth a:one", &RedactionKey([8; 32])).text, redact(KIND, "stats auth a:one", &key()).text);
    assert_eq!(format!("{:?}", key()), "RedactionKey(…)");
}

#[test]
fn long_hostile_text_takes_no_time() {
    let began = std::time::Instant::now();
    for part in [
        "password=",
        "eyJ",
        "://a:",
        "-----BEGIN A-----",
        "hmac(",
        "authorization:",
        "#",
        "\"",
        "'\\",
        "ghp_",
        "user x password ",
        "password=(",
        "password='",
        "token=%[",
        "jwt_verify(\"",
        "-----BEGIN A-----\n",
        "{ hdr(x-token) ",
        "password=\\\"",
    ] {
        redact(KIND, &part.repeat(60_000 / part.len()), &key());
    }
    // Unoptimised; the bound only catches a quadratic step, which would take minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

/// The pieces between the marks must stand in the original, in order, first at its start and last at its end.
fn only_values_moved(before: &str, after: &str) -> bool {
    let mut pieces = Vec::new();
    let mut rest = after;
    while let Some(at) = rest.match_indices(MARK).map(|(at, _)| at).find(|at| {
        rest.get(at + MARK.len()..at + MARK.len() + DIGITS).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
    }) {
        pieces.push(&rest[..at]);
        rest = &rest[at + MARK.len() + DIGITS..];
    }
    let mut left = before;
    for (n, piece) in pieces.iter().enumerate() {
        let found = if n == 0 { left.starts_with(piece).then_some(0) } else { left.find(piece) };
        let Some(at) = found else { return false };
        left = &left[at + piece.len()..];
    }
    if pieces.is_empty() { before == after } else { left.ends_with(rest) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn twice_is_once_and_other_bytes_stay(
        text in "(user a password |stats auth u:|setenv N |password=|token: \"|://u:|@|hmac\\(x,|eyJhbGciOiJI\\.|ghp_abcdefghijklmnopqrst|-----BEGIN A-----|-----END A-----|set-header Authorization |hdr\\(x-api-key\\) -m str |Authorization: |AUTH |tcp-check send |[a-zä0-9\"'\\\\#:;&)}% \\n-]){0,25}"
    ) {
        let once = redact(KIND, &text, &key());
        let twice = redact(KIND, &once.text, &key());
        prop_assert_eq!(&twice.text, &once.text);
        prop_assert_eq!(twice.secrets, 0);
        prop_assert!(only_values_moved(&text, &once.text), "{}", once.text);
    }

    #[test]
    fn twice_is_once_in_every_language(
        kind in 0..5_usize,
        text in "(password: |token = |\"secret\": |- |  |key: x-api-key\n|value: |users: |inline_string: |\\|\n|\"\"\"|basic_auth \\{\n|header_up Authorization |set \\$token |map \\$arg_token \\$x \\{|content_by_lua_block \\{|# |proxy_set_header Cookie |Bearer |mk:\\$2y\\$05\\$|[a-zA-Zä0-9\"'`\\\\#:;&,=<>)}%{}\\[\\] \n-]){0,30}"
    ) {
        let kind = [BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy, BalancerKind::Traefik, BalancerKind::Caddy][kind];
        let once = redact(kind, &text, &key());
        let twice = redact(kind, &once.text, &key());
        prop_assert_eq!(&twice.text, &once.text);
        prop_assert_eq!(twice.secrets, 0);
    }

    #[test]
    fn planted_secrets_never_survive(secret in "[A-Za-z0-9!%*+/=?^~@$.,]{8,40}", quoted: bool, line in 0..14_usize, comment: bool, tail in "( # x)?") {
        let word = if quoted { format!("\"Z9{secret}\"") } else { format!("Z9{secret}") };
        let inner = format!("Z9{secret}");
        let text = match line {
            0 => format!("user x password {word}"),
            1 => format!("user x insecure-password {word} groups a"),
            2 => format!("stats auth x:{inner}"),
            3 => format!("setenv X {word}"),
            4 => format!("presetenv X {word}"),
            5 => format!("dynamic-cookie-key {word}"),
            6 => format!("http-request set-header Authorization {word} if x"),
            7 => format!("http-response add-header X-Api-Key {word}"),
            8 => format!("http-check send hdr A b hdr Cookie {word}"),
            9 => format!("http-request deny unless {{ hdr(x-api-key) -m str {word} }}"),
            10 => format!("http-request redirect location http://x/?password={inner}"),
            11 => format!("tcp-check send AUTH\\ {inner}\\r\\n"),
            12 => format!("x \"secret\": \"{inner}\""),
            _ => format!("cluster-secret {word}"),
        };
        let text = format!("backend b\n{}{text}{tail}\n", if comment { "  # " } else { "  " });
        let redacted = redact(KIND, &text, &key());
        prop_assert!(!redacted.text.contains(&inner), "{}", redacted.text);
        // Nor a long part of it.
        prop_assert!(!redacted.text.contains(&inner[2..]), "{}", redacted.text);
    }
}
