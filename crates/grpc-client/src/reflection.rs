//! Asks a server for the descriptors of its services: gRPC server reflection, v1 and v1alpha.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;
use tokio::time::Instant;

use super::call::{self, Head, Incoming, Outgoing, Received};
use super::channel::Channel;
use super::metadata::Metadata;
use super::schema::Schema;
use super::status::{Status, code};

/// The newer version first; many servers support only the other one.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// The maximum number of files of a server.
const MAX_FILES: usize = 10_000;

/// The request; exactly one field is set.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, optional, tag = "3")]
    file_by_filename: Option<String>,
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Refused>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Refused {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The schema of all services of the server.
///
/// # Errors
/// The server does not provide its descriptors, or they contradict each other.
pub async fn ask(
    channel: &Rc<Channel>,
    metadata: &Metadata,
    deadline: Instant,
) -> Result<Schema, Status> {
    let mut last = Status::default();
    for path in METHODS {
        let head = Head {
            path: path.to_owned(),
            metadata: metadata.clone(),
            deadline: Some(deadline),
        };
        match ask_by(channel, &head).await {
            Err(status) if status.code == code::UNIMPLEMENTED => last = status,
            other => return other,
        }
    }
    Err(last)
}

async fn ask_by(channel: &Rc<Channel>, head: &Head) -> Result<Schema, Status> {
    let begun = call::begin(channel, head).await;
    let (outgoing, incoming) = begun.map_err(call::Unbegun::into_status)?;
    let mut conversation = Conversation { outgoing, incoming };
    let answer = conversation.ask(Request {
        list_services: Some("*".to_owned()),
        ..Request::default()
    });
    let services = answer.await?.services.unwrap_or_default();
    let mut files = Collected::default();
    for service in services.services {
        let answer = conversation.ask(Request {
            file_containing_symbol: Some(service.name),
            ..Request::default()
        });
        files.add(answer.await?)?;
    }
    while let Some(name) = files.wanted.pop_front() {
        if files.by_name.contains_key(&name) || is_googles(&name) {
            continue;
        }
        let answer = conversation.ask(Request {
            file_by_filename: Some(name),
            ..Request::default()
        });
        files.add(answer.await?)?;
    }
    conversation.outgoing.finish();
    let all = files.by_name.into_values().collect();
    Schema::from_files(all).map_err(|error| Status::new(code::UNKNOWN, error.to_string()))
}

fn is_googles(name: &str) -> bool {
    DescriptorPool::global().get_file_by_name(name).is_some()
}

struct Conversation {
    outgoing: Outgoing,
    incoming: Incoming,
}

impl Conversation {
    async fn ask(&mut self, request: Request) -> Result<Response, Status> {
        self.outgoing.send(&request.encode_to_vec())?;
        let message = match self.incoming.next().await {
            Received::Message(message) => message,
            Received::End(ended) if ended.status.is_ok() => {
                return Err(Status::new(
                    code::INTERNAL,
                    "the server ended the reflection",
                ));
            }
            Received::End(ended) => return Err(ended.status),
        };
        let response = Response::decode(message);
        let response = response.map_err(|error| Status::new(code::INTERNAL, error.to_string()))?;
        match response.error {
            Some(error) => Err(Status::new(error.code.unsigned_abs(), error.message)),
            None => Ok(response),
        }
    }
}

/// The files received so far.
#[derive(Default)]
struct Collected {
    by_name: BTreeMap<String, FileDescriptorProto>,
    wanted: VecDeque<String>,
    asked: BTreeSet<String>,
}

impl Collected {
    fn add(&mut self, response: Response) -> Result<(), Status> {
        let broken = |what: String| Status::new(code::INTERNAL, what);
        for bytes in response.files.unwrap_or_default().descriptors {
            let file = FileDescriptorProto::decode(bytes.as_slice())
                .map_err(|error| broken(error.to_string()))?;
            for import in &file.dependency {
                if self.asked.insert(import.clone()) {
                    self.wanted.push_back(import.clone());
                }
            }
            self.by_name.insert(file.name().to_owned(), file);
        }
        if self.by_name.len() > MAX_FILES || self.asked.len() > MAX_FILES {
            return Err(broken(
                "the server has too many files to describe".to_owned(),
            ));
        }
        Ok(())
    }
}
