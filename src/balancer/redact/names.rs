//! What secrets are called: fields, headers, variables and parameters, in all five balancers.
//!
//! A name is cut into words (`X-Api-Key`, `clientSecret`, `DB_PASS_2`) and decided by them, so that new names built
//! from old words are known. Sources: the fields that Envoy's API marks `udpa.annotations.sensitive`, those that
//! Traefik marks `loggable:"false"`, the fields of Caddy's JSON and of its DNS and storage modules, the headers and
//! environment variables of widely used services.

/// Words that say alone that the value is a secret; also at the end of a longer word, as in `authtoken`.
const SECRETS: [&str; 16] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "secret",
    "secrets",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "credentials",
    "jwt",
];

/// Words that are secrets only when they stand alone between others: `DB_PASS`, not `bypass`.
const SHORT: [&str; 5] = ["pass", "pwd", "pw", "authorization", "bearer"];

/// What makes a `key` secret when it stands before it.
const KEYS: [&str; 35] = [
    "api",
    "access",
    "private",
    "secret",
    "auth",
    "sign",
    "signing",
    "encryption",
    "encrypt",
    "crypt",
    "cipher",
    "hmac",
    "mac",
    "shared",
    "session",
    "account",
    "ticket",
    "master",
    "license",
    "webhook",
    "deploy",
    "app",
    "application",
    "service",
    "subscription",
    "symmetric",
    "cookie",
    "jwt",
    "aes",
    "admin",
    "functions",
    "user",
    "ingest",
    "eab",
    "vault",
];

/// Last words of names that tell something about a secret, but not itself.
const ABOUT: [&str; 75] = [
    "in",
    "seconds",
    "profile",
    "log",
    "hit",
    "miss",
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "dir",
    "directory",
    "url",
    "urls",
    "uri",
    "uris",
    "endpoint",
    "endpoints",
    "ttl",
    "name",
    "names",
    "type",
    "types",
    "header",
    "headers",
    "size",
    "length",
    "len",
    "count",
    "bucket",
    "expiry",
    "expires",
    "expiration",
    "expire",
    "timeout",
    "provider",
    "providers",
    "prefix",
    "suffix",
    "format",
    "policy",
    "issuer",
    "audience",
    "location",
    "max",
    "min",
    "limit",
    "limits",
    "rate",
    "required",
    "enabled",
    "param",
    "parameter",
    "params",
    "field",
    "claim",
    "claims",
    "cookie",
    "config",
    "configs",
    "source",
    "interval",
    "lifetime",
    "ref",
    "reference",
    "method",
    "mode",
    "algorithm",
    "alg",
    "version",
    "realm",
    "group",
    "zone",
    "status",
];

/// Header and query names that end with `key` and hold none.
const HARMLESS: [&str; 13] = [
    "idempotency",
    "websocket",
    "socket",
    "surrogate",
    "cache",
    "hash",
    "partition",
    "request",
    "sort",
    "routing",
    "route",
    "rate",
    "public",
];

/// Longest name that is looked at, in bytes; names are shorter.
const NAME_MAX: usize = 100;

/// The words of a name in lower case, digits at their ends taken off.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut chars = name.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let next_is_lower = chars.peek().is_some_and(char::is_ascii_lowercase);
        let begins = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_lower));
        if !c.is_ascii_alphanumeric() || begins {
            words.push(std::mem::take(&mut word));
        }
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.push(word);
    words.iter_mut().for_each(|word| word.truncate(word.trim_end_matches(|c: char| c.is_ascii_digit()).len()));
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a field, variable or parameter of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    if name.len() > NAME_MAX {
        return false;
    }
    let words = words(name);
    let Some(last) = words.last() else { return false };
    let before_last = words.len().checked_sub(2).and_then(|at| words.get(at)).map(String::as_str);
    if ABOUT.contains(&last.as_str()) || (last == "id" && before_last != Some("secret")) {
        return false;
    }
    let known = |word: &String| SHORT.contains(&word.as_str()) || SECRETS.iter().any(|secret| word.ends_with(secret));
    let key = |pair: &[String]| ["key", "keys"].contains(&pair[1].as_str()) && KEYS.contains(&pair[0].as_str());
    words.iter().any(known) || words.windows(2).any(key)
}

/// Whether a header of this name carries credentials.
pub(super) fn is_secret_header(name: &str) -> bool {
    let words = words(&name[..name.floor_char_boundary(NAME_MAX)]);
    let Some(last) = words.last().map(String::as_str) else { return false };
    let harmless = words.iter().any(|word| HARMLESS.contains(&word.as_str()) || word == "csrf" || word == "xsrf");
    let ends = ["auth", "authentication", "signature"].contains(&last) || (last == "key" && words.len() > 1);
    is_cookie(name) || is_secret(name) || (ends && !harmless)
}

/// Whether a header carries cookies. They are hidden where they are set; what is compared with them picks pools.
pub(super) fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie")
}

/// Whether a variable that a server fills from the request holds a secret: `$http_x_api_key`, `$arg_token`,
/// `$cookie_session_token`.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let name = name.trim_start_matches('$').trim_matches(['{', '}']);
    match name.split_once('_') {
        Some(("http", header)) => is_secret_header(header) && !is_cookie(header),
        Some(("arg" | "cookie", rest)) => is_secret(rest),
        _ => is_secret(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decided_by_their_words() {
        for name in [
            "password",
            "DB_PASS",
            "clientSecret",
            "API_KEY_2",
            "x-vault-token",
            "secretAccessKey",
            "authtoken",
            "hmac_secret",
            "mac_key",
            "eab_hmac_key",
            "token2",
            "SECRET_KEY_BASE",
            "secret_id",
            "password_hash",
            "jwt",
            "encrypted_session_key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "bypass",
            "tokens_per_fill",
            "max_tokens",
            "token_bucket",
            "token_url",
            "secretName",
            "private_key_path",
            "keyFile",
            "key",
            "tokenized",
            "public_key",
            "rootKey",
            "level_key",
            "password-file",
            "proxy_cache_key",
            "key_id",
            "secretary",
            "compass",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
        for name in ["Authorization", "X-Api-Key", "Ocp-Apim-Subscription-Key", "X-Auth", "Set-Cookie", "x-hub-signature"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Host", "Idempotency-Key", "Sec-WebSocket-Key", "X-Cache-Key", "WWW-Authenticate", "X-Forwarded-For", "key"]
        {
            assert!(!is_secret_header(name), "{name}");
        }
        assert!(is_secret_variable("$http_x_api_key") && is_secret_variable("$arg_token") && is_secret_variable("${api_key}"));
        assert!(!is_secret_variable("$http_cookie") && !is_secret_variable("$remote_addr"));
    }
}
