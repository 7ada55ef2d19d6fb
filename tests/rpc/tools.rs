//! Dynamic calls and services, listing, and tower's middleware on both sides.

use std::sync::atomic::Ordering;
use std::time::Duration;

use taipan::Context;
use taipan::rpc::{
    BUILT_IN, CallOptions, Client, DynamicService, Fault, Invocation, Layered, Method, MethodKind,
    MsgPack, Payload, RpcError, Server, SetupError, Value,
};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::service::{Seen, WorkServer, Worker, everywhere, run, server};

#[test]
fn a_server_lists_what_it_has() {
    everywhere(|work, _, _| async move {
        work.client().health().await.expect("well");
        let listed = work.client().list().await.expect("a list");
        let names: Vec<_> = listed.iter().map(|service| &*service.name).collect();
        assert_eq!(names, ["Work", BUILT_IN]);
        let of = |name: &str| {
            let method = listed[0]
                .methods
                .iter()
                .find(|method| method.name == name)
                .expect("it");
            (method.signature.clone(), method.kind.clone())
        };
        assert_eq!(of("add"), ("(a: i64, b: i64) -> i64".into(), "call".into()));
        assert_eq!(of("who"), ("() -> String".into(), "idempotent".into()));
        assert_eq!(of("note"), ("(text: String) -> ()".into(), "signal".into()));
        assert_eq!(
            of("double"),
            (
                "(start: i64, numbers: Stream<i64>) -> Stream<i64>".into(),
                "stream".into()
            )
        );
    });
}

#[test]
fn a_function_serves_whatever_no_other_service_has() {
    run(async {
        let context = Context::new();
        let echo = |method: String, arguments: Vec<Value>| async move {
            match arguments.is_empty() {
                true => Err(Fault::new("Empty", method)),
                false => Ok(Value::from(vec![
                    Value::from(method),
                    Value::from(arguments),
                ])),
            }
        };
        let method = Method {
            name: "any".into(),
            signature: "(..) -> any".into(),
            kind: MethodKind::Call,
        };
        let server = Server::builder(&context)
            .service(DynamicService::new("*", vec![method], echo))
            .bind("tcp://127.0.0.1:*")
            .start()
            .expect("a server");
        let client = Client::connect(&context, server.endpoint().to_string()).expect("a client");
        let arguments = vec![Value::from(1), Value::from("x")];
        let answer = client
            .call_value("Any.thing", arguments.clone(), CallOptions::new())
            .await;
        assert_eq!(
            answer,
            Ok(Value::from(vec![
                Value::from("Any.thing"),
                Value::from(arguments)
            ]))
        );
        let error = client.call_value("a", vec![], CallOptions::new()).await;
        assert_eq!(error, Err(RpcError::Application(Fault::new("Empty", "a"))));
    });
}

#[test]
fn two_services_of_one_name_are_refused() {
    run(async {
        let context = Context::new();
        let one = || WorkServer::new(Worker(Seen::default().into()));
        let twice = Server::builder(&context)
            .service(one())
            .service(one())
            .start();
        assert!(matches!(twice, Err(SetupError::Twice(name)) if name == "Work"));
        assert!(matches!(
            Client::builder(&context).build(),
            Err(SetupError::NoAddress)
        ));
    });
    let outside = Client::connect(&Context::new(), "inproc://x");
    assert!(matches!(outside, Err(SetupError::NoRuntime)));
}

#[test]
fn towers_middleware_fits_on_the_client() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let client = Client::connect(&context, server.endpoint().to_string()).expect("a client");
        let service = client.into_service(2);
        let call = |method: &str, number: u64| {
            let params = Payload::encode::<MsgPack, _>(&(number,)).expect("encoded");
            Invocation::new(format!("Work.{method}"), params)
        };
        // Two at a time are ready, a third is not until one of them ends.
        let (mut one, mut two, mut three) = (service.clone(), service.clone(), service.clone());
        let first = tokio::spawn(one.ready().await.expect("ready").call(call("wait", 1)));
        let second = tokio::spawn(two.ready().await.expect("ready").call(call("wait", 2)));
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 2)
            .await;
        let mut pending = std::pin::pin!(three.ready());
        assert!(futures_util::poll!(pending.as_mut()).is_pending());
        seen.go.notify_waiters();
        let third = pending
            .await
            .expect("ready")
            .call(call("run", 3))
            .await
            .expect("an answer");
        assert_eq!(third.decode::<MsgPack, u64>(), Ok(3));
        for (call, number) in [(first, 1), (second, 2)] {
            let answer = call.await.expect("no panic").expect("an answer");
            assert_eq!(answer.decode::<MsgPack, u64>(), Ok(number));
        }
        let mut hasty = ServiceBuilder::new()
            .timeout(Duration::from_millis(50))
            .service(service);
        let late = hasty
            .ready()
            .await
            .expect("ready")
            .call(call("wait", 4))
            .await;
        assert!(
            late.expect_err("late")
                .is::<tower::timeout::error::Elapsed>()
        );
        seen.until(|seen| seen.dropped.load(Ordering::SeqCst) == 1)
            .await;
    });
}

#[test]
fn towers_middleware_fits_on_the_server() {
    run(async {
        let context = Context::new();
        let seen = std::sync::Arc::new(Seen::default());
        let worker = WorkServer::new(Worker(seen.clone()));
        let layered = Layered::new(worker, |inner| {
            ServiceBuilder::new()
                .timeout(Duration::from_millis(50))
                .concurrency_limit(1)
                .service(inner)
        });
        let server = Server::builder(&context)
            .service(layered)
            .bind("tcp://127.0.0.1:*")
            .start()
            .expect("a server");
        let work = crate::service::client(&context, server.endpoint());
        assert_eq!(work.add(1, 2).await, Ok(3));
        let error = work.wait(1).await.expect_err("too slow");
        assert!(
            matches!(&error, RpcError::Application(fault) if fault.kind == "middleware"),
            "{error:?}"
        );
        assert_eq!(
            work.fail("x".into())
                .await
                .map_err(|error| error.may_have_run()),
            Err(true)
        );
        assert_eq!(work.client().list().await.expect("a list").len(), 2);
    });
}
