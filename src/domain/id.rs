//! Typed ids, and the reference that people say aloud.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::Error;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident => $what:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The word used when such a thing is missing.
            pub const WHAT: &'static str = $what;

            pub fn not_found() -> Error {
                Error::NotFound { what: Self::WHAT }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Uuid::parse_str(text).map(Self).map_err(|_| Self::not_found())
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    IncidentId => "this incident",
    EntryId => "this timeline entry",
    TaskId => "this task",
    AlertId => "this alert",
    DeliveryId => "this delivery",
    IntegrationId => "this integration",
    BalancerId => "this balancer",
    SnapshotId => "this snapshot",
    AcknowledgementId => "this acknowledgement",
    AttachmentId => "this attachment",
    PersonId => "this person",
    TokenId => "this token",
    SessionId => "this session",
}

/// `INC-42`: gapless number of an incident within one installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, example = "INC-42")]
pub struct Reference(pub i64);

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INC-{}", self.0)
    }
}

impl FromStr for Reference {
    type Err = Error;

    /// Accepts `INC-42`, `inc-42` and `42`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.get(..4).filter(|p| p.eq_ignore_ascii_case("inc-")).map_or(text, |_| &text[4..]);
        match digits.parse::<i64>() {
            Ok(number) if number > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(number)),
            _ => Err(Error::NotFound { what: IncidentId::WHAT }),
        }
    }
}

impl Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a route or a command names an incident: by reference or by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentRef {
    Reference(Reference),
    Id(IncidentId),
}

impl FromStr for IncidentRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(id) = Uuid::parse_str(text) {
            return Ok(Self::Id(IncidentId(id)));
        }
        text.parse().map(Self::Reference)
    }
}

impl From<Reference> for IncidentRef {
    fn from(reference: Reference) -> Self {
        Self::Reference(reference)
    }
}

impl<'de> Deserialize<'de> for IncidentRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where ids and random bytes come from; tests hand in a counting one.
pub trait IdSource: Send + Sync {
    /// A new UUIDv7: sorts by time of making.
    fn uuid(&self) -> Uuid;
    /// 32 unpredictable bytes for keys, codes and session ids.
    fn secret(&self) -> [u8; 32];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_as_people_type_it() {
        for text in ["INC-42", "inc-42", "42"] {
            assert_eq!(text.parse::<Reference>().expect(text), Reference(42));
        }
        for text in ["INC-", "INC-0", "INC--1", "INC-+4", "", "INC-4x", "é42", "-7", "99999999999999999999"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
        assert_eq!(Reference(7).to_string(), "INC-7");
    }
}
