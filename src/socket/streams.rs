//! Sockets as `Stream` and `Sink`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;

use super::error::{RecvError, SendError};
use super::handle::Socket;
use super::kinds::{Receives, Sends};
use crate::message::Message;

type Waiter<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The messages of a socket, until it is closed. See [`Socket::stream`].
pub struct MessageStream<K: Receives> {
    socket: Socket<K>,
    waiting: Option<Waiter<Result<Message, RecvError>>>,
}

impl<K: Receives> Socket<K> {
    /// The messages of the socket as a `Stream`, which ends when the socket is closed. Clones of the handle
    /// can go on receiving; each message goes to one of them.
    pub fn stream(&self) -> MessageStream<K> {
        MessageStream {
            socket: self.clone(),
            waiting: None,
        }
    }
}

impl<K: Receives> Stream for MessageStream<K> {
    type Item = Result<Message, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            match this.socket.try_recv() {
                Err(RecvError::WouldBlock) => {}
                Err(RecvError::Closed) => return Poll::Ready(None),
                done => return Poll::Ready(Some(done)),
            }
        }
        let socket = &this.socket;
        let waiting = this.waiting.get_or_insert_with(|| {
            let socket = socket.clone();
            Box::pin(async move { socket.recv().await })
        });
        let result = std::task::ready!(waiting.as_mut().poll(cx));
        this.waiting = None;
        Poll::Ready(match result {
            Err(RecvError::Closed) => None,
            done => Some(done),
        })
    }
}

/// A socket as a `Sink`. See [`Socket::sink`].
pub struct MessageSink<K: Sends> {
    socket: Socket<K>,
    sending: Option<Waiter<Result<(), SendError>>>,
}

impl<K: Sends> Socket<K> {
    /// The socket as a `Sink` of messages. It is ready again when the message before was accepted.
    pub fn sink(&self) -> MessageSink<K> {
        MessageSink {
            socket: self.clone(),
            sending: None,
        }
    }
}

impl<K: Sends> MessageSink<K> {
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Some(sending) = &mut self.sending else {
            return Poll::Ready(Ok(()));
        };
        let result = std::task::ready!(sending.as_mut().poll(cx));
        self.sending = None;
        Poll::Ready(result)
    }
}

impl<K: Sends> Sink<Message> for MessageSink<K> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_sent(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let this = &mut *self;
        match this.socket.try_send(message) {
            Err(error) if error.kind() == super::error::SendErrorKind::WouldBlock => {
                let socket = this.socket.clone();
                let message = error.into_message();
                this.sending = Some(Box::pin(async move { socket.send(message).await }));
                Ok(())
            }
            done => done,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        std::task::ready!(self.poll_sent(cx))?;
        self.socket.flush();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(cx)
    }
}
