//! All routes, in one place, and the description that is made from them.

use axum::Extension;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, Required, Response, path::PathItem,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;
use windlass_api::error::Problem;

use super::caller::{LONGEST_KEY, Reader};
use super::cost::Cost;
use super::refusal::Refusal;
use super::{
    Context, apply, audit, definitions, deploy, deployments, explain, logs, packages, releases, targets,
    tenants, tokens, variables,
};

/// Where the API lies. A change that would break its users gets another number.
const BASE: &str = "/api/v1";

/// The whole API, ready to be served.
pub fn router(context: Context) -> Router {
    let (router, description) = described();
    // One text for all who ask.
    let description = Bytes::from(serde_json::to_vec(&description).expect("a description is JSON"));
    let describe = move |_: Reader| async move { ([(CONTENT_TYPE, "application/json")], description) };
    let router = router
        .route(&format!("{BASE}/openapi.json"), get(describe).route_layer(Extension(Cost::Small)))
        .fallback(|| async { Refusal::nothing_here(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Refusal::nothing_here(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(axum::middleware::map_response(async |response| never_cached(response)));
    router.with_state(context)
}

/// The description of the API, as `openapi.json` answers it.
pub fn openapi() -> OpenApi {
    described().1
}

fn described() -> (Router<Context>, OpenApi) {
    let (router, mut description) =
        OpenApiRouter::with_openapi(head()).nest(BASE, paths().0).split_for_parts();
    for (path, item) in &mut description.paths.paths {
        say_what_all_have_in_common(path, item);
    }
    (router, description)
}

/// The routes. There is no way into it without saying what an answer costs others.
#[derive(Default)]
struct Table(OpenApiRouter<Context>);

impl Table {
    fn costs(self, cost: Cost, (schemas, paths, methods): UtoipaMethodRouter<Context>) -> Self {
        Self(self.0.routes((schemas, paths, methods.route_layer(Extension(cost)))))
    }
}

fn paths() -> Table {
    Table::default()
        .costs(Cost::Part, routes!(apply::apply))
        .costs(Cost::Reads, routes!(apply::export))
        .costs(Cost::Part, routes!(definitions::list))
        .costs(Cost::Whole, routes!(definitions::view))
        .costs(Cost::Small, routes!(definitions::delete))
        .costs(Cost::Part, routes!(tenants::list))
        .costs(Cost::Reads, routes!(tenants::counts))
        .costs(Cost::Part, routes!(tenants::create))
        .costs(Cost::Part, routes!(tenants::change))
        .costs(Cost::Reads, routes!(tenants::missing_values))
        .costs(Cost::Part, routes!(targets::list))
        .costs(Cost::Whole, routes!(targets::view))
        .costs(Cost::Small, routes!(targets::delete))
        .costs(Cost::Whole, routes!(targets::grant))
        .costs(Cost::Whole, routes!(targets::enable))
        .costs(Cost::Whole, routes!(targets::disable))
        .costs(Cost::Whole, routes!(targets::revoke))
        .costs(Cost::Whole, routes!(targets::confirm))
        .costs(Cost::Small, routes!(tokens::whoami))
        .costs(Cost::Part, routes!(tokens::list))
        .costs(Cost::Small, routes!(tokens::create))
        .costs(Cost::Small, routes!(tokens::delete))
        .costs(Cost::Part, routes!(tokens::list_enrolments))
        .costs(Cost::Small, routes!(tokens::create_enrolment))
        .costs(Cost::Small, routes!(tokens::delete_enrolment))
        .costs(Cost::Part, routes!(packages::list))
        .costs(Cost::Small, routes!(packages::upload))
        .costs(Cost::Small, routes!(packages::view))
        .costs(Cost::Part, routes!(releases::list))
        .costs(Cost::Part, routes!(releases::create))
        .costs(Cost::Part, routes!(releases::view))
        .costs(Cost::Short, routes!(deploy::plan))
        .costs(Cost::Part, routes!(deployments::list))
        .costs(Cost::Short, routes!(deploy::deploy))
        .costs(Cost::Whole, routes!(deployments::view))
        .costs(Cost::Small, routes!(deploy::cancel))
        .costs(Cost::Output, routes!(logs::read))
        .costs(Cost::Follow, routes!(logs::follow::follow))
        .costs(Cost::Part, routes!(explain::target))
        .costs(Cost::Part, routes!(explain::tenant))
        .costs(Cost::Reads, routes!(explain::deployment))
        .costs(Cost::Whole, routes!(variables::inspect))
        .costs(Cost::Reads, routes!(audit::list))
        .costs(Cost::Reads, routes!(audit::verify))
        .costs(Cost::Reads, routes!(audit::what_can))
        .costs(Cost::Reads, routes!(audit::who_can))
        .costs(Cost::Reads, routes!(audit::pulled))
}

fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Windlass")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The coordinator's API. The space is named with `?space=`; where nobody names one, the first is \
             meant. Errors are answered as `Problem`.",
        ))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build()
}

/// Every operation has a name of its own, made of its method and path, and may be refused in the same ways; those that
/// change something may be repeated.
fn say_what_all_have_in_common(path: &str, item: &mut PathItem) {
    let words: String = path.trim_start_matches(BASE).replace(['{', '}'], "").replace(['/', '-'], "_");
    let operations = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ];
    for (method, operation) in operations {
        let Some(operation) = operation else { continue };
        operation.operation_id = Some(format!("{method}{words}"));
        // A plan is asked for with a body, and changes nothing.
        if method != "get" && !path.ends_with("/plans") {
            operation.parameters.get_or_insert_default().push(idempotency_key().into());
        }
        // The format wants words for every answer, also where the schema says all.
        for answer in operation.responses.responses.values_mut() {
            let RefOr::T(answer) = answer else { continue };
            if answer.description.is_empty() {
                "It is done, or this is what was asked for.".clone_into(&mut answer.description);
            }
        }
        for (status, description) in [
            ("400", "The request is not well-formed."),
            ("401", "No valid token."),
            ("403", "The token may not."),
            ("404", "Something that the request names does not exist."),
            ("408", "The body came too slowly."),
            ("409", "It contradicts what is."),
            ("413", "The body is too large."),
            ("422", "It was understood and failed."),
            ("429", "The token has too much of this under way; ask again when some of it is answered."),
            ("500", "Something broke inside the coordinator; its log tells what."),
            ("503", "The coordinator is too busy with this, or stopping; ask again in a moment."),
            ("507", "The coordinator's disk is full; nothing was changed."),
        ] {
            let problem = utoipa::openapi::ContentBuilder::new()
                .schema(Some(utoipa::openapi::Ref::from_schema_name(Problem::name())))
                .build();
            let response = utoipa::openapi::ResponseBuilder::new()
                .description(description)
                .content("application/json", problem)
                .build();
            let responses = &mut operation.responses.responses;
            responses.entry(status.to_owned()).or_insert(RefOr::<Response>::T(response));
        }
    }
}

/// The header with which a request may be repeated.
fn idempotency_key() -> Parameter {
    let text =
        ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(LONGEST_KEY));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "With the same key the same request is done once, and answered as the first time, for a day. A secret \
             that was made is shown once: asked for again it is a 409.",
        ))
        .schema(Some(text))
        .build()
}

/// Answers are of a moment and for one asker.
pub(super) fn never_cached(mut response: axum::response::Response) -> axum::response::Response {
    use axum::http::HeaderValue;
    use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
