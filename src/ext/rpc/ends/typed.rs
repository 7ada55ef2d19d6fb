//! Values instead of payloads: streams, answers, and what `#[service]` writes calls to.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ext::rpc::conn::{ItemSink, ItemStream, Started};
use crate::ext::rpc::model::{Codec, MsgPack, Payload, RpcError};

/// Values that come one after the other: results of a call, or arguments of a method. Both [`next`](Self::next) and
/// [`futures_core::Stream`]. An error is the last item. Dropped before its end, a caller's stream cancels the call.
pub struct Stream<T, C = MsgPack> {
    items: ItemStream,
    /// The call that this is the result of, on the caller's side.
    _call: Option<Started>,
    of: PhantomData<fn() -> (T, C)>,
}

impl<T: DeserializeOwned, C: Codec> Stream<T, C> {
    fn new(items: ItemStream, call: Option<Started>) -> Self {
        Stream {
            items,
            _call: call,
            of: PhantomData,
        }
    }

    /// The next value; `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<T, RpcError>> {
        std::future::poll_fn(|task| self.poll_item(task)).await
    }

    fn poll_item(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<T, RpcError>>> {
        if self.items.has_ended() {
            return Poll::Ready(None);
        }
        let item = ready!(self.items.poll_next(task));
        let decode = |payload: Payload| payload.decode::<C, T>();
        Poll::Ready(item.map(|item| decode(item?).map_err(|error| RpcError::bad_result(&error))))
    }
}

impl<T: DeserializeOwned, C: Codec> futures_core::Stream for Stream<T, C> {
    type Item = Result<T, RpcError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(task)
    }
}

/// Where values go one after the other: arguments of a call, or results of a method.
///
/// A caller says [`finish`](Self::finish) behind the last; dropped before, the method sees the stream end with an error.
/// A method returns instead.
pub struct Sink<T, C = MsgPack> {
    items: ItemSink,
    of: PhantomData<fn(T, C)>,
}

impl<T: Serialize, C: Codec> Sink<T, C> {
    fn new(items: ItemSink) -> Self {
        Sink {
            items,
            of: PhantomData,
        }
    }

    /// Sends a value, waiting until the other end has room for it. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`RpcError::Cancelled`] when the other end wants no more, `Disconnected` when it is gone.
    pub async fn send(&self, value: &T) -> Result<(), RpcError> {
        let item =
            Payload::encode::<C, T>(value).map_err(|error| RpcError::bad_arguments(&error))?;
        self.items.send(&item).await
    }

    /// These were all.
    pub fn finish(self) {
        self.items.finish();
    }
}

/// The answer of a call whose arguments are a stream. Dropped before, the call is cancelled.
pub struct Answer<T, C = MsgPack> {
    inner: Pin<Box<dyn Future<Output = Result<Payload, RpcError>> + Send>>,
    of: PhantomData<fn() -> (T, C)>,
}

impl<T: DeserializeOwned, C: Codec> Future for Answer<T, C> {
    type Output = Result<T, RpcError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.inner.as_mut().poll(task));
        let decode = |payload: Payload| payload.decode::<C, T>();
        Poll::Ready(
            outcome.and_then(|result| decode(result).map_err(|error| RpcError::bad_result(&error))),
        )
    }
}

/// What the code that `#[service]` writes calls. Not for anybody else.
#[doc(hidden)]
pub mod support {
    use super::{Answer, PhantomData, Sink, Stream};
    use crate::ext::rpc::conn::{CallOptions, Started};
    use crate::ext::rpc::ends::client::{Client, What};
    use crate::ext::rpc::model::{Codec, MsgPack, Payload, Request, RpcError};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    fn codec<C: Codec>() -> Option<&'static str> {
        (C::NAME != MsgPack::NAME).then_some(C::NAME)
    }

    fn encode<C: Codec, A: Serialize + ?Sized>(arguments: &A) -> Result<Payload, RpcError> {
        Payload::encode::<C, A>(arguments).map_err(|error| RpcError::bad_arguments(&error))
    }

    /// A call with a result.
    pub async fn call<C: Codec, A: Serialize + ?Sized, R: DeserializeOwned>(
        client: &Client,
        method: &str,
        arguments: &A,
        options: CallOptions,
    ) -> Result<R, RpcError> {
        let params = encode::<C, A>(arguments)?;
        let result = client
            .invoke(method, &params, codec::<C>(), options)
            .await?;
        result
            .decode::<C, R>()
            .map_err(|error| RpcError::bad_result(&error))
    }

    /// A call without one.
    pub async fn signal<C: Codec, A: Serialize + ?Sized>(
        client: &Client,
        method: &str,
        arguments: &A,
        options: CallOptions,
    ) -> Result<(), RpcError> {
        let params = encode::<C, A>(arguments)?;
        client.signal(method, &params, codec::<C>(), options).await
    }

    async fn open<C: Codec, A: Serialize + ?Sized>(
        client: &Client,
        method: &str,
        arguments: &A,
        options: CallOptions,
        (with_arguments, with_results): (bool, bool),
    ) -> Result<Started, RpcError> {
        let params = encode::<C, A>(arguments)?;
        let what = What {
            method,
            params: &params,
            codec: codec::<C>(),
            options,
            arguments: with_arguments,
            results: with_results,
        };
        // A stream goes on for as long as it does, unless the caller says otherwise.
        let deadline = options.deadline.map(|_| client.deadline(options));
        let mut started = client.start(what, deadline).await?;
        started.send_now().await?;
        Ok(started)
    }

    /// A call whose result is a stream.
    pub async fn download<C: Codec, A: Serialize + ?Sized, R: DeserializeOwned>(
        client: &Client,
        method: &str,
        arguments: &A,
        options: CallOptions,
    ) -> Result<Stream<R, C>, RpcError> {
        let mut started = open::<C, A>(client, method, arguments, options, (false, true)).await?;
        let results = started.results.take().ok_or(RpcError::Closed {
            may_have_run: false,
        })?;
        Ok(Stream::new(results, Some(started)))
    }

    /// A call with a stream of arguments.
    pub async fn upload<C: Codec, A: Serialize + ?Sized, I: Serialize, R: DeserializeOwned>(
        client: &Client,
        method: &str,
        arguments: &A,
        options: CallOptions,
    ) -> Result<(Sink<I, C>, Answer<R, C>), RpcError> {
        let mut started = open::<C, A>(client, method, arguments, options, (true, false)).await?;
        let sink = started.arguments.take().ok_or(RpcError::Closed {
            may_have_run: false,
        })?;
        let answer = Answer {
            inner: Box::pin(async move { started.wait().await }),
            of: PhantomData,
        };
        Ok((Sink::new(sink), answer))
    }

    /// A call with both.
    pub async fn both_ways<C: Codec, A: Serialize + ?Sized, I: Serialize, R: DeserializeOwned>(
        client: &Client,
        method: &str,
        arguments: &A,
        options: CallOptions,
    ) -> Result<(Sink<I, C>, Stream<R, C>), RpcError> {
        let mut started = open::<C, A>(client, method, arguments, options, (true, true)).await?;
        let sink = started.arguments.take().ok_or(RpcError::Closed {
            may_have_run: false,
        })?;
        let results = started.results.take().ok_or(RpcError::Closed {
            may_have_run: false,
        })?;
        Ok((Sink::new(sink), Stream::new(results, Some(started))))
    }

    /// What a method is called with.
    pub fn arguments<C: Codec, A: DeserializeOwned>(request: &Request) -> Result<A, RpcError> {
        if request.codec.as_deref() != codec::<C>() {
            let name = request.codec.as_deref().unwrap_or(MsgPack::NAME);
            return Err(RpcError::BadArguments(format!("encoded as {name}")));
        }
        request
            .params
            .decode::<C, A>()
            .map_err(|error| RpcError::bad_arguments(&error))
    }

    /// The stream among the arguments.
    pub fn argument_stream<C: Codec, T: DeserializeOwned>(request: &Request) -> Stream<T, C> {
        Stream::new(request.streams.arguments(), None)
    }

    /// The stream that is the result.
    pub fn result_sink<C: Codec, T: Serialize>(request: &Request) -> Sink<T, C> {
        Sink::new(request.streams.results())
    }

    /// What a method returns.
    pub fn result<C: Codec, R: Serialize + ?Sized>(value: &R) -> Result<Payload, RpcError> {
        Payload::encode::<C, R>(value).map_err(|error| RpcError::bad_result(&error))
    }

    /// Nothing of this name.
    pub fn no_such_method(request: &Request) -> RpcError {
        RpcError::NoSuchMethod(request.method.clone())
    }
}
