//! What the trait says, checked.

use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ItemTrait, LitStr, Pat, PathArguments,
    ReturnType, Token, TraitItem, TraitItemFn, Type, Visibility,
};

/// What stands in the brackets of `#[service(..)]`.
#[derive(Default)]
pub struct Options {
    name: Option<LitStr>,
    codec: Option<Type>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Options::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "name" => options.name = Some(input.parse()?),
                "codec" => options.codec = Some(input.parse()?),
                _ => return Err(Error::new(key.span(), "there are `name` and `codec`")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

/// A service.
pub struct Definition {
    pub docs: Vec<Attribute>,
    pub visibility: Visibility,
    pub trait_name: Ident,
    pub wire_name: String,
    pub codec: Option<Type>,
    pub methods: Vec<Method>,
}

/// One of its methods.
pub struct Method {
    pub docs: Vec<Attribute>,
    pub name: Ident,
    /// Without the stream.
    pub arguments: Vec<(Ident, Type)>,
    pub argument_stream: Option<(Ident, Type)>,
    pub result: Returns,
    pub kind: Kind,
}

/// What it returns.
pub enum Returns {
    Value(Type),
    Stream(Type),
}

/// What callers may do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Call,
    Idempotent,
    Signal,
    Stream,
}

impl Definition {
    pub fn read(options: Options, item: ItemTrait) -> syn::Result<Self> {
        if !item.generics.params.is_empty() || !item.supertraits.is_empty() {
            return Err(Error::new(
                item.ident.span(),
                "a service has no generics and no supertraits",
            ));
        }
        let methods = item.items.into_iter().map(|item| match item {
            TraitItem::Fn(method) => Method::read(method),
            other => Err(Error::new(other.span(), "a service has methods only")),
        });
        Ok(Definition {
            docs: docs(&item.attrs),
            visibility: item.vis,
            wire_name: options
                .name
                .map_or_else(|| item.ident.to_string(), |name| name.value()),
            trait_name: item.ident,
            codec: options.codec,
            methods: methods.collect::<syn::Result<_>>()?,
        })
    }
}

impl Method {
    fn read(method: TraitItemFn) -> syn::Result<Self> {
        let signature = method.sig;
        if signature.asyncness.is_none() {
            return Err(Error::new(signature.ident.span(), "methods are `async fn`"));
        }
        if let Some(body) = method.default {
            return Err(Error::new(body.span(), "methods have no body here"));
        }
        if !signature.generics.params.is_empty() {
            return Err(Error::new(
                signature.ident.span(),
                "methods have no generics",
            ));
        }
        let mut arguments = Vec::new();
        let mut argument_stream = None;
        for input in signature.inputs {
            let (name, ty) = argument(input)?;
            if argument_stream.is_some() {
                return Err(Error::new(name.span(), "a stream is the last argument"));
            }
            match stream_of(&ty) {
                Some(item) => argument_stream = Some((name, item)),
                None => arguments.push((name, ty)),
            }
        }
        let result = match signature.output {
            ReturnType::Default => Returns::Value(syn::parse_quote!(())),
            ReturnType::Type(_, ty) => match stream_of(&ty) {
                Some(item) => Returns::Stream(item),
                None => Returns::Value(*ty),
            },
        };
        let marked = |name| {
            method
                .attrs
                .iter()
                .any(|attribute| attribute.path().is_ident(name))
        };
        let streams = argument_stream.is_some() || matches!(result, Returns::Stream(_));
        let kind = match (marked("signal"), marked("idempotent"), streams) {
            (false, false, false) => Kind::Call,
            (false, true, false) => Kind::Idempotent,
            (true, false, false) => Kind::Signal,
            (false, false, true) => Kind::Stream,
            _ => {
                let words = "a method is one of: #[signal], #[idempotent], with streams";
                return Err(Error::new(signature.ident.span(), words));
            }
        };
        Ok(Method {
            docs: docs(&method.attrs),
            name: signature.ident,
            arguments,
            argument_stream,
            result,
            kind,
        })
    }
}

fn argument(input: FnArg) -> syn::Result<(Ident, Type)> {
    match input {
        FnArg::Receiver(receiver) => Err(Error::new(
            receiver.span(),
            "`self` is left out: callers and servers have different ones",
        )),
        FnArg::Typed(argument) => match *argument.pat {
            Pat::Ident(name) => Ok((name.ident, *argument.ty)),
            other => Err(Error::new(other.span(), "an argument is a name and a type")),
        },
    }
}

/// `T` of `Stream<T>`.
fn stream_of(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(inside) = &last.arguments else {
        return None;
    };
    match inside.args.first()? {
        GenericArgument::Type(item) if last.ident == "Stream" => Some(item.clone()),
        _ => None,
    }
}

fn docs(attributes: &[Attribute]) -> Vec<Attribute> {
    let keep = attributes.iter().filter(|attribute| {
        !attribute.path().is_ident("signal") && !attribute.path().is_ident("idempotent")
    });
    keep.cloned().collect()
}
