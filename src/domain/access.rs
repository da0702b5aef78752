//! Who may do what, decided in this one place. Who sees which incident is in [`super::visibility`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{Error, Result};
use super::id::{IntegrationId, PersonId, TokenId};

/// Each role may do all that the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Opens incidents, keeps timelines and tasks.
    Responder,
    /// Writes and publishes postmortems, manages balancers.
    Editor,
    /// People, integrations, tokens, settings.
    Admin,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Responder, Self::Editor, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Error::invalid("role", "unknown_role", "a role is viewer, responder, editor or admin"))
    }
}

/// What an API token may be used for. A token never exceeds what its maker may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    #[serde(rename = "admin")]
    Admin,
    #[serde(rename = "incidents:read")]
    IncidentsRead,
    #[serde(rename = "incidents:write")]
    IncidentsWrite,
    #[serde(rename = "tasks:write")]
    TasksWrite,
    #[serde(rename = "postmortems:publish")]
    PostmortemsPublish,
    #[serde(rename = "balancers:read")]
    BalancersRead,
    #[serde(rename = "balancers:write")]
    BalancersWrite,
    #[serde(rename = "alerts:write")]
    AlertsWrite,
}

impl Scope {
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::IncidentsRead,
        Self::IncidentsWrite,
        Self::TasksWrite,
        Self::PostmortemsPublish,
        Self::BalancersRead,
        Self::BalancersWrite,
        Self::AlertsWrite,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::IncidentsRead => "incidents:read",
            Self::IncidentsWrite => "incidents:write",
            Self::TasksWrite => "tasks:write",
            Self::PostmortemsPublish => "postmortems:publish",
            Self::BalancersRead => "balancers:read",
            Self::BalancersWrite => "balancers:write",
            Self::AlertsWrite => "alerts:write",
        }
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("scopes", "unknown_scope", format!("“{text}” is not a scope; known are {known}"))
        })
    }
}

/// Everything that somebody may ask to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    ReadIncidents,
    WriteIncidents,
    WriteTasks,
    PublishPostmortems,
    ReadBalancers,
    WriteBalancers,
    /// Integrations, their keys and their deliveries.
    ManageIntegrations,
    ReadAlerts,
    WriteAlerts,
    /// People, tokens of others, settings.
    ManagePeople,
    /// Make tokens that act for oneself.
    ManageOwnTokens,
    ReadAudit,
}

impl Permission {
    /// The least role and the scope that a token needs.
    fn needs(self) -> (Role, Scope) {
        match self {
            Self::ReadIncidents | Self::ReadAlerts => (Role::Viewer, Scope::IncidentsRead),
            Self::WriteIncidents => (Role::Responder, Scope::IncidentsWrite),
            Self::WriteTasks => (Role::Responder, Scope::TasksWrite),
            Self::PublishPostmortems => (Role::Editor, Scope::PostmortemsPublish),
            Self::ReadBalancers => (Role::Viewer, Scope::BalancersRead),
            Self::WriteBalancers => (Role::Editor, Scope::BalancersWrite),
            Self::WriteAlerts => (Role::Responder, Scope::AlertsWrite),
            Self::ManageOwnTokens => (Role::Viewer, Scope::Admin),
            Self::ManageIntegrations | Self::ManagePeople | Self::ReadAudit => (Role::Admin, Scope::Admin),
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::ReadIncidents => "read incidents",
            Self::WriteIncidents => "change incidents",
            Self::WriteTasks => "change tasks",
            Self::PublishPostmortems => "publish postmortems",
            Self::ReadBalancers => "see balancers",
            Self::WriteBalancers => "change balancers",
            Self::ManageIntegrations => "manage integrations",
            Self::ReadAlerts => "see alerts",
            Self::WriteAlerts => "send alerts",
            Self::ManagePeople => "manage people",
            Self::ManageOwnTokens => "make tokens",
            Self::ReadAudit => "read the audit log",
        }
    }
}

/// Who is acting. Made once per request by the session, the bearer token or the process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Person {
        id: PersonId,
        handle: String,
        role: Role,
    },
    /// A token acts for its maker within its scopes; tokens made on the command line have no maker
    /// and act as an administrator within their scopes.
    Token {
        id: TokenId,
        name: String,
        scopes: Vec<Scope>,
        maker: Option<(PersonId, String, Role)>,
    },
    Integration {
        id: IntegrationId,
        name: String,
    },
    /// The recorder of this installation.
    Recorder,
    /// The command line on the machine that holds the data.
    Console,
}

impl Actor {
    pub fn role(&self) -> Role {
        match self {
            Self::Person { role, .. } => *role,
            Self::Token { maker, .. } => maker.as_ref().map_or(Role::Admin, |(_, _, role)| *role),
            Self::Integration { .. } | Self::Recorder => Role::Viewer,
            Self::Console => Role::Admin,
        }
    }

    fn has_scope(&self, scope: Scope) -> bool {
        match self {
            Self::Token { scopes, .. } => {
                scopes.contains(&scope)
                    || scopes.contains(&Scope::Admin)
                    || (scope == Scope::IncidentsRead && scopes.contains(&Scope::IncidentsWrite))
                    || (scope == Scope::BalancersRead && scopes.contains(&Scope::BalancersWrite))
            }
            Self::Integration { .. } => false,
            Self::Person { .. } | Self::Recorder | Self::Console => true,
        }
    }

    /// `Ok` when this actor may do `permission` at all.
    pub fn may(&self, permission: Permission) -> Result<()> {
        let (role, scope) = permission.needs();
        if !self.has_scope(scope) {
            return Err(Error::Forbidden(format!(
                "this token may not {}; it lacks the scope {}",
                permission.said(),
                scope.as_str()
            )));
        }
        if self.role() < role {
            return Err(Error::Forbidden(format!(
                "a {} may not {}; ask an administrator for the role {}",
                self.role().as_str(),
                permission.said(),
                role.as_str()
            )));
        }
        Ok(())
    }

    /// Whose the things are that this actor makes: a token's belong to its maker. What has no person behind it is marked,
    /// as no handle can be, so that it is not taken for a person of the same name.
    pub fn owner(&self) -> String {
        match self {
            Self::Token { maker: Some((_, handle, _)), .. } => handle.clone(),
            Self::Token { name, .. } => format!("{TOKEN}{name}"),
            Self::Integration { name, .. } => format!("{INTEGRATION}{name}"),
            Self::Person { .. } | Self::Recorder | Self::Console => self.to_string(),
        }
    }

    pub fn person_id(&self) -> Option<PersonId> {
        match self {
            Self::Person { id, .. } => Some(*id),
            Self::Token { maker, .. } => maker.as_ref().map(|(id, ..)| *id),
            _ => None,
        }
    }
}

/// What stands before the name of an [`Actor::owner`] who is no person.
const TOKEN: &str = "token:";
const INTEGRATION: &str = "integration:";

/// The name alone of an [`Actor::owner`], for showing.
pub fn owner_name(owner: &str) -> &str {
    owner.strip_prefix(TOKEN).or_else(|| owner.strip_prefix(INTEGRATION)).unwrap_or(owner)
}

/// The name shown beside what was done.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { handle, .. } => f.write_str(handle),
            Self::Token { name, maker: Some((_, handle, _)), .. } => write!(f, "{handle} ({name})"),
            Self::Token { name, .. } | Self::Integration { name, .. } => f.write_str(name),
            Self::Recorder => f.write_str("recorder"),
            Self::Console => f.write_str("console"),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn person(role: Role) -> Actor {
        Actor::Person { id: PersonId(Uuid::nil()), handle: "mk".into(), role }
    }

    fn token(scopes: &[Scope], maker: Option<Role>) -> Actor {
        let maker = maker.map(|role| (PersonId(Uuid::nil()), "mk".to_owned(), role));
        Actor::Token { id: TokenId(Uuid::nil()), name: "ci".into(), scopes: scopes.to_vec(), maker }
    }

    #[test]
    fn roles_hold_what_the_roles_below_hold() {
        assert!(person(Role::Viewer).may(Permission::ReadIncidents).is_ok());
        assert!(person(Role::Viewer).may(Permission::WriteIncidents).is_err());
        assert!(person(Role::Responder).may(Permission::WriteTasks).is_ok());
        assert!(person(Role::Responder).may(Permission::WriteBalancers).is_err());
        assert!(person(Role::Editor).may(Permission::ManagePeople).is_err());
        assert!(person(Role::Admin).may(Permission::ManageIntegrations).is_ok());
    }

    #[test]
    fn what_is_of_no_person_is_kept_from_all_of_them() {
        let named = |actor: Actor| (actor.to_string(), actor.owner());
        assert_eq!(named(token(&[], Some(Role::Viewer))), ("mk (ci)".into(), "mk".into()));
        assert_eq!(named(person(Role::Viewer)), ("mk".into(), "mk".into()));
        assert_eq!(named(token(&[], None)), ("ci".into(), "token:ci".into()));
        let integration = Actor::Integration { id: IntegrationId(Uuid::nil()), name: "mk".into() };
        assert_eq!(named(integration), ("mk".into(), "integration:mk".into()));
        assert_eq!(["token:ci", "integration:mk", "mk"].map(owner_name), ["ci", "mk", "mk"]);
    }

    #[test]
    fn a_token_has_the_lesser_of_its_scopes_and_its_maker() {
        assert!(token(&[Scope::IncidentsWrite], None).may(Permission::ReadIncidents).is_ok());
        assert!(token(&[Scope::IncidentsRead], None).may(Permission::WriteIncidents).is_err());
        assert!(token(&[Scope::IncidentsWrite], Some(Role::Viewer)).may(Permission::WriteIncidents).is_err());
        assert!(token(&[Scope::Admin], Some(Role::Viewer)).may(Permission::ManagePeople).is_err());
        assert!(Actor::Integration { id: IntegrationId(Uuid::nil()), name: "am".into() }.may(Permission::ReadIncidents).is_err());
    }
}
