//! `#[taipan::rpc::service]`: a trait becomes a client, a server, and the trait that the server needs.
//!
//! `definition` reads the trait, `generate` writes the code.

mod definition;
mod generate;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Makes a service of a trait.
///
/// ```text
/// #[taipan::rpc::service]
/// pub trait Files {
///     /// Runs at most once for each call.
///     async fn append(name: String, text: String) -> u64;
///     /// May be run again on another server.
///     #[idempotent]
///     async fn size(name: String) -> u64;
///     /// Results one after the other.
///     async fn read(name: String) -> Stream<Raw>;
///     /// Arguments one after the other.
///     async fn write(name: String, parts: Stream<Raw>) -> u64;
///     /// Not answered.
///     #[signal]
///     async fn touch(name: String);
/// }
/// ```
///
/// gives, beside the trait itself (whose methods take `&self` and return `Result<_, Fault>`; where a result is a stream, they
/// get a `Sink` as last argument and return nothing):
///
/// - `FilesServer::new(implementation)`, for `Server::builder(..).service(..)`;
/// - `FilesClient::new(client)` with the same methods, and `with(options)` for deadlines and the like. A method with a
///   stream of results returns a `Stream`, one with a stream of arguments a `Sink` and the answer (or the stream).
///
/// Options: `#[service(name = "files.v2")]` is the name on the wire (default: the trait's), `#[service(codec = MyCodec)]` another
/// encoding than MessagePack. Arguments are owned values; a stream is the last of them.
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(options as definition::Options);
    let item = parse_macro_input!(item as syn::ItemTrait);
    match definition::Definition::read(options, item) {
        Ok(definition) => generate::all(&definition).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
