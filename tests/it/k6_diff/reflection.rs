//! Server reflection, the part of it that clients use: services, files by symbol, files by name.

use prost::Message;

use super::grpc::Call;

#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(string, optional, tag = "3")]
    file_by_filename: Option<String>,
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(message, optional, tag = "2")]
    request: Option<Request>,
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Refusal>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Refusal {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Answers until the client ends the stream.
pub async fn answer(mut call: Call) {
    while let Some(bytes) = call.next().await {
        let Ok(request) = Request::decode(bytes) else {
            return call.end(3, "not a request");
        };
        let response = respond(&call, request);
        call.send(&response.encode_to_vec());
    }
    call.end(0, "");
}

fn respond(call: &Call, request: Request) -> Response {
    let mut response = Response::default();
    let pool = call.schema.pool();
    let file = match (&request.file_by_filename, &request.file_containing_symbol) {
        (Some(name), _) => pool.get_file_by_name(name),
        (None, Some(symbol)) => {
            let service = pool.get_service_by_name(symbol);
            let message = || pool.get_message_by_name(symbol).map(|it| it.parent_file());
            service.map(|it| it.parent_file()).or_else(message)
        }
        (None, None) => {
            let services = pool.services().map(|service| Service {
                name: service.full_name().to_owned(),
            });
            response.services = Some(Services {
                services: services.collect(),
            });
            response.request = Some(request);
            return response;
        }
    };
    match file {
        Some(file) => {
            let descriptors = vec![file.encode_to_vec()];
            response.files = Some(Files { descriptors });
        }
        None => {
            response.error = Some(Refusal {
                code: 5,
                message: "no such file".to_owned(),
            });
        }
    }
    response.request = Some(request);
    response
}
