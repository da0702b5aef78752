//! People with an account, their sessions and their API tokens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Actor, Role, Scope};
use super::error::{FieldErrors, Result};
use super::id::{PersonId, TokenId};
use super::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    pub id: PersonId,
    /// Short name shown beside what they did, such as `mk`.
    pub handle: String,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
}

impl Person {
    pub fn actor(&self) -> Actor {
        Actor::Person { id: self.id, handle: self.handle.clone(), role: self.role }
    }
}

/// What a new account needs.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    pub handle: String,
    pub password: String,
    pub role: Role,
}

pub const PASSWORD_MIN: usize = 12;
pub const PASSWORD_MAX: usize = 256;

impl NewPerson {
    /// Checks the handle (2 to 32 of `a-z 0-9 . _ -`, folded to lower case) and the password (12 to 256 characters,
    /// not the handle, not one character repeated).
    pub fn checked(mut self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.handle = self.handle.trim().to_lowercase();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        if !(2..=32).contains(&self.handle.len()) || !self.handle.chars().all(fits) {
            errors.push("handle", "not_a_handle", "2 to 32 of the characters a-z, 0-9, dot, dash and underscore");
        }
        check_password(&mut errors, "password", &self.password, &self.handle);
        errors.into_result()?;
        Ok(self)
    }
}

pub fn check_password(errors: &mut FieldErrors, field: &str, password: &str, handle: &str) {
    let length = password.chars().count();
    let first = password.chars().next();
    if length < PASSWORD_MIN {
        errors.push(field, "too_short", format!("{length} characters; use at least {PASSWORD_MIN}, a few words are best"));
    } else if length > PASSWORD_MAX {
        errors.push(field, "too_long", format!("at most {PASSWORD_MAX} characters"));
    } else if password.to_lowercase() == *handle || password.chars().all(|c| Some(c) == first) {
        errors.push(field, "too_simple", "this would be guessed at once; a few unrelated words are better");
    }
}

/// An API token as it is listed; the secret itself is shown once and stored as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Who made it; null for one made on the command line.
    pub maker: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Token {
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(handle: &str, password: &str) -> Vec<&'static str> {
        match (NewPerson { handle: handle.into(), password: password.into(), role: Role::Viewer }).checked() {
            Ok(_) => Vec::new(),
            Err(super::super::Error::Invalid(errors)) => errors.0.iter().map(|e| e.code).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn weak_passwords_and_odd_handles_are_refused_together() {
        assert_eq!(check("MK", "correct horse battery"), Vec::<&str>::new());
        assert_eq!(check("m k", "short"), ["not_a_handle", "too_short"]);
        assert_eq!(check("mk", "aaaaaaaaaaaaaaaa"), ["too_simple"]);
        assert_eq!(check("long.handle-name", "Long.Handle-Name"), ["too_simple"]);
    }
}
