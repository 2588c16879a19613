//! All routes, in one place, and the description that is made from them.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, Required, Response, path::PathItem,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_api::error::Problem;

use super::caller::{LONGEST_KEY, Reader};
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
    let description = Arc::new(description);
    let router = router
        .route(
            &format!("{BASE}/openapi.json"),
            get(move |_: Reader| async move { Json(OpenApi::clone(&description)) }),
        )
        .fallback(|| async { Refusal::nothing_here(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Refusal::nothing_here(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(axum::middleware::map_response(never_cached));
    router.with_state(context)
}

/// The description of the API, as `openapi.json` answers it.
pub fn openapi() -> OpenApi {
    described().1
}

fn described() -> (Router<Context>, OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(head()).nest(BASE, paths()).split_for_parts();
    for (path, item) in &mut description.paths.paths {
        say_what_all_have_in_common(path, item);
    }
    (router, description)
}

fn paths() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(apply::apply))
        .routes(routes!(apply::export))
        .routes(routes!(definitions::list))
        .routes(routes!(definitions::view, definitions::delete))
        .routes(routes!(tenants::create))
        .routes(routes!(tenants::change))
        .routes(routes!(tenants::missing_values))
        .routes(routes!(targets::list))
        .routes(routes!(targets::view, targets::delete))
        .routes(routes!(targets::grant))
        .routes(routes!(targets::enable))
        .routes(routes!(targets::disable))
        .routes(routes!(targets::revoke))
        .routes(routes!(targets::confirm))
        .routes(routes!(tokens::whoami))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(tokens::list_enrolments, tokens::create_enrolment))
        .routes(routes!(tokens::delete_enrolment))
        .routes(routes!(packages::list, packages::upload))
        .routes(routes!(packages::view))
        .routes(routes!(releases::list, releases::create))
        .routes(routes!(releases::view))
        .routes(routes!(deploy::plan))
        .routes(routes!(deployments::list, deploy::deploy))
        .routes(routes!(deployments::view))
        .routes(routes!(deploy::cancel))
        .routes(routes!(logs::read))
        .routes(routes!(logs::follow::follow))
        .routes(routes!(explain::target))
        .routes(routes!(explain::tenant))
        .routes(routes!(explain::deployment))
        .routes(routes!(variables::inspect))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::what_can))
        .routes(routes!(audit::who_can))
        .routes(routes!(audit::pulled))
}

fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Windlass")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The coordinator's API. The space is named with `?space=` or the header `Windlass-Space`; where \
             nobody names one, the first is meant. Errors are answered as `Problem`.",
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
async fn never_cached(mut response: axum::response::Response) -> impl IntoResponse {
    use axum::http::HeaderValue;
    use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
