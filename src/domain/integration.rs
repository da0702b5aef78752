//! Integrations: one inbound source each, with its own key and format.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Actor;
use super::id::{DeliveryId, IntegrationId};
use super::incident::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Alertmanager,
    Grafana,
    Generic,
}
words!(Format { Alertmanager => "alertmanager" / "Prometheus Alertmanager", Grafana => "grafana" / "Grafana alerting", Generic => "generic" / "Generic JSON" });

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Integration {
    pub id: IntegrationId,
    pub name: String,
    pub format: Format,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub last_delivery_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    /// Deliveries taken since it was made.
    pub deliveries: i64,
}

impl Integration {
    /// Who acts when its alerts come in.
    pub fn actor(&self) -> Actor {
        Actor::Integration { id: self.id, name: self.name.clone() }
    }
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIntegration {
    pub name: String,
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Done,
    Failed,
}
words!(DeliveryStatus { Done => "done" / "understood", Failed => "failed" / "failed" });

/// One HTTP request that came in on a hook; the raw body is kept for a limited time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    pub integration_id: IntegrationId,
    pub received_at: DateTime<Utc>,
    pub status: DeliveryStatus,
    pub error: Option<String>,
    pub alerts: i64,
    pub bytes: i64,
    /// The beginning of the body, for reading.
    pub excerpt: String,
}
