//! What the OpenAPI document says beyond the single routes: who may ask, what failing answers look like,
//! and flat schemas in place of composed ones. Everything here follows from the routes themselves.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Object, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, Schema, Type};

use super::error::{Problem, said};
use crate::domain::error::FieldError;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Afterload",
        description = "The flight recorder and the postmortem workshop for everything behind a load balancer.\n\n\
            Times out are RFC 3339 in UTC; any offset is taken in, times without one are refused. Lists are \
            `{items, next_cursor}` with a `Link` to the next page. Failing answers are problem documents (RFC 9457). \
            A change names the version that it is meant for: `If-Match` takes the `ETag` of what was read; PATCH bodies \
            are merge patches (RFC 7396)."
    ),
    components(schemas(Problem, FieldError)),
    security(("token" = [])),
    tags(
        (name = "incidents", description = "What went wrong, how bad, since when, and what was learned"),
        (name = "timeline", description = "What was seen, thought, decided and done"),
        (name = "presence", description = "Who is in the room of an incident, what each works on, how far each has read"),
        (name = "tasks", description = "Corrective tasks"),
        (name = "alerts", description = "What monitoring systems said"),
        (name = "series", description = "What the balancers recorded in an incident's window"),
        (name = "postmortems", description = "The write-up"),
        (name = "attachments", description = "Files for timeline entries"),
        (name = "balancers", description = "What is recorded, and how it stands"),
        (name = "snapshots", description = "Config and run-time state of a balancer at a moment"),
        (name = "findings", description = "What the rules say of a config, and what people let stand"),
        (name = "search", description = "What was written, by its words"),
        (name = "integrations", description = "Inbound sources of alerts"),
        (name = "people", description = "Accounts"),
        (name = "tokens", description = "API tokens"),
        (name = "events", description = "Every change, as it happens and as an audit log"),
        (name = "hooks", description = "Where alerts come in; the key in the path is the credential")
    )
)]
pub struct Api;

/// Adds what holds for all routes alike.
pub fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    let token = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("A token made by `afterload token create`"));
    components.security_schemes.insert("token".to_owned(), RefOr::T(SecurityScheme::Http(token.build())));
    let composed = components.schemas.clone();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::AllOf(_)) = schema
            && let Some(flat) = flatten(schema, &composed)
        {
            *schema = RefOr::T(Schema::Object(flat));
        }
        // The type's default for a time is a placeholder; a left-out time is now.
        if let RefOr::T(Schema::Object(object)) = schema
            && let Some(RefOr::T(Schema::Object(time))) = object.properties.get_mut("occurred_at")
        {
            time.default = None;
        }
    }
    let mut ids = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            let mut id = format!("{tag}_{}", operation.operation_id.take().unwrap_or_default());
            if !ids.insert(id.clone()) {
                id = format!("{id}_{method}");
                ids.insert(id.clone());
            }
            operation.operation_id = Some(id);
            name_parameters(path, operation);
            add_problems(path, operation);
        }
    }
    document
}

/// The operations of one path, with the words of their methods.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// One object with all fields of what it is composed of: `allOf` over parts that each refuse the others'
/// fields fits nothing.
fn flatten(schema: &RefOr<Schema>, all: &std::collections::BTreeMap<String, RefOr<Schema>>) -> Option<Object> {
    match schema {
        RefOr::Ref(reference) => flatten(all.get(reference.ref_location.rsplit('/').next()?)?, all),
        RefOr::T(Schema::Object(object)) => Some(object.clone()),
        RefOr::T(Schema::AllOf(composed)) => {
            let mut whole = ObjectBuilder::new().schema_type(Type::Object).description(composed.description.clone()).build();
            for part in &composed.items {
                let part = flatten(part, all)?;
                whole.properties.extend(part.properties);
                whole.required.extend(part.required);
                whole.description = whole.description.or(part.description);
            }
            Some(whole)
        }
        RefOr::T(_) => None,
    }
}

fn name_parameters(path: &str, operation: &mut Operation) {
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let (description, format) = match name {
            "ref" => ("Reference (`INC-42`) or id of the incident", None),
            "key" => ("The key of the integration", None),
            _ => ("", Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))),
        };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description((!description.is_empty()).then_some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).format(format)));
        operation.parameters.get_or_insert_default().push(RefOr::T(parameter.build()));
    }
}

fn add_problems(path: &str, operation: &mut Operation) {
    let parameters: Vec<&Parameter> = operation
        .parameters
        .iter()
        .flatten()
        .filter_map(|p| match p {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
        .collect();
    let queried = parameters.iter().any(|p| p.parameter_in == ParameterIn::Query);
    let condition = parameters.iter().find(|p| p.name == "If-Match").map(|p| p.required == Required::True);
    let hook = path.starts_with("/hooks");
    let mut statuses = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE, StatusCode::FORBIDDEN];
    if !hook {
        statuses.push(StatusCode::UNAUTHORIZED);
    }
    if path.contains('{') {
        statuses.push(StatusCode::NOT_FOUND);
    }
    if operation.request_body.is_some() && !hook {
        statuses.extend([StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
    if operation.request_body.is_some() {
        statuses.push(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if operation.request_body.is_some() || queried {
        statuses.push(StatusCode::UNPROCESSABLE_ENTITY);
    }
    if let Some(required) = condition {
        statuses.extend([StatusCode::BAD_REQUEST, StatusCode::PRECONDITION_FAILED]);
        statuses.extend(required.then_some(StatusCode::PRECONDITION_REQUIRED));
    }
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "Done".to_owned();
        }
    }
    for status in statuses {
        let mut problem = Response::new(said(status).1);
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        problem.content.insert("application/problem+json".to_owned(), RefOr::T(content));
        responses.entry(status.as_str().to_owned()).or_insert(RefOr::T(problem));
    }
}
