//! Who sees which incident, and who may decide that. An incident that somebody does not see does not exist
//! for them: the answer is "not found", never "forbidden".
//!
//! A restricted incident is seen by the people named on it (in `named`, or with a role), by nobody else who signs
//! in, administrators included, and by those who hold the machine: the command line and `admin` tokens made there.

use std::collections::BTreeSet;

use super::access::{Actor, Permission, Role, Scope};
use super::error::{Error, Result};
use super::id::IncidentId;
use super::incident::{Incident, IncidentFields, Visibility};

impl IncidentFields {
    /// Everybody who is named, once each.
    pub fn people(&self) -> BTreeSet<&str> {
        self.named.iter().chain(self.roles.values()).map(String::as_str).collect()
    }

    pub fn is_restricted(&self) -> bool {
        self.visibility == Visibility::Restricted
    }
}

impl Actor {
    /// `Ok` when this actor sees the incident and may do `permission` to it.
    pub fn may_on(&self, permission: Permission, incident: &Incident) -> Result<()> {
        self.may(Permission::ReadIncidents)?;
        if !self.sees(incident) {
            return Err(IncidentId::not_found());
        }
        self.may(permission)
    }

    /// Whether the incident is there for this actor. Lists ask the database the same: see [`Self::sees_only_as`].
    pub fn sees(&self, incident: &Incident) -> bool {
        !incident.fields.is_restricted() || self.sees_only_as().is_none_or(|handle| incident.fields.people().contains(handle))
    }

    /// The handle that decides which restricted incidents this actor sees; `None` sees everything, the empty
    /// handle sees none, since nobody has it.
    pub fn sees_only_as(&self) -> Option<&str> {
        match self {
            Self::Console | Self::Recorder => None,
            Self::Token { maker: None, scopes, .. } if scopes.contains(&Scope::Admin) => None,
            Self::Token { maker: Some((_, handle, _)), .. } | Self::Person { handle, .. } => Some(handle),
            Self::Token { .. } | Self::Integration { .. } => Some(""),
        }
    }

    /// The handle of the person who acts, also through a token.
    fn handle(&self) -> Option<&str> {
        match self {
            Self::Person { handle, .. } | Self::Token { maker: Some((_, handle, _)), .. } => Some(handle),
            _ => None,
        }
    }

    /// Whether this actor may say who sees an incident that they see and may change, and set and lift its legal hold: its
    /// commander, who opened it, and administrators. Somebody who is merely named can neither bring in others nor open
    /// it to all.
    pub fn decides_who_sees(&self, incident: &Incident) -> bool {
        let theirs =
            |handle| incident.created_by == handle || incident.fields.roles.get("commander").is_some_and(|c| c == handle);
        self.may_on(Permission::WriteIncidents, incident).is_ok()
            && (self.role() == Role::Admin || self.handle().is_some_and(theirs))
    }
}

/// Holds the rules of naming over what becomes of the incident `before` (nothing, when it is new). Who restricts it is
/// named. Returns the handles that were not named before, for a look whether there are such people.
///
/// # Errors
/// `Forbidden` for those who do not decide, `Invalid` when nobody would be left who sees it.
pub fn settle(actor: &Actor, before: Option<&Incident>, fields: &mut IncidentFields) -> Result<Vec<String>> {
    let old = before.map(|before| &before.fields);
    if let (Some(before), Some(old)) = (before, old) {
        let asked = old.visibility != fields.visibility || old.named != fields.named;
        // With a role comes sight; and the commander decides.
        let roles = old.is_restricted() && old.roles != fields.roles;
        if (asked || roles) && !actor.decides_who_sees(before) {
            let why = "who sees this incident is decided by its commander, by who opened it and by administrators";
            return Err(Error::Forbidden(why.to_owned()));
        }
    }
    let known = |handle: &String| old.is_some_and(|old| old.named.contains(handle));
    let fresh = fields.named.iter().filter(|handle| !known(handle) && actor.handle() != Some(handle.as_str()));
    let fresh = fresh.cloned().collect();
    if !fields.is_restricted() {
        return Ok(fresh);
    }
    if !old.is_some_and(IncidentFields::is_restricted)
        && let Some(handle) = actor.handle()
        && !fields.people().contains(handle)
    {
        fields.named.push(handle.to_owned());
        fields.named.sort();
    }
    if fields.people().is_empty() {
        return Err(Error::invalid("named", "nobody_left", "name at least one person who sees it"));
    }
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::{IntegrationId, PersonId, Reference, TokenId};

    fn person(handle: &str, role: Role) -> Actor {
        Actor::Person { id: PersonId(Uuid::nil()), handle: handle.into(), role }
    }

    fn token(maker: Option<&str>, scopes: &[Scope]) -> Actor {
        let maker = maker.map(|handle| (PersonId(Uuid::nil()), handle.to_owned(), Role::Responder));
        Actor::Token { id: TokenId(Uuid::nil()), name: "mk".into(), scopes: scopes.to_vec(), maker }
    }

    fn incident(visibility: Visibility, named: &[&str]) -> Incident {
        let named = named.iter().map(|handle| (*handle).to_owned()).collect();
        let at = chrono::DateTime::UNIX_EPOCH;
        Incident {
            id: IncidentId(Uuid::nil()),
            reference: Reference(1),
            fields: IncidentFields { visibility, named, ..IncidentFields::default() },
            created_by: "opener".into(),
            created_at: at,
            updated_at: at,
            deleted_at: None,
            hold: None,
            version: 1,
        }
    }

    #[test]
    fn only_the_named_and_the_machine_see_what_is_restricted() {
        let hidden = incident(Visibility::Restricted, &["mk"]);
        for actor in [person("mk", Role::Viewer), token(Some("mk"), &[Scope::IncidentsRead]), token(None, &[Scope::Admin])] {
            assert!(actor.sees(&hidden), "{actor:?}");
        }
        let integration = Actor::Integration { id: IntegrationId(Uuid::nil()), name: "mk".into() };
        let strangers = [
            person("jl", Role::Admin),
            // Opening something does not keep it in sight; whoever restricts it is named.
            person("opener", Role::Admin),
            token(Some("jl"), &[Scope::Admin]),
            // A name is not a handle.
            token(None, &[Scope::IncidentsWrite]),
            integration,
        ];
        for actor in strangers {
            assert!(!actor.sees(&hidden), "{actor:?}");
            assert!(matches!(
                actor.may_on(Permission::WriteIncidents, &hidden),
                Err(Error::NotFound { .. } | Error::Forbidden(_))
            ));
        }
        assert!(person("jl", Role::Viewer).sees(&incident(Visibility::Internal, &[])));
    }

    #[test]
    fn who_restricts_is_named_and_somebody_always_is() {
        let open = incident(Visibility::Internal, &[]);
        let restricted = IncidentFields { visibility: Visibility::Restricted, ..IncidentFields::default() };
        let mut fields = restricted.clone();
        settle(&person("opener", Role::Responder), Some(&open), &mut fields).expect("who opened it decides");
        assert_eq!(fields.named, ["opener"]);
        let theirs = Incident { fields, ..open.clone() };
        let mut nobody = restricted.clone();
        assert!(matches!(settle(&person("opener", Role::Responder), Some(&theirs), &mut nobody), Err(Error::Invalid(_))));
        assert!(matches!(settle(&Actor::Console, None, &mut restricted.clone()), Err(Error::Invalid(_))));
    }

    #[test]
    fn who_may_not_write_and_who_is_only_called_alike_do_not_decide() {
        let open = incident(Visibility::Internal, &[]);
        assert!(person("opener", Role::Responder).decides_who_sees(&open));
        assert!(!person("opener", Role::Viewer).decides_who_sees(&open));
        let mut led = open.clone();
        led.fields.roles.insert("commander".into(), "mk".into());
        assert!(person("mk", Role::Responder).decides_who_sees(&led) && !person("mk", Role::Viewer).decides_who_sees(&led));
        let integration = Actor::Integration { id: IntegrationId(Uuid::nil()), name: "mk".into() };
        let opened = Incident { created_by: integration.owner(), ..open };
        assert!(!person("mk", Role::Responder).decides_who_sees(&opened));
    }

    #[test]
    fn the_merely_named_bring_in_nobody() {
        let hidden = incident(Visibility::Restricted, &["mk", "opener"]);
        let mk = person("mk", Role::Editor);
        let changes: [fn(&mut IncidentFields); 3] = [
            |fields| fields.visibility = Visibility::Internal,
            |fields| fields.named.push("jl".into()),
            |fields| drop(fields.roles.insert("commander".into(), "mk".into())),
        ];
        for change in changes {
            let mut fields = hidden.fields.clone();
            change(&mut fields);
            assert!(matches!(settle(&mk, Some(&hidden), &mut fields.clone()), Err(Error::Forbidden(_))));
            settle(&person("opener", Role::Responder), Some(&hidden), &mut fields).expect("who opened it does");
        }
        let mut fields = hidden.fields.clone();
        fields.title = "other".into();
        settle(&mk, Some(&hidden), &mut fields).expect("the rest is theirs as of any incident");
        let mut fields = hidden.fields.clone();
        fields.named.push("jl".into());
        assert_eq!(settle(&person("mk", Role::Admin), Some(&hidden), &mut fields).expect("a named administrator"), ["jl"]);
    }
}
