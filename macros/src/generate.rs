//! The trait for servers, the server, the client.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};

use super::definition::{Definition, Kind, Method, Returns};

pub fn all(service: &Definition) -> TokenStream {
    let (server_trait, server, client) = (server_trait(service), server(service), client(service));
    quote! { #server_trait #server #client }
}

fn codec(service: &Definition) -> TokenStream {
    match &service.codec {
        Some(codec) => codec.to_token_stream(),
        None => quote!(::taipan::rpc::MsgPack),
    }
}

fn server_trait(service: &Definition) -> TokenStream {
    let Definition {
        docs,
        visibility,
        trait_name,
        methods,
        ..
    } = service;
    let codec = codec(service);
    let methods = methods.iter().map(|method| {
        let Method { docs, name, .. } = method;
        let inputs = inputs(method);
        let stream = method.argument_stream.iter().map(|(name, ty)| quote!(#name: ::taipan::rpc::Stream<#ty, #codec>));
        let (sink, result) = match &method.result {
            Returns::Value(ty) => (None, ty.to_token_stream()),
            Returns::Stream(ty) => (Some(quote!(results: ::taipan::rpc::Sink<#ty, #codec>)), quote!(())),
        };
        let arguments = inputs.chain(stream).chain(sink);
        quote! {
            #(#docs)*
            fn #name(&self, #(#arguments),*)
                -> impl ::core::future::Future<Output = ::core::result::Result<#result, ::taipan::rpc::Fault>> + ::core::marker::Send;
        }
    });
    quote! {
        #(#docs)*
        #visibility trait #trait_name: ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn server(service: &Definition) -> TokenStream {
    let Definition {
        visibility,
        trait_name,
        wire_name,
        methods,
        ..
    } = service;
    let codec = codec(service);
    let server = format_ident!("{trait_name}Server");
    let listed = methods.iter().map(|method| {
        let (name, signature) = (method.name.to_string(), signature(method));
        let kind = match method.kind {
            Kind::Call => quote!(Call),
            Kind::Idempotent => quote!(Idempotent),
            Kind::Signal => quote!(Signal),
            Kind::Stream => quote!(Stream),
        };
        quote! {
            ::taipan::rpc::Method {
                name: #name.to_owned(),
                signature: #signature.to_owned(),
                kind: ::taipan::rpc::MethodKind::#kind,
            }
        }
    });
    let arms = methods.iter().map(|method| arm(method, &codec));
    let doc = format!("Serves what implements [`{trait_name}`].");
    quote! {
        #[doc = #doc]
        #visibility struct #server<T>(::std::sync::Arc<T>);

        impl<T: #trait_name> #server<T> {
            /// Of an implementation, shared by all calls.
            pub fn new(implementation: T) -> Self {
                Self::shared(::std::sync::Arc::new(implementation))
            }

            /// Of one that others use as well.
            pub fn shared(implementation: ::std::sync::Arc<T>) -> Self {
                #server(implementation)
            }
        }

        impl<T: #trait_name> ::taipan::rpc::Service for #server<T> {
            fn name(&self) -> &str {
                #wire_name
            }

            fn methods(&self) -> ::std::vec::Vec<::taipan::rpc::Method> {
                ::std::vec![#(#listed),*]
            }

            fn call(self: ::std::sync::Arc<Self>, request: ::taipan::rpc::Request) -> ::taipan::rpc::Reply {
                match request.method_name() {
                    #(#arms)*
                    _ => ::std::boxed::Box::pin(::core::future::ready(::core::result::Result::Err(
                        ::taipan::rpc::support::no_such_method(&request),
                    ))),
                }
            }
        }
    }
}

/// What the server does for one method.
fn arm(method: &Method, codec: &TokenStream) -> TokenStream {
    let (name, text) = (&method.name, method.name.to_string());
    let names: Vec<_> = method.arguments.iter().map(|(name, _)| name).collect();
    let types: Vec<_> = method.arguments.iter().map(|(_, ty)| ty).collect();
    let decode = match names.len() {
        0 => quote!(let _: [(); 0] = ::taipan::rpc::support::arguments::<#codec, _>(&request)?;),
        _ => {
            quote!(let (#(#names,)*): (#(#types,)*) = ::taipan::rpc::support::arguments::<#codec, _>(&request)?;)
        }
    };
    let stream = method
        .argument_stream
        .as_ref()
        .map(|_| quote!(::taipan::rpc::support::argument_stream(&request)));
    let sink = match &method.result {
        Returns::Value(_) => None,
        Returns::Stream(_) => Some(quote!(::taipan::rpc::support::result_sink(&request))),
    };
    let passed = names
        .iter()
        .map(|name| quote!(#name))
        .chain(stream)
        .chain(sink);
    quote! {
        #text => ::std::boxed::Box::pin(async move {
            #decode
            let result = self.0.#name(#(#passed),*).await?;
            ::taipan::rpc::support::result::<#codec, _>(&result)
        }),
    }
}

fn client(service: &Definition) -> TokenStream {
    let Definition {
        visibility,
        trait_name,
        wire_name,
        methods,
        ..
    } = service;
    let codec = codec(service);
    let client = format_ident!("{trait_name}Client");
    let methods = methods
        .iter()
        .map(|method| client_method(method, wire_name, &codec));
    let doc = format!("Calls a [`{trait_name}`] elsewhere.");
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #visibility struct #client {
            client: ::taipan::rpc::Client,
            options: ::taipan::rpc::CallOptions,
        }

        #[allow(dead_code)]
        impl #client {
            /// Over the links of a client.
            pub fn new(client: ::taipan::rpc::Client) -> Self {
                #client { client, options: ::taipan::rpc::CallOptions::new() }
            }

            /// The same with other options: deadlines, traces.
            #[must_use]
            pub fn with(&self, options: ::taipan::rpc::CallOptions) -> Self {
                #client { client: self.client.clone(), options }
            }

            /// The client below.
            pub fn client(&self) -> &::taipan::rpc::Client {
                &self.client
            }

            #(#methods)*
        }
    }
}

fn client_method(method: &Method, service: &str, codec: &TokenStream) -> TokenStream {
    let Method { docs, name, .. } = method;
    let full = format!("{service}.{name}");
    let names: Vec<_> = method.arguments.iter().map(|(name, _)| name).collect();
    let inputs = inputs(method);
    let arguments = match names.len() {
        0 => quote!(&[(); 0]),
        _ => quote!(&(#(#names,)*)),
    };
    let options = match method.kind {
        Kind::Idempotent => quote!(self.options.idempotent()),
        _ => quote!(self.options),
    };
    let item = method.argument_stream.as_ref().map(|(_, ty)| ty);
    let (result, function) = match (&method.result, item, method.kind) {
        (_, _, Kind::Signal) => (quote!(()), quote!(signal)),
        (Returns::Value(ty), None, _) => (ty.to_token_stream(), quote!(call)),
        (Returns::Stream(ty), None, _) => {
            (quote!(::taipan::rpc::Stream<#ty, #codec>), quote!(download))
        }
        (Returns::Value(ty), Some(item), _) => (
            quote!((::taipan::rpc::Sink<#item, #codec>, ::taipan::rpc::Answer<#ty, #codec>)),
            quote!(upload),
        ),
        (Returns::Stream(ty), Some(item), _) => (
            quote!((::taipan::rpc::Sink<#item, #codec>, ::taipan::rpc::Stream<#ty, #codec>)),
            quote!(both_ways),
        ),
    };
    let generics = match function.to_string().as_str() {
        "signal" => quote!(#codec, _),
        "call" | "download" => quote!(#codec, _, _),
        _ => quote!(#codec, _, _, _),
    };
    quote! {
        #(#docs)*
        pub async fn #name(&self, #(#inputs),*) -> ::core::result::Result<#result, ::taipan::rpc::RpcError> {
            ::taipan::rpc::support::#function::<#generics>(&self.client, #full, #arguments, #options).await
        }
    }
}

fn inputs(method: &Method) -> impl Iterator<Item = TokenStream> + '_ {
    method.arguments.iter().map(|(name, ty)| quote!(#name: #ty))
}

/// As it is listed: `(a: i64, b: i64) -> i64`.
fn signature(method: &Method) -> String {
    let plain = |ty: &syn::Type| ty.to_token_stream().to_string().replace(' ', "");
    let mut arguments: Vec<_> = method
        .arguments
        .iter()
        .map(|(name, ty)| format!("{name}: {}", plain(ty)))
        .collect();
    if let Some((name, ty)) = &method.argument_stream {
        arguments.push(format!("{name}: Stream<{}>", plain(ty)));
    }
    let result = match &method.result {
        Returns::Value(ty) => plain(ty),
        Returns::Stream(ty) => format!("Stream<{}>", plain(ty)),
    };
    format!("({}) -> {result}", arguments.join(", "))
}
